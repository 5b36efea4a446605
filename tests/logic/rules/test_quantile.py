"""A quantile raises when it is proven that more turns than allowed are above the threshold, not on a few slow ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.domain.alert import ResolvedBecause, Severity
from daemon.domain.event import EVENT_FIELDS, Outcome
from daemon.domain.sample import Counts
from daemon.logic.evidence import lower_bound
from daemon.logic.rules.quantile import QuantileRule
from tests.logic.playing import Play, an_event

WARNING = Severity.WARNING
SLOW, QUICK = 20_000, 1000


def a_quantile(**changes: Any) -> QuantileRule:
    facts: dict[str, Any] = {
        "alert": "ProviderSlow",
        "kind": "quantile",
        "field": "ttft_ms",
        "by": ["provider_key"],
        "stretch_to": "10m",
        "levels": {"warning": {"above": "15s", "clear_below": "10s"}},
    }
    return QuantileRule.model_validate(facts | changes)


def turns(play: Play, *ttfts: int | None, every: int = 1, **changes: Any) -> None:
    """One turn every so many seconds."""
    for ttft_ms in ttfts:
        play.book.observe(an_event(play.now, ttft_ms=ttft_ms, **changes))
        play.silence(every)


def mixed(slow: int, quick: int) -> list[int]:
    return [QUICK] * quick + [SLOW] * slow


@pytest.mark.parametrize(
    ("ttfts", "firing"),
    [
        (mixed(0, 100), []),
        (mixed(4, 96), []),
        (mixed(6, 94), []),
        (mixed(11, 89), ["warning"]),
        (mixed(19, 0), []),
        (mixed(20, 0), ["warning"]),
        (mixed(2, 18), []),
        (mixed(3, 17), ["warning"]),
        ([14_000] * 100, []),
        ([None] * 100, []),
        ([], []),
    ],
)
def test_it_raises_on_evidence_alone(ttfts: list[int | None], firing: list[str]) -> None:
    play = Play.of(a_quantile())
    turns(play, *ttfts)
    assert (play.severities, play.errors) == (firing, [])


@pytest.mark.parametrize(("slow", "firing"), [(30, []), (70, ["warning"])])
def test_q_says_how_many_may_be_above(slow: int, firing: list[str]) -> None:
    play = Play.of(a_quantile(q="50%"))
    turns(play, *mixed(slow, 100 - slow))
    assert play.severities == firing


@given(st.lists(st.sampled_from([QUICK, SLOW]), min_size=1, max_size=60))
def test_it_raises_exactly_when_the_share_above_is_proven(ttfts: list[int]) -> None:
    play, raised = Play.of(a_quantile(window="10m")), False
    for n in range(1, len(ttfts) + 1):
        turns(play, ttfts[n - 1])
        slow = ttfts[:n].count(SLOW)
        raised = raised or (n >= 20 and lower_bound(Counts(n, slow), 1.959964) > 0.05)
        assert (play.firing != set()) is raised


@pytest.mark.parametrize(
    ("off", "ttfts"),
    [({"min_samples": "none"}, mixed(3, 0)), ({"confidence": "none"}, mixed(6, 94))],
)
def test_each_guard_can_be_switched_off(off: dict[str, str], ttfts: list[int]) -> None:
    play = Play.of(a_quantile(**off))
    turns(play, *ttfts)
    assert play.severities == ["warning"]


@pytest.mark.parametrize(("stretch_to", "firing"), [("10m", []), ("60m", ["warning"])])
def test_a_window_with_too_few_is_stretched_once(stretch_to: str, firing: list[str]) -> None:
    play = Play.of(a_quantile(stretch_to=stretch_to))
    turns(play, *mixed(25, 0), every=60)
    assert play.severities == firing


def test_a_window_that_has_enough_is_not_stretched() -> None:
    play = Play.of(a_quantile(window="1m", stretch_to="60m", keep_firing_for="0s"))
    turns(play, *mixed(60, 0), *[QUICK] * 60)
    assert play.severities == []
    assert play.alert(WARNING).window_seconds == 60


def test_it_clears_below_its_lower_threshold_and_not_before() -> None:
    play = Play.of(a_quantile(window="1m", stretch_to="1m", keep_firing_for="30s"))
    turns(play, *mixed(60, 0))
    turns(play, *[12_000] * 200)
    assert play.severities == ["warning"]
    turns(play, *[QUICK] * 120)
    assert play.severities == []
    assert play.alert(WARNING).resolved_because is ResolvedBecause.CLEARED


def test_unless_said_it_clears_at_sixty_percent() -> None:
    levels = {"warning": {"above": "15s"}}
    play = Play.of(a_quantile(window="1m", stretch_to="1m", keep_firing_for="0s", levels=levels))
    turns(play, *mixed(60, 0), *[9500] * 100)
    assert play.severities == ["warning"]
    turns(play, *[8500] * 100)
    assert play.severities == []


def test_no_data_is_not_quick() -> None:
    play = Play.of(a_quantile(window="1m", stretch_to="5m"))
    turns(play, *mixed(60, 0))
    turns(play, *[None] * 280)
    assert play.severities == ["warning"]
    turns(play, *[None] * 30)
    assert play.changed[-1][1].resolved_because is ResolvedBecause.NO_DATA


def test_each_level_has_its_own_threshold() -> None:
    levels = {"warning": {"above": "15s"}, "critical": {"above": "30s"}}
    play = Play.of(a_quantile(levels=levels))
    turns(play, *mixed(40, 0))
    assert play.severities == ["warning"]
    turns(play, *[60_000] * 40)
    assert play.severities == ["critical", "warning"]


def test_of_says_which_turns_count_and_retries_do_not() -> None:
    play = Play.of(a_quantile(of={"outcome": "ok"}))
    turns(play, *mixed(50, 0), outcome=Outcome.FAILED)
    turns(play, *mixed(50, 0), attempt=1)
    assert play.severities == []


@pytest.mark.parametrize(
    ("field", "above", "below", "beyond"),
    [
        ("ttft_ms", "500ms", 480, 520),
        ("duration_ms", "1m", 58_000, 62_000),
        ("retry_after_seconds", "1m", 58.0, 62.0),
        ("output_tokens", 5000, 4800, 5200),
        ("output_tokens", "2.5", 2, 3),
    ],
)
def test_thresholds_and_values_are_in_the_unit_of_the_field(
    field: str, above: Any, below: float, beyond: float
) -> None:
    play = Play.of(a_quantile(field=field, window="1m", stretch_to="1m", levels={"warning": {"above": above}}))
    for value in [below] * 60 + [beyond] * 60:
        assert play.severities == [] or value == beyond
        play.book.observe(an_event(play.now, **{field: value}))
        play.silence(1)
    assert play.severities == ["warning"]
    assert play.book.firing()[0].value == pytest.approx(beyond, rel=0.03)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("ttft_ms", 12_345.6, "12.3s"),
        ("ttft_ms", 850.4, "850ms"),
        ("duration_ms", 125_000.0, "2m5s"),
        ("retry_after_seconds", 30.04, "30.0s"),
        ("output_tokens", 8123.7, "8124"),
    ],
)
def test_values_are_said_as_people_read_them(field: str, value: float, said: str) -> None:
    above = 1 if field == "output_tokens" else "1s"
    assert a_quantile(field=field, levels={"warning": {"above": above}}).say(value) == said


def test_it_says_how_many_were_above() -> None:
    play = Play.of(a_quantile())
    turns(play, *mixed(4, 16))
    alert = play.alert(WARNING)
    assert (alert.samples, alert.bad, alert.window_seconds) == (20, 4, 600)
    assert alert.lower_bound == pytest.approx(lower_bound(Counts(20, 4), 1.96), abs=1e-4)


def test_what_is_above_the_lowest_threshold_is_bad() -> None:
    query = a_quantile(levels={"critical": {"above": "30s"}, "warning": {"above": "15s"}}).query({})
    assert [query.bad(an_event(0, ttft_ms=ttft_ms)) for ttft_ms in (15_000, 15_001)] == [False, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field": "ttft"}, "ttft_ms"),
        ({"levels": {"warning": {"above": 15}}}, r"levels\.warning\.above: 15 is not a duration"),
        ({"levels": {"critical": {"above": "15s", "clear_below": "10"}}}, r"critical\.clear_below: '10' is not a dur"),
        ({"field": "output_tokens"}, r"levels\.warning\.above: '15s' is not a number; write one without a unit"),
        ({"field": "output_tokens", "levels": {"warning": {"above": "nan"}}}, "'nan' is not a number"),
        ({"levels": {"warning": {"above": "15s", "clear_below": "16s"}}}, "must not be above"),
        ({"q": "100%"}, "less than 100%"),
        ({"q": "0%"}, "more than 0%"),
        ({"levels": {}}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        a_quantile(**changes)


def test_it_offers_the_numbers_of_an_event_and_nothing_else() -> None:
    endings = ("_ms", "_tokens", "_seconds", "_bytes")
    offered = QuantileRule.model_json_schema()["properties"]["field"]["enum"]
    assert offered == [name for name in EVENT_FIELDS if name.endswith(endings)]


def test_numbers_are_shared_only_by_rules_that_ask_for_the_same() -> None:
    others = ({"window": "5m"}, {"stretch_to": "2h"}, {"field": "ttfb_ms"}, {"of": {"stream": True}}, {"by": []})
    keys = {rule.query({}).key for rule in (a_quantile(), *(a_quantile(**changes) for changes in others))}
    assert len(keys) == len(others) + 1
    assert a_quantile(q="50%", min_samples=7).query({}).key in keys
