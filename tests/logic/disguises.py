"""A corpus of denied paths in disguise: a table of disguises times a table of places."""

import re
from collections.abc import Callable

Disguise = Callable[[bytes], bytes]

PLACES = (
    b"/v0",
    b"/v0/management/config",
    b"/v0/resource/plugins/x",
    b"/management",
    b"/management.html",
    b"/keep-alive",
    b"/v1internal",
    b"/v1internal:generateContent",
    b"/debug",
    b"/debug/pprof/heap",
    b"/anthropic/callback",
    b"/codex/callback",
    b"/a/b/callback",
)


def letters(written: Callable[[int], bytes], which: slice = slice(None)) -> Disguise:
    """Those characters between the slashes written in another way, in each segment."""

    def segment(plain: bytes) -> bytes:
        chosen = set(range(len(plain))[which])
        return b"".join(written(byte) if place in chosen else bytes([byte]) for place, byte in enumerate(plain))

    return lambda path: b"/".join(map(segment, path.split(b"/")))


def slashes(written: bytes) -> Disguise:
    """All but the first, without which it would be no path."""
    return lambda path: b"/" + path[1:].replace(b"/", written)


def doubled(written: bytes) -> Disguise:
    """Behind the first slash, and instead of each other."""
    return lambda path: b"/" + path.replace(b"/", written)


def before(what: bytes) -> Disguise:
    return lambda path: what + path


def inside(what: bytes) -> Disguise:
    """Before each segment."""
    return lambda path: path.replace(b"/", b"/" + what)


def behind(what: bytes) -> Disguise:
    """Behind each segment."""
    return lambda path: path.replace(b"/", what + b"/")[len(what) :] + what


def percent(byte: int) -> bytes:
    return b"%%%02x" % byte


def again(byte: int) -> bytes:
    return b"%%25%02x" % byte


def wide(byte: int) -> bytes:
    return quoted(chr(byte + 0xFEE0))


def bold(byte: int) -> bytes:
    """Mathematical letters."""
    return quoted(chr(byte - 0x61 + 0x1D41A)) if 0x61 <= byte <= 0x7A else bytes([byte])


def quoted(text: str) -> bytes:
    return b"".join(map(percent, text.encode()))


def both(*disguises: Disguise) -> Disguise:
    def worn(path: bytes) -> bytes:
        for disguise in disguises:
            path = disguise(path)
        return path

    return worn


