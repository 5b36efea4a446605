"""The taps that all wires share: they hand events or a whole body to a wire's own reading, in bounded memory."""

from abc import ABC, abstractmethod
from typing import ClassVar

from msgspec.structs import asdict, replace

from daemon.domain.facts import ErrorFacts, ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.error_reading import read_error
from daemon.logic.json_peek import DECODE_ERRORS, last_member, members, text
from daemon.logic.sse import SseSplitter
from daemon.logic.wire import Tap

MOST_BODY_BYTES = 1 << 20
"""A longer body is not parsed: only its head and its tail are kept."""
TAIL_BYTES = 64 << 10
MOST_ERROR_BYTES = 64 << 10

_JSON_BLANKS = b" \t\r\n"
_MODEL_KEYS = frozenset({b'"model"', b'"modelVersion"'})
_NO_USAGE = TokenUsage()


class Reading(ABC):
    """What has been read of one response so far. A wire says how its events and its whole body are read."""

    usage_key: ClassVar[bytes] = b'"usage"'

    response_model: str | None = None
    usage: TokenUsage | None = None
    finish_reason: str | None = None
    terminal: bool = False
    incomplete: bool = False
    error: ErrorFacts | None = None
    has_content: bool = False
    has_tool_use: bool = False
    is_partly_unseen: bool = False
    thinking_processed: ThinkingSetting | None = None

    @abstractmethod
    def read_event(self, name: bytes, data: bytes) -> None:
        """One event of a stream; may raise `DECODE_ERRORS`."""

    def read_name(self, name: bytes) -> None:
        """An event that was too long to be kept: its name may say enough."""
        return

    @abstractmethod
    def read_body(self, data: bytes) -> None:
        """A whole body; may raise `DECODE_ERRORS`."""

    @abstractmethod
    def read_usage(self, data: bytes) -> TokenUsage:
        """A usage object by itself; may raise `DECODE_ERRORS`."""

    def add_usage(self, usage: TokenUsage) -> None:
        """Later counters win; an object that counts nothing is no usage."""
        if usage == _NO_USAGE:
            return
        if self.usage is None:
            self.usage = usage
        else:
            known = {name: value for name, value in asdict(usage).items() if value is not None}
            self.usage = replace(self.usage, **known)

    def add_model(self, model: object) -> None:
        self.response_model = text(model) or self.response_model

    def add_error(self, data: bytes) -> None:
        """The first error is the cause."""
        self.error = self.error or read_error(data)

    def add_tool_use(self) -> None:
        self.has_content = self.has_tool_use = True

    def facts(self) -> ResponseFacts:
        """Whether it was empty is known of a finished answer only."""
        is_read = self.terminal and self.error is None and not self.is_partly_unseen
        return ResponseFacts(
            response_model=self.response_model,
            usage=self.usage,
            finish_reason=self.finish_reason,
            terminal=self.terminal,
            incomplete=self.incomplete,
            error=self.error,
            empty_payload=not self.has_content if is_read else None,
            has_tool_use=self.has_tool_use if is_read or self.has_content else None,
            thinking_processed=self.thinking_processed,
        )


def tap(reading: Reading, *, status: int, stream: bool) -> Tap:
    """The tap for one response; what is in a body of an error status is an error, whatever it looks like."""
    if status >= 400:
        return ErrorTap(status)
    return StreamTap(reading) if stream else BodyTap(reading)


class StreamTap:
    """Reads an event stream; what begins as JSON is no event stream, whatever it was announced as."""

    def __init__(self, reading: Reading) -> None:
        self.content_started = False
        self._reading = reading
        self._splitter = SseSplitter()
        self._has_begun = False
        self._body: BodyTap | None = None

    def feed(self, chunk: bytes) -> None:
        if not self._has_begun and (begin := chunk.lstrip(_JSON_BLANKS)[:1]):
            self._has_begun = True
            self._body = BodyTap(self._reading) if begin in b"{[" else None
        if self._body:
            self._body.feed(chunk)
            self.content_started = self._body.content_started
            return
        for name, data in self._splitter.feed(chunk):
            self._take(name, data)
        self.content_started = self._reading.has_content

    def close(self) -> ResponseFacts:
        if self._body:
            return self._body.close()
        for name, data in self._splitter.close():
            self._take(name, data)
        return self._reading.facts()

    def _take(self, name: bytes, data: bytes | None) -> None:
        if data is None:
            self._reading.read_name(name)
            return
        if name == b"error":
            self._reading.add_error(data)
            return
        try:
            self._reading.read_event(name, data)
        except DECODE_ERRORS:
            # An event that is not what this wire speaks is nothing to us; the end marker decides.
            return


class BodyTap:
    """Reads a body that is whole only at its end; content has started with its first byte that is not blank."""

    def __init__(self, reading: Reading) -> None:
        self.content_started = False
        self._reading = reading
        self._head = bytearray()
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        room = MOST_BODY_BYTES - len(self._head)
        self._head += chunk[:room]
        if len(chunk) > room:
            self._tail = (self._tail + chunk[room:])[-TAIL_BYTES:]
        if not self.content_started:
            self.content_started = bool(chunk.strip())

    def close(self) -> ResponseFacts:
        try:
            if self._tail:
                self._read_long()
            else:
                self._reading.read_body(bytes(self._head))
        except DECODE_ERRORS:
            self._reading.terminal = False
        return self._reading.facts()

    def _read_long(self) -> None:
        reading, head = self._reading, bytes(self._head)
        reading.is_partly_unseen = True
        reading.terminal = self._tail.rstrip()[-1:] in (b"}", b"]")
        for key, start, end in members(head[:TAIL_BYTES]):
            if key in _MODEL_KEYS:
                reading.add_model(head[start:end].decode(errors="replace").strip('"'))
        usage = last_member((head + self._tail)[-TAIL_BYTES:], reading.usage_key)
        if usage:
            reading.add_usage(reading.read_usage(usage))


class ErrorTap:
    """Reads the body of an error status."""

    content_started = False

    def __init__(self, status: int) -> None:
        self._status = status
        self._body = bytearray()

    def feed(self, chunk: bytes) -> None:
        self._body += chunk[: MOST_ERROR_BYTES - len(self._body)]

    def close(self) -> ResponseFacts:
        return ResponseFacts(error=read_error(bytes(self._body), self._status))
