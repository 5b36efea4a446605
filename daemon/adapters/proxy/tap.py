"""What is seen of one request while its bytes pass: times, sizes, and copies of the bodies for its wire to read."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from daemon.adapters.proxy.destinations import Destination
from daemon.adapters.proxy.fuses import FusedWires
from daemon.adapters.proxy.inflate import IDENTITY, Inflating, inflater
from daemon.domain.event import Fault
from daemon.domain.facts import RequestFacts, ResponseFacts
from daemon.domain.soft_routing import WorkloadClass
from daemon.logic.forwarding import Headers
from daemon.logic.wire import Tap, read_long

T = TypeVar("T")

MOST_REQUEST_BYTES = 512 << 10
"""A longer body is not parsed whole, for nobody else is served meanwhile: its head and its tail say what they say."""
MOMENT_SECONDS = 0.1
HEAD_BYTES = 64 << 10
TAIL_BYTES = 64 << 10
MOST_RESPONSE_BYTES = 1 << 20
"""Of what a compressed answer amounts to; one that is not compressed is read to its end, whatever its length."""
READ_BYTES = 8 << 10
"""Of an answer are read together, once its first content was seen: per chunk nothing is done but to keep it."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a request."""

    method: str
    version: str = "1.1"
    target: bytes = b"/"
    query: bytes = b""
    destination: Destination
    headers: Headers = ()
    lines: bytes = b""
    """The headers as they were sent, each behind its line break."""
    sent: Mapping[bytes, bytes]
    """The first value under each lower-case name."""
    peer: str = ""


class Ending:
    """How a request ended, as far as it is known so far."""

    client_gone: bool = False
    drained: bool = False
    upstream_fault: Fault | None = None
    """What its client raised, before the answer or inside it."""
    refused: Fault | None = None
    """Set by us, before anything was forwarded."""
    ours: bool = False
    """A mistake of our own spoilt it."""


class Observation:
    """One request from its first byte to its last. Monotonic times are seconds."""

    __slots__ = (
        "_copied",
        "_copy",
        "_fuses",
        "_last_byte",
        "_now",
        "_pending",
        "_pending_bytes",
        "_request",
        "_response_inflater",
        "_tail",
        "_tap",
        "_will_be_read",
        "ask",
        "began",
        "ended",
        "ending",
        "endpoint",
        "first_byte",
        "first_content",
        "largest_gap",
        "mitigation_ids",
        "place",
        "request_bytes",
        "response_bytes",
        "retry_after",
        "sent_model",
        "status",
        "stream",
        "trace_id",
        "wire",
        "workload",
    )

    def __init__(self, ask: Ask, fuses: FusedWires, now: Callable[[], float]) -> None:
        self.ask = ask
        self.wire = ask.destination.wire
        self.endpoint = ask.destination.endpoint
        self.ending = Ending()
        self.status: int | None = None
        self.place: int | None = None
        """In the list of what is under way."""
        self.mitigation_ids: tuple[str, ...] = ()
        """What has rewritten or refused it."""
        self.workload: WorkloadClass | None = None
        self.sent_model: str | None = None
        self.trace_id: str | None = None
        self.retry_after: bytes | None = None
        self.stream = False
        self.request_bytes = 0
        self.response_bytes = 0
        self.began = self.ended = now()
        self.first_byte: float | None = None
        self.first_content: float | None = None
        self.largest_gap: float | None = None
        self._last_byte = 0.0
        self._now = now
        self._fuses = fuses
        self._request: RequestFacts | None = None
        self._copy: list[bytes] | None = [] if self.wire else None
        self._copied = 0
        self._tail = b""
        self._tap: Tap | None = None
        self._response_inflater: Inflating = IDENTITY
        self._will_be_read = False
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    @property
    def was_answered(self) -> bool:
        """Whether the upstream's answer began; without it, the status is our own."""
        return self.first_byte is not None

    def take_request(self, piece: bytes) -> None:
        """A copy of the next piece of the request's body."""
        self.request_bytes += len(piece)
        if self._copy is None:
            return
        room = MOST_REQUEST_BYTES - self._copied
        if len(piece) <= room:
            self._copied += len(piece)
            self._copy.append(piece)
        else:
            self._copied = MOST_REQUEST_BYTES
            self._copy.append(piece[:room])
            self._tail = (self._tail + piece[room:])[-TAIL_BYTES:]

    def request(self) -> RequestFacts:
        """What was asked, read at the first call out of what has passed by then; the copy is let go."""
        if self._request is None:
            facts = None
            if self.wire is not None and self._copy is not None:
                facts = self._fuses.ask(self.wire, self._read_request)
            self._request, self._copy = facts or RequestFacts(), None
        return self._request

    def read_request_soon(self) -> None:
        """Lets the copy of the request go, in a moment: the first content must not wait, nor that of others. Those who
        came together are not read together."""
        if not self._will_be_read and self._request is None:
            self._will_be_read = True
            spread = 1 + (self.request_bytes & 15) / 8
            asyncio.get_running_loop().call_later(MOMENT_SECONDS * spread, self.request)

    def ask_wire(self, question: Callable[[], T]) -> T | None:
        """The wire's answer, behind its fuse."""
        return self._fuses.ask(self.wire, question) if self.wire is not None else None

    def take_head(self, status: int, sent: Mapping[bytes, bytes]) -> float:
        """The head of the upstream's answer, its headers by lower-case name; when it came."""
        self.status = status
        now = self.first_byte = self._last_byte = self._now()
        self.stream = sent.get(b"content-type", b"").lower().startswith(b"text/event-stream")
        self.retry_after = sent.get(b"retry-after")
        if trace := sent.get(b"x-cpa-trace-id"):
            self.trace_id = trace.decode("latin-1")[:128]
        if self.wire is not None:
            if encoding := sent.get(b"content-encoding"):
                self._response_inflater = inflater(encoding, MOST_RESPONSE_BYTES)
            self._tap = self.ask_wire(partial(self.wire.tap, status=status, stream=self.stream))
        return now

    def take_response(self, chunk: bytes) -> None:
        """A copy of the next chunk of the answer's body."""
        now = self._now()
        self.response_bytes += len(chunk)
        if (gap := now - self._last_byte) > (self.largest_gap or 0.0) or self.largest_gap is None:
            self.largest_gap = gap
        self._last_byte = now
        if self._tap is None:
            return
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        if self.first_content is None or self._pending_bytes > READ_BYTES:
            self._read(self._tap, now)

    def response(self) -> ResponseFacts | None:
        """What was said; None when nobody could read it. Ends the tap."""
        if self._tap is not None and self._pending:
            self._read(self._tap, self._last_byte)
        tap, self._tap = self._tap, None
        return None if tap is None or self._response_inflater.gave_up else self.ask_wire(tap.close)

    def _read_request(self) -> RequestFacts:
        pieces, wire, path = self._copy or (), self.wire, self.ask.destination.path
        if wire is None:
            return RequestFacts()
        body, tail = pieces[0] if len(pieces) == 1 else b"".join(pieces), self._tail
        if encoding := self.ask.sent.get(b"content-encoding"):
            reader = inflater(encoding, MOST_REQUEST_BYTES)
            body, tail = reader.feed(body), b"" if reader.gave_up else tail
        return read_long(wire, path, body[:HEAD_BYTES], tail) if tail else wire.read_request(path, body)

    def _read(self, tap: Tap, now: float) -> None:
        chunk = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        if plain := self._response_inflater.feed(chunk):
            self.ask_wire(partial(tap.feed, plain))
            if self.first_content is None and tap.content_started:
                self.first_content = now
