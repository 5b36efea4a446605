"""`state`: what the latest readings say, of a credential's quota or of the daemon's own health."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule
from daemon.domain.sample import Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.sources import SOURCES
from daemon.domain.threshold import Threshold
from daemon.domain.units import Duration
from daemon.logic.counting import key_of, spec
from daemon.logic.remembering import NEVER, is_stale, said, seconds, word_of

EXAMPLE = """\
- alert: CredentialQuotaExhausted
  kind: state
  field: quota_exhausted
  by: [provider_key, credential]
  levels:
    warning: {equals: true}
"""

QUIET_SECONDS = 3600.0
"""Quota that was not read for so long is not known."""

Word = bool | int | str


class StateLevel(Level):
    """Raises while the field is a value, or above or below a number; clears when it is not."""

    equals: Word | tuple[Word, ...] | None = None
    """A value, or a list of values of which any will do."""
    above: Threshold | None = None
    clear_below: Threshold | None = None
    """Of `above`: clears only below this."""
    below: Threshold | None = None
    clear_above: Threshold | None = None
    """Of `below`: clears only above this."""

    @model_validator(mode="after")
    def _is_one_comparison(self) -> "StateLevel":
        if [self.equals, self.above, self.below].count(None) != 2:
            raise ValueError("needs one of: equals, above, below")
        if self.clear_below is not None and (self.above is None or self.clear_below > self.above):
            raise ValueError("clear_below must not be above `above`")
        if self.clear_above is not None and (self.below is None or self.clear_above < self.below):
            raise ValueError("clear_above must not be below `below`")
        return self

    def raises(self, value: Any) -> bool:
        """Whether a value of the field is what it is about."""
        if self.above is not None:
            return bool(value > self.above)
        if self.below is not None:
            return bool(value < self.below)
        wanted = self.equals if isinstance(self.equals, tuple) else (self.equals,)
        return any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in wanted)

    def clears(self, value: Any) -> bool:
        """Between the two it stays as it is."""
        if self.clear_below is not None:
            return bool(value < self.clear_below)
        return bool(value > self.clear_above) if self.clear_above is not None else not self.raises(value)


class StateRule(Rule):
    """Raises while so many of the latest readings all say so; clears when the latest does not."""

    kind: Literal["state"] = "state"
    source: Literal["quota", "self"] = "quota"
    """What is read: the quota of credentials, or the daemon's own health."""
    field: str
    """Which field of it; readings that do not know it are left out."""
    readings: int = Field(1, ge=1)
    """So many of the latest must all say so."""
    stale_after: Duration | Literal["none"] | None = None
    """When nothing is read for so long, nothing is known: 1h unless said; `self` is only read when it changes."""
    levels: Mapping[Severity, StateLevel] = Field(min_length=1)

    default_summary = "{alert}: {reason}"

    @property
    def _stale_after(self) -> float:
        usual = NEVER if self.source == "self" else QUIET_SECONDS
        return usual if self.stale_after is None else seconds(self.stale_after)

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """The latest values of the field; nothing is counted over a window."""
        of = Selection(spec(self.of, selections))
        return Query(
            key=key_of(self, self.source, of.wanted, self.field, self.readings, self._stale_after),
            origin=SOURCES[self.source],
            of=of,
            by=self.by,
            window_seconds=min(self._stale_after, QUIET_SECONDS),
            stretch_to_seconds=min(self._stale_after, QUIET_SECONDS),
            measure=said(self.field),
            remembers=self.readings,
            most_series=self.max_series,
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """A word has no value, and raises all the same."""
        level, recent = self.levels[severity], [one for _, one in reading.recent()]
        silent = Verdict(window_seconds=QUIET_SECONDS)
        if not recent or is_stale(reading, self._stale_after):
            return silent
        latest = recent[0]
        is_number = isinstance(latest.value, int | float) and not isinstance(latest.value, bool)
        return Verdict(
            raises=len(recent) == self.readings and all(level.raises(one.value) for one in recent),
            clears=level.clears(latest.value),
            value=float(latest.value) if is_number else None,
            samples=len(recent),
            bad=sum(level.raises(one.value) for one in recent),
            window_seconds=QUIET_SECONDS,
            reason=latest.reason or f"{self.field} is {word_of(latest.value)}",
        )

    def say(self, value: float) -> str:
        return word_of(value)


OPTIONS = StateRule
