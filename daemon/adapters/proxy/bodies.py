"""The body of a request on its way in: what of the bytes of a connection belongs to it, and what does not."""

from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from daemon.logic.forwarding import Headers
from daemon.logic.framing import MOST_HEAD_BYTES


class Body(Protocol):
    """The rest of a request's body."""

    @property
    def is_whole(self) -> bool: ...

    @property
    def has_surplus(self) -> bool:
        """More came behind it, and is lost."""

    @property
    def wrong(self) -> str | None: ...

    @property
    def trailers(self) -> Headers: ...

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """What of it belongs to the body, and what does not."""


class Length:
    """The rest of a body whose length is known."""

    __slots__ = ("_left",)
    has_surplus = False
    wrong: str | None = None
    trailers: Headers = ()

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def is_whole(self) -> bool:
        return not self._left

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        if len(data) <= self._left:
            self._left -= len(data)
            return data, b""
        left, self._left = self._left, 0
        return data[:left], data[left:]


class Chunks:
    """The rest of a chunked body. What follows it in the same piece is lost, and the connection ends behind the answer:
    the parser does not say where it begins."""

    __slots__ = ("_parser", "_pieces", "_unread", "has_surplus", "is_whole", "trailers", "wrong")

    def __init__(self) -> None:
        self._parser: HttpRequestParser | None = None
        self._pieces: list[bytes] = []
        self._unread = 0
        self.trailers: list[tuple[bytes, bytes]] = []
        self.wrong: str | None = None
        self.is_whole = self.has_surplus = False
        parser = HttpRequestParser(self)
        parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._parser = parser

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            if self._parser is not None:
                self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.has_surplus = True
        except HttpParserError as error:
            self.wrong = str(error)
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self._unread = 0 if piece else self._unread + len(data)
        if self._unread > MOST_HEAD_BYTES:
            self.wrong = "trailers without end"
        return piece, b""

    def on_message_begin(self) -> None:
        self.has_surplus = self.is_whole

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._parser is not None and not self.is_whole:
            self.trailers.append((name, value))

    def on_body(self, data: bytes) -> None:
        if not self.is_whole:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        self.is_whole = True


class Anything:
    """Bytes without end, of a connection that has switched."""

    __slots__ = ()
    is_whole = has_surplus = False
    wrong: str | None = None
    trailers: Headers = ()

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""
