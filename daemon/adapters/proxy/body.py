"""The body of a request on its way in: gathered when it is small or must be read, else passed on as it comes."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from daemon.logic.forwarding import value_of

Receive = Callable[[], Any]

SMALL_BYTES = 65536


class ClientLeft(ConnectionError):
    """The client went away before its request was complete."""


class Incoming:
    """Read once, by `gather` first and `stream` after; `watch` sees each piece."""

    def __init__(
        self, headers: Sequence[tuple[bytes, bytes]], receive: Receive, watch: Callable[[bytes], None]
    ) -> None:
        length = value_of(headers, b"content-length")
        self.length = int(length) if length is not None else None
        """As it was announced; None: unknown, or there is no body."""
        self.complete = not self.length and value_of(headers, b"transfer-encoding") is None
        self._receive = receive
        self._watch = watch
        self._pieces: list[bytes] = []

    async def gather(self, most: int) -> bytes | None:
        """All of it, or None when that is more than `most` bytes; what was read so far then comes first in `stream`."""
        size = 0
        while not self.complete:
            if size > most or (self.length or 0) > most:
                return None
            piece = await self._next()
            size += len(piece)
            self._pieces.append(piece)
        return b"".join(self._pieces) if size <= most else None

    async def stream(self) -> AsyncIterator[bytes]:
        """Raises `ClientLeft`, so that half a request never looks like a whole one."""
        for piece in self._pieces:
            yield piece
        self._pieces.clear()
        while not self.complete:
            if piece := await self._next():
                yield piece

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        piece: bytes = message["body"]
        self.complete = not message["more_body"]
        self._watch(piece)
        return piece
