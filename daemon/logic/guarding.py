"""The guard of the proxy port: which paths never reach the upstream.

A path is judged as every possible reader could understand it, for the upstream decodes before it routes: decoded until
nothing changes, in lower-case ASCII, split wherever anybody may split it. The first name decides; where readers take a
path apart in different ways, as with `..`, `;` or `\\` in it, no name may be that of a local place. What nobody honest
sends is denied unread: control characters, text that is not UTF-8, `%u0076`, encoding upon encoding.
"""

import re
from unicodedata import normalize
from urllib.parse import unquote

_DECODINGS = 8
_DENIED = frozenset({"v0", "keep-alive"})
_DENIED_BEGINNINGS = ("management", "v1internal", "debug")
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f]|%u[0-9a-f]{4}")
_BETWEEN_NAMES = re.compile(r"[/\\;?# ]")
_ODD = re.compile(r"[\\;?# ]|//|\.(?:[./]|$)")


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
