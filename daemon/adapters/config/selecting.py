"""Whether a selection can select anything: its fields, and values that those fields can have."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from types import NoneType
from typing import Any, get_args, get_type_hints

from daemon.adapters.config.wording import did_you_mean, quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.errors import Mistake
from daemon.domain.event import Event
from daemon.domain.selection import CLOSED, FIELDS


def _type_of(hint: Any) -> type:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    return kinds[0] if isinstance(kinds[0], type) else str


TYPES: Mapping[str, type] = {name: _type_of(hint) for name, hint in get_type_hints(Event).items()}


def selection_mistakes(selection: Node, names: Mapping[str, Node]) -> Iterator[Mistake]:
    """Of the name of a selection, or of a selection written in place; other types are pydantic's to refuse."""
    if selection.text is not None and selection.text not in names:
        yield selection.mistake(f"{quoted(selection.text)} is not a selection{did_you_mean(selection.text, names)}")
    for field, wanted in selection.map.items():
        if field not in FIELDS:
            yield wanted.mistake(f"{quoted(field)} is not a field of an event{did_you_mean(field, FIELDS)}")
            continue
        if wanted.value == []:
            yield wanted.mistake("an empty list selects nothing")
        for value in wanted.list if isinstance(wanted.value, list) else [wanted]:
            if message := _refused(field, value.value):
                yield value.mistake(message)


def _refused(field: str, value: Any) -> str | None:
    if isinstance(value, dict | list):
        return "should be a value or a list of values"
    if value is None:
        return "should be a value; for none at all write absent"
    if value in ("absent", "present"):
        return None
    if field in CLOSED:
        return _outside(field, value)
    return _unlike(TYPES[field], value)


def _outside(field: str, value: Any) -> str | None:
    """A glob must fit at least one of the words."""
    words = CLOSED[field]
    if any(fnmatchcase(word, str(value)) for word in words):
        return None
    return f"{quoted(value)} is not a value of {field}{did_you_mean(str(value), words)}"


def _unlike(kind: type, value: Any) -> str | None:
    if kind is bool:
        return None if isinstance(value, bool) else "should be true, false, absent or present"
    if kind in (int, float):
        is_number = isinstance(value, int) and not isinstance(value, bool)
        fits = is_number or re.fullmatch(r"[1-5]xx|.*[*?\[].*", str(value))
        return None if fits else "should be a whole number, or as 4xx"
    return None if isinstance(value, str) else f"is text: write {quoted(str(value).lower())} in quotes"
