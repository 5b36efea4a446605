"""Events and their rollups in the database: written in bulk with their watermarks, read in time order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, delete, func, select

from daemon.adapters.store import rollups
from daemon.adapters.store.database import Database
from daemon.adapters.store.dialects import insert_many, put
from daemon.adapters.store.filters import listing, value_of
from daemon.adapters.store.rows import (
    CROWDED,
    LABELS_AT,
    SINGLES_AT,
    VOCABULARIES,
    Words,
    crowded_single,
    event_of,
    labels_of,
    row_of,
    singles_of,
)
from daemon.adapters.store.tables import applied, dim, event, rolled
from daemon.adapters.store.vocabulary import Entry, Numbers, Vocabulary
from daemon.domain.event import Event, id_floor
from daemon.domain.rollup import Closed, Resolution, Rollup
from daemon.ports import EventQuery, Watermark

MOST = 1001
"""The longest listing: a page of 1000, and one more that shows whether another follows."""
REPLAY_PAGE = 4000
NO_SPOOL = ""
"""Stands in `applied` for appends that move no watermark, so that `last_alive` knows of them too."""


class Events:
    """The `EventStore` of one database.

    A vocabulary takes up 1000 new entries an hour. A caller that sends ever new model names or keys does not make it
    grow without end: what comes after is stored with `other` in place of every name that a caller may invent.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._labels = tuple(Vocabulary(table, one) for table, one in zip(VOCABULARIES, CROWDED, strict=True))
        self._dim = Vocabulary(dim, crowded_single)

    async def append(
        self, events: Sequence[Event], watermarks: Mapping[str, Watermark], now: int, closed: Closed | None = None
    ) -> None:
        """Events, watermarks and closed rollups in one transaction. An event id or a rollup that is already there is
        left as it is, and a watermark never goes back."""
        marks = watermarks or {NO_SPOOL: Watermark(batch_id=0, sequence=0)}

        def work(connection: Connection) -> list[Numbers]:
            numbers = self._insert(connection, events, closed, now)
            put(
                connection,
                applied,
                [_applied(spool_id, mark, now) for spool_id, mark in marks.items()],
                rising="batch_id",
            )
            return numbers

        # only now is it certain that the numbers are not rolled back
        for vocabulary, numbers in zip((*self._labels, self._dim), await self._database.write(work), strict=True):
            vocabulary.learn(numbers)

    async def watermarks(self) -> Mapping[str, Watermark]:
        """The watermark of every spool ever applied."""
        rows = await self._database.read(lambda connection: connection.execute(select(applied)).all())
        return {
            row.spool_id: Watermark(batch_id=row.batch_id, sequence=row.sequence)
            for row in rows
            if row.spool_id != NO_SPOOL
        }

    async def last_alive(self) -> int | None:
        """When the last append was made (epoch ms)."""
        return await self._database.read(lambda connection: connection.scalar(select(func.max(applied.c.updated_at))))

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """Newest first, at most 1001. Raises ValueError for a filter that no event could pass."""
        for name, text in query.where.items():
            value_of(name, text)

        def work(connection: Connection) -> Sequence[Event]:
            return self._events(connection, _plain(connection.execute(listing(connection, query, MOST))))

        return await self._database.read(work)

    def replay(self, since: int) -> Iterator[Event]:
        """Stored events from an instant (epoch ms) on, oldest first; a page at a time, so no read lasts long."""
        after = id_floor(since) - 1
        while page := self._page(after):
            yield from page
            after = page[-1].event_id

    async def rolled_until(self, node_id: str) -> int | None:
        """The instant (epoch ms) of the last rollups that a node has stored."""
        statement = select(rolled.c.until).where(rolled.c.node_id == node_id)
        return await self._database.read(lambda connection: connection.scalar(statement))

    async def rollups(
        self, resolution: Resolution, since: int, until: int, where: Mapping[str, str]
    ) -> Sequence[Rollup]:
        """Rows of the buckets that start from `since` on and before `until` (epoch ms), oldest first. Raises ValueError
        for a label that no rollup could have."""
        statement = rollups.listing(resolution, since, until, where)
        series, _, think = self._labels

        def work(connection: Connection) -> Sequence[Rollup]:
            rows = connection.execute(statement).all()
            asked = series.entries(connection, {row.series for row in rows})
            applied = think.entries(connection, {row.think for row in rows})
            return rollups.rollups_of(resolution, rows, asked, applied)

        return await self._database.read(work)

    async def prune_rollups(self, resolution: Resolution, before: int, limit: int) -> int:
        """Deletes at most `limit` of the oldest rows whose bucket ended by an instant (epoch ms); how many there
        were."""
        statement = rollups.pruning(resolution, before, limit)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)

    async def prune(self, before: int, limit: int) -> int:
        """Deletes at most `limit` of the oldest events emitted before an instant (epoch ms); how many there were."""
        doomed = select(event.c.id).where(event.c.id < id_floor(before)).order_by(event.c.id).limit(limit)

        def work(connection: Connection) -> int:
            return connection.execute(delete(event).where(event.c.id.in_(doomed))).rowcount

        return await self._database.write(work)

    def _insert(
        self, connection: Connection, events: Sequence[Event], closed: Closed | None, now: int
    ) -> list[Numbers]:
        words = [Words(one) for one in events]
        rows = closed.rows if closed else ()
        others: tuple[list[Entry], ...] = ([row.series for row in rows], [], [row.think for row in rows])
        numbers = [
            vocabulary.numbers(connection, [*[one.labels[place] for one in words], *others[place]], now)
            for place, vocabulary in enumerate(self._labels)
        ]
        singles = self._dim.numbers(
            connection, [entry for one in words for entry in one.singles if entry is not None], now
        )
        labels = tuple(one.all for one in numbers)
        insert_many(
            connection, event, [row_of(one, its, labels, singles.all) for one, its in zip(events, words, strict=True)]
        )
        if closed:
            rollups.write(connection, closed, labels[0], labels[2])
        return [*numbers, singles]

    def _page(self, after: int) -> Sequence[Event]:
        statement = select(event).where(event.c.id > after).order_by(event.c.id).limit(REPLAY_PAGE)
        with self._database.reading() as connection:
            return self._events(connection, _plain(connection.execute(statement)))

    def _events(self, connection: Connection, rows: Sequence[Entry]) -> Sequence[Event]:
        combined, alone = {row[LABELS_AT] for row in rows}, {row[SINGLES_AT] for row in rows}
        numbers = zip(*combined, strict=True)
        known = [vocabulary.entries(connection, its) for vocabulary, its in zip(self._labels, numbers, strict=False)]
        dim = self._dim.entries(connection, {number for numbers in alone for number in numbers})
        labels = {numbers: labels_of(numbers, known) for numbers in combined}
        singles = {numbers: singles_of(numbers, dim) for numbers in alone}
        return [event_of(row, labels[row[LABELS_AT]], singles[row[SINGLES_AT]]) for row in rows]


def _plain(result: CursorResult[Any]) -> Sequence[Entry]:
    """Rows as the driver gives them: columns of `event` hold nothing that has to be turned into something else."""
    return cast(Sequence[Entry], cast(Any, result.cursor).fetchall())


def _applied(spool_id: str, mark: Watermark, now: int) -> dict[str, Any]:
    return {"spool_id": spool_id, "batch_id": mark.batch_id, "sequence": mark.sequence, "updated_at": now}
