"""Our server's HTTP protocol: uvicorn's, which also hands over the raw request target and tells when a client left."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from daemon.logic.guarding import MOST_HEADER_BYTES

EXTENSION = "runbookd"
MOST_HEAD_BYTES = 2 * MOST_HEADER_BYTES
"""Beyond what the guard refuses with a reason: here the connection is ended before the head is even complete."""
HEAD_SECONDS = 10.0
"""From the first byte of a head to its last, at whatever pace; so long a new connection may stay without a byte."""
REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Rejecting(Protocol):
    """Our application: hears of requests that were refused before there was one."""

    def rejected(self, status: int) -> None: ...


class ProxyProtocol(HttpToolsProtocol):
    """ASGI has no place for the target as it was sent, and its `raw_path` hides an absolute form and a bare `?`."""

    on_lost: Callable[[], None] | None = None
    """Called when the connection ends under a request. Set by whoever answers the request, and taken back."""
    _reads_head = False
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_awaiting()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reads_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._reads_head = False
        self._stop_awaiting()
        cast(dict[str, Any], self.scope)["extensions"] = {EXTENSION: {"target": self.url, "connection": self}}
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # what follows on this connection would not be parsed
        if self.scope["http_version"] == "1.0":
            _end_by_closing(self.cycle)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._reads_head:
            self._head_bytes += len(data)
            self._await_head()
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(431, "The head of the request is too large.")

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed: a head of its own, or the body of the request that is under way."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle is None or cycle.response_complete:
            self._refuse(400, msg)
        elif cycle.response_started:
            self.abort()
        else:
            cycle.disconnected = True
            self._answer(400, msg)

    def abort(self) -> None:
        """Ends the connection inside an answer so that no client can take it for the answer's end."""
        self.cycle.disconnected = True
        if getattr(self.cycle, "ends_by_closing", False) and not self.transport.is_closing():
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.close()

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _stop_awaiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        if self._reads_head:
            self._refuse(408, "The head of the request did not come in time.")
        else:
            self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        self._reads_head = False
        self._answer(status, message)
        cast(Rejecting, self.app).rejected(status)

    def _answer(self, status: int, message: str) -> None:
        body = json.dumps({"error": {"code": "runbookd_rejected_framing", "message": message}}).encode()
        head = f"HTTP/1.1 {status} {REASONS[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        self.transport.write(head.encode() + b"\r\nconnection: close\r\n\r\n" + body)
        self.transport.close()


def _end_by_closing(cycle: Any) -> None:
    """HTTP/1.0 knows no chunks: an answer without a length ends where the connection ends."""
    send = cycle.send

    async def send_unframed(message: Any) -> None:
        if message["type"] == "http.response.start":
            cycle.ends_by_closing = all(name.lower() != b"content-length" for name, _ in message["headers"])
            cycle.chunked_encoding = False if cycle.ends_by_closing else None
        elif cycle.ends_by_closing:
            cycle.expected_content_length = len(message["body"])
        await send(message)

    cycle.send = send_unframed
