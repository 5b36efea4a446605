"""Canaries on demand: one small request through our own proxy for whoever asks, and not too many in an hour."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from daemon.domain.canary import CanaryReport
from daemon.domain.errors import Conflict
from daemon.domain.event import Wire
from daemon.domain.probe import Ask, Reply
from daemon.logic.canary import answer, canary
from daemon.logic.wire import WireProtocol
from daemon.ports import Clock

MOST_PER_HOUR = 120
"""An onboarding of fifteen minutes sends some twenty; each costs tokens."""
HOUR_SECONDS = 3600.0
TOKENS = 64
"""Room for a model that thinks before its first word."""


class Canaries:
    """`ask` sends them, marked as canaries."""

    def __init__(
        self, *, ask: Callable[[Ask], Awaitable[Reply]], wires: Mapping[Wire, WireProtocol], clock: Clock
    ) -> None:
        self._ask = ask
        self._wires = wires
        self._clock = clock
        self._sent: deque[float] = deque()

    async def send(self, model: str, wire: Wire, *, stream: bool) -> CanaryReport:
        """Raises `Conflict` when those of the last hour are spent."""
        self._count()
        asked = canary(model, wire, stream=stream, tokens=TOKENS)
        reply = await self._ask(asked)
        said = answer(asked, reply, self._wires)
        return CanaryReport(
            outcome=said.outcome,
            fault=said.fault,
            reason=said.reason,
            duration_ms=reply.duration_ms,
            tokens=said.tokens,
            usage_present=bool(said.facts and said.facts.usage),
        )

    def _count(self) -> None:
        now = self._clock.monotonic()
        while self._sent and self._sent[0] <= now - HOUR_SECONDS:
            self._sent.popleft()
        if len(self._sent) >= MOST_PER_HOUR:
            raise Conflict(f"{MOST_PER_HOUR} canaries were sent within an hour: wait for the oldest to be an hour old")
        self._sent.append(now)
