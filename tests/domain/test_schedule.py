"""A schedule goes by the wall clock of its place, also in the nights in which that is put back or forward."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.schedule import DAYS, Schedule

MINUTE_MS = 60_000
HOURS = 3600


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> int:
    """A wall-clock time as epoch ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


@pytest.mark.parametrize(
    ("schedule", "instant", "is_in"),
    [
        # 2026-11-23 is a Monday
        ("Mo-Fr 09:00-18:00", "2026-11-23T08:59:59", False),
        ("Mo-Fr 09:00-18:00", "2026-11-23T09:00:00", True),
        ("Mo-Fr 09:00-18:00", "2026-11-27T17:59:59", True),
        ("Mo-Fr 09:00-18:00", "2026-11-27T18:00:00", False),
        ("Mo-Fr 09:00-18:00", "2026-11-28T12:00:00", False),
        ("Mo-Fr 09:00-18:00, Sa 10:00-14:00", "2026-11-28T12:00:00", True),
        ("Mo-Fr 09:00-18:00, Sa 10:00-14:00", "2026-11-29T12:00:00", False),
        ("22:00-07:00", "2026-11-23T21:59:59", False),
        ("22:00-07:00", "2026-11-23T22:00:00", True),
        ("22:00-07:00", "2026-11-24T06:59:59", True),
        ("22:00-07:00", "2026-11-24T07:00:00", False),
        ("Fr 22:00-07:00", "2026-11-28T06:00:00", True),
        ("Fr 22:00-07:00", "2026-11-27T06:00:00", False),
        ("Su 22:00-07:00", "2026-11-23T06:00:00", True),
        ("Sa-Mo 00:00-24:00", "2026-11-29T23:59:59", True),
        ("Sa-Mo 00:00-24:00", "2026-11-23T00:00:00", True),
        ("Sa-Mo 00:00-24:00", "2026-11-24T00:00:00", False),
    ],
)
def test_days_and_hours(schedule: str, instant: str, is_in: bool) -> None:
    assert Schedule.parse(schedule).contains(at(instant)) is is_in


@pytest.mark.parametrize(
    ("zone", "instant", "is_in"),
    [
        # Berlin: back from 3 to 2 on 2026-10-25, forward from 2 to 3 on 2026-03-29
        ("Europe/Berlin", "2026-10-25T00:29:00+00:00", True),  # 02:29 for the first time
        ("Europe/Berlin", "2026-10-25T00:30:00+00:00", False),
        ("Europe/Berlin", "2026-10-25T01:29:00+00:00", True),  # and for the second
        ("Europe/Berlin", "2026-10-25T01:30:00+00:00", False),
        ("Europe/Berlin", "2026-03-29T00:59:00+00:00", True),  # 01:59, and the next minute is 03:00
        ("Europe/Berlin", "2026-03-29T01:00:00+00:00", False),
        # New York: back from 2 to 1 on 2026-11-01, forward from 2 to 3 on 2026-03-08
        ("America/New_York", "2026-11-01T05:30:00+00:00", True),
        ("America/New_York", "2026-11-01T06:30:00+00:00", True),
        ("America/New_York", "2026-11-01T07:30:00+00:00", False),
        ("America/New_York", "2026-03-08T06:59:00+00:00", True),
        ("America/New_York", "2026-03-08T07:00:00+00:00", False),
    ],
)
def test_when_clocks_change(zone: str, instant: str, is_in: bool) -> None:
    assert Schedule.parse("01:00-02:30", zone).contains(at(instant)) is is_in


zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
times = st.integers(0, 24 * 60 - 1)
changes = st.sampled_from(["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01", "2026-04-05", "2026-06-01"])


