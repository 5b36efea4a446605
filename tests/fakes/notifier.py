"""A notifier that keeps what it is given; URLs in `down` fail, those in `hanging` wait until `release` is called."""

import asyncio
from collections.abc import Sequence

from daemon.domain.notification import Channel, Delivery, Message


class FakeNotifier:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Message]] = []
        """What each URL took, in order."""
        self.tried: list[tuple[str, Message]] = []
        self.down: set[str] = set()
        self.hanging: set[str] = set()
        self.retry_after: float | None = None
        """Seconds that those ask for that are down."""
        self.closed = False
        self._released = asyncio.Event()

    @property
    def titles(self) -> list[str]:
        return [message.title for _, message in self.sent]

    def release(self) -> None:
        self._released.set()

    async def send(self, channels: Sequence[Channel], message: Message, deadline_seconds: float) -> Delivery:
        urls = [channel.url for channel in channels]
        self.tried += [(url, message) for url in urls]
        if self.hanging.intersection(urls):
            await self._released.wait()
        taken = [url for url in urls if url not in self.down]
        self.sent += [(url, message) for url in taken]
        if len(taken) == len(urls):
            return Delivery(delivered=True)
        return Delivery(delivered=bool(taken), error="fake: is down", retry_after_seconds=self.retry_after)

    async def close(self) -> None:
        self.closed = True
