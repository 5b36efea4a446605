"""`growth`: how much more of something a turn takes than it usually took, by the hours of some days."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property
from math import sqrt
from operator import attrgetter
from statistics import median
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule, SelectionSpec, Strict
from daemon.domain.event import Event, Source
from daemon.domain.labels import Labels
from daemon.domain.rollup import Resolution, Rollup, Series, Sum, Think, tokens_of
from daemon.domain.sample import Numbers, Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.units import Duration, Ratio, say_ratio
from daemon.logic.counting import counted, key_of, spec
from daemon.logic.evidence import quantile
from daemon.logic.histogram import Histogram
from daemon.logic.tally import label_of

EXAMPLE = """\
- alert: ReasoningTokenGrowth
  kind: growth
  of: {workload: "fixed-*"}
  field: reasoning_tokens
  by: [workload, model_id]
  baseline: {over: 7d, at_least: 24, min_samples: 5}
  levels:
    warning: {above: 25%, clear_below: 15%}
"""

Measured = Literal[
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "total_tokens",
    "duration_ms",
    "ttft_ms",
]
KEPT = Series._fields + Think._fields
"""What hours keep of an event beside its numbers."""
QUIET_SECONDS = 3 * 86_400.0
"""Whatever was not heard of for a long weekend is no younger for it."""
LEAST = 0.05
"""A growth that is not mistaken for the width of a histogram's cells."""


def parse_growth(text: object) -> float:
    """0.25 out of `25%`; may be more than 100 %."""
    if isinstance(text, float):
        return text
    if isinstance(text, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text)):
        return float(match[1]) / 100
    raise ValueError(f"{text!r} is not a growth; write a percentage, such as 25% or 150%")


Growth = Annotated[
    float,
    BeforeValidator(parse_growth),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$", "examples": ["25%"]}),
]


class Baseline(Strict):
    """What is usual: the median of the hourly means. Off until there is enough to tell."""

    over: Duration = 604_800.0
    """The days that are looked at; what is younger has no baseline."""
    at_least: int = Field(24, ge=1)
    """So many hours of them must have something to say."""
    min_samples: int = Field(5, ge=1)
    """An hour with fewer says nothing."""

    @model_validator(mode="after")
    def _can_be(self) -> "Baseline":
        if self.at_least * Resolution.HOUR.ms > self.over * 1000:
            raise ValueError(f"there are no {self.at_least} hours in `over`: write a longer one, such as 7d")
        return self


class GrowthLevel(Level):
    """Raises above `above`, clears below `clear_below` (60 % of `above` unless said)."""

    above: Growth
    clear_below: Growth | None = None

    @property
    def clears_below(self) -> float:
        return 0.6 * self.above if self.clear_below is None else self.clear_below

    @model_validator(mode="after")
    def _can_be(self) -> "GrowthLevel":
        if self.above < LEAST:
            raise ValueError(f"above should be at least {say_ratio(LEAST)}: means are known within 3%")
        if self.clear_below is not None and self.clear_below > self.above:
            raise ValueError("clear_below must not be above `above`")
        return self


