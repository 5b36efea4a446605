"""Retention: deletes what is older than it shall become, in pieces so small that nobody waits."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from daemon.domain.rollup import Resolution
from daemon.ports import Clock, EventStore, Ledger, ProbeStore

PIECE = 1000
LONGEST_JUMP_MS = 86_400_000
"""A clock that has gone ahead of itself by more is believed when the next run finds it there too."""
PAUSE_SECONDS = 0.005
"""Between two pieces, for the one writer has other work: without it, deleting a day held events up for 330 ms."""
ROLLUPS_SECONDS = {Resolution.TEN_SECONDS: 6 * 3600.0, Resolution.MINUTE: 30 * 86_400.0}
"""Kept no longer than this: only hours live as long as rollups may."""

FOREIGN_SECONDS = 7 * 86_400.0
"""An ended alert of others; its history is kept as long as that of ours."""


class Retention:
    """A job for the schedule. Where nothing is too old it deletes nothing. `node_id` is empty where the store is this
    node's alone."""

    def __init__(
        self,
        store: EventStore,
        ledger: Ledger,
        probes: ProbeStore,
        clock: Clock,
        keep_seconds: float,
        keep_rollups_seconds: float,
        node_id: str = "",
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._probes = probes
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._keep_rollups_seconds = keep_rollups_seconds
        self._node_id = node_id
        self._last_run = clock.now(), clock.monotonic()

    async def run(self) -> None:
        """Deletes what is too old now. Raises `StoreFailure`; the next run goes on where this one ended."""
        if self._clock_is_doubtful():
            return
        until = await self._store.rolled_until(self._node_id)
        # what is in no hour yet is needed to begin again after a death, however old an idle week has made it
        needed = None if until is None else Resolution.HOUR.floor(until)
        await self._delete(self._store.prune, self._keep_seconds, needed)
        await self._delete(self._ledger.prune_heard, self._keep_seconds, needed)
        await self._delete(self._probes.prune, self._keep_seconds, None)
        for resolution in Resolution:
            seconds = ROLLUPS_SECONDS.get(resolution, self._keep_rollups_seconds)
            prune = partial(self._store.prune_rollups, resolution)
            await self._delete(prune, min(seconds, self._keep_rollups_seconds), needed)
        await self._delete(self._ledger.prune, self._keep_rollups_seconds, None)
        # each of them stands in memory, and there is no end of others' names
        await self._delete(self._ledger.prune_foreign, FOREIGN_SECONDS, None)

    def _clock_is_doubtful(self) -> bool:
        """A clock that is wrong by years must not empty the store."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        (then, then_monotonic), self._last_run = self._last_run, (now, monotonic)
        return now - then - (monotonic - then_monotonic) * 1000 > LONGEST_JUMP_MS

    async def _delete(self, prune: Callable[[int, int], Awaitable[int]], seconds: float, needed: int | None) -> None:
        before = self._clock.now() - round(seconds * 1000)
        deleted = PIECE
        while deleted == PIECE:
            deleted = await prune(before if needed is None else min(before, needed), PIECE)
            await asyncio.sleep(PAUSE_SECONDS)
