"""The hot path: one request to the upstream and its answer back, piece by piece, as slowly or quickly as both go.

An exchange is driven by its two ends, the client's connection and the call to the upstream: each tells what comes from
there. Nothing here waits, so a request needs no task of its own.
"""

from collections.abc import Callable

from daemon.adapters.proxy.answers import plain_error, upstream_error, wire_error
from daemon.adapters.proxy.calls import Call
from daemon.adapters.proxy.connection import ClientConnection
from daemon.adapters.proxy.holding import Held
from daemon.adapters.proxy.observer import Observer
from daemon.adapters.proxy.rerouting import Refusal, Rerouter
from daemon.adapters.proxy.tap import Ask, Observation
from daemon.adapters.proxy.upstream import UpstreamPool
from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault
from daemon.logic.forwarding import (
    BODILESS,
    Headers,
    by_name,
    chunk,
    header_lines,
    last_chunk,
    request_lines,
    response_lines,
    status_line,
)

NOTE_SECONDS = 1.0

_REWRITTEN = frozenset({b"content-length", b"content-encoding"})


class Forwarder:
    """What all exchanges of a worker share."""

    def __init__(
        self,
        *,
        upstream: UpstreamPool,
        observer: Observer,
        rerouter: Rerouter,
        note_reachable: Callable[[bool], None],
    ) -> None:
        self.upstream = upstream
        self.observer = observer
        self.rerouter = rerouter
        self.note_reachable = note_reachable
        self._noted_at = 0.0

    def note_fault(self, fault: Fault) -> None:
        """Who speaks, however badly, is there."""
        self._noted_at = 0.0
        self.note_reachable(fault in (Fault.UPSTREAM_PROTOCOL, Fault.TRUNCATED))

    def note_answer(self, now: float) -> None:
        """The upstream answers: said at most once a second."""
        if now - self._noted_at > NOTE_SECONDS:
            self._noted_at = now
            self.note_reachable(True)

    def request_head(self, ask: Ask, target: bytes, framing: bytes, without: frozenset[bytes]) -> bytes:
        """The head of a request to the upstream: `framing` are further lines, `without` the names of those left out."""
        upstream = self.upstream
        return b"%b %b%b HTTP/1.1\r\nHost: %b%b\r\nX-Forwarded-For: %b\r\n%b\r\n" % (
            ask.method.encode(),
            upstream.base_path,
            target,
            upstream.authority,
            request_lines(ask.lines, ask.sent, without),
            ask.peer.encode(),
            framing,
        )

    def begin(self, connection: ClientConnection, ask: Ask) -> "Exchange":
        """Its body follows."""
        seen = self.observer.begin(ask)
        may_be_led = seen.wire is not None and self.rerouter.has_routes() and not self.observer.is_canary(ask)
        return Exchange(self, connection, ask, seen, holds=may_be_led)


class Between:
    """What stands between a client and the upstream: neither is read faster than the other takes it."""

    __slots__ = ("_call", "_connection")

    def __init__(self, connection: ClientConnection) -> None:
        self._connection: ClientConnection | None = connection
        self._call: Call | None = None

    def hold(self) -> None:
        if self._call is not None:
            self._call.pause()

    def go_on(self) -> None:
        if self._call is not None:
            self._call.resume()

    def body_held(self) -> None:
        if self._connection is not None:
            self._connection.read_body(False)

    def body_wanted(self) -> None:
        if self._connection is not None:
            self._connection.read_body(True)


