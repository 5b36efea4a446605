"""A state raises while the latest readings say so, and ends with the first that does not."""

from typing import Any

import pytest

from daemon.domain.alert import AlertState, ResolvedBecause, Severity
from daemon.domain.quota import QuotaReading
from daemon.domain.self_reading import Condition, SelfReading
from daemon.logic.rules.state import StateRule
from tests.logic.playing import Play, an_event

WARNING = Severity.WARNING
HOUR = 3600


def a_state(**changes: Any) -> StateRule:
    facts: dict[str, Any] = {
        "alert": "CredentialQuotaExhausted",
        "kind": "state",
        "field": "quota_exhausted",
        "by": ["credential"],
        "keep_firing_for": "0s",
        "levels": {"warning": {"equals": True}},
    }
    return StateRule.model_validate(facts | changes)


def usage(**level: Any) -> StateRule:
    return a_state(field="usage_percentage", levels={"warning": level})


def read(play: Play, *values: Any, every: int = 1, name: str = "quota_exhausted", **changes: Any) -> None:
    """One quota reading every so many seconds."""
    for value in values:
        facts = {"provider_key": "kiro", "credential": "a", "source": "probe", name: value}
        play.book.observe(QuotaReading(observed_at=play.now, **facts | changes))
        play.silence(every)


def later(play: Play, seconds: int) -> None:
    """Nothing happens for so long."""
    play.second += seconds - 1
    play.judge()


@pytest.mark.parametrize(
    ("rule", "values", "fires"),
    [
        (a_state(), [True], True),
        (a_state(), [False], False),
        (a_state(), [None], False),
        (a_state(), [False, True], True),
        (a_state(), [True, False], False),
        (a_state(), [True, None], True),
        (a_state(), [], False),
        (a_state(readings=2), [True], False),
        (a_state(readings=2), [True, False, True], False),
        (a_state(readings=2), [True, True], True),
        (a_state(readings=2), [True, True, False], False),
        (a_state(levels={"warning": {"equals": False}}), [False], True),
        (a_state(levels={"warning": {"equals": 1}}), [True], False),
    ],
)
def test_a_word_raises_while_it_is_said(rule: StateRule, values: list[Any], fires: bool) -> None:
    play = Play.of(rule)
    read(play, *values)
    assert bool(play.firing) is fires


@pytest.mark.parametrize(
    ("level", "values", "fires"),
    [
        ({"above": 90}, [90], False),
        ({"above": 90}, [91], True),
        ({"above": 90}, [91, 90], False),
        ({"above": 90, "clear_below": 80}, [91, 85], True),
        ({"above": 90, "clear_below": 80}, [85], False),
        ({"above": 90, "clear_below": 80}, [91, 79], False),
        ({"below": 10}, [10], False),
        ({"below": 10}, [9], True),
        ({"below": 10, "clear_above": 20}, [9, 15], True),
        ({"below": 10, "clear_above": 20}, [9, 21], False),
        ({"below": "10%"}, [0.09], True),
        ({"below": "10%"}, [0.11], False),
        ({"above": "0.5"}, [0.6], True),
    ],
)
def test_a_number_raises_beyond_its_threshold(level: dict[str, Any], values: list[float], fires: bool) -> None:
    play = Play.of(usage(**level))
    read(play, *values, name="usage_percentage")
    assert bool(play.firing) is fires


@pytest.mark.parametrize(("word", "fires"), [("failed", True), ("expired", True), ("ok", False)])
def test_any_word_of_a_list_will_do(word: str, fires: bool) -> None:
    play = Play.of(a_state(field="refresh_state", levels={"warning": {"equals": ["failed", "expired"]}}))
    read(play, word, name="refresh_state")
    assert bool(play.firing) is fires


def test_one_credential_says_nothing_of_another_and_no_event_says_anything() -> None:
    play = Play.of(a_state(of={"provider_key": "kiro"}))
    play.book.observe(an_event(play.now, bad=True, credential="c"))
    read(play, True, credential="a")
    read(play, False, credential="b")
    read(play, True, credential="c", provider_key="codex")
    assert [alert.labels for alert in play.book.firing()] == [(("credential", "a"),)]


