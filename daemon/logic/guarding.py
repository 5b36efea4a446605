"""The guard of the proxy port: which paths never reach the upstream, and which requests are too ambiguous to forward.

A path is judged as every possible reader could understand it, for the upstream decodes before it routes: decoded until
nothing changes, in lower-case ASCII, split wherever anybody may split it. The first name decides; where readers take a
path apart in different ways, as with `..`, `;` or `\\` in it, no name may be that of a local place. What nobody honest
sends is denied unread: control characters, text that is not UTF-8, `%u0076`, encoding upon encoding.
"""

import re
from collections.abc import Sequence
from unicodedata import normalize
from urllib.parse import unquote

MOST_HEADERS = 128
MOST_HEADER_BYTES = 65536

_DECODINGS = 8
_DENIED = frozenset({"v0", "keep-alive"})
_DENIED_BEGINNINGS = ("management", "v1internal", "debug")
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f]|%u[0-9a-f]{4}")
_BETWEEN_NAMES = re.compile(r"[/\\;?# ]")
_ODD = re.compile(r"[\\;?# ]|//|\.(?:[./]|$)")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


def is_denied(path: bytes) -> bool:
    """Whether a raw path (without its query) leads, in any encoding, where only a local caller may go."""
    plain = _decoded(path)
    if plain is None or _UNREADABLE.search(plain):
        return True
    names = [name for piece in _BETWEEN_NAMES.split(plain) if (name := piece.rstrip("."))]
    places = names if _ODD.search(plain) else names[:1]
    return any(map(_is_local, places)) or ("callback" in names and path != b"/callback")


def _is_local(name: str) -> bool:
    return name in _DENIED or name.startswith(_DENIED_BEGINNINGS)


def _decoded(path: bytes) -> str | None:
    """None when it is no text, or still encoded after more rounds than anybody needs."""
    try:
        text = path.decode()
        for _ in range(_DECODINGS):
            decoded = _folded(unquote(text, errors="strict"))
            if decoded == text:
                return decoded
            text = decoded
    except UnicodeDecodeError:
        pass
    return None


def _folded(text: str) -> str:
    """In lower-case ASCII: `\uff36` is a v, what looks like nothing in ASCII is nothing."""
    if not text.isascii():
        text = "".join(normalize("NFKD", char) for char in text.upper()).encode("ascii", "ignore").decode()
    return text.lower()


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
