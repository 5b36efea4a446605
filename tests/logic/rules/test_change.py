"""A change raises while a reading differs from before, or from a while ago, and ends when the new value has stood."""

from typing import Any

import pytest

from daemon.domain.alert import ResolvedBecause, Severity
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.domain.quota import QuotaReading
from daemon.domain.self_reading import Condition, SelfReading
from daemon.logic.rules.change import MOST_CHANGES, ChangeRule
from tests.logic.playing import Play

WARNING = Severity.WARNING
HOUR = 3600


def a_change(**changes: Any) -> ChangeRule:
    """Of the inventory, by 10 % or more."""
    facts: dict[str, Any] = {
        "alert": "ModelInventoryShrunk",
        "kind": "change",
        "of": {"probe": "models"},
        "by": ["subject"],
        "keep_firing_for": "0s",
        "levels": {"warning": {"falls_by": "10%"}},
    }
    return ChangeRule.model_validate(facts | changes)


def probe(play: Play, *values: float | None, every: int = 1, **changes: Any) -> None:
    """One verdict every so many seconds."""
    for value in values:
        facts = {"probe": "models", "outcome": ProbeOutcome.OK, "value": value, "reason": f"at {play.second}"}
        play.book.observe(ProbeResult(emitted_at=play.now, **facts | changes))
        later(play, every)


def later(play: Play, seconds: int) -> None:
    play.second += seconds - 1
    play.judge()


