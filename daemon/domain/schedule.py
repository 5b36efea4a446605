"""Schedules: hours of the week by the wall clock of one place, written as `Mo-Fr 09:00-18:00, Sa 10:00-14:00`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
MIDNIGHT = 24 * 60
_DAY = "|".join(DAYS)
_RANGE = re.compile(rf"(?:({_DAY})(?:-({_DAY}))? )?(\d\d):([0-5]\d)-(\d\d):([0-5]\d)")
_HOURS_KNOWN = 4096


@dataclass(frozen=True, slots=True)
class Hours:
    """From one minute of the day until another, on some days (0 is Monday). Over midnight they belong to the day on
    which they begin."""

    days: frozenset[int]
    begin: int
    end: int

    def contain(self, day: int, minute: int) -> bool:
        """By the wall clock."""
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or ((day - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where clocks are put back, an hour that comes twice counts twice; where they are put forward, it never comes."""

    hours: tuple[Hours, ...]
    zone: tzinfo

    @classmethod
    def parse(cls, text: str, timezone: str = "UTC") -> "Schedule":
        """Raises ValueError that says what is wrong."""
        return cls(tuple(_hours(part.strip()) for part in text.split(",")), zone(timezone))

    def contains(self, at: int) -> bool:
        """Whether an instant (epoch ms) is in it."""
        local = datetime.fromtimestamp(at / 1000, self.zone)
        return any(hours.contain(local.weekday(), local.hour * 60 + local.minute) for hours in self.hours)

    def seconds(self, since: int, until: int, most: float) -> float:
        """How much of the time between two instants (epoch ms) is in it, counted back no further than `most`."""
        served, hour = 0, until // HOUR_MS
        while served < most * 1000 and (hour + 1) * HOUR_MS > since:
            served += sum(
                min(begin + MINUTE_MS, until) - max(begin, since)
                for begin in _minutes(self, hour)
                if begin < until and begin + MINUTE_MS > since
            )
            hour -= 1
        return min(served / 1000, most)


def zone(name: str) -> tzinfo:
    """A time zone by its name. Raises ValueError."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Berlin") from None


@lru_cache(_HOURS_KNOWN)
def _minutes(schedule: Schedule, hour: int) -> tuple[int, ...]:
    """The minutes of an hour since the epoch that are in it, by their beginnings (epoch ms)."""
    begins = range(hour * HOUR_MS, (hour + 1) * HOUR_MS, MINUTE_MS)
    return tuple(begin for begin in begins if schedule.contains(begin))


def _hours(text: str) -> Hours:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a part of a schedule; write days and hours such as Mo-Fr 09:00-18:00")
    first, last, *digits = match.groups()
    begin_hour, begin_minute, end_hour, end_minute = map(int, digits)
    begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
    if begin >= MIDNIGHT or end > MIDNIGHT or begin == end:
        raise ValueError(f"{text!r} should be two different times of a day, from 00:00 to 24:00")
    return Hours(_days(first, last), begin, end)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    """All of them when none is named; `Sa-Mo` goes over the end of the week."""
    if first is None:
        return frozenset(range(7))
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset((begin + n) % 7 for n in range((end - begin) % 7 + 1))


def _checked(text: str) -> str:
    Schedule.parse(text)
    return text


def _checked_zone(name: str) -> str:
    zone(name)
    return name


ScheduleText = Annotated[str, AfterValidator(_checked)]
ZoneName = Annotated[str, AfterValidator(_checked_zone)]
