"""`verdict`: what a probe or a canary came to: so many of its last so many verdicts were bad."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.domain.sample import Query, Reading, Verdict
from daemon.domain.selection import Selection
from daemon.domain.units import Duration
from daemon.logic.counting import key_of, spec
from daemon.logic.remembering import is_stale, said

EXAMPLE = """\
- alert: ModelMissing
  kind: verdict
  probe: models
  levels:
    warning: {bad: 2, of_last: 3, clear_after: 2}
"""


class VerdictLevel(Level):
    """Raises on `bad` of the `of_last` verdicts; clears after so many good ones in a row."""

    bad: int = Field(2, ge=1)
    of_last: int | None = Field(None, ge=1)
    """As many as `bad` unless said."""
    clear_after: int = Field(2, ge=1)

    @property
    def looks_at(self) -> int:
        return self.bad if self.of_last is None else self.of_last

    @model_validator(mode="after")
    def _can_raise(self) -> "VerdictLevel":
        if self.looks_at < self.bad:
            raise ValueError("of_last must not be below `bad`")
        return self


class VerdictRule(Rule):
    """Judges the last verdicts of one probe, told apart by what was looked at. One that could not look counts for
    nothing."""

    kind: Literal["verdict"] = "verdict"
    source: Literal["probes"] = "probes"
    probe: str
    """The probe's name."""
    by: tuple[str, ...] = ("subject",)
    """Fields of a verdict that tell one series from another."""
    stale_after: Duration = Field(86_400.0, gt=0)
    """When there was no verdict for so long, nothing is known."""
    levels: Mapping[Severity, VerdictLevel] = Field(min_length=1)

    default_summary = "{alert}: {bad} of the last {samples} were bad: {reason}"

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """The last verdicts of the probe, as many as any level looks at."""
        of = Selection(spec(self.of, selections))
        remembers = max(max(level.looks_at, level.clear_after) for level in self.levels.values())

        def is_counted(result: ProbeResult) -> bool:
            return result.probe == self.probe and result.outcome is not ProbeOutcome.UNKNOWN and of(result)

        return Query(
            key=key_of(self, self.probe, of.wanted, remembers, self.stale_after),
            origin=ProbeResult,
            of=is_counted,
            bad=lambda result: result.outcome is ProbeOutcome.BAD,
            by=self.by,
            window_seconds=self.stale_after,
            stretch_to_seconds=self.stale_after,
            measure=said("outcome"),
            remembers=remembers,
            most_series=self.max_series,
        )

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """Good ones in a row outweigh the bad ones before them."""
        level, recent = self.levels[severity], [one for _, one in reading.recent()]
        if not recent or is_stale(reading, self.stale_after):
            return Verdict(window_seconds=self.stale_after)
        good = [one.value is not ProbeOutcome.BAD for one in recent[: level.clear_after]]
        clears = len(good) == level.clear_after and all(good)
        last = recent[: level.looks_at]
        bad = [one for one in last if one.value is ProbeOutcome.BAD]
        return Verdict(
            raises=len(bad) >= level.bad and not clears,
            clears=clears,
            value=len(bad) / len(last),
            samples=len(last),
            bad=len(bad),
            window_seconds=self.stale_after,
            reason=bad[0].reason if bad else "",
        )


OPTIONS = VerdictRule