@pytest.mark.parametrize(
    ("level", "values", "fires"),
    [
        ({"falls_by": "10%"}, [], False),
        ({"falls_by": "10%"}, [20], False),
        ({"falls_by": "10%"}, [20, 20], False),
        ({"falls_by": "10%"}, [20, 19], False),
        ({"falls_by": "10%"}, [20, 18], True),
        ({"falls_by": "10%"}, [20, 30], False),
        ({"falls_by": "10%"}, [20, 0], True),
        ({"falls_by": "10%"}, [0, 20], False),
        ({"falls_by": "10%"}, [20, None, 10], True),
        ({"falls_by": "10%"}, [20, 10, 10], False),
        ({"falls_by": "10%"}, [20, 10, 20], False),
        ({"rises_by": "10%"}, [20, 21], False),
        ({"rises_by": "10%"}, [20, 22], True),
        ({"rises_by": "10%"}, [20, 10], False),
        ({"rises_by": "10%"}, [0, 1], True),
        ({"rises_by": "10%"}, [0, 0], False),
        ({"rises_by": "10%"}, [-10, -12], False),
        ({"differs": True}, [20, 20], False),
        ({"differs": True}, [20, 21], True),
    ],
)
def test_it_is_compared_with_the_reading_before(level: dict[str, Any], values: list[float], fires: bool) -> None:
    play = Play.of(a_change(levels={"warning": level}))
    probe(play, *values)
    assert bool(play.firing) is fires


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([20, 20, 20], []),
        ([20, 10], ["opened"]),
        ([20, 10, 10, 10], ["opened"]),
        ([20, 10, 19], ["opened", "closed"]),
        ([20, 19, 18], ["opened"]),
        ([20, 10, *[10] * 24], ["opened", "closed"]),
        ([20, 10, *[10] * 22], ["opened"]),
        ([20, *[10, 11] * (MOST_CHANGES // 2 - 1)], ["opened"]),
        ([20, *[10, 11] * MOST_CHANGES], ["opened", "closed"]),  # nobody knows any more what it was
    ],
)
def test_it_is_compared_with_what_it_was_a_day_ago(values: list[float], told: list[str]) -> None:
    play = Play.of(a_change(against="24h"))
    probe(play, *values, every=HOUR if len(values) < 30 else 10)
    assert play.told == told


def test_a_slow_fall_is_seen_against_a_day_ago_only() -> None:
    plays = [Play.of(a_change()), Play.of(a_change(against="24h"))]
    for play in plays:
        probe(play, *range(100, 80, -1), every=HOUR)
    assert [play.told for play in plays] == [[], ["opened"]]


def test_words_of_other_readings_may_change_too() -> None:
    rule = a_change(source="quota", of={"provider_key": "kiro"}, by=["credential"], field="refresh_state",
                    levels={"warning": {"differs": True}})  # fmt: skip
    play = Play.of(rule)
    for state in ("ok", "ok", "failed"):
        facts = {"provider_key": "kiro", "credential": "a", "source": "probe", "observed_at": play.now}
        play.book.observe(QuotaReading(refresh_state=state, **facts))
        play.book.observe(QuotaReading(refresh_state="ok", **facts | {"credential": "b"}))
        play.judge()
    [alert] = play.book.firing()
    assert (alert.labels, alert.value) == ((("credential", "a"),), None)
    assert alert.summary == "ModelInventoryShrunk: from ok to failed"


def test_what_is_read_of_ourselves_stands_until_it_changes() -> None:
    rule = a_change(source="self", of={"condition": "disk_free"}, by=[], levels={"warning": {"falls_by": "50%"}})
    play = Play.of(rule)
    for share in (0.5, 0.2):
        play.book.observe(SelfReading(condition=Condition.DISK_FREE, value=share, emitted_at=play.now))
        play.judge()
    later(play, 48 * HOUR)
    assert play.severities == ["warning"]


def test_the_message_says_from_what_to_what_and_why() -> None:
    play = Play.of(a_change(against="24h"))
    probe(play, 20, subject="default", reason="20 models")
    probe(play, 15, subject="default", reason="5 are missing")
    alert = play.alert(WARNING)
    assert (alert.value, alert.summary) == (0.25, "ModelInventoryShrunk: from 20 to 15 (5 are missing)")


def test_another_reason_is_no_change() -> None:
    play = Play.of(a_change(levels={"warning": {"differs": True}}))
    probe(play, 20, reason="a")
    probe(play, 20, reason="b")
    assert not play.firing


@pytest.mark.parametrize(("level", "value"), [({"rises_by": "10%"}, None), ({"differs": True}, None)])
def test_what_rose_from_nothing_has_no_share(level: dict[str, Any], value: float | None) -> None:
    play = Play.of(a_change(levels={"warning": level}))
    probe(play, 0, 7)
    assert (play.severities, play.alert(WARNING).value) == (["warning"], value)


@pytest.mark.parametrize(
    ("changes", "seconds", "fires"),
    [({}, 23 * HOUR, True), ({}, 25 * HOUR, False), ({"stale_after": "1h"}, 2 * HOUR, False)],
)
def test_what_is_read_no_more_is_known_no_more(changes: dict[str, Any], seconds: int, fires: bool) -> None:
    play = Play.of(a_change(**changes))
    probe(play, 20, 10)
    later(play, seconds)
    assert bool(play.firing) is fires
    assert play.alert(WARNING).resolved_because is (None if fires else ResolvedBecause.NO_DATA)


@pytest.mark.parametrize(
    ("changes", "values", "told"),
    [
        ({}, [], []),
        ({}, [10], []),
        ({}, [10, 10], ["closed"]),
        ({}, [10, 5], []),
        ({"against": "24h"}, [10] * 23, []),
        ({"against": "24h"}, [10] * 26, ["closed"]),
        ({"against": "24h"}, [10, 20], ["closed"]),
    ],
)
def test_after_a_restart_a_single_value_tells_of_no_change(
    changes: dict[str, Any], values: list[float], told: list[str]
) -> None:
    before = Play.of(a_change(**changes))
    probe(before, 20, 10)
    after = Play.of(a_change(**changes))
    after.second = before.second
    after.book.restore(before.book.alerts())
    after.silence(600)
    probe(after, *values, every=HOUR)
    assert (after.told, after.errors) == (told, [])


@pytest.mark.parametrize(
    "level", [{}, {"falls_by": "10%", "rises_by": "10%"}, {"falls_by": "0%"}, {"rises_by": "0%"}, {"differs": False}]
)
def test_a_level_names_one_change(level: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"needs one of|above 0%|Input should be True"):
        a_change(levels={"warning": level})
