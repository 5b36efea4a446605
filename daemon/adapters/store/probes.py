"""What probes found, in the database: their verdicts, the quotas that they read, and what they remember."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from daemon.adapters.store import tables
from daemon.adapters.store.database import Database
from daemon.adapters.store.dialects import add, put
from daemon.adapters.store.ledger import delete_oldest, rows_of, without_place
from daemon.domain.probe import ProbeResult, ProbeState
from daemon.domain.quota import QuotaReading


class DatabaseProbes:
    """The `ProbeStore` of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self) -> Sequence[ProbeState]:
        return await self._database.rows(ProbeState, select(tables.probe_state))

    async def note(self, state: ProbeState, results: Sequence[ProbeResult], quota: Sequence[QuotaReading]) -> None:
        """In one transaction."""

        def work(connection: Connection) -> None:
            put(connection, tables.probe_state, rows_of(tables.probe_state, [state]))
            add(connection, tables.probe_result, rows_of(tables.probe_result, results))
            add(connection, tables.quota, rows_of(tables.quota, quota))

        await self._database.write(work)

    async def results(self, limit: int = 200, probe: str | None = None) -> Sequence[ProbeResult]:
        """Newest first."""
        columns = tables.probe_result.columns
        those = select(*without_place(tables.probe_result)).order_by(columns.place.desc()).limit(limit)
        return await self._database.rows(ProbeResult, those if probe is None else those.where(columns.probe == probe))

    async def readings(self, limit: int = 1000) -> Sequence[QuotaReading]:
        """Newest first."""
        columns = tables.quota.columns
        those = select(*without_place(tables.quota)).order_by(columns.place.desc()).limit(limit)
        return await self._database.rows(QuotaReading, those)

    async def prune(self, before: int, limit: int) -> int:
        """In one transaction."""
        found, quota = tables.probe_result.columns, tables.quota.columns

        def work(connection: Connection) -> int:
            return max(
                delete_oldest(connection, found.place, found.emitted_at < before, limit),
                delete_oldest(connection, quota.place, quota.observed_at < before, limit),
            )

        return await self._database.write(work)