def test_severities_have_thresholds_of_their_own() -> None:
    play = Play.of(a_state(field="usage_percentage", levels={"warning": {"above": 80}, "critical": {"above": 95}}))
    for value in (85, 97, 85, 10):
        read(play, value, name="usage_percentage")
    assert play.told == ["opened", "escalated", "eased", "closed"]


@pytest.mark.parametrize(
    ("changes", "seconds", "state"),
    [
        ({}, HOUR - 10, AlertState.FIRING),
        ({}, HOUR + 10, AlertState.RESOLVED),
        ({"stale_after": "2h"}, HOUR + 10, AlertState.FIRING),
        ({"stale_after": "5m"}, 310, AlertState.RESOLVED),
        ({"stale_after": "none"}, 2 * HOUR, AlertState.FIRING),
    ],
)
def test_what_was_read_long_ago_is_known_no_more(changes: dict[str, Any], seconds: int, state: AlertState) -> None:
    play = Play.of(a_state(**changes))
    read(play, True)
    later(play, seconds)
    alert = play.alert(WARNING)
    assert alert.state is state
    assert alert.resolved_because is (ResolvedBecause.NO_DATA if state is AlertState.RESOLVED else None)


def test_what_is_read_of_ourselves_stands_until_it_changes() -> None:
    rule = a_state(
        source="self", of={"condition": "disk_free"}, field="value", by=[], levels={"warning": {"below": "10%"}}
    )
    play = Play.of(rule)
    full, other = Condition.DISK_FREE, Condition.EVENTS_DROPPED
    play.book.observe(SelfReading(condition=full, value=0.08, reason="8% of the disk is free", emitted_at=play.now))
    play.book.observe(SelfReading(condition=other, value=0.5, emitted_at=play.now))
    later(play, 25 * HOUR)
    assert [(alert.state, alert.value, alert.summary) for alert in play.book.firing()] == [
        (AlertState.FIRING, 0.08, "CredentialQuotaExhausted: 8% of the disk is free")
    ]
    play.book.observe(SelfReading(condition=full, value=0.2, emitted_at=play.now))
    play.silence(1)
    assert play.told == ["opened", "closed"]


@pytest.mark.parametrize(
    ("rule", "name", "value", "told"),
    [
        (a_state(), "quota_exhausted", True, "quota_exhausted is true"),
        (usage(above=90), "usage_percentage", 95.5, "usage_percentage is 95.5"),
    ],
)
def test_a_reading_without_a_reason_is_told_by_its_field(rule: StateRule, name: str, value: Any, told: str) -> None:
    play = Play.of(rule)
    read(play, value, name=name)
    assert play.alert(WARNING).value == (None if value is True else value)
    assert play.alert(WARNING).summary == f"CredentialQuotaExhausted: {told}"


@pytest.mark.parametrize(("value", "states"), [(True, ["firing"]), (False, ["firing", "resolved"])])
def test_after_a_restart_the_next_reading_decides(value: bool, states: list[str]) -> None:
    before = Play.of(a_state())
    read(before, True)
    after = Play.of(a_state())
    after.second = before.second
    after.book.restore(before.book.alerts())
    after.silence(600)
    assert [alert.state for alert in after.book.alerts()] == [AlertState.FIRING]
    read(after, value)
    changed = [alert.state.value for _, alert in before.changed + after.changed]
    assert changed == states


@pytest.mark.parametrize(
    "level",
    [
        {},
        {"equals": True, "above": 5},
        {"above": 5, "below": 3},
        {"equals": True, "clear_below": 5},
        {"above": 5, "clear_above": 6},
        {"above": 5, "clear_below": 6},
        {"below": 5, "clear_above": 4},
        {"above": "5s"},
        {"above": True},
    ],
)
def test_a_level_compares_in_one_way(level: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"needs one of|clear_|is not a number"):
        a_state(levels={"warning": level})
