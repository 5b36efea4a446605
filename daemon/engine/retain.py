"""Retention: deletes events that are older than they shall become, in pieces small enough that nobody waits."""

import asyncio

from daemon.ports import Clock, EventStore

PIECE = 1000
PAUSE_SECONDS = 0.005
"""Between two pieces, for the one writer has other work: without it, deleting a day held events up for 330 ms."""


class Retention:
    """A job for the schedule. Where nothing is too old it writes nothing."""

    def __init__(self, store: EventStore, clock: Clock, keep_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._keep_seconds = keep_seconds

    async def run(self) -> None:
        """Deletes what is too old now. Raises `StoreFailure`; the next run goes on where this one ended."""
        before = self._clock.now() - round(self._keep_seconds * 1000)
        deleted = PIECE
        while deleted == PIECE:
            deleted = await self._store.prune(before, PIECE)
            await asyncio.sleep(PAUSE_SECONDS)
