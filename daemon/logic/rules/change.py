"""`change`: a number or a word of a reading is another one than before, or than it was a while ago."""

from collections.abc import Mapping, Sequence
from math import copysign, inf, isfinite
from typing import Any, Literal

from pydantic import Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule
from daemon.domain.sample import Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.sources import SOURCES
from daemon.domain.units import Duration, Ratio
from daemon.logic.counting import key_of, spec
from daemon.logic.remembering import NEVER, Said, is_stale, said, word_of

EXAMPLE = """\
- alert: ModelInventoryShrunk
  kind: change
  of: {probe: models}
  by: [subject]
  against: 24h
  levels:
    warning: {falls_by: 10%}
"""

MOST_CHANGES = 288
"""Remembered, one for every five minutes of a day; of more, the oldest stands for what was before it."""
DAY = 86_400.0


class ChangeLevel(Level):
    """Raises while the value differs by so much; a share is one of the value before."""

    falls_by: Ratio | None = None
    """By this or more."""
    rises_by: Ratio | None = None
    """By this or more."""
    differs: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_change(self) -> "ChangeLevel":
        if [self.falls_by, self.rises_by, self.differs].count(None) != 2:
            raise ValueError("needs one of: falls_by, rises_by, differs")
        if 0 in (self.falls_by, self.rises_by):
            raise ValueError("should be above 0%: what stays as it is does not change")
        return self

    def raises(self, before: Any, now: Any) -> bool:
        """Whether it is the change that is meant."""
        if self.differs:
            return bool(before != now)
        moved = _moved(before, now)
        return moved <= -self.falls_by if self.falls_by is not None else moved >= (self.rises_by or inf)


class ChangeRule(Rule):
    """Compares with the reading before, or with what was so long ago; clears when it is back, or when the new value has
    stood for so long itself."""

    kind: Literal["change"] = "change"
    source: Literal["probes", "quota", "self"] = "probes"
    """What is read."""
    field: str = "value"
    """Which field of it; readings that do not know it are left out."""
    against: Duration | None = None
    """With the value so long ago, or with the first one that is known; with the reading before unless said."""
    stale_after: Duration | None = None
    """When nothing is read for so long, nothing is known: 1d unless said; `self` is only read when it changes."""
    levels: Mapping[Severity, ChangeLevel] = Field(min_length=1)

    default_summary = "{alert}: {reason}"

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """The last two values, or when it changed."""
        of = Selection(spec(self.of, selections))
        return Query(
            key=key_of(self, self.source, of.wanted, self.field, self.against, self._stale_after),
            origin=SOURCES[self.source],
            of=of,
            by=self.by,
            window_seconds=min(self._stale_after, DAY),
            stretch_to_seconds=min(self._stale_after, DAY),
            measure=said(self.field),
            remembers=2 if self.against is None else MOST_CHANGES,
            only_changes=self.against is not None,
            most_series=self.max_series,
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """A word has no value, and raises all the same."""
        recent, window = reading.recent(), self.against or DAY
        if is_stale(reading, self._stale_after) or not self._can_compare(recent, reading.at):
            return Verdict(window_seconds=window)
        now, before = recent[0][1], self._before(recent, reading.at)
        raises = self.levels[severity].raises(before.value, now.value)
        moved = _moved(before.value, now.value)
        return Verdict(
            raises=raises,
            clears=not raises,
            value=abs(moved) if isfinite(moved) else None,
            samples=len(recent),
            window_seconds=window,
            reason=_told(before, now),
        )

    @property
    def _stale_after(self) -> float:
        usual = NEVER if self.source == "self" else DAY
        return usual if self.stale_after is None else self.stale_after

    def _can_compare(self, recent: Sequence[tuple[int, Said]], at: int) -> bool:
        """A single value tells of no change before it has stood for long enough: after a start of ours it may be what
        an alert is about."""
        return len(recent) > 1 or (
            bool(recent) and self.against is not None and at >= recent[0][0] + self.against * 1000
        )

    def _before(self, recent: Sequence[tuple[int, Said]], at: int) -> Said:
        if self.against is None:
            return recent[-1][1]
        then = at - self.against * 1000
        return next((one for when, one in recent if when <= then), recent[-1][1])


def _moved(before: Any, now: Any) -> float:
    """The share by which a number rose; negative where it fell, endless where there was nothing before or no number."""
    if before == now:
        return 0.0
    if not isinstance(before, int | float) or not isinstance(now, int | float):
        return inf
    return (now - before) / abs(before) if before else copysign(inf, now)


def _told(before: Said, now: Said) -> str:
    text = f"from {word_of(before.value)} to {word_of(now.value)}"
    return f"{text} ({now.reason})" if now.reason else text


OPTIONS = ChangeRule
