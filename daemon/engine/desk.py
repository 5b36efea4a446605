"""The desk: the one way to the ledger, so that whoever keeps rows in memory sees every commit."""

from collections.abc import Callable

from daemon.domain.decision import Decision
from daemon.ports import Ledger


class Desk:
    """Commits decisions, then hands them to those who adopted none of it yet."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._readers: list[Callable[[Decision], None]] = []

    def read_by(self, reader: Callable[[Decision], None]) -> None:
        """`reader` is called, in the order of these calls, with each committed decision."""
        self._readers.append(reader)

    async def commit(self, decision: Decision) -> None:
        """Raises `StoreFailure`, and then nobody was told."""
        if decision:
            await self._ledger.commit(decision)
            for reader in self._readers:
                reader(decision)
