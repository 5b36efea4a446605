"""Which headers pass through the proxy: all but those of one hop, and those by which a caller claims to be another."""

import re
from collections.abc import Iterable, Sequence

Headers = Sequence[tuple[bytes, bytes]]

CANARY = b"x-runbookd-canary"

_NOT_IN_A_NAME = re.compile(rb'[\x00-\x20\x7f()<>@,;:\\"\[\]={}]')
_NOT_IN_A_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_REPLACED = frozenset({b"host", b"expect", b"x-real-ip", b"forwarded", CANARY})
"""Of a request: said anew by us, answered by our own server, or not to be believed."""


def request_headers(headers: Headers, *, peer: str, authority: bytes) -> list[tuple[bytes, bytes]]:
    """What goes to the upstream: `Host` is its authority, `X-Forwarded-For` the one header that we add."""
    hop = _HOP_BY_HOP | _nominated(headers)
    kept = [(name, value) for name, value in headers if name not in hop and not _is_claimed(name)]
    return [(b"host", authority), *kept, (b"x-forwarded-for", peer.encode())]


def response_headers(headers: Headers, status: int) -> list[tuple[bytes, bytes]]:
    """What goes to the client; a length is dropped where the status allows no body, for servers count it."""
    hop = _HOP_BY_HOP | _nominated(headers)
    if status in (204, 304):
        hop |= {b"content-length"}
    return [(name, value) for name, value in headers if name.lower() not in hop]


def is_sendable(headers: Headers) -> bool:
    """Whether names and values are such as may stand in a head."""
    names, values = b"".join(name for name, _ in headers), b"".join(value for _, value in headers)
    return _NOT_IN_A_NAME.search(names) is None and _NOT_IN_A_VALUE.search(values) is None


def value_of(headers: Headers, wanted: bytes) -> bytes | None:
    """The first value under a lower-case name."""
    return next((value for name, value in headers if name.lower() == wanted), None)


def without(headers: Headers, names: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """The headers but those under the given lower-case names."""
    dropped = frozenset(names)
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _is_claimed(name: bytes) -> bool:
    plain = name.replace(b"_", b"-")
    return plain in _REPLACED or plain.startswith(b"x-forwarded-")


def _nominated(headers: Headers) -> frozenset[bytes]:
    """What `Connection` names as belonging to this hop."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))
