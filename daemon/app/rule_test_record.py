"""The record of an example: what its expectations are about, noted while it is played."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.adapters.memory.notifier import Sent
from daemon.app.playground import Playground
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.explanation import Explanation
from daemon.domain.happened import Happened, Received
from daemon.domain.mitigation import Mitigation
from daemon.logic.rule_timeline import Glimpse
from daemon.logic.wishes import FALLBACK, targets


@dataclass(slots=True)
class Record:
    """`names` are the alerts that are looked at again and again."""

    ground: Playground
    names: Collection[str]
    glimpses: dict[str, list[Glimpse]] = field(default_factory=dict)
    """By alert."""
    errors: dict[str, str] = field(default_factory=dict)
    """Rules that could not be judged, and why."""
    _mitigations: list[tuple[int, Mitigation]] = field(default_factory=list)
    _settings: dict[float, Mapping[str, Any]] = field(default_factory=dict)
    _explained: dict[tuple[float, str], Explanation | None] = field(default_factory=dict)

    def attach(self) -> None:
        """After each start: a new process has a new desk."""
        self.ground.stage.core.desk.read_by(self._adopt)

    def look(self) -> None:
        """Notes what the rules say now."""
        for name in self.names:
            self._look_at(name)
        if self.ground.stage.is_up:
            self.errors |= {one.alert: one.error for one in self.ground.stage.core.evaluate.rules() if one.error}

    def note_settings(self, second: float) -> None:
        """Of the upstream, as they are now."""
        settings = self.ground.upstream.settings
        self._settings[second] = {path.replace("/", "."): value for path, value in settings.items()}

    async def note_explanation(self, second: float, alert: str) -> None:
        """What is told of an alert now."""
        stage = self.ground.stage
        self._explained[second, alert] = await stage.core.explain.at(alert, None) if stage.is_up else None

    def happened(self, begins_at: int, settles_ms: int, config: AlertsConfig) -> Happened:
        """All of it."""
        ledger = self.ground.ledger
        return Happened(
            begins_at=begins_at,
            settles_ms=settles_ms,
            transitions=ledger.transition_rows,
            mitigations=self._mitigations,
            received=tuple(map(self._received, self.ground.notifier.sent)),
            audit=tuple(ledger.audit_rows.values()),
            settings=self._settings,
            explained=self._explained,
            targets={name: targets(config, [name]) for name in (*config.mitigations, FALLBACK)},
        )

    def _adopt(self, decision: Decision) -> None:
        now = self.ground.clock.now()
        self._mitigations += [(now, row) for row in decision.mitigations]
        for name in {alert.alert for alert in decision.alerts}.intersection(self.names):
            self._look_at(name)

    def _look_at(self, name: str) -> None:
        stage = self.ground.stage
        looks = tuple(stage.core.evaluate.look(name)) if stage.is_up else None
        self.glimpses.setdefault(name, []).append(Glimpse(at=self.ground.clock.now(), looks=looks))

    def _received(self, sent: Sent) -> Received:
        ledger = self.ground.ledger
        row = ledger.notification_rows.get(sent.message.id)
        episodes = row.episodes if row is not None else ()
        names = {alert.alert for alert in ledger.alert_rows.values() if alert.episode in episodes}
        return Received(
            at=sent.at,
            receiver=sent.receiver,
            title=sent.message.title,
            body=sent.message.body,
            alerts=tuple(sorted(names)),
        )