class GrowthRule(Rule):
    """Raises when the mean of the window, and its lower bound above the middle, have outgrown the baseline.

    Marked retries count, for the hours count them; events that do not say the field do not. `of` and `by` name only
    what hours keep, and `of` is written in place.
    """

    kind: Literal["growth"] = "growth"
    field: Measured
    """The number, in the unit that its name ends with."""
    window: Duration = Field(3600.0, gt=0)
    baseline: Baseline = Baseline()
    min_samples: int | Literal["none"] = 20
    """With fewer in the window it does not raise."""
    confidence: Ratio | Literal["none"] = 0.975
    """One-sided confidence of the lower bound."""
    levels: Mapping[Severity, GrowthLevel] = Field(min_length=1)

    default_summary: ClassVar[str] = "{alert}: {value} more than usual, by {samples} turns in {window}"

    @field_validator("of")
    @classmethod
    def _of_is_kept(cls, of: SelectionSpec | None) -> SelectionSpec | None:
        if isinstance(of, str):
            raise ValueError("should be written in place, not as a name: hours keep only some of the fields")
        _refuse_unkept(of or {})
        return of

    @field_validator("by")
    @classmethod
    def _by_is_kept(cls, by: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_unkept(by)
        return by

    @property
    def history_seconds(self) -> float:
        """How far back hours must be known."""
        return self.baseline.over + QUIET_SECONDS

    @cached_property
    def _z(self) -> float:
        return 0.0 if self.confidence == "none" else quantile(self.confidence)

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """The finished model calls of clients, narrowed by `of`, that say the field."""
        of = Selection(spec(self.of, selections))
        measure = tokens_of if self.field == "total_tokens" else attrgetter(self.field)
        is_counted = counted(of, Selection({}), retries=True)

        def has_measure(event: Event) -> bool:
            return measure(event) is not None and is_counted(event)

        return Query(
            key=key_of(self, of.wanted, self.field, self.window, self.baseline.model_dump()),
            of=has_measure,
            by=self.by,
            window_seconds=self.window,
            stretch_to_seconds=self.window,
            measure=measure,
            has_histogram=True,
            baselines=self._usual,
            history_seconds=self.history_seconds,
            most_series=self.max_series,
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """Without a baseline there is nothing to say; figures are shares of it."""
        level, numbers = self.levels[severity], reading.histogram(self.window)
        mean, usual = numbers.mean(), reading.baseline
        if mean is None or usual is None:
            return Verdict(window_seconds=self.window)
        growth, at_least = mean / usual - 1, _least_mean(mean, numbers, self._z) / usual - 1
        enough = self.min_samples == "none" or numbers.count >= self.min_samples
        return Verdict(
            raises=enough and growth > level.above and at_least > (level.clears_below + level.above) / 2,
            clears=growth < level.clears_below,
            value=growth,
            samples=numbers.count,
            lower_bound=at_least,
            window_seconds=self.window,
        )

    def _usual(self, hours: Sequence[Rollup]) -> Mapping[Labels, float]:
        """Of the last days before the newest hour; older hours only prove that a label set is as old as that."""
        newest = max((row.bucket for row in hours), default=0)
        since = newest + Resolution.HOUR.ms - round(self.baseline.over * 1000)
        usual = {}
        for labels, means in self._hourly_means(hours).items():
            lately = [mean for bucket, mean in means.items() if bucket >= since]
            if min(means) <= since and len(lately) >= self.baseline.at_least and (middle := median(lately)):
                usual[labels] = middle
        return usual

    def _hourly_means(self, hours: Sequence[Rollup]) -> Mapping[Labels, Mapping[int, float]]:
        sums: dict[tuple[Labels, int], tuple[float, int]] = {}
        for labels, row in self._selected(hours):
            total, events = _sum(row, self.field)
            before = sums.get((labels, row.bucket), (0.0, 0))
            sums[labels, row.bucket] = before[0] + total, before[1] + events
        means: dict[Labels, dict[int, float]] = {}
        for (labels, bucket), (total, events) in sums.items():
            if events >= self.baseline.min_samples:
                means.setdefault(labels, {})[bucket] = total / events
        return means

    def _selected(self, hours: Sequence[Rollup]) -> Iterator[tuple[Labels, Rollup]]:
        """The same that is counted, with its labels."""
        wanted = spec(self.of, {})
        of_series = Selection({"source": Source.CLIENT} | _only(wanted, Series._fields))
        of_think = Selection(_only(wanted, Think._fields))

        @cache
        def labels(series: Series, think: Think) -> Labels | None:
            if not (of_series(series) and of_think(think)):
                return None
            said = series._asdict() | think._asdict()
            return tuple(sorted((name, label_of(said[name])) for name in self.by))

        for row in hours:
            if (its := labels(row.series, row.think)) is not None:
                yield its, row


def _refuse_unkept(names: Collection[str]) -> None:
    if unkept := [name for name in names if name not in KEPT]:
        raise ValueError(f"hours do not keep {', '.join(map(repr, unkept))}; choose from: {', '.join(sorted(KEPT))}")


def _only(wanted: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: want for name, want in wanted.items() if name in names}


def _sum(row: Rollup, field: Measured) -> tuple[float, int]:
    """The sum over the events that said the field, and how many they were."""
    if field == "duration_ms" or field == "ttft_ms":
        numbers = Histogram.decode(getattr(row, field))
        return (numbers.mean() or 0.0) * numbers.count, numbers.count
    return row.tokens.get(field, Sum(0, 0))


def _least_mean(mean: float, numbers: Numbers, z: float) -> float:
    """The lower bound of the true mean."""
    return mean - z * sqrt(numbers.variance() / numbers.count)


OPTIONS = GrowthRule
