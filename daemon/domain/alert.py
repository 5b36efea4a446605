"""Alerts: the state of one severity of one series, and the episode that both severities belong to."""

from dataclasses import dataclass
from enum import StrEnum

from daemon.domain.labels import Labels


class AlertState(StrEnum):
    """`clearing` shows outside as `firing`."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"
    RESOLVED = "resolved"

    @property
    def shown(self) -> str:
        """The word that others see."""
        return AlertState.FIRING.value if self is AlertState.CLEARING else self.value


class Severity(StrEnum):
    """Ordered: a critical outranks and mutes its warning."""

    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return (Severity.WARNING, Severity.CRITICAL).index(self)


class ResolvedBecause(StrEnum):
    """Why an alert ended."""

    CLEARED = "cleared"
    NO_DATA = "no_data"
    RULE_REMOVED = "rule_removed"
    RULE_CHANGED = "rule_changed"
    ONLY_TOLD = "only_told"
    """It was a message of others that says of nothing how it ends."""
    DISPLACED = "displaced"
    """Others raised more than there is room for."""

    @property
    def is_silent(self) -> bool:
        """It is no news that it ended: nobody knows whether it did."""
        return self in (ResolvedBecause.ONLY_TOLD, ResolvedBecause.DISPLACED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One severity of one series. Instants are epoch ms; `since` is when the present state began."""

    fingerprint: str
    episode: str
    """The fingerprint without the severity: warning and critical share it."""
    alert: str
    severity: Severity
    labels: Labels
    state: AlertState = AlertState.INACTIVE
    since: int
    fired_at: int | None = None
    resolved_at: int | None = None
    resolved_because: ResolvedBecause | None = None
    last_data_at: int
    """The last instant at which anything was counted; `no_data: hold` runs from here. Of an alert of
    others: until when it stands unless it is told again."""
    value: float | None = None
    value_text: str = ""
    """The value as people read it, in the words of its rule; empty without one."""
    samples: int = 0
    bad: int = 0
    lower_bound: float | None = None
    window_seconds: float | None = None
    """The window that decided; longer than the rule's when it was stretched."""
    summary: str = ""
    runbook: str | None = None
    models: tuple[str, ...] = ()
    """The requested models that failed: what `fallback` is about."""
    mitigate: tuple[str, ...] = ()
    """Names of the mitigations that this level asks for."""
    expression: str = ""
    """What its rule counts, as a hash: an alert goes on after a reload only while its rule asks for the same."""
    degraded: bool = False
    """Coverage was below 80 %: nothing new is acted on."""
    acknowledged_by: str | None = None
    silenced: bool = False
    muted_by: str = ""
    """Why nobody hears of it now, in words; it is not stored."""
    source: str = ""
    """Who raised it, when it was not a rule of ours: `alertmanager`, `slack`."""

    @property
    def is_firing(self) -> bool:
        return self.state is AlertState.FIRING or self.state is AlertState.CLEARING


class EpisodeChange(StrEnum):
    """What happened to an episode; also the reason of the message about it."""

    OPENED = "opened"
    ESCALATED = "escalated"
    EASED = "eased"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeStep:
    """One change of one episode: the highest firing severity before and after, and the alert that tells the story."""

    change: EpisodeChange
    episode: str
    at: int
    before: Severity | None
    after: Severity | None
    alert: Alert
