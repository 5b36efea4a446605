"""Probes that answer what they are told to."""

from collections.abc import Sequence

from daemon.domain.event import Wire
from daemon.domain.inventory import ModelEntry


class FakeProbes:
    def __init__(self) -> None:
        self.answer: bool | None = False
        """What a ping finds; None: there is no key."""
        self.pinged: list[tuple[str, Wire]] = []
        self.inventory: Sequence[ModelEntry] | None = None

    async def reachable(self) -> bool:
        return True

    async def models(self) -> Sequence[ModelEntry] | None:
        return self.inventory

    async def ping(self, model: str, wire: Wire) -> bool | None:
        self.pinged.append((model, wire))
        return self.answer

    async def close(self) -> None:
        """Nothing is open."""
