"""One answer of the upstream, read off its bytes by the parser."""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from daemon.logic.forwarding import BODILESS, Headers

MOST_HEAD_BYTES = 131072
MOST_HEADERS = 256
_BLANK = b"\r\n\r\n"
_HEAD = b"HTTP/"
"""Begins a head; blank lines before it are skipped, as the parser does."""


class Answer:
    """What the parser says of one answer, with those before it that are only interim."""

    __slots__ = (
        "_has_surplus",
        "_headers",
        "_heads_before",
        "_interims",
        "_is_closed",
        "_is_head",
        "_parser",
        "_pieces",
        "_raw",
        "_unread",
        "has_begun",
        "is_told",
        "is_whole",
        "reason",
        "status",
        "surplus",
        "trailers",
    )

    def __init__(self, method: str) -> None:
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._is_head = method == "HEAD"
        self._interims: list[tuple[int, Headers]] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._raw = b""
        self._heads_before = 0
        self._unread = 0
        """Bytes since the last of a body: heads, trailers, and what else is not passed on."""
        self.is_told = self._is_closed = self._has_surplus = False
        self.has_begun = self.is_whole = False
        self.status = 0
        """0 until the head of the final answer is there."""
        self.reason = self.surplus = b""
        self.trailers: list[tuple[bytes, bytes]] = []

    def feed(self, data: bytes) -> str | None:
        """What is wrong with it; None: nothing so far."""
        self.has_begun = True
        if not self.status:
            self._raw = self._raw + data if self._raw else data
        try:
            if self._parser is not None:
                self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self.surplus = data[upgrade.args[0] :]
        except HttpParserError:
            return None if self.is_whole else "malformed"
        self._unread = 0 if self._pieces else self._unread + len(data)
        is_long = self._unread > MOST_HEAD_BYTES or len(self._headers) > MOST_HEADERS
        return "too long" if is_long else None

    def let_go(self) -> None:
        """The parser and this hold each other: nothing of an answer shall wait for the garbage collector."""
        self._parser = None

    @property
    def ends_by_closing(self) -> bool:
        """Whether the end of the connection is that of the body."""
        names = {name.lower() for name, _ in self._headers}
        has_length = b"content-length" in names or b"transfer-encoding" in names
        return bool(self.status) and not has_length and self.status not in BODILESS

    @property
    def leaves_open(self) -> bool:
        """Whether another request may follow on the connection: not behind HEAD, for some send a body all the same."""
        return not self._is_closed and not self._has_surplus and not self._is_head

    def lines(self) -> bytes:
        """The headers of the final answer as they were sent, each behind its line break. To be asked once."""
        start, raw, self._raw = 0, self._raw, b""
        for _ in range(self._heads_before):
            start = raw.find(_BLANK, raw.find(_HEAD, start)) + len(_BLANK)
        start = raw.find(b"\r\n", raw.find(_HEAD, start))
        return raw[start : raw.find(_BLANK, start)]

    def take_interims(self) -> list[tuple[int, Headers]]:
        interims, self._interims = self._interims, []
        return interims

    def take_headers(self) -> Headers | None:
        """Those of the final answer, once."""
        if not self.status or self.is_told:
            return None
        self.is_told = True
        return self._headers

    def take_body(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # ---- the parser's ------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_whole:
            self._has_surplus = True
        else:
            self._headers = []

    def on_status(self, reason: bytes) -> None:
        if not self.status:
            self.reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:
            self._headers.append((name, value))
        elif not self.is_whole:
            self.trailers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.status or self._parser is None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._heads_before += 1
            if status != 100:
                self._interims.append((status, self._headers))
            return
        self.status = status
        self._is_closed = not self._parser.should_keep_alive()
        self.is_whole = self._is_head

    def on_body(self, data: bytes) -> None:
        if not self.is_whole:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        self.is_whole = bool(self.status)