class Exchange(Between):
    """From the head of a request to its event, whatever happens."""

    __slots__ = (
        "_ask",
        "_forwarder",
        "_frames",
        "_has_body",
        "_head",
        "_held",
        "_is_chunked",
        "seen",
    )

    def __init__(
        self, forwarder: Forwarder, connection: ClientConnection, ask: Ask, seen: Observation, *, holds: bool
    ) -> None:
        super().__init__(connection)
        self.seen = seen
        self._forwarder = forwarder
        self._ask = ask
        self._is_chunked = b"transfer-encoding" in ask.sent
        self._held = Held(self, forwarder.rerouter, ask.target) if holds else None
        self._head = b""
        self._frames = False
        self._has_body = True

    # ---- from the client ---------------------------------------------------------------------------------------------

    def body(self, data: bytes, *, last: bool, trailers: Headers = ()) -> None:
        if data:
            self.seen.take_request(data)
        if self._held is not None and self._held.gathers:
            self._held.take(data, last=last, trailers=trailers)
            return
        data = self._framed(data, last=last, trailers=trailers)
        if self._call is not None:
            self._call.write(data, last=last)
        else:
            self._send(self._ask.target, data, is_complete=last)

    def body_failed(self, status: int, message: str) -> None:
        connection = self._connection
        if self.seen.was_answered:
            self.seen.ending.client_gone = True
        else:
            self.seen.status, self.seen.ending.refused = status, Fault.REJECTED_FRAMING
        self._finish()
        if connection is not None:
            connection.abort() if self.seen.was_answered else connection.refuse(status, message)

    def client_left(self) -> None:
        self.seen.ending.client_gone = True
        self._finish()

    def stopping(self) -> None:
        """It ends by itself."""

    def cut(self) -> None:
        self.seen.ending.drained = True
        self._break_off()

    # ---- to the upstream ---------------------------------------------------------------------------------------------

    def send_as_it_is(self, body: bytes, *, last: bool, trailers: Headers) -> None:
        """What was held, up to here or to its end."""
        self._send(self._ask.target, self._framed(body, last=last, trailers=trailers), is_complete=last)

    def send_changed(self, target: bytes, body: bytes) -> None:
        """The whole request, as the soft routing wants it."""
        self._is_chunked = False
        self._send(target, body, is_complete=True, without=_REWRITTEN)

    def refuse(self, refusal: Refusal) -> None:
        """Answers instead of the upstream."""
        connection, seen = self._connection, self.seen
        if connection is None:
            return
        seen.status, seen.ending.refused = refusal.status, Fault.DENIED
        fuses = self._forwarder.observer.fuses
        body = wire_error(fuses, seen.wire, refusal.status, refusal.reason, refusal.message)
        later = refusal.retry_after
        connection.answer(refusal.status, body, *(() if later is None else (b"Retry-After: %d\r\n" % later,)))
        self._finish()

    def _framed(self, data: bytes, *, last: bool, trailers: Headers) -> bytes:
        if not self._is_chunked:
            return data
        return (chunk(data) if data else b"") + (last_chunk(trailers) if last else b"")

    def _send(self, target: bytes, body: bytes, *, is_complete: bool, without: frozenset[bytes] = frozenset()) -> None:
        framing = b"Transfer-Encoding: chunked\r\n" if self._is_chunked else b""
        if without:
            framing = b"Content-Length: %d\r\n" % len(body)
        ask, forwarder = self._ask, self._forwarder
        head = forwarder.request_head(ask, target, framing, without)
        self._call = forwarder.upstream.send(self, ask.method, head + body, is_complete=is_complete)

    # ---- from the upstream -------------------------------------------------------------------------------------------

    def interim(self, status: int, headers: Headers) -> None:
        connection = self._connection
        if connection is not None and connection.speaks_chunks:
            lines = response_lines(header_lines(headers), by_name(headers), status)
            connection.write(status_line(status, b"") + lines + b"\r\n\r\n")

    def head(self, status: int, reason: bytes, headers: Headers, lines: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        sent = by_name(headers)
        if not 200 <= status <= 599 or sent.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            self.fault(UpstreamFault(Fault.UPSTREAM_PROTOCOL, "the upstream answered with a head that nobody knows"))
            return
        self._forwarder.note_answer(self.seen.take_head(status, sent))
        has_length = b"content-length" in sent and status != 204
        self._has_body = self._ask.method != "HEAD" and status not in BODILESS
        self._frames = self._has_body and not has_length and connection.speaks_chunks
        framing = connection.framing(has_length=has_length, has_body=self._has_body)
        self._head = b"%b%b\r\n%b\r\n" % (status_line(status, reason), response_lines(lines, sent, status), framing)

    def data(self, data: bytes) -> None:
        connection = self._connection
        if connection is None or not self._has_body:
            return
        out = chunk(data) if self._frames else data
        if self._head:
            out, self._head = self._head + out, b""
        connection.write(out)
        self.seen.take_response(data)

    def flush(self) -> None:
        if self._head and self._connection is not None:
            self._connection.write(self._head)
            self._head = b""
        if self._call is not None and self._call.is_complete:
            self.seen.read_request_soon()

    def ended(self, trailers: Headers) -> None:
        connection = self._connection
        if connection is None:
            return
        out = self._head + last_chunk(trailers) if self._frames else self._head
        if out:
            connection.write(out)
        connection.finished()
        self._finish()

    def switched(self, headers: Headers, data: bytes) -> None:
        self.fault(UpstreamFault(Fault.UPSTREAM_PROTOCOL, "the upstream switched protocols unasked"))

    def fault(self, fault: UpstreamFault) -> None:
        forwarder, seen, connection = self._forwarder, self.seen, self._connection
        forwarder.note_fault(fault.fault)
        seen.ending.upstream_fault = fault.fault
        if seen.was_answered or connection is None:
            self._break_off()
            return
        seen.status, body = upstream_error(forwarder.observer.fuses, seen.wire, fault.fault, str(fault))
        connection.answer(seen.status, body)
        self._finish()

    def failed(self) -> None:
        """A mistake of our own."""
        seen, connection = self.seen, self._connection
        seen.ending.ours = True
        if seen.was_answered or connection is None:
            self._break_off()
            return
        seen.status = 500
        self._finish()
        connection.answer(
            500, plain_error("runbookd_internal", "The proxy made a mistake; its log says which."), close=True
        )

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _break_off(self) -> None:
        connection = self._connection
        self._finish()
        if connection is not None:
            connection.abort()

    def _finish(self) -> None:
        if self._connection is None:
            return
        self._connection = None
        call, self._call = self._call, None
        held, self._held = self._held, None
        if held is not None:
            held.end()
        if call is not None and not call.is_over:
            call.abort()
        self._forwarder.observer.finish(self.seen)
