"""One request to the upstream, seen from the side that asks."""

import asyncio
import socket
from typing import Protocol

from daemon.domain.errors import UpstreamFault
from daemon.logic.forwarding import Headers

MOST_REPLAY_BYTES = 1 << 20
"""A longer request is not kept for sending it again."""
HELD_BYTES = 8192
"""Unsent, and no more is taken from the other side. Less than that goes out at the end of a turn of the loop, with what
is written to other connections: who reads it is woken once for all."""
MOST_WAITING_BYTES = 131072
"""Of a request may wait for its connection, or for the upstream to read; then the client is not read."""

LOOPBACK = ("127.", "::1", "::ffff:127.")
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))


def notice_death(transport: asyncio.BaseTransport, peer: str) -> None:
    """A host that falls silent for good, without a word, is given up after two minutes; our own cannot."""
    if not peer.startswith(LOOPBACK):
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class Asker(Protocol):
    """Who sent a request: is told what comes back, in this order. After `fault` or `ended` nothing more is told."""

    def interim(self, status: int, headers: Headers) -> None:
        """An informational answer but 100: the final one follows."""

    def head(self, status: int, reason: bytes, headers: Headers, lines: bytes) -> None:
        """The headers twice: `lines` as they were sent, each behind its line break."""

    def data(self, data: bytes) -> None: ...

    def flush(self) -> None:
        """No more is there for now."""

    def ended(self, trailers: Headers) -> None: ...

    def switched(self, headers: Headers, data: bytes) -> None:
        """101: the connection is no longer HTTP, `data` came behind the head; all that follows comes by `data`."""

    def fault(self, fault: UpstreamFault) -> None:
        """There is no answer, or it broke off."""

    def body_held(self) -> None:
        """More of the request than is on its way cannot be taken for now."""

    def body_wanted(self) -> None: ...

    def failed(self) -> None:
        """A mistake of our own, in one of these."""


class Carrier(Protocol):
    """The connection that a call goes out on."""

    def write(self, data: bytes) -> None: ...

    def drop(self) -> None:
        """Ends it at once."""

    def read_on(self, wanted: bool) -> None:
        """Whether more of the answer can be taken."""


class Call:
    """One request under way, connected or not yet."""

    __slots__ = ("_kept", "_replay", "asker", "connection", "is_complete", "is_over", "method", "was_held")

    def __init__(self, asker: Asker, method: str, first: bytes, *, is_complete: bool) -> None:
        self.asker = asker
        self.method = method
        self.is_complete = is_complete
        self.is_over = False
        self.was_held = False
        """Its asker was told to wait before there was a connection."""
        self.connection: Carrier | None = None
        self._replay: list[bytes] | None = [first]
        self._kept = 0

    def write(self, data: bytes, *, last: bool = False) -> None:
        """More of the request, framed."""
        self.is_complete = self.is_complete or last
        if self._replay is not None:
            self._replay.append(data)
            self._kept += len(data)
            if self._kept > MOST_REPLAY_BYTES and self.connection is not None:
                self._replay = None
        if self.connection is not None:
            self.connection.write(data)
        elif self._kept > MOST_WAITING_BYTES:
            self.was_held = True
            self.asker.body_held()

    def abort(self) -> None:
        """Closes the connection at once; does nothing after the end."""
        self.is_over = True
        if self.connection is not None:
            connection, self.connection = self.connection, None
            connection.drop()

    def pause(self) -> None:
        """Nothing more is read of the answer for now."""
        if self.connection is not None:
            self.connection.read_on(False)

    def resume(self) -> None:
        if self.connection is not None:
            self.connection.read_on(True)

    def so_far(self) -> bytes | None:
        """What was sent, if it is still known."""
        return b"".join(self._replay) if self._replay is not None else None

    def forget(self) -> None:
        """It will not be sent again."""
        self._replay = None
