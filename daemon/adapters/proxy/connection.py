"""One connection of a client: reads requests off it one after another, and writes the answers in the same order.

The parser is httptools'; it is given each head by itself, so that what follows a request on the connection is not
looked at before that request is answered. Bodies with a length are not parsed at all.
"""

import asyncio
import logging
import select
import socket
import struct
from enum import Enum, auto
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from daemon.adapters.proxy.answers import plain_error
from daemon.adapters.proxy.bodies import Anything, Body, Chunks, Length
from daemon.adapters.proxy.calls import HELD_BYTES, notice_death
from daemon.adapters.proxy.handling import Handler, Serving
from daemon.adapters.proxy.tap import Ask
from daemon.logic.forwarding import by_name, header_pairs, is_persistent
from daemon.logic.framing import MOST_HEAD_BYTES, body_length, framing_fault

log = logging.getLogger(__name__)

MOST_AHEAD_BYTES = 65536
"""What a client may send before its last request is answered; then it is not read."""
REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    508: b"Loop Detected",
}

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_BLANK = b"\r\n\r\n"


class Phase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    IDLE = auto()
    LINGER = auto()


PATIENCE_SECONDS = {
    Phase.HEAD: 10.0,  # from its first byte to its last, at whatever pace; also the first byte of a new connection
    Phase.BODY: 60.0,  # between two bytes of it
    Phase.IDLE: 75.0,
    Phase.LINGER: 2.0,  # for the client to read our last answer
}
"""For how long; an answer may take as long as it does."""
FIRST_WORDS_SECONDS = 1.0
"""For a request on a connection that was accepted when we were told to stop."""


