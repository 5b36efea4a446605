"""How mistakes are put into words: what stands there, what should, and the nearest known name."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

WANTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a map",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "mapping_type": "a map",
    "model_type": "a map",
    "string_type": "text",
    "tuple_type": "a list",
}
SHOWN = frozenset({"bool_parsing", "enum", "int_parsing", "literal_error"})
YES_AND_NO = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})
BOUNDS = {
    "greater_than": "should be above {gt:g}",
    "greater_than_equal": "should be at least {ge:g}",
    "less_than": "should be below {lt:g}",
    "less_than_equal": "should be at most {le:g}",
}
LONGEST, ALIKE = 60, 0.65
KINDS = ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "text"), (Mapping, "a map"))


def nearest(word: str, known: Iterable[str], *, alike: float = ALIKE) -> str | None:
    """The known name that was probably meant; capitals do not count."""
    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1, cutoff=alike)
    return names[near[0]] if near else None


def quoted(word: Any) -> str:
    """A word of the file as one line can show it."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(word))
    return f"'{text}'" if len(text) <= LONGEST else f"'{text[:LONGEST]}…'"


def did_you_mean(word: str, known: Iterable[str], *, most: int = 8) -> str:
    """The end of a sentence: the nearest name, else the names themselves when they are few."""
    names = sorted(known)
    if near := nearest(word, names):
        return f"; did you mean '{near}'?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= most else ""


def kind_of(value: Any) -> str:
    """`text`, `a list`, …: never the value itself, which may be a secret."""
    if value is None:
        return "nothing"
    return next((word for kind, word in KINDS if isinstance(value, kind)), "a list")


def say(errors: Sequence[ErrorDetails]) -> str:
    """What one or more of pydantic's errors say about one value; more than one are those of a union's members."""
    wanted = [_wanted(error) for error in errors]
    if all(wanted):
        return f"should be {' or '.join(filter(None, wanted))}, not {_seen(errors)}{_near(errors)}"
    texts = [_sentence(error) for error, word in zip(errors, wanted, strict=True) if not word]
    return ", or ".join([*texts, *filter(None, wanted)])


def _wanted(error: ErrorDetails) -> str | None:
    if error["type"] in ("literal_error", "enum"):
        return str(error["ctx"]["expected"])
    return WANTED.get(error["type"])


def _seen(errors: Sequence[ErrorDetails]) -> str:
    """The value itself only where a word of a closed list or a number was meant: anything else may be a secret."""
    value = errors[0]["input"]
    is_word = any(error["type"] in SHOWN for error in errors) or str(value).lower() in YES_AND_NO
    if not is_word or isinstance(value, bool) or not isinstance(value, str | int):
        return kind_of(value)
    return quoted(value) if isinstance(value, str) else str(value)


def _near(errors: Sequence[ErrorDetails]) -> str:
    value, words = errors[0]["input"], " ".join(filter(None, map(_wanted, errors))).split("'")[1::2]
    near = nearest(value, words) if isinstance(value, str) and len(words) > 1 else None
    return f"; did you mean '{near}'?" if near else ""


def _sentence(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] in BOUNDS:
        return BOUNDS[error["type"]].format(**context)
    if error["type"] == "string_pattern_mismatch":
        return f"should match {context['pattern']}"
    return "should not be empty" if error["type"] == "too_short" else error["msg"].replace("Input should", "should")
