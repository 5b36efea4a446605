"""A world of episodes in virtual seconds: steps go in, messages with their times come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from daemon.domain.alert import Alert, AlertState, EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver, RepeatInterval, Route
from daemon.domain.decision import Decision
from daemon.domain.labels import fingerprint, labels_of
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Delivery, Message, Notification, NotificationStatus
from daemon.logic.notifying import concluded, superseded
from daemon.logic.outbox import Outbox

START = 1_790_000_000_000
ROUTE = Route(
    group_by=("alert",),
    group_wait=5.0,
    group_interval=300.0,
    repeat_interval=RepeatInterval(warning=7200.0, critical=3600.0),
)
CHANGES = {
    "opens": EpisodeChange.OPENED,
    "rises": EpisodeChange.ESCALATED,
    "eases": EpisodeChange.EASED,
    "closes": EpisodeChange.CLOSED,
}


def config(*, send_resolved: bool = True, route: Route = ROUTE) -> AlertsConfig:
    return AlertsConfig(receivers=(Receiver(name="operators", send_resolved=send_resolved),), route=route)


def at(seconds: float) -> int:
    return START + round(seconds * 1000)


def an_alert(name: str, severity: Severity, **labels: str) -> Alert:
    pairs = labels_of(labels)
    return Alert(
        fingerprint=fingerprint(name, pairs, severity),
        episode=fingerprint(name, pairs),
        alert=name,
        severity=severity,
        labels=pairs,
        since=START,
        last_data_at=START,
    )


@dataclass
class World:
    """`said` is what was delivered: the second, and the title."""

    outbox: Outbox = field(init=False)
    alerts: dict[str, Alert] = field(default_factory=dict)
    mitigations: list[Mitigation] = field(default_factory=list)
    rows: dict[str, Notification] = field(default_factory=dict)
    planned: list[Notification] = field(default_factory=list)
    """Rows as they were meant."""
    said: list[tuple[int, str]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    down: bool = False

    def __post_init__(self) -> None:
        self.outbox = self.new_outbox(config())

    def new_outbox(self, settings: AlertsConfig) -> Outbox:
        outbox = Outbox(lambda: list(self.alerts.values()), lambda: self.mitigations, "http://nas:8319")
        outbox.configure(settings)
        return outbox

    def commit(self, decision: Decision) -> None:
        self.rows |= {row.id: row for row in decision.notifications}
        self.outbox.adopt(decision)

    def step(self, line: str, second: int) -> EpisodeStep:
        """`A=codex opens critical`, `B rises`, `B eases`, `B closes`, `B opens` (warning)."""
        subject, verb, *severity = line.split()
        name, _, provider = subject.partition("=")
        labels = {"provider_key": provider} if provider else {}
        levels = {level: self._level(name, level, labels) for level in Severity}
        before = max((one.severity for one in levels.values() if one.is_firing), key=lambda one: one.rank, default=None)
        change = CHANGES[verb]
        wanted = {
            EpisodeChange.OPENED: Severity(severity[0]) if severity else Severity.WARNING,
            EpisodeChange.ESCALATED: Severity.CRITICAL,
            EpisodeChange.EASED: Severity.WARNING,
            EpisodeChange.CLOSED: None,
        }[change]
        for level, alert in levels.items():
            self._set(alert, firing=wanted is not None and level.rank <= wanted.rank, second=second)
        teller = self.alerts[levels[wanted or before or Severity.WARNING].fingerprint]
        return EpisodeStep(
            change=change, episode=teller.episode, at=at(second), before=before, after=wanted, alert=teller
        )

    def _level(self, name: str, level: Severity, labels: Mapping[str, str]) -> Alert:
        fresh = an_alert(name, level, **labels)
        return self.alerts.get(fresh.fingerprint, fresh)

    def _set(self, alert: Alert, *, firing: bool, second: int) -> None:
        now = at(second)
        if firing and not alert.is_firing:
            alert = replace(alert, state=AlertState.FIRING, since=now, fired_at=now, resolved_at=None)
        elif alert.is_firing and not firing:
            alert = replace(alert, state=AlertState.RESOLVED, since=now, resolved_at=now)
        self.alerts[alert.fingerprint] = alert

    def change(self, name: str, **facts: object) -> None:
        """Silenced, acknowledged, …"""
        self.alerts = {
            key: replace(alert, **facts) if alert.alert == name else alert for key, alert in self.alerts.items()
        }

    def decide(self, second: int, *lines: str) -> tuple[Notification, ...]:
        """One decision with these steps."""
        steps = [self.step(line, second) for line in lines]
        rows = self.outbox.plan(steps, at(second))
        self.planned += rows
        self.commit(Decision(alerts=tuple(step.alert for step in steps), notifications=rows))
        return rows

    def send(self, second: int) -> None:
        """What dispatch does at an instant."""
        self.commit(Decision(notifications=self.outbox.repeats(at(second))))
        while errand := next((one for one in self.outbox.errands() if one.due_at <= at(second)), None):
            draft = self.outbox.draft(errand)
            if draft.message is None:
                self.commit(Decision(notifications=superseded(draft.rows)))
                continue
            if not self.down:
                self.said.append((second, draft.message.title))
                self.messages.append(draft.message)
            delivery = Delivery(delivered=not self.down, error="ntfy: down" if self.down else None)
            self.commit(Decision(notifications=concluded(draft.rows, draft.row, delivery, at(second))))

    def restart(self, settings: AlertsConfig) -> None:
        """What survives is the ledger and the alerts."""
        self.outbox = self.new_outbox(settings)
        queued = [row for row in self.rows.values() if row.status is NotificationStatus.QUEUED]
        ended = [row for row in self.rows.values() if row.status is not NotificationStatus.QUEUED]
        self.outbox.restore(queued, ended, self.alerts.values())

    def play(self, script: Mapping[int, Sequence[str]], until: int) -> list[tuple[int, str]]:
        """Second by second; a script's line is a step, `down`, `up`, `silence A`, `unsilence A` or `ack A`."""
        for second in range(until + 1):
            self._act(script.get(second, ()), second)
            self.send(second)
        return self.said

    def _act(self, lines: Sequence[str], second: int) -> None:
        words = [line for line in lines if line.split()[0] in ("down", "up", "silence", "unsilence", "ack")]
        if steps := [line for line in lines if line not in words]:
            self.decide(second, *steps)
        for word in words:
            match word.split():
                case ["silence" | "unsilence" as verb, name]:
                    self.change(name, silenced=verb == "silence")
                case ["ack", name]:
                    self.change(name, acknowledged_by="jo")
                case [verb]:
                    self.down = verb == "down"
