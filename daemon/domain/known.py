"""Known: everything that is known about one alert at one instant, for an explanation of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.audit import AuditEntry
from daemon.domain.explanation import Look
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification
from daemon.domain.silence import Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Listings are newest first; nothing in them begins later than `at` (epoch ms)."""

    alert: str
    at: int
    config: AlertsConfig
    """As it is now."""
    off: Collection[str] = ()
    """Rules that are switched off."""
    rows: Sequence[Alert] = ()
    """Every row that the alerts of this name have had."""
    present: Sequence[Alert] | None = None
    """Their rows of this moment; None when it is the past that is asked for."""
    looks: Sequence[Look] = ()
    """What the rule says at this moment."""
    notifications: Sequence[Notification] = ()
    mitigations: Sequence[Mitigation] = ()
    audit: Sequence[AuditEntry] = ()
    silences: Sequence[Silence] = ()

    @property
    def rule(self) -> Rule | None:
        """The rule as it is now."""
        return next((rule for rule in self.config.rules if rule.alert == self.alert), None)

    def latest(self) -> list[Alert]:
        """The row that each of them had at the instant, the worst first."""
        found = {row.fingerprint: row for row in reversed(self.rows)}
        found |= {row.fingerprint: row for row in self.present or ()}
        return sorted(found.values(), key=_gravity, reverse=True)


def _gravity(row: Alert) -> tuple[bool, bool, int, int]:
    return row.is_firing, row.state.shown == "pending", row.severity.rank if row.is_firing else 0, row.since
