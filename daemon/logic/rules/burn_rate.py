"""`burn_rate`: how many times faster than the objective allows bad events come, over a long and a short window."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule, SelectionSpec
from daemon.domain.sample import Band, Counts, Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.units import Duration, Ratio, say_ratio
from daemon.logic.counting import counted, key_of, spec
from daemon.logic.evidence import Guards, lower_bound, quantile

EXAMPLE = """\
- alert: ErrorBudgetBurn
  kind: burn_rate
  objective: 99%
  bad: {outcome: failed}
  by: [provider_key]
  levels:
    warning: {above: 6, long: 6h, short: 30m}
    critical: {above: 14.4, long: 1h, short: 5m}
"""


class Pace(NamedTuple):
    """How fast a level lets the budget burn, and over which windows (seconds)."""

    above: float
    long: float
    short: float


PACES = {Severity.WARNING: Pace(6.0, 21_600.0, 1800.0), Severity.CRITICAL: Pace(14.4, 3600.0, 300.0)}
"""5 % of a month's budget in six hours, 2 % of it in one."""


def parse_factor(text: object) -> float:
    """A number out of `14.4`."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    if isinstance(text, str) and re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    raise ValueError(f"{text!r} is not a factor; write a number without a unit, such as 14.4")


Factor = Annotated[float, BeforeValidator(parse_factor), WithJsonSchema({"type": "number", "examples": [14.4]})]


class BurnLevel(Level):
    """Raises while both windows burn faster than `above`, clears when the short one does not.

    What is not said is 14.4 over 1h and 5m where it is critical, else 6 over 6h and 30m.
    """

    above: Factor | None = None
    long: Duration | None = None
    """Shows that it matters."""
    short: Duration | None = None
    """Shows that it goes on."""

    def pace(self, severity: Severity) -> Pace:
        """With what is not said."""
        said = {"above": self.above, "long": self.long, "short": self.short}
        return PACES[severity]._replace(**{name: value for name, value in said.items() if value is not None})


class BurnRateRule(Rule):
    """The budget is what the objective leaves; a burn of 1 uses it up exactly in the time that it is meant for."""

    kind: Literal["burn_rate"] = "burn_rate"
    objective: Ratio
    """The share that shall be good."""
    bad: SelectionSpec
    """Which of the counted events are bad; ANDed with `of`."""
    min_samples: int | Literal["none"] = 20
    """With fewer in the long window it does not raise."""
    confidence: Ratio | Literal["none"] = 0.975
    """One-sided confidence that the long window burns faster."""
    retries: Literal["exclude", "include"] = "exclude"
    """Whether marked retries count beside their first attempt."""
    levels: Mapping[Severity, BurnLevel] = Field({severity: BurnLevel() for severity in Severity}, min_length=1)

    default_summary: ClassVar[str] = "{alert}: the budget burns at {value}; {bad} of {samples} in {window}"

    @cached_property
    def _paces(self) -> Mapping[Severity, Pace]:
        return {severity: level.pace(severity) for severity, level in self.levels.items()}

    @cached_property
    def _guards(self) -> Guards:
        return Guards(
            min_samples=0 if self.min_samples == "none" else self.min_samples,
            min_bad=0,
            z=None if self.confidence == "none" else quantile(self.confidence),
            in_a_row=None,
        )

    @model_validator(mode="after")
    def _can_raise(self) -> "BurnRateRule":
        if self.objective >= 1:
            raise ValueError("objective leaves no budget to burn: write less than 100%, such as 99%")
        for severity, pace in self._paces.items():
            if not 0 < pace.short < pace.long:
                raise ValueError(f"levels.{severity}: `short` should be shorter than `long`, and more than 0s")
            if round(self._limit(pace), 9) >= 1:
                most = f"{1 / (1 - self.objective):.3g}"
                raise ValueError(
                    f"levels.{severity}: {most} is the most that an objective of {say_ratio(self.objective)} can burn: "
                    f"write an `above` below that, or a higher objective"
                )
        return self

    def _limit(self, pace: Pace) -> float:
        return pace.above * (1 - self.objective)

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """As of a ratio: `of` narrows the finished model calls of clients, `bad` is ANDed with it."""
        of, bad = Selection(spec(self.of, selections)), Selection(spec(self.bad, selections))
        shortest = min(pace.short for pace in self._paces.values())
        longest = max(pace.long for pace in self._paces.values())
        return Query(
            key=key_of(self, of.wanted, bad.wanted, shortest, longest, self.retries),
            of=counted(of, bad, retries=self.retries == "include"),
            bad=bad,
            by=self.by,
            window_seconds=shortest,
            stretch_to_seconds=longest,
            most_series=self.max_series,
        )

    def band(self, severity: Severity) -> Band:
        """The long window is above the limit and proves it."""
        limit, guards = self._limit(self._paces[severity]), self._guards
        return Band(
            above=limit,
            bound_above=-1.0 if guards.z is None else limit,
            z=0.0 if guards.z is None else guards.z,
            samples=guards.min_samples,
            bad=0,
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """The long window must prove it, the short one only show it."""
        pace = self._paces[severity]
        limit, long, short = self._limit(pace), reading.counts(pace.long), reading.counts(pace.short)
        if not long.samples:
            return Verdict(window_seconds=pace.long)
        burns = _ratio(short) > limit
        return Verdict(
            raises=burns and self._guards.is_proven(long, above=limit, clears_below=limit),
            clears=bool(short.samples) and _ratio(short) < limit,
            value=_ratio(long) / (1 - self.objective),
            samples=long.samples,
            bad=long.bad,
            lower_bound=None if self._guards.z is None else lower_bound(long, self._guards.z),
            window_seconds=pace.long,
        )

    def say(self, value: float) -> str:
        """`14.4 x`."""
        return f"{value:.1f} x"


def _ratio(counts: Counts) -> float:
    return counts.bad / counts.samples if counts.samples else 0.0


OPTIONS = BurnRateRule
