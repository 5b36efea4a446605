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

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_SENT = _HOP_BY_HOP | {b"host", b"expect", b"x-real-ip", b"forwarded", CANARY}
"""Of a request: said anew by us, answered by ourselves, or not to be believed."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host"})
_NO_TRAILER = _NOT_SENT | _FRAMING | {b"trailer", b"authorization", b"cookie", b"set-cookie", b"content-encoding"}
_PERSISTENT = frozenset({b"", b"close", b"keep-alive"})
_NOT_PLAIN = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """The first value under each lower-case name."""
    return {name.lower(): value for name, value in reversed(headers)}


def request_lines(
    headers: Headers,
    sent: Mapping[bytes, bytes],
    *,
    peer: bytes,
    authority: bytes,
    without: frozenset[bytes] = frozenset(),
) -> bytes:
    """The header lines for the upstream: `Host` is its authority, `X-Forwarded-For` the one header that we add."""
    dropped = _NOT_SENT | without | _nominated(sent)
    lines = [b"Host: %b\r\n" % authority]
    for name, value in headers:
        plain = name.lower()
        if plain in dropped or plain.startswith(b"x-forwarded-") or (b"_" in plain and _is_twin(plain)):
            continue
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"X-Forwarded-For: %b\r\n" % peer)
    return b"".join(lines)


def response_lines(headers: Headers, sent: Mapping[bytes, bytes], status: int) -> bytes:
    """The header lines for the client, but for those that frame the connection."""
    dropped = _HOP_BY_HOP | _nominated(sent)
    if status == 204 or status < 200:
        dropped |= _FRAMING
    return b"".join([b"%b: %b\r\n" % (name, value) for name, value in headers if name.lower() not in dropped])


def status_line(status: int, reason: bytes) -> bytes:
    """With the upstream's own words, unless they could not be read back."""
    return b"HTTP/1.1 %d %b\r\n" % (status, b"" if _NOT_PLAIN.search(reason) else reason)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Headers) -> bytes:
    """The end of a chunked body, with those trailers that may pass."""
    if not trailers:
        return LAST_CHUNK
    kept = [(name, value) for name, value in trailers if _may_trail(name.lower())]
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % pair for pair in kept])


def is_persistent(version: str, connection: bytes | None) -> bool:
    """Whether a connection serves further messages after this one."""
    tokens = {token.strip() for token in (connection or b"").lower().split(b",")}
    return b"keep-alive" in tokens if version == "1.0" else b"close" not in tokens


def _may_trail(plain: bytes) -> bool:
    return plain not in _NO_TRAILER and not plain.startswith(b"x-forwarded-") and not _is_twin(plain)


def _is_twin(plain: bytes) -> bool:
    """Some readers take `_` for `-`: what may not pass under its own name may not under the other."""
    dashed = plain.replace(b"_", b"-")
    return dashed != plain and (dashed in _NOT_SENT or dashed in _FRAMING or dashed.startswith(b"x-forwarded-"))


def _nominated(sent: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """What `Connection` names as belonging to this hop; a length is never that."""
    connection = sent.get(b"connection")
    if connection is None or (connection := connection.lower()) in _PERSISTENT:
        return frozenset()
    return frozenset(token.strip() for token in connection.split(b",")) - _FRAMING
