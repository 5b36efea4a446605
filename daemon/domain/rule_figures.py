"""How a rule fares at this moment: how much it watches, what it found, and whether it can be judged at all."""

from dataclasses import dataclass

from daemon.domain.alert import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFigures:
    """The figures of one rule."""

    alert: str
    kind: str
    levels: tuple[Severity, ...]
    series: int
    """Label sets that there are now."""
    pending: int
    firing: int
    """Alerts, over all label sets and levels."""
    displaced: int
    """Label sets that had to make room for others since the rules were loaded."""
    error: str | None
    """Why it could not be judged when it was last judged."""
    degraded: bool
    """Too little of what was emitted arrived: nothing new is acted on."""
