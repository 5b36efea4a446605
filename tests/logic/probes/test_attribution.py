"""Where turns went, beside where they should have gone: what is judged, and what says nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from daemon.domain.probe import ProbeOutcome
from daemon.domain.routed import Routed
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import attribution

OPTIONS = attribution.OPTIONS()
GPT = "gpt-5.4"


def routed(codex: int, other: int) -> Sequence[Routed]:
    turns = {"codex": codex, "openai-compatibility": other}
    return [Routed(model=GPT, expected="codex", provider_key=key, turns=count) for key, count in turns.items() if count]


def look(those: Sequence[Routed], memory: Mapping[str, Any] | None = None) -> Found:
    return attribution.verdict(OPTIONS, Sight(now=1, routed=those, memory=memory or {}), [])


def outcomes(found: Found) -> dict[str, str]:
    return {one.subject: one.outcome.value for one in found.results}


@pytest.mark.parametrize(
    ("codex", "other", "outcome"),
    [
        (40, 0, "ok"),
        (57, 3, "ok"),
        (56, 3, "bad"),
        (0, 3, "bad"),
        (0, 2, "ok"),
    ],
)
def test_more_than_a_small_share_of_several_turns_is_bad(codex: int, other: int, outcome: str) -> None:
    assert outcomes(look(routed(codex, other))) == {"": "ok", GPT: outcome}


def test_it_says_where_they_went_and_how_many() -> None:
    said = next(one for one in look(routed(31, 9)).results if one.subject)
    assert said.reason == "9 of 40 turns for gpt-5.4 went to openai-compatibility, and not to codex"
    assert said.value == pytest.approx(9 / 40)


def test_only_what_came_since_the_last_look_is_judged() -> None:
    memory = look(routed(31, 9)).memory
    assert outcomes(look(routed(71, 9), memory)) == {"": "ok", GPT: "ok"}
    assert outcomes(look(routed(31, 19), memory)) == {"": "ok", GPT: "bad"}
    assert outcomes(look(routed(31, 9), memory)) == {"": "ok"}


def test_a_process_that_began_to_count_anew_is_judged_by_what_it_counted() -> None:
    memory = look(routed(100, 9)).memory
    assert outcomes(look(routed(2, 4), memory))[GPT] == "bad"


def test_without_a_turn_that_anybody_expects_anywhere_nothing_is_known() -> None:
    (said,) = look([]).results
    assert (said.outcome, said.reason) == (ProbeOutcome.UNKNOWN, attribution.UNTOLD)


def test_it_asks_nothing() -> None:
    assert attribution.requests(OPTIONS, Sight(now=1)) == []