def said(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@given(zones, times, times, st.sampled_from(DAYS), changes, st.integers(-1440, 2880))
def test_it_is_in_exactly_when_a_clock_on_the_wall_says_so(
    zone: str, begin: int, end: int, day: str, date: str, minutes: int
) -> None:
    if begin == end:
        return
    instant = at(date) + minutes * MINUTE_MS
    wall = datetime.fromtimestamp(instant / 1000, ZoneInfo(zone))
    now = wall.strftime("%H:%M")
    today, yesterday = DAYS[wall.weekday()] == day, DAYS[(wall.weekday() - 1) % 7] == day
    evening, morning = now >= said(begin), now < said(end)
    wanted = today and evening and morning if begin < end else (today and evening) or (yesterday and morning)
    assert Schedule.parse(f"{day} {said(begin)}-{said(end)}", zone).contains(instant) is wanted


@given(zones, times, times, changes, st.integers(0, 3 * 1440), st.integers(0, 59_999))
def test_the_time_that_was_served_is_the_sum_of_its_minutes(
    zone: str, begin: int, end: int, date: str, minutes: int, rest: int
) -> None:
    if begin == end:
        return
    schedule, since = Schedule.parse(f"{said(begin)}-{said(end)}", zone), at(date)
    until = since + minutes * MINUTE_MS
    served = 60.0 * sum(schedule.contains(since + minute * MINUTE_MS) for minute in range(minutes))
    assert schedule.seconds(since, until, 1e9) == served
    more = rest / 1000 if schedule.contains(until) else 0.0
    assert schedule.seconds(since, until + rest, 1e9) == pytest.approx(served + more)


@pytest.mark.parametrize(
    ("zone", "date", "hours"),
    [
        ("Europe/Berlin", "2026-10-24", 10),
        ("Europe/Berlin", "2026-03-28", 8),
        ("Europe/Berlin", "2026-06-01", 9),
        ("America/New_York", "2026-10-31", 10),
        ("America/New_York", "2026-03-07", 8),
    ],
)
def test_a_night_is_as_long_as_it_is(zone: str, date: str, hours: int) -> None:
    noon = at(f"{date}T12:00:00", zone)
    assert Schedule.parse("22:00-07:00", zone).seconds(noon, noon + 24 * HOURS * 1000, 1e9) == hours * HOURS


class Young(tzinfo):
    """A clock that does not know what was before this month."""

    def fromutc(self, moment: datetime) -> datetime:
        assert moment >= datetime(2026, 11, 1, tzinfo=self)
        return moment

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta()


def test_nobody_counts_on_beyond_what_is_asked() -> None:
    schedule, now = Schedule.parse("Mo 09:00-10:00"), at("2026-11-23T09:30:00")
    assert Schedule(schedule.hours, Young()).seconds(0, now, 60) == 60
    assert schedule.seconds(0, now, 0) == 0
    began = now - round(timedelta(days=21).total_seconds()) * 1000
    assert schedule.seconds(began, now, 3 * HOURS) == 3 * HOURS
    assert schedule.seconds(now, now, 60) == 0


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("", "UTC", "'' is not a part of a schedule"),
        ("Mo-Fri 09:00-18:00", "UTC", "'Mo-Fri 09:00-18:00' is not a part of a schedule"),
        ("9:00-18:00", "UTC", "is not a part"),
        ("09:00-18:60", "UTC", "is not a part"),
        ("09:00-18:00,", "UTC", "'' is not a part"),
        ("09:00-25:00", "UTC", "two different times"),
        ("24:00-02:00", "UTC", "two different times"),
        ("09:00-09:00", "UTC", "two different times"),
        ("09:00-18:00", "Europe/Berln", "'Europe/Berln' is not a time zone"),
        ("09:00-18:00", "Europe", "is not a time zone"),
        ("09:00-18:00", "../../etc/passwd", "is not a time zone"),
        ("09:00-18:00", "", "is not a time zone"),
    ],
)
def test_what_is_no_schedule_is_said(text: str, zone: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Schedule.parse(text, zone)


def test_parts_of_minutes_count() -> None:
    now = at("2026-11-23T09:30:20")
    assert Schedule.parse("00:00-24:00").seconds(now - 90_500, now, 1e9) == 90.5


def test_two_of_the_same_are_one() -> None:
    assert Schedule.parse("Mo 09:00-10:00") == Schedule.parse("Mo 09:00-10:00", "UTC")
    assert Schedule.parse("09:00-10:00").zone is UTC
