"""A burn rate raises while a long window proves it and a short one shows that it goes on, and ends with the latter."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.domain.alert import ResolvedBecause, Severity
from daemon.logic.rules.burn_rate import BurnRateRule
from tests.logic.playing import Play, an_event

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def a_burn(**changes: Any) -> BurnRateRule:
    """Of a small day: a burn above 10 over 10m and 1m."""
    facts: dict[str, Any] = {
        "alert": "BudgetBurn",
        "kind": "burn_rate",
        "objective": "99%",
        "bad": {"outcome": "failed"},
        "by": ["provider_key"],
        "levels": {"critical": {"above": 10, "long": "10m", "short": "1m"}},
    }
    return BurnRateRule.model_validate(facts | changes)


def turns(play: Play, row: str, **changes: Any) -> None:
    """One turn a second: `x` is a bad one, `.` a good one."""
    for turn in row:
        play.book.observe(an_event(play.now, bad=turn == "x", **changes))
        play.silence(1)


@pytest.mark.parametrize(
    ("share", "firing"), [(0.0, []), (0.01, []), (0.05, []), (0.09, []), (0.2, ["critical"]), (1.0, ["critical"])]
)
def test_steady_traffic_raises_above_the_factor(share: float, firing: list[str]) -> None:
    play = Play.of(a_burn())
    play.traffic(600, per_second=5, bad=share)
    assert play.severities == firing


@pytest.mark.parametrize(
    ("share", "firing"), [(0.03, []), (0.1, ["warning"]), (0.25, ["critical", "warning"]), (0.005, [])]
)
def test_unless_said_there_are_two_levels_as_of_a_months_budget(share: float, firing: list[str]) -> None:
    rule = BurnRateRule.model_validate({"alert": "A", "objective": "99%", "bad": {"outcome": "failed"}})
    assert (rule.query({}).window_seconds, rule.query({}).stretch_to_seconds) == (300, 6 * 3600)
    play = Play.of(rule)
    play.traffic(3600, bad=share)
    assert play.severities == firing


@pytest.mark.parametrize(
    ("severity", "level", "pace"),
    [
        (WARNING, {}, (6, 6 * 3600, 1800)),
        (CRITICAL, {}, (14.4, 3600, 300)),
        (WARNING, {"above": "3.5"}, (3.5, 6 * 3600, 1800)),
        (CRITICAL, {"long": "2h", "short": "10m"}, (14.4, 7200, 600)),
    ],
)
def test_what_a_level_does_not_say_goes_by_its_severity(
    severity: Severity, level: Any, pace: tuple[float, ...]
) -> None:
    rule = a_burn(levels={severity: level})
    assert rule.levels[severity].pace(severity) == pace
    query = rule.query({})
    assert (query.window_seconds, query.stretch_to_seconds) == (pace[2], pace[1])


@pytest.mark.parametrize(
    ("row", "firing"),
    [
        ("x" * 19, []),
        ("x" * 20, ["critical"]),
        ("." * 15 + "xxxxx", []),
        ("." * 14 + "xxxxxx", ["critical"]),
        ("x", []),
        ("", []),
    ],
)
def test_the_long_window_must_prove_it(row: str, firing: list[str]) -> None:
    play = Play.of(a_burn(levels={"critical": {"above": 14.4, "long": "10m", "short": "1m"}}))
    turns(play, row)
    assert play.severities == firing


@pytest.mark.parametrize(
    ("off", "row"), [({"min_samples": "none"}, "xx"), ({"confidence": "none"}, "." * 26 + "xxx")], ids=str
)
def test_each_guard_can_be_switched_off(off: dict[str, str], row: str) -> None:
    guarded, unguarded = Play.of(a_burn()), Play.of(a_burn(**off))
    for play in (guarded, unguarded):
        turns(play, row)
    assert (guarded.severities, unguarded.severities) == ([], ["critical"])


def test_what_is_over_raises_nothing_however_much_was_burnt() -> None:
    play = Play.of(a_burn())
    for second in range(100):
        play.book.warm(an_event(play.now + second * 1000, bad=True))
    play.second = 170
    turns(play, "." * 100)
    assert play.told == []


def test_a_short_peak_alone_raises_nothing() -> None:
    play = Play.of(a_burn())
    turns(play, "." * 550 + "x" * 40)
    assert play.severities == []


def test_it_ends_when_the_short_window_is_below_though_the_long_one_is_not() -> None:
    play = Play.of(a_burn(keep_firing_for="0s"))
    turns(play, "x" * 100 + "." * 50)
    assert play.severities == ["critical"]
    turns(play, "." * 20)
    assert play.severities == []
    assert (alert := play.alert()).resolved_because is ResolvedBecause.CLEARED
    assert alert.value is not None
    assert alert.value > 10


def test_no_traffic_is_not_below() -> None:
    play = Play.of(a_burn(keep_firing_for="0s"))
    turns(play, "x" * 60)
    play.silence(500)
    assert play.severities == ["critical"]
    play.silence(120)
    assert play.changed[-1][1].resolved_because is ResolvedBecause.NO_DATA


@given(st.lists(st.booleans(), min_size=1, max_size=70), st.sampled_from([2.0, 10.0, 40.0]))
def test_it_never_raises_below_the_factor_of_either_window(outcomes: list[bool], above: float) -> None:
    level = {"above": above, "long": "60s", "short": "30s"}
    play, budget = Play.of(a_burn(levels={"critical": level}, min_samples="none")), 0.01
    for n, bad in enumerate(outcomes, 1):
        before = play.severities
        turns(play, "x" if bad else ".")
        if play.severities and not before:
            for window in (60, 30):
                last = outcomes[max(0, n - window) : n]
                assert sum(last) / len(last) / budget > above


def test_its_figures_are_of_the_long_window() -> None:
    play = Play.of(a_burn())
    turns(play, "x" * 30)
    alert = play.alert()
    assert (alert.value, alert.window_seconds) == (pytest.approx(100), 600)
    assert (alert.samples, alert.bad) == (30, 30)
    assert alert.lower_bound == pytest.approx(0.886, abs=0.001)
    assert alert.summary == "BudgetBurn: the budget burns at 100.0 x; 30 of 30 in 10m"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "100%"}, "objective leaves no budget"),
        ({"objective": "90%"}, r"levels\.critical: 10 is the most that an objective of 90% can burn"),
        ({"levels": {"warning": {"short": "6h"}}}, r"levels\.warning: `short` should be shorter than `long`"),
        ({"levels": {"warning": {"short": "0s"}}}, "more than 0s"),
        ({"levels": {"warning": {"above": "6x"}}}, "'6x' is not a factor; write a number"),
        ({"levels": {"warning": {"above": True}}}, "True is not a factor"),
        ({"levels": {}}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        a_burn(**changes)


def test_numbers_are_shared_by_rules_with_other_objectives() -> None:
    others = ({"bad": {"status": 429}}, {"of": {"stream": True}}, {"by": []}, {"levels": {"warning": {}}})
    keys = {rule.query({}).key for rule in (a_burn(), *(a_burn(**changes) for changes in others))}
    assert len(keys) == len(others) + 1
    assert a_burn(objective="95%").query({}).key in keys


@pytest.mark.parametrize(("retries", "firing"), [("exclude", []), ("include", ["critical"])])
def test_a_marked_retry_belongs_to_its_first_attempt(retries: str, firing: list[str]) -> None:
    play = Play.of(a_burn(retries=retries))
    turns(play, "x" * 40, attempt=1)
    assert play.severities == firing
