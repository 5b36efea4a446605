"""`quantile`: a number that most events must stay below, such as the time to the first token of 95 % of turns."""

import re
from collections.abc import Mapping
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule
from daemon.domain.event import Event
from daemon.domain.sample import Band, Counts, Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.units import Duration, Ratio, parse_duration, say_duration
from daemon.logic import evidence
from daemon.logic.counting import counted, key_of, spec
from daemon.logic.histogram import Histogram

EXAMPLE = """\
- alert: ProviderSlow
  kind: quantile
  of: {outcome: ok}
  field: ttft_ms
  q: 95%
  by: [provider_key]
  for: 5m
  levels:
    warning: {above: 15s, clear_below: 10s}
"""

Measured = Literal[
    "duration_ms",
    "ttfb_ms",
    "ttft_ms",
    "largest_gap_ms",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "total_tokens",
    "retry_after_seconds",
    "quota_reset_seconds",
    "request_bytes",
    "response_bytes",
]
Threshold = Annotated[str | int | float, WithJsonSchema({"type": ["string", "integer", "number"], "examples": ["15s"]})]
UNITS = {"_ms": 1000.0, "_seconds": 1.0}
"""How much of a field is a second, for those that tell a time."""


class QuantileLevel(Level):
    """Raises above `above`, clears below `clear_below` (60 % of `above` unless said): a duration such as 15s for fields
    that tell a time, else a number."""

    above: Threshold
    clear_below: Threshold | None = None


class QuantileRule(Rule):
    """The quantile is above a threshold exactly when more than the rest of the events are: that share is the evidence.

    Events that do not say the field are not counted.
    """

    kind: Literal["quantile"] = "quantile"
    field: Measured
    """The number, in the unit that its name ends with."""
    q: Ratio = 0.95
    """The share of events that must stay below."""
    window: Duration = Field(600.0, gt=0)
    stretch_to: Duration = 3600.0
    """Read instead of the window where that has too few samples."""
    min_samples: int | Literal["none"] = 20
    confidence: Ratio | Literal["none"] = 0.975
    """One-sided confidence that more than the rest is above."""
    retries: Literal["exclude", "include"] = "exclude"
    """Whether marked retries count beside their first attempt."""
    levels: Mapping[Severity, QuantileLevel] = Field(min_length=1)

    default_summary: ClassVar[str] = "{alert}: {value}; {bad} of {samples} in {window} were above the threshold"

    @cached_property
    def _limits(self) -> Mapping[Severity, tuple[float, float]]:
        """`above` and `clear_below` of each level, in the unit of the field."""
        return {severity: self._limits_of(severity, level) for severity, level in self.levels.items()}

    def _limits_of(self, severity: Severity, level: QuantileLevel) -> tuple[float, float]:
        above = self._parse(f"levels.{severity}.above", level.above)
        if level.clear_below is None:
            return above, 0.6 * above
        return above, self._parse(f"levels.{severity}.clear_below", level.clear_below)

    def _parse(self, place: str, text: str | int | float) -> float:
        try:
            return parse_duration(text) * self._second if self._second else _parse_number(text)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None

    @property
    def _lowest(self) -> float:
        return min(above for above, _ in self._limits.values())

    @property
    def _second(self) -> float | None:
        return next((second for ending, second in UNITS.items() if self.field.endswith(ending)), None)

    @cached_property
    def _guards(self) -> evidence.Guards:
        return evidence.Guards(
            min_samples=0 if self.min_samples == "none" else self.min_samples,
            min_bad=0,
            z=None if self.confidence == "none" else evidence.quantile(self.confidence),
            in_a_row=None,
        )

    @model_validator(mode="after")
    def _can_raise(self) -> "QuantileRule":
        if not 0 < self.q < 1:
            raise ValueError("q should be more than 0% and less than 100%, such as 95%")
        for severity, (above, clear_below) in self._limits.items():
            if clear_below > above:
                raise ValueError(f"levels.{severity}: clear_below must not be above `above`")
        return self

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """What is above the lowest threshold is bad: it tells which models are."""
        of, measure = Selection(spec(self.of, selections)), attrgetter(self.field)
        is_counted = counted(of, Selection({}), retries=self.retries == "include")
        lowest = self._lowest

        def has_measure(event: Event) -> bool:
            return measure(event) is not None and is_counted(event)

        return Query(
            key=key_of(self, of.wanted, self.field, lowest, self.window, self.stretch_to, self.retries),
            of=has_measure,
            bad=lambda event: measure(event) > lowest,
            by=self.by,
            window_seconds=self.window,
            stretch_to_seconds=max(self.window, self.stretch_to),
            measure=measure,
            has_histogram=True,
            most_series=self.max_series,
        )

    def band(self, severity: Severity) -> Band | None:
        """None where numbers just below the lowest threshold would be taken for higher ones: they were not counted."""
        if _as_kept(self._lowest) > self._lowest:
            return None
        rest, z = 1 - self.q, self._guards.z
        return Band(
            above=rest,
            bound_above=-1.0 if z is None else rest,
            z=0.0 if z is None else z,
            samples=self._guards.min_samples,
            bad=0,
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """Reads the window, or where that has too few samples the longer one."""
        (above, clear_below), rest = self._limits[severity], 1 - self.q
        window, numbers = self.window, reading.histogram(self.window)
        if numbers.count < max(1, self._guards.min_samples) and self.stretch_to > window:
            window, numbers = self.stretch_to, reading.histogram(self.stretch_to)
        value = numbers.quantile(self.q)
        if value is None:
            return Verdict(window_seconds=window)
        counts = Counts(numbers.count, numbers.above(above))
        return Verdict(
            raises=self._guards.is_proven(counts, above=rest, clears_below=rest),
            clears=value < clear_below,
            value=value,
            samples=counts.samples,
            bad=counts.bad,
            lower_bound=None if self._guards.z is None else evidence.lower_bound(counts, self._guards.z),
            window_seconds=window,
        )

    def say(self, value: float) -> str:
        """`12.3s` for fields that tell a time, else the number."""
        if self._second is None:
            return f"{value:.0f}"
        seconds = value / self._second
        return f"{seconds:.1f}s" if 1 <= seconds < 60 else say_duration(seconds)


def _as_kept(number: float) -> float:
    one = Histogram()
    one.add(number)
    return one.mean() or 0.0


def _parse_number(text: str | int | float) -> float:
    if isinstance(text, str) and not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError(f"{text!r} is not a number; write one without a unit, such as 5000")
    return float(text)


OPTIONS = QuantileRule
