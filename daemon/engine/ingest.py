"""Ingest: shows events to whoever judges as soon as they are in the spool, and stores them exactly once.

What was shown but not stored when a process dies is read from the spool again; the windows and rollups of its successor
begin with what is stored, so nothing is counted twice.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from daemon.domain.errors import StoreFailure
from daemon.domain.event import Event
from daemon.domain.rollup import Closed, Resolution, Rollup
from daemon.logic.rollups import Rollups, missing_in
from daemon.ports import Clock, EventStore, Spool, SpoolBatch, Watermark

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCHES = 40
"""Read at once from each spool file: up to 10,000 events."""
MOST_WAITING = 20_000
"""Events in memory that are not stored yet; beyond this they wait in the spool."""
GATHER_SECONDS = 0.1
"""From the first wake-up to the read."""
STORE_SECONDS = 1.25
"""Between two transactions, each of which is synced to the disk; also the longest pause without a wake-up."""
LONGEST_BACK_OFF_SECONDS = 10.0
LATE_MS = 5000
"""Events come at most so much later than younger ones; what comes later still makes a row of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Events, labelled, and how many were emitted with them but lost on the way."""

    events: tuple[Event, ...]
    lost: int


class Ingest:
    """A guarded task. `label` gives an event its provider; `arrived` is called with each piece that was read.

    Rollups are written with the events of a later bucket, so that an idle hour writes nothing. `node_id` is empty where
    the store is this node's alone.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        store: EventStore,
        clock: Clock,
        reader: Executor,
        node_id: str = "",
        label: Callable[[Event], Event],
        arrived: Callable[[Arrival], None],
    ) -> None:
        self._spool = spool
        self._store = store
        self._clock = clock
        self._reader = reader
        self._node_id = node_id
        self._label = label
        self._arrived = arrived
        self._stored: dict[str, Watermark] | None = None
        self._read: dict[str, Watermark] = {}
        self._waiting: list[Event] = []
        self._injected: list[Event] = []
        self._rollups = Rollups()
        self._closed: list[Rollup] = []
        self._stored_at = float("-inf")
        self._woken = asyncio.Event()
        self.attached = asyncio.Event()
        """The spool was read to its end once."""
        self.events_total = 0
        self.lost_total = 0
        self.depth = 0
        self.failure: str | None = None
        """Why nothing is stored at present."""

    @property
    def waiting(self) -> Sequence[Event]:
        """Events that were shown and are not stored yet."""
        return self._waiting

    def wake(self) -> None:
        """There is something in the spool."""
        self._woken.set()

    def inject(self, events: Sequence[Event]) -> None:
        """Made-up events: they are shown with what comes next, and are neither labelled nor counted nor stored."""
        self._injected += events
        self.wake()

    async def run(self) -> None:
        """Until it is cancelled. A store that refuses is tried again: the spool keeps what waits."""
        back_off = STORE_SECONDS
        while True:
            try:
                await self.catch_up()
                self.failure, back_off = None, STORE_SECONDS
            except StoreFailure as failure:
                if self.failure is None:
                    log.error("events wait in the spool: %s", failure)
                self.failure = str(failure)
                self.depth = await self._in_thread(self._spool.depth, self._stored or {})
                await asyncio.sleep(back_off)
                back_off = min(back_off * 2, LONGEST_BACK_OFF_SECONDS)
                continue
            await self._pause()

    async def catch_up(self) -> None:
        """Shows everything that waits, and stores it when it is time to. Raises `StoreFailure`."""
        if self._stored is None:
            stored = dict(await self._store.watermarks())
            self._rollups = await self._begun()
            self._stored, self._read = stored, dict(stored)
        while len(self._waiting) < MOST_WAITING and (
            batches := await self._in_thread(self._spool.read, self._read, BATCHES)
        ):
            self._take(batches)
        if self._injected:
            injected, self._injected = tuple(self._injected), []
            self._arrived(Arrival(events=injected, lost=0))
        self.attached.set()
        if self._clock.monotonic() - self._stored_at >= STORE_SECONDS and self._read != self._stored:
            await self.store()

    async def store(self) -> None:
        """One transaction for all that was shown; then the spool may be pruned. Raises `StoreFailure`."""
        if self._read != self._stored:
            marks = dict(self._read)
            await self._store.append(self._waiting, marks, self._clock.now(), self._close())
            self._waiting, self._closed, self._stored = [], [], marks
            self._stored_at = self._clock.monotonic()
        try:
            await self._in_thread(self._spool.acknowledge, self._stored)
        except OSError as error:
            log.warning("the spool cannot be pruned: %s", error)
        self.depth = await self._in_thread(self._spool.depth, self._stored)

    def unwritten(self, resolution: Resolution) -> Sequence[Rollup]:
        """What is in no stored row of this resolution yet, in buckets that may be finer."""
        return [*(row for row in self._closed if row.resolution is resolution), *self._rollups.unwritten(resolution)]

    async def _begun(self) -> Rollups:
        """The rollups as they were when the last append was made, by whichever process."""
        rollups, until = Rollups(), await self._store.rolled_until(self._node_id)
        if until is not None:
            own = {"node_id": self._node_id} if self._node_id else {}
            written = [await self._store.rollups(*missing, own) for missing in missing_in(until)]
            rollups.recall(until, chain.from_iterable(written))
            await self._in_thread(self._recount, rollups)
        return rollups

    def _recount(self, rollups: Rollups) -> None:
        """Blocking. Stored events of the buckets that were still open."""
        for event in self._store.replay(Resolution.TEN_SECONDS.floor(rollups.until)):
            if self._node_id in ("", event.node_id):
                rollups.add(event)

    def _close(self) -> Closed:
        """A failed append leaves its rows to the next one."""
        before = min(self._clock.now(), self._rollups.newest) - LATE_MS
        self._closed += self._rollups.close(before)
        return Closed(node_id=self._node_id, until=self._rollups.until, rows=tuple(self._closed))

    def _take(self, batches: Sequence[SpoolBatch]) -> None:
        events: list[Event] = []
        lost = 0
        for batch in batches:
            before = self._read.get(batch.spool_id)
            lost += max(0, batch.sequence - (before.sequence if before else 0) - len(batch.events))
            self._read[batch.spool_id] = Watermark(batch_id=batch.batch_id, sequence=batch.sequence)
            events += map(self._label, batch.events)
        for event in events:
            self._rollups.add(event)
        self._waiting += events
        self.events_total += len(events)
        self.lost_total += lost
        self._arrived(Arrival(events=tuple(events), lost=lost))

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
        except TimeoutError:
            pass
        self._woken.clear()

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, work, *arguments)
