"""The framing guard of the proxy port: which requests are too ambiguous to forward.

The parser has already refused what is no HTTP; here falls what two readers of HTTP could understand in two ways.
"""

import re
from collections.abc import Mapping

from daemon.logic.forwarding import Headers

MOST_HEADERS = 128
MOST_HEAD_BYTES = 65536

_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_SINGLE = (b"host", b"content-length", b"transfer-encoding", b"upgrade", b"expect")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})

Refusal = tuple[int, str]
"""A status, and what is wrong, in words for the sender."""


def framing_fault(
    method: str, version: str, target: bytes, headers: Headers, sent: Mapping[bytes, bytes]
) -> Refusal | None:
    """What is wrong with a request's head; None when it has one meaning only. `sent` are the headers by name."""
    if method in _REFUSED_METHODS:
        return 405, f"{method} is not forwarded"
    if version not in ("1.1", "1.0"):
        return 400, "HTTP/1.1 or HTTP/1.0 is needed"
    if not target.startswith(b"/") or b"#" in target:
        return 400, "the request target must be a path"
    if len(headers) > MOST_HEADERS:
        return 431, f"more than {MOST_HEADERS} headers"
    if len(sent) != len(headers) and (name := _doubled(headers)):
        return 400, f"{name} may stand there once only"
    return _host_fault(version, sent.get(b"host")) or _body_fault(version, sent)


def body_length(sent: Mapping[bytes, bytes]) -> int | None:
    """The length of the body of a request that has one meaning only; None: it comes in chunks."""
    if (length := sent.get(b"content-length")) is not None:
        return int(length)
    return None if b"transfer-encoding" in sent else 0


def _doubled(headers: Headers) -> str | None:
    names = [name.lower() for name, _ in headers]
    return next((single.decode().title() for single in _SINGLE if names.count(single) > 1), None)


def _host_fault(version: str, host: bytes | None) -> Refusal | None:
    if host is None:
        return None if version == "1.0" else (400, "exactly one Host header is needed")
    return None if _HOST.fullmatch(host) else (400, "the Host header is not a host")


def _body_fault(version: str, sent: Mapping[bytes, bytes]) -> Refusal | None:
    coding, length = sent.get(b"transfer-encoding"), sent.get(b"content-length")
    if coding is not None and (version == "1.0" or length is not None or coding.lower() != b"chunked"):
        return 400, "Transfer-Encoding must be chunked, alone, and in HTTP/1.1"
    if length is not None and not _LENGTH.fullmatch(length):
        return 400, "Content-Length must be one number"
    if b"upgrade" in sent and (coding is not None or length not in (None, b"0")):
        return 400, "a request with a body cannot ask for an upgrade"
    return None
