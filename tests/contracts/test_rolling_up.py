"""Ingest and its rollups, killed at every step that they take, over the fake, SQLite and Postgres."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from daemon.adapters.store import Store
from daemon.domain.event import Event
from daemon.domain.rollup import Closed, Resolution, Rollup
from daemon.engine.ingest import STORE_SECONDS, Ingest
from daemon.ports import EventStore, Watermark
from tests.fakes.clock import FakeClock
from tests.fakes.memory_spool import MemorySpool
from tests.logic.playing import T0, an_event

NOON = Resolution.HOUR.floor(T0)
WHEN = (0, 9, 4, 12, 58, 61, 50, 122, 3599, 3601, 3590, 3725, 20, 10_900, 10_907, 10_965)
"""Seconds after noon at which events were emitted, in the order in which they come; some are very late."""
STEPS = 1 + 4 * len(WHEN)
"""More than a life has, so that the last ones are not killed."""


class Killed(Exception):
    """The process is gone."""


class Mortal:
    """A store and a spool whose user dies before or after what it asks for the n-th time."""

    def __init__(self, store: EventStore, spool: MemorySpool, steps: int) -> None:
        self._store = store
        self._spool = spool
        self._left = steps

    async def append(
        self, events: Sequence[Event], marks: Mapping[str, Watermark], now: int, closed: Closed | None
    ) -> None:
        self._step()
        await self._store.append(events, marks, now, closed)
        self._step()

    def acknowledge(self, applied: Mapping[str, Watermark]) -> None:
        self._step()
        self._spool.acknowledge(applied)
        self._step()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spool if hasattr(self._spool, name) else self._store, name)

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed


class Life:
    """What outlives every process of one node: its spool, its clock, its database."""

    def __init__(self, store: EventStore, node_id: str, reader: ThreadPoolExecutor) -> None:
        self.store = store
        self.node_id = node_id
        self.spool = MemorySpool()
        self.clock = FakeClock(NOON)
        self.events: list[Event] = []
        self._reader = reader
        self._mortal: Any = None
        self.born(0)

    def born(self, steps: int) -> None:
        self._mortal = Mortal(self.store, self.spool, steps)
        self.ingest = Ingest(
            spool=self._mortal,
            store=self._mortal,
            clock=self.clock,
            reader=self._reader,
            node_id=self.node_id,
            label=lambda event: event,
            arrived=lambda _: None,
        )

    async def emit(self, second: int, *, bad: bool) -> None:
        at = NOON + second * 1000
        self.clock.advance(max(STORE_SECONDS, (at - self.clock.now()) / 1000))
        event = an_event(at, bad=bad, node_id=self.node_id, duration_ms=second)
        self.events.append(event)
        self.spool.write(event, spool_id=self.node_id)
        try:
            await self.ingest.catch_up()
        except Killed:
            self.born(0)
            await self.ingest.catch_up()

    async def rows(self, resolution: Resolution) -> list[Rollup]:
        rows = await self.store.rollups(resolution, 0, NOON * 2, {"node_id": self.node_id})
        return [*rows, *self.ingest.unwritten(resolution)]


@pytest.fixture
def reader() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


names = count()


async def test_killed_at_any_step_nothing_is_lost_and_nothing_is_counted_twice(
    any_store: Store, reader: ThreadPoolExecutor
) -> None:
    for steps in range(1, STEPS + 1):
        life = Life(any_store.events, f"node-{next(names)}", reader)
        life.born(steps)
        for number, second in enumerate(WHEN):
            await life.emit(second, bad=number % 3 == 0)
        life.born(0)
        await life.ingest.catch_up()
        for resolution in Resolution:
            assert counted(await life.rows(resolution), resolution) == expected(life.events, resolution), steps


def counted(rows: list[Rollup], resolution: Resolution) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for row in rows:
        bucket = resolution.floor(row.bucket)
        found += Counter({(bucket, True): row.failed, (bucket, False): row.ok})
    return found


def expected(events: list[Event], resolution: Resolution) -> Counter[Any]:
    return Counter((resolution.floor(event.emitted_at), event.fault is not None) for event in events)


async def test_rows_come_with_the_events_of_a_later_bucket_and_never_by_themselves(
    any_store: Store, reader: ThreadPoolExecutor
) -> None:
    life = Life(any_store.events, "node-a", reader)
    await life.emit(1, bad=False)
    life.clock.advance(3600)
    await life.ingest.catch_up()
    assert list(await any_store.events.rollups(Resolution.TEN_SECONDS, 0, NOON * 2, {})) == []
    await life.emit(3700, bad=False)
    written = {resolution: await any_store.events.rollups(resolution, 0, NOON * 2, {}) for resolution in Resolution}
    assert [[row.bucket for row in rows] for rows in written.values()] == [[NOON], [NOON], [NOON]]
