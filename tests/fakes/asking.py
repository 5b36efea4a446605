"""Asks the upstream client as a test likes to: awaits the head of the answer, then its pieces."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from daemon.adapters.proxy.calls import Call
from daemon.adapters.proxy.upstream import UpstreamPool
from daemon.domain.errors import UpstreamFault
from daemon.logic.forwarding import LAST_CHUNK, Headers, chunk


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request as it goes over the wire."""

    method: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes] | None = None


@dataclass
class Answered:
    """An `Asker` that keeps what it is told."""

    status: int = 0
    reason: bytes = b""
    headers: Headers = ()
    trailers: Headers = ()
    interims: list[int] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    pieces: asyncio.Queue[bytes | UpstreamFault | None] = field(default_factory=asyncio.Queue)
    early: UpstreamFault | None = None
    may_write: asyncio.Event = field(default_factory=asyncio.Event)
    call: Call | None = None
    uploading: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.may_write.set()

    def abort(self) -> None:
        """Ends the call, and the upload."""
        if self.call is not None:
            self.call.abort()
        if self.uploading is not None:
            self.uploading.cancel()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Who does not read to the end ends the call."""
        try:
            while (piece := await self.pieces.get()) is not None:
                if isinstance(piece, UpstreamFault):
                    raise piece
                yield piece
        finally:
            self.abort()

    def interim(self, status: int, headers: Headers) -> None:
        self.interims.append(status)

    def head(self, status: int, reason: bytes, headers: Headers, lines: bytes) -> None:
        self.status, self.reason, self.headers = status, reason, headers
        self.begun.set()

    def data(self, data: bytes) -> None:
        self.pieces.put_nowait(data)

    def flush(self) -> None: ...

    def ended(self, trailers: Headers) -> None:
        self.trailers = trailers
        self.pieces.put_nowait(None)

    def switched(self, headers: Headers, data: bytes) -> None:
        self.head(101, b"", headers, b"")

    def fault(self, fault: UpstreamFault) -> None:
        self.early = None if self.begun.is_set() else fault
        self.begun.set()
        self.pieces.put_nowait(fault)

    def body_held(self) -> None:
        self.may_write.clear()

    def body_wanted(self) -> None:
        self.may_write.set()

    def failed(self) -> None:
        raise AssertionError("a mistake in a test's asker")


async def send(upstream: UpstreamPool, question: Question) -> Answered:
    """Returns with the head of the answer; raises `UpstreamFault`. Cancelling aborts the call."""
    answered, body = Answered(), question.body
    is_streamed = body is not None and not isinstance(body, bytes)
    chunks = is_streamed and not any(name == b"content-length" for name, _ in question.headers)
    lines = b"".join(b"%b: %b\r\n" % pair for pair in question.headers)
    framing = b"transfer-encoding: chunked\r\n" if chunks else b""
    first = b"%b %b%b HTTP/1.1\r\n%b%b\r\n" % (
        question.method.encode(),
        upstream.base_path,
        question.target,
        lines,
        framing,
    )
    whole = first + body if isinstance(body, bytes) else first
    call = answered.call = upstream.send(answered, question.method, whole, is_complete=not is_streamed)

    async def upload(pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            await answered.may_write.wait()
            call.write(chunk(piece) if chunks else piece)
        call.write(LAST_CHUNK if chunks else b"", last=True)

    if body is not None and not isinstance(body, bytes):
        answered.uploading = asyncio.ensure_future(upload(body))
    try:
        await answered.begun.wait()
    except asyncio.CancelledError:
        answered.abort()
        raise
    if answered.early is not None:
        raise answered.early
    return answered
