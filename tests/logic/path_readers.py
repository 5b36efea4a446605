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


def without_parameters(path: bytes) -> bytes:
    return re.sub(rb";[^/]*", b"", path)


def without_host(path: bytes) -> bytes:
    return re.sub(rb"^(?:[a-z]+:)?//[^/]*", b"", path)


STEPS: Sequence[Step] = (
    unquote_to_bytes,
    _percent_u,
    _overlong,
    _clean,
    _remove_dots,
    lambda path: path.replace(b"\\", b"/"),
    without_parameters,
    without_host,
    lambda path: re.split(rb"[?#]", path, maxsplit=1)[0],  # what was decoded is parsed again
    lambda path: re.split(rb"[\0 \r\n]", path, maxsplit=1)[0],  # C strings, and request lines written anew
    lambda path: path.translate(None, b"\0\t\r\n"),  # as browsers do
    lambda path: re.sub(rb"[. ]+(?=/|$)", b"", path),  # as file names on Windows
    lambda path: re.sub(rb"/ +", b"/", path),
    _text(lambda path: path.upper().lower()),  # by way of capitals: a Kelvin sign is a k, a dotless i an i
    _text(lambda path: normalize("NFKC", path)),
    _text(lambda path: re.sub("[\u00ad\u200b-\u200d\ufeff]", "", path)),  # what cannot be seen
)


def leads_inside(path: bytes, reader: Sequence[Step]) -> bool:
    """Whether this reader ends at a place that only a local caller may see."""
    for step in reader:
        path = step(path)
    segments = [segment for segment in path.split(b"/") if segment]
    return any(map(_LOCAL.fullmatch, segments[:1])) or (len(segments) > 1 and segments[-1] == b"callback")
