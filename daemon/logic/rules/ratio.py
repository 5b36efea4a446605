"""`ratio`: the share of bad events among those that count, per label set, over a sliding window."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule, SelectionSpec
from daemon.domain.sample import Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.units import Duration, Ratio
from daemon.logic.counting import counted
from daemon.logic.evidence import Guards, lower_bound, quantile

EXAMPLE = """\
- alert: ProviderErrorRatio
  kind: ratio
  bad: {outcome: failed}
  by: [provider_key]
  levels:
    warning: {above: 5%, clear_below: 3%}
"""


class RatioLevel(Level):
    """Raises above `above`, clears below `clear_below` (0.6 × `above` unless said)."""

    above: Ratio
    clear_below: Ratio | None = None

    @property
    def clears_below(self) -> float:
        return 0.6 * self.above if self.clear_below is None else self.clear_below

    @model_validator(mode="after")
    def _ordered(self) -> "RatioLevel":
        if self.clear_below is not None and self.clear_below > self.above:
            raise ValueError("clear_below must not be above `above`")
        return self


class RatioRule(Rule):
    """Raises on evidence: enough samples, enough bad ones, and a Wilson lower bound above the middle."""

    kind: Literal["ratio"] = "ratio"
    bad: SelectionSpec
    """Which of the counted events are bad; ANDed with `of`."""
    window: Duration = Field(600.0, gt=0)
    stretch_to: Duration = 3600.0
    """A window that cannot decide grows up to this."""
    min_samples: int | Literal["none"] = 20
    min_bad: int | Literal["none"] = 5
    confidence: Ratio | Literal["none"] = 0.975
    """One-sided confidence of the lower bound."""
    in_a_row: int | Literal["none"] = "none"
    """Raise also when the last so many were all bad."""
    retries: Literal["exclude", "include"] = "exclude"
    """Whether marked retries count beside their first attempt."""
    levels: Mapping[Severity, RatioLevel] = Field(min_length=1)

    @cached_property
    def _guards(self) -> Guards:
        return Guards(
            min_samples=0 if self.min_samples == "none" else self.min_samples,
            min_bad=0 if self.min_bad == "none" else self.min_bad,
            z=None if self.confidence == "none" else quantile(self.confidence),
            in_a_row=None if self.in_a_row == "none" else self.in_a_row,
        )

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """What it counts: `of` narrows the finished model calls of clients, `bad` is ANDed with it."""
        of = Selection(self.of if isinstance(self.of, dict) else selections[self.of] if self.of else {})
        bad = Selection(self.bad if isinstance(self.bad, dict) else selections[self.bad])
        return Query(
            of=counted(of, bad, retries=self.retries == "include"),
            bad=bad,
            by=self.by,
            window_seconds=self.window,
            stretch_to_seconds=max(self.window, self.stretch_to),
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """Reads windows, each longer than the one before, until one of them decides."""
        level, guards = self.levels[severity], self._guards
        above, clears_below = level.above, level.clears_below
        window, counts = self.window, None
        for window, counts in reading.stretches():  # noqa: B007 the last ones are used below
            if guards.is_decided(counts, above=above, clears_below=clears_below):
                break
        if counts is None or not counts.samples:
            return Verdict(window_seconds=window)
        proven = guards.is_proven(counts, above=above, clears_below=clears_below)
        value = counts.bad / counts.samples
        return Verdict(
            raises=proven or guards.is_streak(reading.streak),
            clears=value < clears_below,
            value=value,
            samples=counts.samples,
            bad=counts.bad,
            lower_bound=None if guards.z is None else lower_bound(counts, guards.z),
            window_seconds=window,
        )


OPTIONS = RatioRule
