"""Readers of a path, as oracles: a reader is any sequence of steps, and ends where a router would look."""

import posixpath
import re
from collections.abc import Callable, Sequence
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

Step = Callable[[bytes], bytes]

_OVERLONG = re.compile(
    rb"(?:[\xc0\xc1]|\xe0[\x80\x81]|\xf0\x80[\x80\x81]|\xf8\x80\x80[\x80\x81]|\xfc\x80\x80\x80[\x80\x81])[\x80-\xbf]"
)
_LOCAL = re.compile(rb"v0|keep-alive|(?:management|v1internal|debug).*", re.DOTALL)


def _text(change: Callable[[str], str]) -> Step:
    """A step on characters; bytes that are none pass through it."""
    return lambda path: change(path.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _percent_u(path: bytes) -> bytes:
    """`%u0076` is a v."""
    return re.sub(rb"%[uU]([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)).encode(errors="surrogatepass"), path)


def _overlong(path: bytes) -> bytes:
    """UTF-8 as careless decoders read it: C0 AF is a slash."""
    return _OVERLONG.sub(lambda found: bytes([(found[0][-2] & 1) << 6 | found[0][-1] & 0x3F]), path)


def _clean(path: bytes) -> bytes:
    """Go's `path.Clean`: `..` takes the segment before it, empty ones do not count."""
    return posixpath.normpath(path).replace(b"//", b"/")


def _remove_dots(path: bytes) -> bytes:
    """RFC 3986, 5.2.4: `..` takes the segment before it, also an empty one."""
    kept: list[bytes] = []
    for segment in path.split(b"/")[1:]:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    return b"/" + b"/".join(kept)


def _slashes(path: bytes) -> bytes:
    return path.replace(b"\\", b"/")


def _without_parameters(path: bytes) -> bytes:
    """Of each segment."""
    return re.sub(rb";[^/]*", b"", path)


def _without_host(path: bytes) -> bytes:
    return re.sub(rb"^(?:[a-z]+:)?//[^/]*", b"", path)


def _parsed_again(path: bytes) -> bytes:
    """What was decoded is taken for a target."""
    return re.split(rb"[?#]", path, maxsplit=1)[0]


def _cut(path: bytes) -> bytes:
    """As by C strings, and by request lines that are written anew."""
    return re.split(rb"[\0 \r\n]", path, maxsplit=1)[0]


def _tidied(path: bytes) -> bytes:
    """As browsers do."""
    return path.translate(None, b"\0\t\r\n")


def _file_names(path: bytes) -> bytes:
    """Windows knows no dots and blanks at their ends."""
    return re.sub(rb"[. ]+(?=/|$)|(?<=/) +", b"", path)


_any_case = _text(lambda path: path.upper().lower())  # by way of capitals: a Kelvin sign is a k, a dotless i an i
_compatible = _text(lambda path: normalize("NFKC", path))
_visible = _text(lambda path: re.sub("[\u00ad\u200b-\u200d\ufeff]", "", path))

STEPS: Sequence[Step] = (
    unquote_to_bytes,
    _percent_u,
    _overlong,
    _clean,
    _remove_dots,
    _slashes,
    _without_parameters,
    _without_host,
    _parsed_again,
    _cut,
    _tidied,
    _file_names,
    _any_case,
    _compatible,
    _visible,
)

READERS: dict[str, Sequence[Step]] = {
    "gin": (unquote_to_bytes, _clean),
    "decodes twice": (unquote_to_bytes, unquote_to_bytes, _clean),
    "servlet": (_without_parameters, unquote_to_bytes, _clean),
    "servlet that decodes first": (unquote_to_bytes, _without_parameters, _slashes, _remove_dots),
    "browser": (_tidied, _slashes, _without_host, _remove_dots),
    "Windows": (unquote_to_bytes, _percent_u, _slashes, _clean, _file_names, _any_case),
    "script": (unquote_to_bytes, _cut, _parsed_again, _clean, _any_case),
    "lax decoder": (unquote_to_bytes, _overlong, _percent_u, _clean),
    "any script": (unquote_to_bytes, _compatible, _visible, _any_case, unquote_to_bytes, _clean),
}


def leads_inside(path: bytes, reader: Sequence[Step]) -> bool:
    """Whether this reader ends at a place that only a local caller may see."""
    for step in reader:
        path = step(path)
    segments = [segment for segment in path.split(b"/") if segment]
    return any(map(_LOCAL.fullmatch, segments[:1])) or (len(segments) > 1 and segments[-1] == b"callback")
