"""Incidents: the alerts and mitigations that messages are told from, also when the engine has let go of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from daemon.domain.alert import Alert
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation
from daemon.logic.grouping import Story, stories

REMEMBERED_MS = 86_400_000
"""How long what has ended is known."""


class Incidents:
    """`alerts` and `mitigations` give the present ones; ended ones are known from the decisions."""

    def __init__(self, alerts: Callable[[], Sequence[Alert]], mitigations: Callable[[], Sequence[Mitigation]]) -> None:
        self._present_alerts = alerts
        self._present_mitigations = mitigations
        self._alerts: dict[str, Alert] = {}
        self._mitigations: dict[str, Mitigation] = {}

    def adopt(self, decision: Decision) -> None:
        """Takes in what was committed."""
        self._alerts |= {alert.fingerprint: alert for alert in decision.alerts}
        self._mitigations |= {row.id: self.owned(row) for row in decision.mitigations}

    def forget(self, now: int) -> None:
        """Lets go of what ended long ago."""
        oldest = now - REMEMBERED_MS
        self._alerts = {key: row for key, row in self._alerts.items() if row.is_firing or row.since > oldest}
        self._mitigations = {key: row for key, row in self._mitigations.items() if (row.ended_at or now) > oldest}

    def stories(self) -> dict[str, Story]:
        """The story of each episode."""
        return stories(self._all_alerts())

    def owned(self, mitigation: Mitigation) -> Mitigation:
        """With the last owners that it had: it loses them before it is undone."""
        before = self._mitigations.get(mitigation.id)
        return replace(mitigation, owners=mitigation.owners or (before.owners if before else ()))

    def owner(self, mitigation: Mitigation) -> Alert | None:
        """The alert that it was made for: the worst that fires."""
        owners = self.owned(mitigation).owners
        alerts = (alert for alert in self._all_alerts() if alert.fingerprint in owners)
        return max(alerts, key=lambda alert: (alert.is_firing, alert.severity.rank), default=None)

    def measures(self, shown: Iterable[Story], since: int) -> list[Mitigation]:
        """What is being done about these episodes, and what ended since an instant (epoch ms)."""
        fingerprints = frozenset[str]().union(*(story.fingerprints for story in shown))
        present = {row.id: self.owned(row) for row in self._present_mitigations()}
        return [
            row
            for row in (self._mitigations | present).values()
            if fingerprints.intersection(row.owners) and (row.state.is_open or (row.ended_at or 0) >= since)
        ]

    def _all_alerts(self) -> Sequence[Alert]:
        return tuple((self._alerts | {alert.fingerprint: alert for alert in self._present_alerts()}).values())
