"""The guard of the proxy port: which paths never reach the upstream, and which requests are too ambiguous to forward.

A path is judged as every possible reader could understand it, for the upstream decodes before it routes: decoded until
nothing changes, `\\` as `/`, `;params` cut, lower-cased, dot segments dropped. Readers differ in what `..` takes away:
where there is one, no segment may be the name of such a place.
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

MOST_HEADERS = 128
MOST_HEADER_BYTES = 65536

_DECODINGS = 8
_INVISIBLE = bytes(range(0x21)) + b"\x7f"
_DENIED = frozenset({b"v0", b"keep-alive"})
_DENIED_BEGINNINGS = (b"management", b"v1internal", b"debug")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


def is_denied(path: bytes) -> bool:
    """Whether a raw path (without its query) leads, in any encoding, where only a local caller may go."""
    decoded = _decode(path)
    if decoded is None:
        return True
    segments = [segment for part in decoded.split(b"/") if (segment := part.partition(b";")[0])]
    names = [segment for segment in segments if segment not in (b".", b"..")]
    if b".." in segments:
        return any(map(_is_local, names)) or b"callback" in names
    return any(map(_is_local, names[:1])) or (names[-1:] == [b"callback"] and path != b"/callback")


def _is_local(name: bytes) -> bool:
    return name in _DENIED or name.startswith(_DENIED_BEGINNINGS)


def _decode(path: bytes) -> bytes | None:
    """None when it is still encoded after more rounds than anybody needs."""
    for _ in range(_DECODINGS):
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return decoded.replace(b"\\", b"/").translate(None, _INVISIBLE).lower()
        path = decoded
    return None


def framing_fault(version: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """What is wrong with a request's head, in words for its sender; None when it has one meaning only.

    Header names are lower-case, as the server gives them.
    """
    if not target.startswith(b"/") or b"#" in target:
        return "the request target must be a path"
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
        return f"more than {MOST_HEADERS} headers or {MOST_HEADER_BYTES >> 10} KiB of them"
    values: dict[bytes, list[bytes]] = {b"host": [], b"transfer-encoding": [], b"content-length": [], b"upgrade": []}
    for name, value in headers:
        if name in values:
            values[name].append(value)
    return _host_fault(version, values[b"host"]) or _body_fault(version, values)


def _host_fault(version: str, hosts: Sequence[bytes]) -> str | None:
    if len(hosts) > 1 or (not hosts and version != "1.0"):
        return "exactly one Host header is needed"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return "the Host header is not a host"
    return None


def _body_fault(version: str, values: dict[bytes, list[bytes]]) -> str | None:
    codings, lengths = values[b"transfer-encoding"], values[b"content-length"]
    if codings and (version == "1.0" or lengths or [coding.lower() for coding in codings] != [b"chunked"]):
        return "Transfer-Encoding must be chunked, alone, and in HTTP/1.1"
    if len(lengths) > 1 or (lengths and not lengths[0].isdigit()):
        return "Content-Length must be one number"
    if values[b"upgrade"] and (codings or lengths not in ([], [b"0"])):
        return "a request with a body cannot ask for an upgrade"
    return None
