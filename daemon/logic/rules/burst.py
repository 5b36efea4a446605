"""`burst`: so many bad events in a row, per label set, until enough good ones in a row follow."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule, SelectionSpec
from daemon.domain.sample import Band, Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.units import Duration
from daemon.logic.counting import counted, key_of, spec

EXAMPLE = """\
- alert: AuthRejectionBurst
  kind: burst
  bad: {status: [401, 403]}
  by: [provider_key]
  levels:
    warning: {at_least: 5}
    critical: {at_least: 20}
"""


NEARLY_ALL = 1 - 1e-9
"""A higher share is that of a window in which all are bad."""


class BurstLevel(Level):
    """Raises on a row of `at_least` bad ones."""

    at_least: int = Field(ge=1)


class BurstRule(Rule):
    """A row may be as slow as it likes, but what is older than the window is not in it.

    It clears after `clear_after` good ones in a row, or when the window holds good ones only.
    """

    kind: Literal["burst"] = "burst"
    bad: SelectionSpec
    """Which of the counted events are bad; ANDed with `of`."""
    window: Duration = Field(600.0, gt=0)
    """Only bad ones in it are in the row."""
    clear_after: int = Field(3, ge=1)
    """So many good ones in a row end it."""
    retries: Literal["exclude", "include"] = "exclude"
    """Whether marked retries count beside their first attempt."""
    levels: Mapping[Severity, BurstLevel] = Field(min_length=1)

    default_summary: ClassVar[str] = "{alert}: {value}; {bad} of {samples} in {window}"

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """As of a ratio: `of` narrows the finished model calls of clients, `bad` is ANDed with it."""
        of, bad = Selection(spec(self.of, selections)), Selection(spec(self.bad, selections))
        return Query(
            key=key_of(self, of.wanted, bad.wanted, self.window, self.retries),
            of=counted(of, bad, retries=self.retries == "include"),
            bad=bad,
            by=self.by,
            window_seconds=self.window,
            stretch_to_seconds=self.window,
            most_series=self.max_series,
        )

    def band(self, severity: Severity) -> Band:
        """A row, or a window that is nothing but bad ones."""
        least = self.levels[severity].at_least
        return Band(above=NEARLY_ALL, bound_above=-1.0, z=0.0, samples=least, bad=least, row=least)

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """Raises while the row lasts; where some are good again, but too few of them, it neither raises nor clears."""
        samples, bad = reading.counts(self.window)
        if not samples:
            return Verdict(window_seconds=self.window)
        # Where no good one is left in the window, the row is all of it, wherever it began.
        run = bad if bad == samples else min(reading.row.bad, bad)
        raises = run >= self.levels[severity].at_least
        return Verdict(
            raises=raises,
            clears=not bad or reading.good_streak >= self.clear_after,
            value=float(run),
            samples=samples,
            bad=bad,
            window_seconds=self.window,
            since=self._began(reading) if raises else None,
        )

    def say(self, value: float) -> str:
        """`5 in a row`."""
        return f"{value:.0f} in a row"

    def _began(self, reading: Reading) -> int | None:
        """The first one of the row that the window still holds (epoch ms)."""
        row = reading.row
        return max(row.since, reading.at - round(self.window * 1000)) if row.bad else None


OPTIONS = BurstRule
