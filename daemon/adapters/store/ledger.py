"""The ledger in the database: a decision is one transaction; columns have the names of the fields."""

from collections.abc import Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, case, delete, select

from daemon.adapters.store import tables
from daemon.adapters.store.database import Database
from daemon.adapters.store.dialects import add, put
from daemon.domain.alert import Alert, AlertState
from daemon.domain.audit import EVERYTHING, AuditEntry, AuditFilter
from daemon.domain.decision import Decision
from daemon.domain.heard import Heard
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.domain.notification import Notification, NotificationStatus
from daemon.domain.silence import Silence

T = TypeVar("T")

OPEN = tuple(state for state in MitigationState if state.is_open)
OVER = (AlertState.INACTIVE, AlertState.RESOLVED)


class DatabaseLedger:
    """The `Ledger` of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, decision: Decision) -> None:
        """Everything in one fully synced transaction."""

        def work(connection: Connection) -> None:
            latest = {alert.fingerprint: alert for alert in decision.alerts}
            put(connection, tables.alert, rows_of(tables.alert, tuple(latest.values())))
            add(connection, tables.transition, rows_of(tables.transition, decision.alerts))
            add(connection, tables.heard, rows_of(tables.heard, decision.heard))
            put(connection, tables.silence, rows_of(tables.silence, decision.silences))
            put(connection, tables.notification, rows_of(tables.notification, decision.notifications))
            put(connection, tables.mitigation, rows_of(tables.mitigation, decision.mitigations))
            add(connection, tables.audit, rows_of(tables.audit, decision.audit))

        await self._database.write(work)

    async def alerts(self) -> Sequence[Alert]:
        """The latest row of every fingerprint."""
        return await self._database.rows(Alert, select(tables.alert))

    async def transitions(self, alert: str, until: int, limit: int = 200) -> Sequence[Alert]:
        """Newest first."""
        table = tables.transition.columns
        those = select(*without_place(tables.transition)).where(table.alert == alert, table.since <= until)
        return await self._database.rows(Alert, those.order_by(table.place.desc()).limit(limit))

    async def story(self, since: int, until: int) -> Sequence[Alert]:
        """In the order in which they were committed."""
        table = tables.transition.columns
        those = select(*without_place(tables.transition)).where(table.since >= since, table.since < until)
        return await self._database.rows(Alert, those.order_by(table.place))

    async def heard(self, since: int, until: int) -> Sequence[Heard]:
        """In order."""
        table = tables.heard.columns
        those = select(*without_place(tables.heard)).where(table.at >= since, table.at < until)
        return await self._database.rows(Heard, those.order_by(table.place))

    async def silences(self, ended_after: int) -> Sequence[Silence]:
        """Oldest first."""
        columns = tables.silence.columns
        those = select(tables.silence).where(columns.ends_at > ended_after)
        return await self._database.rows(Silence, those.order_by(columns.created_at, columns.id))

    async def queued(self) -> Sequence[Notification]:
        """Notifications still to be sent, oldest first."""
        columns = tables.notification.columns
        statement = select(tables.notification).where(columns.status == NotificationStatus.QUEUED)
        return await self._database.rows(Notification, statement.order_by(columns.created_at, columns.id))

    async def notifications(self, limit: int = 100, until: int | None = None) -> Sequence[Notification]:
        """Newest first."""
        columns = tables.notification.columns
        those = _by(select(tables.notification), columns.created_at, until)
        return await self._database.rows(
            Notification, those.order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)
        )

    async def mitigations(self, limit: int = 200, until: int | None = None) -> Sequence[Mitigation]:
        """Open rows first, then ended ones, newest first."""
        columns = tables.mitigation.columns
        ended = case((columns.state.in_(OPEN), 0), else_=1)
        those = _by(select(tables.mitigation), columns.planned_at, until)
        newest = those.order_by(ended, columns.planned_at.desc(), columns.id.desc())
        return await self._database.rows(Mitigation, newest.limit(limit))

    async def audit(
        self, limit: int = 200, until: int | None = None, wanted: AuditFilter = EVERYTHING
    ) -> Sequence[AuditEntry]:
        """Newest first: what was written last stands first."""
        columns = tables.audit.columns
        those = _by(select(*without_place(tables.audit)), columns.at, until).order_by(columns.place.desc())
        if wanted.since is not None:
            those = those.where(columns.at >= wanted.since)
        if wanted.before is not None:
            place = select(columns.place).where(columns.id == wanted.before).scalar_subquery()
            those = those.where(columns.place < place)
        if wanted.actor is None and wanted.subject is None:
            return await self._database.rows(AuditEntry, those.limit(limit))
        return list(islice(filter(wanted.fits, await self._database.rows(AuditEntry, those)), limit))

    async def prune(self, before: int, limit: int) -> int:
        """In one transaction."""
        transition, audit, sent = tables.transition, tables.audit, tables.notification

        def work(connection: Connection) -> int:
            ended = sent.columns.status != NotificationStatus.QUEUED
            old = sent.columns.created_at < before
            return max(
                delete_oldest(connection, transition.columns.place, transition.columns.since < before, limit),
                delete_oldest(connection, audit.columns.place, audit.columns.at < before, limit),
                delete_oldest(connection, sent.columns.id, ended & old, limit),
            )

        return await self._database.write(work)

    async def prune_heard(self, before: int, limit: int) -> int:
        columns = tables.heard.columns
        return await self._database.write(
            lambda connection: delete_oldest(connection, columns.place, columns.at < before, limit)
        )

    async def prune_foreign(self, before: int, limit: int) -> int:
        columns = tables.alert.columns
        those = (columns.source != "") & columns.state.in_(OVER) & (columns.since < before)
        return await self._database.write(
            lambda connection: delete_oldest(connection, columns.fingerprint, those, limit)
        )


def rows_of(table: Table, things: Sequence[Any]) -> list[dict[str, Any]]:
    """Things as rows of a table whose columns are their fields."""
    names = [column.name for column in without_place(table)]
    values = attrgetter(*names)
    return [dict(zip(names, values(thing), strict=True)) for thing in things]


def without_place(table: Table) -> list[Column[Any]]:
    """All columns but the one that says in which order rows were committed."""
    return [column for column in table.columns if column.name != "place"]


def _by(those: Select[Any], when: ColumnElement[Any], until: int | None) -> Select[Any]:
    return those if until is None else those.where(when <= until)


def delete_oldest(connection: Connection, key: Column[Any], those: ColumnElement[bool], limit: int) -> int:
    """How many there were: each of these tables is small enough to be looked through."""
    found = connection.execute(select(key).where(those).order_by(key).limit(limit)).scalars().all()
    if found:
        connection.execute(delete(key.table).where(key.in_(found)))
    return len(found)
