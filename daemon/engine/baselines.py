"""Baselines: teaches the book of rules what is usual, from the hours that are closed."""

from collections.abc import Callable, Sequence

from daemon.domain.rollup import Resolution, Rollup
from daemon.logic.judging import Book
from daemon.ports import EventStore

DAY_MS = 86_400_000
"""Read at once: days of hours in one piece would hold a reader of the store for too long."""


class Baselines:
    """A job for the schedule: it looks whether an hour was closed, or another book is in use, and reads only then.

    `node_id` is empty where the store is this node's alone.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        book: Callable[[], Book],
        learn: Callable[[Sequence[Rollup], int], None],
        node_id: str = "",
    ) -> None:
        self._store = store
        self._book = book
        self._learn = learn
        self._node_id = node_id
        self._taught: tuple[Book, int] | None = None

    async def run(self) -> None:
        """Raises `StoreFailure`; the next run tries again, and until then the book goes by what it knows."""
        book = self._book()
        until = await self._store.rolled_until(self._node_id) if book.history_seconds else None
        if until is None:
            return
        lesson = book, Resolution.HOUR.floor(until)
        if lesson != self._taught:
            self._learn(await self.hours(lesson[1], round(book.history_seconds * 1000)), lesson[1])
            self._taught = lesson

    async def hours(self, until: int, history_ms: int) -> Sequence[Rollup]:
        """The closed hours of so long a time before an instant (epoch ms). Raises `StoreFailure`."""
        rows: list[Rollup] = []
        for since in range(until - history_ms, until, DAY_MS):
            rows += await self._store.rollups(Resolution.HOUR, since, min(since + DAY_MS, until), {})
        return rows