class ClientConnection(asyncio.Protocol):
    """A state machine over `Phase`; at most one request is under way."""

    transport: asyncio.Transport

    def __init__(self, serving: Serving, loop: asyncio.AbstractEventLoop) -> None:
        self._serving = serving
        self._loop = loop
        self._ahead = b""
        self._searched = 0
        """So much of it holds no end of a head."""
        self._handler: Handler | None = None
        self._body: Body | None = None
        self._unsent = 0
        """By the last tick of the clock: who reads slowly reads."""
        self._is_busy = self._is_unread = self._is_held = self._is_refused = False
        self.end = ("", 0)
        """Where the client speaks from."""
        self.peer = ""
        self.phase = Phase.HEAD
        self.since = loop.time()
        self._keeps_alive = True
        self._version = "1.1"
        self._ends_by_closing = False

    # ---- asyncio's ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HELD_BYTES)
        self.end = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.peer = self.end[0]
        notice_death(transport, self.peer)
        if not self._serving.opened(self):
            self.refuse(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self._serving.closed(self)
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.client_left()

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except Exception:
            log.exception("a request could not be forwarded")
            self._admit_mistake()

    def _take(self, data: bytes) -> None:
        if self._body is not None:
            self.since = self._loop.time()
            self._take_body(self._body, data)
        elif self.phase is not Phase.LINGER:
            self._ahead = self._ahead + data if self._ahead else data
            if not self._is_busy and not self._is_held:
                self._take_head()
            elif len(self._ahead) > MOST_AHEAD_BYTES:
                self._read(False)

    def pause_writing(self) -> None:
        self._is_held = True
        if self._handler is not None:
            self._handler.hold()

    def resume_writing(self) -> None:
        self._is_held = False
        if self._handler is not None:
            self._handler.go_on()
        else:
            self._go_on_ahead()

    # ---- for who answers ---------------------------------------------------------------------------------------------

    @property
    def speaks_chunks(self) -> bool:
        return self._version == "1.1"

    def own_end(self) -> tuple[str, int]:
        """Where we speak from."""
        host, port, *_ = self.transport.get_extra_info("sockname") or ("", 0)
        return host, port

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def framing(self, *, has_length: bool, has_body: bool) -> bytes:
        """The lines of an answer's head that say how long it is, and whether the connection ends behind it."""
        if self._body is not None or self._serving.is_stopping:
            self._keeps_alive = False
        if has_length or not has_body:
            return self._connection_line()
        if self.speaks_chunks:
            return b"Transfer-Encoding: chunked\r\n" + self._connection_line()
        self._ends_by_closing, self._keeps_alive = True, False
        return b"Connection: close\r\n"

    def finished(self) -> None:
        """The answer is written to its end: the next request's turn."""
        self._handler, self._is_busy = None, False
        if not self._keeps_alive or self._serving.is_stopping:
            self._close_gently()
            return
        self.phase, self.since = Phase.IDLE, self._loop.time()
        self._read(len(self._ahead) <= MOST_AHEAD_BYTES)
        if self._ahead:
            self._loop.call_soon(self._go_on_ahead)

    def answer(self, status: int, body: bytes, *more: bytes, close: bool = False) -> None:
        """A whole answer of our own, in JSON; `more` are header lines."""
        self._keeps_alive = self._keeps_alive and not close
        lines = b"".join((*more, self.framing(has_length=True, has_body=True)))
        head = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"
        self.write(head % (status, REASONS[status], len(body), lines) + body)
        self.finished()

    def refuse(self, status: int, message: str) -> None:
        """Ends the connection with an answer to what was no request."""
        self._handler, self._is_busy, self._is_refused = None, True, True
        self.answer(status, plain_error("runbookd_rejected_framing", message), close=True)

    def abort(self) -> None:
        """Ends the connection inside an answer, so that no client can take it for the answer's end."""
        self._handler = None
        if self._ends_by_closing:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()
        else:
            self.transport.close()

    def read_body(self, wanted: bool) -> None:
        """Whether more of the body can be taken."""
        self._read(wanted)
        self.since = self._loop.time()

    def switch(self) -> None:
        """From here on the connection is no HTTP: what comes goes to the handler as it is."""
        self._body, self.phase, self._keeps_alive = Anything(), Phase.ANSWER, False
        self._read(True)
        if ahead := self._ahead:
            self._ahead = b""
            self._take_body(self._body, ahead)

    # ---- for the server ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ends now if it is idle, else behind the answer; one that was just opened has a moment for its request."""
        if self._handler is not None:
            self._handler.stopping()
        elif self.phase is Phase.IDLE:
            self.transport.close()
        elif self.phase is Phase.HEAD:
            self.since = self._loop.time() + FIRST_WORDS_SECONDS - PATIENCE_SECONDS[Phase.HEAD]

    def cut(self) -> None:
        if self._handler is not None:
            self._handler.cut()

    def look_at_the_clock(self, now: float) -> None:
        """Ends what has waited for too long."""
        if self._is_unread and self._has_left():
            self.transport.abort()
        if self._is_unread and self.phase is not Phase.IDLE:
            return
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self.since = unsent, now
        most = PATIENCE_SECONDS.get(self.phase)
        if most is None or now - self.since < most:
            return
        if self.phase is Phase.BODY and self._handler is not None:
            self.phase = Phase.ANSWER
            self._handler.body_failed(408, "the body of the request stopped coming")
        elif self.phase is Phase.HEAD and self._ahead:
            self._serving.refused(None, 408)
            self.refuse(408, "the head of the request did not come in time")
        else:
            self.transport.abort()

    def _has_left(self) -> bool:
        """A connection that is not read does not tell that its other end is gone."""
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))

    # ---- one request -------------------------------------------------------------------------------------------------

    def _go_on_ahead(self) -> None:
        if not self._is_busy and not self._is_held and self._ahead and not self.transport.is_closing():
            self.data_received(b"")

    def _admit_mistake(self) -> None:
        if self._handler is not None:
            self._handler.failed()
        else:
            self.transport.abort()

    def _take_head(self) -> None:
        if self._ahead[:2] == b"\r\n":
            self._ahead, self._searched = self._ahead.lstrip(b"\r\n"), 0
        if self.phase is Phase.IDLE:
            self.phase, self.since = Phase.HEAD, self._loop.time()
        end = self._ahead.find(_BLANK, max(0, self._searched - len(_BLANK)))
        if end < 0 or end > MOST_HEAD_BYTES:
            self._wait_for_head()
            return
        self._searched = 0
        head, self._ahead = self._ahead[: end + 4], self._ahead[end + 4 :]
        self._read(len(self._ahead) <= MOST_AHEAD_BYTES)
        reading = _Head()
        parser = HttpRequestParser(reading)
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:
            pass
        except HttpParserError as error:
            self._refuse_head(400, str(error))
            return
        self._is_busy, self.phase = True, Phase.ANSWER
        self._begin(self._ask(parser, reading, head))

    def _wait_for_head(self) -> None:
        if len(self._ahead) > MOST_HEAD_BYTES:
            self._refuse_head(431, f"the head of the request is longer than {MOST_HEAD_BYTES >> 10} KiB")
        elif b"\n" in self._ahead[self._searched :].replace(b"\r\n", b""):
            self._refuse_head(400, "lines end with CR LF")
        self._searched = len(self._ahead) - self._ahead.endswith(b"\r")

    def _refuse_head(self, status: int, message: str) -> None:
        self._is_busy, self._ahead = True, b""
        self._serving.refused(None, status)
        self.refuse(status, message)

    def _begin(self, ask: Ask) -> None:
        self._version = ask.version
        if fault := framing_fault(ask.method, ask.version, ask.target, ask.headers, ask.sent):
            self._ahead = b""
            self._serving.refused(ask, fault[0])
            self.refuse(*fault)
            return
        self._keeps_alive = is_persistent(ask.version, ask.sent.get(b"connection"))
        self._ends_by_closing = False
        length = body_length(ask.sent)
        self._body = Chunks() if length is None else Length(length) if length else None
        handler = self._handler = self._serving.begin(self, ask)
        if handler is None:
            return
        if self._body is None:
            handler.body(b"", last=True)
        else:
            self._await_body(self._body, expects=b"expect" in ask.sent)

    def _ask(self, parser: HttpRequestParser, reading: "_Head", head: bytes) -> Ask:
        raw_path, _, query = reading.target.partition(b"?")
        method = parser.get_method()
        lines = head[head.find(b"\r\n") : -len(_BLANK)]
        headers = header_pairs(lines)
        return Ask(
            method=method.decode(),
            version=parser.get_http_version(),
            target=reading.target,
            query=query,
            destination=self._serving.find(method, raw_path),
            headers=headers,
            lines=lines,
            sent=by_name(headers),
            peer=self.peer,
        )

    def _await_body(self, body: Body, *, expects: bool) -> None:
        self.phase, self.since = Phase.BODY, self._loop.time()
        self._read(True)
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            self._take_body(body, ahead)
        elif expects and self.speaks_chunks:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_body(self, body: Body, data: bytes) -> None:
        piece, self._ahead = body.take(data)
        handler = self._handler
        if body.is_whole:
            self._body = None
            if body.has_surplus:
                self._keeps_alive = False
            if self.phase is Phase.BODY:
                self.phase = Phase.ANSWER
            if handler is not None:
                handler.body(piece, last=True, trailers=body.trailers)
            return
        if piece and handler is not None:
            handler.body(piece, last=False)
        if body.wrong is not None and handler is self._handler:
            self._body, self._keeps_alive = None, False
            if handler is not None:
                handler.body_failed(400, body.wrong)

    # ---- the connection ----------------------------------------------------------------------------------------------

    def _connection_line(self) -> bytes:
        if not self._keeps_alive:
            return b"Connection: close\r\n"
        return b"" if self._version == "1.1" else b"Connection: keep-alive\r\n"

    def _read(self, wanted: bool) -> None:
        if wanted is self._is_unread:
            self._is_unread = not wanted
            (self.transport.resume_reading if wanted else self.transport.pause_reading)()

    def _close_gently(self) -> None:
        """A connection closed on top of unread bytes would be reset, and our last answer lost with it."""
        if self._body is None and not self._ahead and not self._is_refused:
            self.phase, self.since = Phase.IDLE, self._loop.time()
            self.transport.close()
            return
        self.phase, self.since = Phase.LINGER, self._loop.time()
        self._body, self._ahead = None, b""
        self._read(True)
        self.transport.write_eof()


class _Head:
    """What the parser says of the head of a request; its headers are read off it afterwards, all at once."""

    __slots__ = ("target",)

    def __init__(self) -> None:
        self.target = b""

    def on_url(self, url: bytes) -> None:
        self.target += url
