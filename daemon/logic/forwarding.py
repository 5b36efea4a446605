"""Which headers pass through the proxy, and how heads and bodies are written: all but what belongs to one hop, and what
a caller claims to be.

Headers are pairs with names as they were sent; where they are looked up, it is by lower-case name.
"""

import re
from collections.abc import Mapping, Sequence

Headers = Sequence[tuple[bytes, bytes]]

CANARY = b"x-runbookd-canary"
LAST_CHUNK = b"0\r\n\r\n"
BODILESS = frozenset({204, 304})
"""Statuses whose answers have no body, whatever their head says; as all below 200."""

_HOP_BY_HOP = ("connection", "keep-alive", "proxy-[^:]*", "te", "transfer-encoding", "upgrade")
_NOT_SENT = (*_HOP_BY_HOP, "host", "expect", "x-real-ip", "forwarded", "x-forwarded-[^:]*", "x-runbookd-canary")
"""Of a request: said anew by us, answered by ourselves, or not to be believed."""
_NO_TRAILER = (*_NOT_SENT, "content-length", "content-encoding", "trailer", "authorization", "cookie", "set-cookie")
_PERSISTENT = frozenset({b"", b"close", b"keep-alive"})
_NEVER_NOMINATED = frozenset({b"content-length", b"host"})
_PAIR = re.compile(rb"\r\n([^:\r]+):[ \t]*([^\r]*)")
_NOT_PLAIN = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")


def _lines_of(names: Sequence[str]) -> re.Pattern[bytes]:
    """The lines of these headers; some readers take `_` for `-`: what may not pass under its name may not that way."""
    pattern = "|".join(names).replace("-", "[-_]").replace("[^:]", "[^:\r]")
    return re.compile(rf"\r\n(?:{pattern}):[^\r]*".encode(), re.IGNORECASE)


_NOT_SENT_LINES = _lines_of((*_NOT_SENT, "content_length"))
_HOP_LINES = _lines_of(_HOP_BY_HOP)
_BODILESS_LINES = _lines_of((*_HOP_BY_HOP, "content-length"))
_NO_TRAILER_LINES = _lines_of(_NO_TRAILER)


def header_pairs(lines: bytes) -> Headers:
    """The headers of lines that a parser has found good, each behind its line break."""
    pairs: Headers = _PAIR.findall(lines)
    if b" \r" in lines or b"\t\r" in lines or lines.endswith((b" ", b"\t")):
        return [(name, value.rstrip(b" \t")) for name, value in pairs]
    return pairs


def header_lines(headers: Headers) -> bytes:
    """Headers written as lines, each behind its line break."""
    return b"".join([b"\r\n%b: %b" % pair for pair in headers])


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """The first value under each lower-case name; of `Connection` all, for each of its lines counts."""
    sent = {name.lower(): value for name, value in reversed(headers)}
    if len(sent) != len(headers) and b"connection" in sent:
        sent[b"connection"] = b",".join([value for name, value in headers if name.lower() == b"connection"])
    return sent


def request_lines(lines: bytes, sent: Mapping[bytes, bytes], without: frozenset[bytes] = frozenset()) -> bytes:
    """The lines that may go to the upstream, as they were sent. Each stands behind its line break, before and after."""
    if without := without | _nominated(sent):
        lines = _without(lines, without)
    return _NOT_SENT_LINES.sub(b"", lines)


def response_lines(lines: bytes, sent: Mapping[bytes, bytes], status: int) -> bytes:
    """The lines that may go to the client, but for those that frame the connection."""
    if nominated := _nominated(sent):
        lines = _without(lines, nominated)
    return (_BODILESS_LINES if status == 204 or status < 200 else _HOP_LINES).sub(b"", lines)


def status_line(status: int, reason: bytes) -> bytes:
    """With the upstream's own words, unless they could not be read back."""
    if not reason.isalpha() and _NOT_PLAIN.search(reason):
        reason = b""
    return b"HTTP/1.1 %d %b" % (status, reason)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Headers) -> bytes:
    """The end of a chunked body, with those trailers that may pass."""
    if not trailers:
        return LAST_CHUNK
    return b"0%b\r\n\r\n" % _NO_TRAILER_LINES.sub(b"", header_lines(trailers))


def is_persistent(version: str, connection: bytes | None) -> bool:
    """Whether a connection serves further messages after this one."""
    if connection is None:
        return version != "1.0"
    tokens = {token.strip() for token in connection.lower().split(b",")}
    return b"keep-alive" in tokens if version == "1.0" else b"close" not in tokens


def _without(lines: bytes, names: frozenset[bytes]) -> bytes:
    kept = [line for line in lines.split(b"\r\n") if line.partition(b":")[0].lower() not in names]
    return b"\r\n".join(kept)


def _nominated(sent: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """What `Connection` names as belonging to this hop; a length is never that."""
    connection = sent.get(b"connection")
    if connection is None or (connection := connection.lower()) in _PERSISTENT:
        return frozenset()
    return frozenset(token.strip() for token in connection.split(b",")) - _NEVER_NOMINATED