DISGUISES: dict[str, Disguise] = {
    "none": bytes,
    # letters
    "percent": letters(percent),
    "percent, capitals": letters(lambda byte: b"%%%02X" % byte),
    "percent, first": letters(percent, slice(1)),
    "percent, last": letters(percent, slice(-1, None)),
    "percent, every other": letters(percent, slice(0, None, 2)),
    "percent twice": letters(again),
    "percent twice, digits": letters(lambda byte: b"%%%%%02x%%%02x" % tuple(b"%02x" % byte)),
    "percent thrice": letters(lambda byte: b"%%2525%02x" % byte),
    "percent six times": letters(lambda byte: b"%%2525252525%02x" % byte),
    "percent, deep": letters(lambda byte: b"%" + b"25" * 40 + b"%02x" % byte),
    "capitals": bytes.upper,
    "first capital": bytes.title,
    "capitals in percent": both(bytes.upper, letters(percent)),
    "percent u": letters(lambda byte: b"%%u%04x" % byte),
    "percent u, wide": letters(lambda byte: b"%%uff%02x" % (byte - 0x20)),
    "percent u, twice": letters(lambda byte: b"%%25u%04x" % byte),
    "overlong": letters(lambda byte: percent(0xC0 | byte >> 6) + percent(0x80 | byte & 0x3F)),
    "overlong, three": letters(lambda byte: b"%%e0%%%02x%%%02x" % (0x80 | byte >> 6, 0x80 | byte & 0x3F)),
    "overlong, four": letters(lambda byte: b"%%f0%%80%%%02x%%%02x" % (0x80 | byte >> 6, 0x80 | byte & 0x3F)),
    "wide": letters(wide),
    "wide, raw": letters(lambda byte: chr(byte + 0xFEE0).encode()),
    "wide, twice": letters(lambda byte: wide(byte).replace(b"%", b"%25")),
    "wide percent": letters(lambda byte: quoted("\uff05") + b"%02x" % byte),
    "bold": letters(bold),
    "dotless i, Kelvin": both(
        lambda path: path.replace(b"i", quoted("\u0131")), lambda path: path.replace(b"k", quoted("\u212a"))
    ),
    "accent": letters(lambda byte: bytes([byte]) + quoted("\u0301"), slice(1)),
    "zero width": letters(lambda byte: bytes([byte]) + quoted("\u200b"), slice(1)),
    "soft hyphen": letters(lambda byte: quoted("\xad") + bytes([byte]), slice(1)),
    "latin-1": letters(lambda byte: b"%ad" + bytes([byte]), slice(1)),
    "NUL inside": letters(lambda byte: bytes([byte]) + b"%00", slice(1)),
    "tab inside": letters(lambda byte: bytes([byte]) + b"%09", slice(1)),
    "line ends inside": letters(lambda byte: bytes([byte]) + b"%0d%0a", slice(1)),
    # slashes
    "two slashes": doubled(b"/"),
    "three slashes": doubled(b"//"),
    "%2f": slashes(b"%2f"),
    "%2F": slashes(b"%2F"),
    "/%2f": doubled(b"%2f"),
    "%252f": doubled(b"%252f"),
    "%25252f": doubled(b"%25252f"),
    "back": slashes(b"\\"),
    "/back": doubled(b"\\"),
    "%5c": doubled(b"%5c"),
    "%5C": doubled(b"%5C"),
    "%255c": doubled(b"%255c"),
    "%c0%af": doubled(b"%c0%af"),
    "%e0%80%af": doubled(b"%e0%80%af"),
    "%c1%9c": doubled(b"%c1%9c"),
    "%u002f": doubled(b"%u002f"),
    "%u005c": doubled(b"%u005c"),
    "wide slash": doubled(quoted("\uff0f")),
    "wide back slash": doubled(quoted("\uff3c")),
    # what is put before
    "/.": before(b"/."),
    "/%2e": before(b"/%2e"),
    "/x/..": before(b"/x/.."),
    "/v1/x/../..": before(b"/v1/x/../.."),
    "/..": before(b"/.."),
    "/x//..": before(b"/x//.."),
    "/x/%2e%2e": before(b"/x/%2e%2e"),
    "/x/.%2E": before(b"/x/.%2E"),
    "/x/%252e%252e": before(b"/x/%252e%252e"),
    "/x/%c0%ae%c0%ae": before(b"/x/%c0%ae%c0%ae"),
    "/x/%u002e%u002e": before(b"/x/%u002e%u002e"),
    "/x/wide dots": before(b"/x/" + quoted("\uff0e\uff0e")),
    "/x/two dot leader": before(b"/x/" + quoted("\u2025")),
    "/x%2f..": before(b"/x%2f.."),
    "/x\\..": before(b"/x\\.."),
    "/x%5c..%5c": before(b"/x%5c..%5c"),
    "/..;": before(b"/..;"),
    "/x/..;a=b": before(b"/x/..;a=b"),
    "/x/..%3b": before(b"/x/..%3b"),
    "/x/..%00": before(b"/x/..%00"),
    "/x/..%20": before(b"/x/..%20"),
    "/...": before(b"/..."),
    "/;x": before(b"/;x"),
    "/;x%2fy": before(b"/;x%2fy"),
    "/;x%5cy": before(b"/;x%5cy"),
    "/.;/": before(b"/.;"),
    "a host": before(b"//x"),
    "/%20": before(b"/%20"),
    "absolute": before(b"http://x"),
    "absolute, nobody": before(b"http://"),
    "absolute, other scheme": before(b"file://"),
    "no slash": lambda path: path[1:],
    "asterisk": before(b"*/.."),
    # what is put around each segment
    ";a=b": behind(b";a=b"),
    "%3ba=b": behind(b"%3ba=b"),
    "%253b": behind(b"%253b"),
    ".": behind(b"."),
    "..": behind(b".."),
    "%2e": behind(b"%2e"),
    "%20": behind(b"%20"),
    "%20 before": inside(b"%20"),
    "%2520": behind(b"%2520"),
    "%09": behind(b"%09"),
    "%00": behind(b"%00"),
    "%0a": behind(b"%0a"),
    "%0d%0a": behind(b"%0d%0a"),
    "%7f": behind(b"%7f"),
    "no-break space": behind(quoted("\xa0")),
    "byte order mark": inside(quoted("\ufeff")),
    "%00.json": behind(b"%00.json"),
    "%20.json": behind(b"%20.json"),
    "raw space": behind(b" "),
    "raw tab": behind(b"\t"),
    "raw NUL": behind(b"\0"),
    # what is put at the end
    "end /": lambda path: path + b"/",
    "end //": lambda path: path + b"//",
    "end /.": lambda path: path + b"/.",
    "end /x/..": lambda path: path + b"/x/..",
    "end %2f": lambda path: path + b"%2f",
    "end \\": lambda path: path + b"\\",
    "query": lambda path: path + b"?a=/v1/models",
    "query, nothing": lambda path: path + b"?",
    "query, encoded": lambda path: path + b"%3fa=/v1/models",
    "query, twice": lambda path: path + b"%253fa",
    "fragment": lambda path: path + b"#/v1/models",
    "fragment, encoded": lambda path: path + b"%23/v1/models",
    # several
    "capitals, dots and back slashes": both(
        bytes.upper, letters(percent, slice(1)), before(b"/x\\..\\"), slashes(b"%5C")
    ),
    "all of it twice": both(doubled(b"%2f"), letters(again, slice(1))),
    "wide, capitals, parameters": both(bytes.upper, behind(b";x"), letters(wide, slice(1))),
    "dots, spaces, query": both(behind(b"%20."), before(b"/%2e/v1/..;"), lambda path: path + b"?v1"),
    "overlong and percent u": both(doubled(b"%c0%af"), letters(lambda byte: b"%%u%04x" % byte, slice(1))),
}

CORPUS = {
    place: {worn: name for name, disguise in reversed(DISGUISES.items()) if (worn := disguise(place))}
    for place in PLACES
}
"""The disguised targets of each place, and what each disguise is called."""

COUNT = len({target for targets in CORPUS.values() for target in targets})


def can_be_sent(target: bytes) -> bool:
    """Whether it is a path in printable ASCII, as may stand in a request; anything else is refused for that."""
    return re.fullmatch(rb'/[!"$-~]*', target) is not None
