"""Plain text: words that clients, upstreams or other monitors made up, so that no reader and no channel obeys them.

Channels take a message as Markdown, as HTML or as a dialect of their own, and some look for names to call. What would
mean something there is replaced by its look-alike, or broken by a word joiner, which has no width:

    control and zero-width characters, bidi overrides        gone, or a space
    <b>, <@U1>, <!channel>                                   the first angle is a quotation mark
    `code`, *bold*, ~gone~, ||hidden||, _mark_, __mark__     an apostrophe, mathematical signs, a wide line
    @everyone, @jo, [text](link), https://, &amp;            broken
    {{x}}, {%x%}, %s, ${x}                                   broken, though nothing here formats them again
"""

import re
import unicodedata

LONGEST_VALUE = 80
JOINER = "\N{WORD JOINER}"

LOOK_ALIKES = str.maketrans({"`": "'", "*": "\N{ASTERISK OPERATOR}", "~": "\N{TILDE OPERATOR}", "|": "\N{BROKEN BAR}"})
ANGLE = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
WIDE_LINE = "\N{FULLWIDTH LOW LINE}"
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for code in range(0xFE00, 0xFE10)
}
"""They count as printable, and nothing is seen of them."""
TAG = re.compile(r"<(?=[^\s\d=<])")
MARK = re.compile(r"_{2,}|(?<![^\W_])_|_(?![^\W_])")
"""Between two letters it is a part of a name."""
BREAKABLE = re.compile(
    r"(?:(?<!\w)@(?=\w)|@(?=everyone|here|channel|all\b)|\](?=\()|:(?=//)|&(?=#?\w+;)|\{(?=[{%#])|[}%#](?=\})|%(?=[a-z({])"
    r"|\$(?=[({])|\bwww(?=\.))",
    re.IGNORECASE,
)
BLOCK = re.compile(r"^(?=[#>+=-]|\d+[.)]\s)")
"""At the start of a line: headings, quotes, lists."""
LINK = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]{1,250}")


def clean(text: str, longest: int = LONGEST_VALUE) -> str:
    """One line of at most so many characters that nobody obeys; cleaning it again changes nothing."""
    seen = " ".join("".join(map(_seen, text[: 4 * longest])).split())
    plain = TAG.sub(ANGLE, seen.translate(LOOK_ALIKES))
    unmarked = MARK.sub(lambda found: WIDE_LINE * len(found[0]), plain)
    return cut(BLOCK.sub(JOINER, BREAKABLE.sub(lambda found: f"{found[0]}{JOINER}", unmarked)), longest)


def cut(text: str, longest: int) -> str:
    """With an ellipsis where something is left out."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def clickable(place: str, public_url: str) -> str:
    """A link as it is, a path below our own address; anything else in plain words."""
    if LINK.fullmatch(place):
        return place
    link = f"{public_url.rstrip('/')}/{place.lstrip('/')}"
    return link if "://" not in place and LINK.fullmatch(link) else clean(place, 4 * LONGEST_VALUE)


def _seen(char: str) -> str:
    if char in BLANK or unicodedata.category(char) == "Cf":
        return ""
    return char if char.isprintable() else " "
