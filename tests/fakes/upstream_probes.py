"""Probes that answer what they are told to."""

from collections.abc import Sequence

from daemon.domain.event import Wire
from daemon.domain.front import Front
from daemon.domain.inventory import USUAL, Lists, ModelEntry


class FakeProbes:
    def __init__(self) -> None:
        self.answer: bool | None = False
        """What a ping finds; None: there is no key."""
        self.pinged: list[tuple[str, Wire]] = []
        self.inventory: Sequence[ModelEntry] | None = None
        self.shows = Front(introduces=True)
        self.fronts = 0
        """How often its front was looked at."""

    async def reachable(self) -> bool:
        return True

    async def models(self) -> Lists | None:
        return None if self.inventory is None else {USUAL: self.inventory}

    async def front(self) -> Front:
        self.fronts += 1
        return self.shows

    async def ping(self, model: str, wire: Wire) -> bool | None:
        self.pinged.append((model, wire))
        return self.answer

    async def close(self) -> None:
        """Nothing is open."""
