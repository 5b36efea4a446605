"""`ratio`: the share of bad events among those that count, per label set, over a sliding window."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule, SelectionSpec
from daemon.domain.units import Duration, Ratio


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


OPTIONS = RatioRule
