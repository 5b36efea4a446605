"""`absence`: what was expected did not come, for so much of the time in which it is expected."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule
from daemon.domain.event import Event, Source
from daemon.domain.sample import Query, Reading, Verdict
from daemon.domain.schedule import Schedule, ScheduleText, ZoneName
from daemon.domain.selection import Selection
from daemon.domain.units import Duration, say_duration
from daemon.logic.counting import key_of, spec

EXAMPLE = """\
- alert: AmpBypass
  kind: absence
  of: {client: amp}
  window: 60m
  schedule: "Mo-Fr 09:00-18:00"
  timezone: Europe/Berlin
  levels:
    warning: {}
"""

ALWAYS = "00:00-24:00"


class AbsenceLevel(Level):
    """How long it is missed is said by the rule."""


class AbsenceRule(Rule):
    """Raises when nothing came for `window` of scheduled time; clears when something came, or the schedule is over."""

    kind: Literal["absence"] = "absence"
    window: Duration = Field(3600.0, gt=0)
    schedule: ScheduleText = ALWAYS
    """When it is expected: days and hours, several with commas between, such as `Mo-Fr 09:00-18:00, Sa 10:00-14:00`."""
    timezone: ZoneName = "UTC"
    """Whose clock the schedule goes by, such as Europe/Berlin."""
    seen_within: Duration | None = None
    """Expect only what was seen within so long. A new start of the daemon knows what was seen within `window`."""
    levels: Mapping[Severity, AbsenceLevel] = Field(min_length=1)

    default_summary = "{alert}: nothing came for {value}"

    @model_validator(mode="after")
    def _can_be_missed(self) -> "AbsenceRule":
        if self.seen_within is not None and self.seen_within <= self.window:
            raise ValueError("seen_within must be longer than `window`")
        return self

    @cached_property
    def _schedule(self) -> Schedule:
        return Schedule.parse(self.schedule, self.timezone)

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """When the latest came. Without `by` it is expected before the first one came."""
        of = Selection(spec(self.of, selections))
        return Query(
            key=key_of(self, of.wanted, self.window, self.schedule, self.timezone, self.seen_within),
            of=_came(of),
            by=self.by,
            window_seconds=self.window,
            stretch_to_seconds=self.window,
            measure=lambda _: True,
            remembers=1,
            only_changes=True,
            stands=not self.by,
            most_series=self.max_series,
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """What was never seen is missed from when we began to look."""
        since = reading.began_at if reading.last_at is None else reading.last_at
        missed = self._schedule.seconds(since, reading.at, self.window)
        is_over = not self._schedule.contains(reading.at) or self._is_forgotten(reading.at - since)
        is_known = reading.last_at is not None
        return Verdict(
            raises=not is_over and missed >= self.window and (is_known or self.seen_within is None),
            clears=is_over or (is_known and missed < self.window),
            value=(reading.at - since) / 1000,
            window_seconds=self.window,
        )

    def say(self, value: float) -> str:
        return say_duration(value)

    def _is_forgotten(self, missed_ms: int) -> bool:
        return self.seen_within is not None and missed_ms > self.seen_within * 1000


def _came(of: Selection) -> Callable[[Event], bool]:
    """Whatever became of it: who is refused was here too."""
    any_source = "source" in of.names
    return lambda event: event.is_model_call and (any_source or event.source is Source.CLIENT) and of(event)


OPTIONS = AbsenceRule
