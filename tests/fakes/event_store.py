"""The event store in memory, watched; set `failing` to make it refuse."""

from collections.abc import Mapping, Sequence

from daemon.adapters.memory import events as memory
from daemon.domain.errors import StoreFailure
from daemon.domain.event import Event
from daemon.domain.rollup import Closed
from daemon.ports import Watermark


class MemoryEventStore(memory.MemoryEventStore):
    def __init__(self) -> None:
        super().__init__()
        self.failing = False
        self.appends = 0
        self.prunes: list[int] = []
        """How many events each prune deleted."""

    async def append(
        self, events: Sequence[Event], watermarks: Mapping[str, Watermark], now: int, closed: Closed | None = None
    ) -> None:
        await super().append(events, watermarks, now, closed)
        self.appends += 1

    async def prune(self, before: int, limit: int) -> int:
        self.prunes.append(await super().prune(before, limit))
        return self.prunes[-1]

    def _answer(self) -> None:
        if self.failing:
            raise StoreFailure("the store was told to fail")
