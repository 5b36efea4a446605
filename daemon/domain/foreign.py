"""Foreign alerts: what others have raised, as they tell it to us."""

from dataclasses import dataclass

from daemon.domain.alert import Severity
from daemon.domain.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One alert, as it was told once."""

    source: str
    """Who tells it: `alertmanager` or `slack`."""
    fingerprint: str
    episode: str
    """As of an alert of ours: the fingerprint without the severity."""
    alert: str
    severity: Severity
    labels: Labels
    summary: str
    runbook: str | None = None
    is_firing: bool = True
    ends_at: int | None = None
    """When it ends unless it is told again (epoch ms); None where they do not say it."""
    stands_seconds: float
    """It is held so long after `ends_at`, or after it was told."""
