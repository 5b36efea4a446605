"""The ledger in memory, watched; set `failing` to make it refuse."""

from daemon.adapters.memory import ledger
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure


class MemoryLedger(ledger.MemoryLedger):
    def __init__(self) -> None:
        super().__init__()
        self.decisions: list[Decision] = []
        """Everything committed, in order."""
        self.prunes: list[int] = []
        """What each call of `prune` found."""
        self.failing = False

    async def commit(self, decision: Decision) -> None:
        await super().commit(decision)
        self.decisions.append(decision)

    async def prune(self, before: int, limit: int) -> int:
        self.prunes.append(await super().prune(before, limit))
        return self.prunes[-1]

    def _answer(self) -> None:
        if self.failing:
            raise StoreFailure("the ledger was told to fail")
