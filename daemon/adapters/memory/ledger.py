"""A ledger in memory that keeps every promise of the port."""

from collections.abc import Sequence

from daemon.domain.alert import Alert, AlertState
from daemon.domain.audit import EVERYTHING, AuditEntry, AuditFilter
from daemon.domain.decision import Decision
from daemon.domain.heard import Heard
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification, NotificationStatus
from daemon.domain.silence import Silence


class MemoryLedger:
    """A `Ledger` that is gone with its process."""

    def __init__(self) -> None:
        self.alert_rows: dict[str, Alert] = {}
        self.notification_rows: dict[str, Notification] = {}
        self.mitigation_rows: dict[str, Mitigation] = {}
        self.audit_rows: dict[str, AuditEntry] = {}
        self.silence_rows: dict[str, Silence] = {}
        self.transition_rows: list[Alert] = []
        self.heard_rows: list[Heard] = []

    async def commit(self, decision: Decision) -> None:
        self._answer()
        self.alert_rows |= {row.fingerprint: row for row in decision.alerts}
        self.transition_rows += decision.alerts
        self.heard_rows += decision.heard
        self.silence_rows |= {row.id: row for row in decision.silences}
        self.notification_rows |= {row.id: row for row in decision.notifications}
        self.mitigation_rows |= {row.id: row for row in decision.mitigations}
        self.audit_rows = self.audit_rows | {row.id: row for row in decision.audit if row.id not in self.audit_rows}

    async def alerts(self) -> Sequence[Alert]:
        self._answer()
        return list(self.alert_rows.values())

    async def transitions(self, alert: str, until: int, limit: int = 200) -> Sequence[Alert]:
        self._answer()
        return [row for row in self.transition_rows[::-1] if row.alert == alert and row.since <= until][:limit]

    async def story(self, since: int, until: int) -> Sequence[Alert]:
        self._answer()
        return [row for row in self.transition_rows if since <= row.since < until]

    async def heard(self, since: int, until: int) -> Sequence[Heard]:
        self._answer()
        return [row for row in self.heard_rows if since <= row.at < until]

    async def silences(self, ended_after: int) -> Sequence[Silence]:
        self._answer()
        rows = (row for row in self.silence_rows.values() if row.ends_at > ended_after)
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    async def queued(self) -> Sequence[Notification]:
        self._answer()
        rows = (row for row in self.notification_rows.values() if row.status is NotificationStatus.QUEUED)
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    async def notifications(self, limit: int = 100, until: int | None = None) -> Sequence[Notification]:
        self._answer()
        newest = sorted(self.notification_rows.values(), key=lambda row: (row.created_at, row.id), reverse=True)
        return [row for row in newest if until is None or row.created_at <= until][:limit]

    async def mitigations(self, limit: int = 200, until: int | None = None) -> Sequence[Mitigation]:
        self._answer()
        newest = sorted(self.mitigation_rows.values(), key=lambda row: (row.planned_at, row.id), reverse=True)
        newest = [row for row in newest if until is None or row.planned_at <= until]
        return sorted(newest, key=lambda row: not row.state.is_open)[:limit]

    async def audit(
        self, limit: int = 200, until: int | None = None, wanted: AuditFilter = EVERYTHING
    ) -> Sequence[AuditEntry]:
        self._answer()
        rows = list(self.audit_rows.values())[::-1]
        if wanted.before is not None:
            places = [place for place, row in enumerate(rows) if row.id == wanted.before]
            rows = rows[places[0] + 1 :] if places else []
        return [row for row in rows if (until is None or row.at <= until) and wanted.fits(row)][:limit]

    async def prune(self, before: int, limit: int) -> int:
        self._answer()
        moved = [row for row in self.transition_rows if row.since < before][:limit]
        said = [key for key, row in self.audit_rows.items() if row.at < before][:limit]
        sent = [key for key, row in sorted(self.notification_rows.items()) if _is_over(row) and row.created_at < before]
        self.transition_rows = [row for row in self.transition_rows if not any(row is one for one in moved)]
        for key in said:
            del self.audit_rows[key]
        for key in sent[:limit]:
            del self.notification_rows[key]
        return max(len(moved), len(said), len(sent[:limit]))

    async def prune_heard(self, before: int, limit: int) -> int:
        self._answer()
        old = [row for row in self.heard_rows if row.at < before][:limit]
        self.heard_rows = [row for row in self.heard_rows if not any(row is one for one in old)]
        return len(old)

    async def prune_foreign(self, before: int, limit: int) -> int:
        self._answer()
        over = (AlertState.INACTIVE, AlertState.RESOLVED)
        ended = [row for row in self.alert_rows.values() if row.source and row.state in over and row.since < before]
        for row in ended[:limit]:
            del self.alert_rows[row.fingerprint]
        return len(ended[:limit])

    def _answer(self) -> None:
        """Called first by every method: where one that refuses would refuse."""


def _is_over(row: Notification) -> bool:
    return row.status is not NotificationStatus.QUEUED
