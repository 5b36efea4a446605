"""`ratio`: the share of bad events among those that count, per label set, over a sliding window."""

from collections.abc import Mapping
from functools import cached_property
from math import inf
from typing import Any, Literal

from pydantic import Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule, SelectionSpec
from daemon.domain.sample import Band, Counts, Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.units import Duration, Ratio
from daemon.logic.counting import counted, key_of, spec
from daemon.logic.evidence import Guards, alpha, burst_seconds, chance, lower_bound, pieces, quantile
from daemon.logic.reasons import Thresholds, in_a_row, nothing_counted, proof, rarity, seen

EXAMPLE = """\
- alert: ProviderErrorRatio
  kind: ratio
  bad: {outcome: failed}
  by: [provider_key]
  levels:
    warning: {above: 5%, clear_below: 3%}
"""


class RatioLevel(Level):
    """Raises above `above`, clears below `clear_below` (60 % of `above` unless said)."""

    above: Ratio
    clear_below: Ratio | None = None

    once_in: Duration | Literal["none"] | None = None
    """As of the rule, for this level."""

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
    """Raise also when the last so many were all bad; `for` is served from the first of them."""
    once_in: Duration | Literal["none"] = "none"
    """Fire only on what chance alone, at the share that is `normal`, would bring less than once in so long."""
    normal: Ratio | None = None
    """The share of bad ones on a good day; 40 % of the lowest `above` unless said."""
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

    @cached_property
    def _normal(self) -> float:
        return 0.4 * min(level.above for level in self.levels.values()) if self.normal is None else self.normal

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """What it counts: `of` narrows the finished model calls of clients, `bad` is ANDed with it."""
        of, bad = Selection(spec(self.of, selections)), Selection(spec(self.bad, selections))
        return Query(
            key=key_of(self, of.wanted, bad.wanted, self.window, self.stretch_to, self.retries),
            of=counted(of, bad, retries=self.retries == "include"),
            bad=bad,
            by=self.by,
            window_seconds=self.window,
            stretch_to_seconds=max(self.window, self.stretch_to),
            most_series=self.max_series,
        )

    def band(self, severity: Severity) -> Band:
        """Its thresholds and guards."""
        level, guards = self.levels[severity], self._guards
        return Band(
            above=level.above,
            bound_above=-1.0 if guards.z is None else (level.above + level.clears_below) / 2,
            z=0.0 if guards.z is None else guards.z,
            samples=guards.min_samples,
            bad=guards.min_bad,
            clear_below=level.clears_below,
            row=inf if guards.in_a_row is None else guards.in_a_row,
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
        suspects = guards.is_proven(counts, above=above, clears_below=clears_below)
        is_row = guards.is_row(reading.row)
        raises_by_row = is_row and (self._trusts(level, reading) or self._lasts(level, reading))
        value = counts.bad / counts.samples
        return Verdict(
            raises=raises_by_row or (suspects and not self._may_be_chance(level, reading)),
            suspects=suspects or is_row,
            clears=value < clears_below,
            value=value,
            samples=counts.samples,
            bad=counts.bad,
            lower_bound=None if guards.z is None else lower_bound(counts, guards.z),
            window_seconds=window,
            since=reading.row.since if raises_by_row else None,
        )

    def why(self, severity: Severity, reading: Reading) -> list[str]:
        """The figures of the window that decides, and each guard that is not passed."""
        level, guards = self.levels[severity], self._guards
        verdict = self.judge(severity, reading)
        if not verdict.samples:
            return [nothing_counted(verdict.window_seconds)]
        counts = Counts(verdict.samples, verdict.bad)
        thresholds = Thresholds(above=level.above, clears_below=level.clears_below)
        confidence = None if self.confidence == "none" else self.confidence
        is_row = guards.is_row(reading.row) and verdict.raises
        return [
            seen(counts, verdict.window_seconds),
            *proof(guards, thresholds, counts, confidence),
            *(self._chance_words(level, reading) if verdict.suspects and not verdict.raises else ()),
            *in_a_row(guards, reading.row, self._for(level), raises=is_row),
        ]

    def _chance_words(self, level: RatioLevel, reading: Reading) -> list[str]:
        if (once_in := self._once_in(level)) is None:
            return []
        found = pieces(reading.buckets(), burst_seconds(self.window))
        said = rarity(found, self._normal, self.window, once_in)
        return [said] if said else []

    def _once_in(self, level: RatioLevel) -> float | None:
        once_in = self.once_in if level.once_in is None else level.once_in
        return None if once_in == "none" else once_in

    def _trusts(self, level: RatioLevel, reading: Reading) -> bool:
        """The figures alone decide: chance does not matter, or the series is so new that nothing is known of its good
        days."""
        return self._once_in(level) is None or reading.at - reading.began_at < self.window * 1000

    def _lasts(self, level: RatioLevel, reading: Reading) -> bool:
        return self._guards.is_lasting_row(reading.row, self._for(level))

    def _for(self, level: RatioLevel) -> float:
        return self.for_ if level.for_ is None else level.for_

    def _may_be_chance(self, level: RatioLevel, reading: Reading) -> bool:
        once_in = self._once_in(level)
        if once_in is None or self._trusts(level, reading):
            return False
        limit, found = alpha(self.window, once_in), pieces(reading.buckets(), burst_seconds(self.window))
        return all(chance(samples, bad, self._normal) > limit for samples, bad in found)


OPTIONS = RatioRule
