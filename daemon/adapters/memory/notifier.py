"""Receivers in memory: they take everything, and remember when."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.domain.notification import Channel, Delivery, Message
from daemon.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that a receiver would have got."""

    at: int
    """Epoch ms."""
    receiver: str
    message: Message


class MemoryNotifier:
    """A `Notifier`; a channel's URL is the name of its receiver."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.sent: list[Sent] = []

    async def send(self, channels: Sequence[Channel], message: Message, deadline_seconds: float) -> Delivery:
        self.sent += [Sent(at=self._clock.now(), receiver=channel.url, message=message) for channel in channels]
        return Delivery(delivered=True)

    async def close(self) -> None:
        """Nothing is open."""
