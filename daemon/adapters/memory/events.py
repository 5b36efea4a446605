"""An event store in memory that keeps every promise of the port."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter

from daemon.domain.event import EVENT_FIELDS, Event, id_floor
from daemon.domain.rollup import Closed, Resolution, Rollup, Series, Think
from daemon.ports import EventQuery, Watermark

FIELDS = frozenset(EVENT_FIELDS)
LABELS = frozenset(Series._fields + Think._fields)
MOST = 1001


class MemoryEventStore:
    """An `EventStore` that is gone with its process."""

    def __init__(self) -> None:
        self.rows: dict[int, Event] = {}
        self.rolled: dict[tuple[Resolution, int, Series, Think, int], Rollup] = {}
        self.rolled_up_to: dict[str, int] = {}
        self.applied: dict[str, Watermark] = {}
        self.alive: int | None = None

    async def append(
        self, events: Sequence[Event], watermarks: Mapping[str, Watermark], now: int, closed: Closed | None = None
    ) -> None:
        self._answer()
        for event in events:
            self.rows.setdefault(event.event_id, event)
        for spool_id, mark in watermarks.items():
            if spool_id not in self.applied or self.applied[spool_id].batch_id <= mark.batch_id:
                self.applied[spool_id] = mark
        if closed is not None:
            self.rolled = {_key(row): row for row in closed.rows} | self.rolled
            self.rolled_up_to[closed.node_id] = max(closed.until, self.rolled_up_to.get(closed.node_id, 0))
        self.alive = now if self.alive is None else max(self.alive, now)

    async def watermarks(self) -> Mapping[str, Watermark]:
        self._answer()
        return dict(self.applied)

    async def last_alive(self) -> int | None:
        self._answer()
        return self.alive

    async def events(self, query: EventQuery) -> Sequence[Event]:
        self._answer()
        if unknown := sorted(query.where.keys() - FIELDS):
            raise ValueError(f"an event has no field {unknown[0]!r}")
        ids = sorted(self.rows)
        first = 0 if query.since is None else bisect_left(ids, id_floor(query.since))
        end = len(ids) if query.before is None else bisect_left(ids, query.before)
        rows = (self.rows[ids[place]] for place in range(end - 1, first - 1, -1))
        return list(islice((row for row in rows if _matches(row, query)), max(0, min(query.limit, MOST))))

    def replay(self, since: int) -> Iterator[Event]:
        self._answer()
        yield from (row for row in sorted(self.rows.values(), key=_id) if row.event_id >= id_floor(since))

    async def prune(self, before: int, limit: int) -> int:
        self._answer()
        doomed = sorted(event_id for event_id in self.rows if event_id < id_floor(before))[:limit]
        for event_id in doomed:
            del self.rows[event_id]
        return len(doomed)

    async def rolled_until(self, node_id: str) -> int | None:
        self._answer()
        return self.rolled_up_to.get(node_id)

    async def rollups(
        self, resolution: Resolution, since: int, until: int, where: Mapping[str, str]
    ) -> Sequence[Rollup]:
        self._answer()
        if unknown := sorted(where.keys() - LABELS):
            raise ValueError(f"a rollup has no label {unknown[0]!r}")
        found = [row for row in self.rolled.values() if row.resolution is resolution and since <= row.bucket < until]
        return sorted((row for row in found if _is_labelled(row, where)), key=attrgetter("bucket", "part"))

    async def prune_rollups(self, resolution: Resolution, before: int, limit: int) -> int:
        self._answer()
        ended = [row for row in self.rolled.values() if row.resolution is resolution]
        ended = [row for row in ended if row.bucket + resolution.ms <= before]
        doomed = sorted(ended, key=attrgetter("bucket"))[:limit]
        for row in doomed:
            del self.rolled[_key(row)]
        return len(doomed)

    def _answer(self) -> None:
        """Called first by every method: where one that refuses would refuse."""


def _id(event: Event) -> int:
    return event.event_id


def _key(row: Rollup) -> tuple[Resolution, int, Series, Think, int]:
    return (row.resolution, row.bucket, row.series, row.think, row.part)


def _is_labelled(row: Rollup, where: Mapping[str, str]) -> bool:
    labels = row.series._asdict() | row.think._asdict()
    return all(_says(labels[name], text) for name, text in where.items())


def _matches(event: Event, query: EventQuery) -> bool:
    return all(_says(getattr(event, name), text) for name, text in query.where.items())


def _says(value: object, text: str) -> bool:
    """What is absent matches nothing; a list matches each of its members."""
    if value is None:
        return False
    if isinstance(value, bool):
        return str(value).lower() == text
    if isinstance(value, float):
        return float(text) == value
    if isinstance(value, tuple):
        return text in value
    return str(value) == text
