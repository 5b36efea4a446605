"""When one id means two models: owners that share it, and aliases that hide it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.inventory import ModelEntry
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import aliases

SPARK, CODEX = "gpt-5.3-codex-spark", "gpt-5.3-codex"
OPTIONS = aliases.OPTIONS()
HIDES = [{"name": CODEX, "alias": SPARK, "fork": True}]
KNOWN = Capabilities(management=True)


def sight(models: Sequence[tuple[str, str | None]] | None, memory: Mapping[str, Any] | None = None) -> Sight:
    listed = None if models is None else {"default": [ModelEntry(model_id=m, owned_by=o) for m, o in models]}
    return Sight(now=1, models=listed, capabilities=KNOWN, memory=memory or {})


def look(
    models: Sequence[tuple[str, str | None]] | None,
    those: Any = None,
    memory: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Found:
    body = json.dumps({aliases.PATH: {"codex": those} if those is not None else {}}).encode()
    return aliases.verdict(OPTIONS, sight(models, memory), [Reply(status=status, body=body)])


def said(found: Found) -> dict[str, str]:
    return {one.subject: one.outcome.value for one in found.results}


@pytest.mark.parametrize(
    ("models", "those", "remembered", "expected"),
    [
        ([(SPARK, "openai"), (CODEX, "openai")], None, {}, {"": "ok"}),
        ([(SPARK, "openai"), (CODEX, "openai")], HIDES, {}, {"": "ok"}),  # it may be there by the alias alone
        ([(SPARK, "openai"), (CODEX, "openai")], HIDES, {"genuine": [SPARK]}, {SPARK: "bad"}),
        ([], [{"name": CODEX, "alias": SPARK}, {"name": "x", "alias": CODEX}], {}, {CODEX: "bad"}),
        ([("a", "openai"), ("a", "github-copilot")], None, {}, {"a": "bad"}),
        ([("a", "openai"), ("a", "openai"), ("a", None)], None, {}, {"": "ok"}),
        ([("a", "openai")], None, {"bad": ["a"]}, {"a": "ok"}),
        ([("a", "openai")], [{"name": "a", "alias": "a"}, "?", {"name": 3}], {}, {"": "ok"}),
        ([("a", "openai")], "?", {}, {"": "ok"}),
    ],
)
def test_what_collides_is_told_with_its_id(
    models: Any, those: Any, remembered: Mapping[str, Any], expected: dict[str, str]
) -> None:
    assert said(look(models, those, remembered)) == expected


def test_what_was_listed_before_its_alias_came_is_hidden_by_it() -> None:
    before = look([(SPARK, "openai"), (CODEX, "openai")])
    after = look([(SPARK, "openai"), (CODEX, "openai")], HIDES, before.memory)
    (one,) = after.results
    assert one.reason == f"an alias of codex sends {SPARK} out as {CODEX}, and hides the genuine one"
    assert said(look([(SPARK, "openai")], None, after.memory)) == {SPARK: "ok"}


def test_an_alias_that_has_just_gone_and_is_listed_still_is_not_genuine() -> None:
    first = look([(SPARK, "openai")], HIDES)
    gone = look([(SPARK, "openai")], None, first.memory)
    assert said(look([(SPARK, "openai")], HIDES, gone.memory)) == {"": "ok"}


def test_without_a_reading_of_aliases_nothing_is_learned_and_nothing_is_over() -> None:
    memory = {"genuine": [], "aliases": [SPARK], "bad": ["a"]}
    found = look([(SPARK, "openai")], None, memory, status=500)
    assert (said(found), found.memory) == ({"": "unknown"}, memory)


def test_where_nothing_is_to_be_seen_nothing_is_told() -> None:
    assert said(aliases.verdict(OPTIONS, sight(None), [])) == {"": "unknown"}


@pytest.mark.parametrize(
    ("capabilities", "asked"),
    [
        (KNOWN, [aliases.PATH]),
        (Capabilities(), []),
        (Capabilities(management=True, routes={aliases.PATH: False}), []),
    ],
)
def test_only_what_may_be_served_is_asked(capabilities: Capabilities, asked: list[str]) -> None:
    asks: Sequence[Ask] = aliases.requests(OPTIONS, Sight(now=0, capabilities=capabilities))
    assert [(ask.door, ask.path) for ask in asks] == [(Door.MANAGEMENT, path) for path in asked]
