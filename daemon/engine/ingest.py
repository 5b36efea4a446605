"""Ingest: moves events from the spool to the store, exactly once, and shows them to whoever judges."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from daemon.domain.errors import StoreFailure
from daemon.domain.event import Event
from daemon.ports import Clock, EventStore, Spool, SpoolBatch, Watermark

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCHES = 40
"""Read at once from each spool file: up to 10,000 events."""
GATHER_SECONDS = 0.1
"""From the first wake-up to the read: one transaction for what comes together."""
BACKSTOP_SECONDS = 1.0
"""A lost wake-up costs no more than this."""
LONGEST_BACK_OFF_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Stored events, labelled, and how many were emitted with them but lost on the way."""

    events: tuple[Event, ...]
    lost: int


class Ingest:
    """A guarded task. `label` gives an event its provider; `arrived` is called after each commit."""

    def __init__(
        self,
        *,
        spool: Spool,
        store: EventStore,
        clock: Clock,
        reader: Executor,
        label: Callable[[Event], Event],
        arrived: Callable[[Arrival], None],
    ) -> None:
        self._spool = spool
        self._store = store
        self._clock = clock
        self._reader = reader
        self._label = label
        self._arrived = arrived
        self._applied: Mapping[str, Watermark] | None = None
        self._woken = asyncio.Event()
        self.attached = asyncio.Event()
        """The spool was read to its end once."""
        self.events_total = 0
        self.lost_total = 0
        self.depth = 0
        self.failure: str | None = None
        """Why nothing is stored at present."""

    def wake(self) -> None:
        """There is something in the spool."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled. A store that refuses is tried again: the spool keeps what waits."""
        back_off = 0.5
        while True:
            try:
                await self.catch_up()
                self.failure, back_off = None, 0.5
            except StoreFailure as failure:
                if self.failure is None:
                    log.error("events wait in the spool: %s", failure)
                self.failure = str(failure)
                await asyncio.sleep(back_off)
                back_off = min(back_off * 2, LONGEST_BACK_OFF_SECONDS)
                continue
            await self._pause()

    async def catch_up(self) -> None:
        """Moves everything that waits. Raises `StoreFailure`."""
        applied = dict(await self._store.watermarks()) if self._applied is None else dict(self._applied)
        while batches := await self._in_thread(self._spool.read, applied, BATCHES):
            applied |= await self._move(batches, applied)
            self._applied = applied
        self._applied = applied
        try:
            await self._in_thread(self._spool.acknowledge, applied)
        except OSError as error:
            log.warning("the spool cannot be pruned: %s", error)
        self.depth = await self._in_thread(self._spool.depth, applied)
        self.attached.set()

    async def _move(self, batches: Sequence[SpoolBatch], before: Mapping[str, Watermark]) -> dict[str, Watermark]:
        marks: dict[str, Watermark] = {}
        events: list[Event] = []
        lost = 0
        for batch in batches:
            known = marks.get(batch.spool_id) or before.get(batch.spool_id)
            lost += max(0, batch.sequence - (known.sequence if known else 0) - len(batch.events))
            marks[batch.spool_id] = Watermark(batch_id=batch.batch_id, sequence=batch.sequence)
            events += map(self._label, batch.events)
        await self._store.append(events, marks, self._clock.now())
        self.events_total += len(events)
        self.lost_total += lost
        self._arrived(Arrival(events=tuple(events), lost=lost))
        return marks

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(BACKSTOP_SECONDS):
                await self._woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
        except TimeoutError:
            pass
        self._woken.clear()

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, work, *arguments)
