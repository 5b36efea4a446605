"""An absence raises when nothing came for so much of the time in which it is expected, and ends when something does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from daemon.domain.alert import AlertState, Severity
from daemon.domain.event import Fault, Outcome, Source, Wire
from daemon.logic.rules.absence import AbsenceRule
from tests.logic.playing import T0, Play, an_event

WARNING = Severity.WARNING
MINUTE, HOUR, DAY = 60, 3600, 86_400


def an_absence(**changes: Any) -> AbsenceRule:
    facts: dict[str, Any] = {
        "alert": "AmpBypass",
        "kind": "absence",
        "of": {"client": "amp"},
        "window": "10m",
        "keep_firing_for": "0s",
        "levels": {"warning": {}},
    }
    return AbsenceRule.model_validate(facts | changes)


def until(play: Play, moment: str) -> None:
    """Time passes, and every ten minutes somebody looks."""
    second = round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) - T0 // 1000
    while play.second < second:
        play.second = min(play.second // (10 * MINUTE) * 10 * MINUTE + 10 * MINUTE, second) - 1
        play.judge()


def beginning(rule: AbsenceRule, moment: str) -> Play:
    play = Play.of(rule)
    play.second = round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) - T0 // 1000 - 1
    play.judge()
    return play


def come(play: Play, **changes: Any) -> None:
    play.book.observe(an_event(play.now, **{"client": "amp", **changes}))
    play.judge()


@pytest.mark.parametrize(
    ("silent", "fires"), [(0, False), (10 * MINUTE - 20, False), (10 * MINUTE + 10, True), (2 * DAY, True)]
)
@pytest.mark.parametrize("seen", [True, False])
def test_it_raises_when_nothing_came_for_the_window(silent: int, fires: bool, seen: bool) -> None:
    play = Play.of(an_absence())
    play.judge()
    if seen:
        come(play)
    play.second += silent // 10 * 10 - play.second % 10 + 9
    play.judge()
    assert bool(play.firing) is fires


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"outcome": Outcome.FAILED, "fault": Fault.PROVIDER_ERROR}, True),
        ({"outcome": Outcome.FAILED, "fault": Fault.CLIENT_ERROR}, True),
        ({"outcome": Outcome.CLIENT_ABORT}, True),
        ({"attempt": 1}, True),
        ({"client": "codex"}, False),
        ({"source": Source.CANARY}, False),
        ({"endpoint": "/v1/models", "wire": Wire.OTHER}, False),
    ],
)
def test_whatever_became_of_it_it_came(changes: dict[str, Any], counts: bool) -> None:
    play = Play.of(an_absence())
    play.silence(11 * MINUTE)
    assert play.severities == ["warning"]
    come(play, **changes)
    assert bool(play.firing) is not counts


def test_canaries_are_missed_where_they_are_named() -> None:
    play = Play.of(an_absence(of={"source": "canary"}))
    play.silence(11 * MINUTE)
    come(play, source=Source.CANARY)
    assert play.told == ["opened", "closed"]


OFFICE = {"window": "60m", "schedule": "Mo-Fr 09:00-18:00", "timezone": "Europe/Berlin"}  # 08:00 to 17:00 UTC in winter


def test_only_time_of_the_schedule_counts() -> None:
    play = beginning(an_absence(**OFFICE), "2026-11-27T16:00")  # a Friday
    until(play, "2026-11-27T16:30")
    come(play)
    until(play, "2026-11-30T08:20")  # half an hour of Friday, and twenty minutes of Monday
    assert play.told == []
    until(play, "2026-11-30T08:40")
    assert play.told == ["opened"]


def test_it_ends_when_something_comes_and_when_the_schedule_is_over() -> None:
    play = beginning(an_absence(**OFFICE), "2026-11-24T08:00")
    until(play, "2026-11-24T10:00")
    assert play.told == ["opened"]
    come(play)
    assert play.told == ["opened", "closed"]
    until(play, "2026-11-24T16:50")
    assert play.told == ["opened", "closed", "opened"]
    until(play, "2026-11-24T17:10")
    assert play.told == ["opened", "closed", "opened", "closed"]
    until(play, "2026-11-25T07:50")
    assert len(play.told) == 4
    until(play, "2026-11-25T08:10")  # nothing has come since
    assert len(play.told) == 5


@pytest.mark.parametrize(("seen", "told"), [(False, []), (True, ["opened"])])
def test_only_what_was_seen_is_missed_where_that_is_asked(seen: bool, told: list[str]) -> None:
    play = beginning(an_absence(seen_within="2d"), "2026-11-24T08:00")
    if seen:
        come(play)
    until(play, "2026-11-24T10:00")
    assert play.told == told


def test_what_was_not_seen_for_so_long_is_expected_no_more() -> None:
    play = beginning(an_absence(seen_within="2d"), "2026-11-24T08:00")
    come(play)
    until(play, "2026-11-26T07:50")
    assert play.severities == ["warning"]
    until(play, "2026-11-26T08:10")
    assert play.told == ["opened", "closed"]


def test_each_label_set_is_missed_from_its_first_event_on() -> None:
    play = Play.of(an_absence(of={"client": "amp"}, by=["workload"]))
    play.silence(11 * MINUTE)
    assert not play.firing
    come(play, workload="a")
    until(play, "2026-12-10T00:00")
    assert [alert.labels for alert in play.book.firing()] == [(("workload", "a"),)]


def test_a_label_set_is_still_known_after_a_weekend() -> None:
    play = beginning(an_absence(by=["workload"], **OFFICE), "2026-11-27T16:20")
    come(play, workload="a")
    until(play, "2026-11-30T08:50")
    assert play.severities == ["warning"]


@pytest.mark.parametrize("changes", [{}, {"seen_within": "2d"}])
@pytest.mark.parametrize("comes", [True, False])
def test_after_a_restart_it_holds_until_something_comes(changes: dict[str, Any], comes: bool) -> None:
    before = beginning(an_absence(**changes), "2026-11-24T08:00")
    come(before)
    until(before, "2026-11-24T09:00")
    after = Play.of(an_absence(**changes))
    after.second = before.second
    after.book.restore(before.book.alerts())
    until(after, "2026-11-24T12:00")
    assert [alert.state for alert in after.book.alerts()] == [AlertState.FIRING]
    if comes:
        come(after)
    assert (before.told, after.told) == (["opened"], ["closed"] if comes else [])


def test_after_a_restart_what_is_missed_is_what_was_not_seen_since() -> None:
    play = Play.of(an_absence())
    play.book.warm(an_event(play.now - 5 * MINUTE * 1000, client="amp"))
    play.silence(4 * MINUTE)
    assert not play.firing
    play.silence(2 * MINUTE)
    assert play.severities == ["warning"]


def test_the_message_says_how_long() -> None:
    play = beginning(an_absence(**OFFICE), "2026-11-27T16:30")
    come(play)
    until(play, "2026-11-30T08:50")
    assert play.alert(WARNING).summary == "AmpBypass: nothing came for 2d16h"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule": "Mo-Fri 09:00-18:00"}, "not a part of a schedule"),
        ({"timezone": "Berlin"}, "not a time zone"),
        ({"seen_within": "10m"}, "longer than `window`"),
        ({"window": "0s"}, "greater than 0"),
    ],
)
def test_what_cannot_be_missed_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        an_absence(**changes)
