"""Whether a selection can select anything: its fields, and values that those fields can have."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from daemon.adapters.config.validating import fields_of
from daemon.adapters.config.wording import did_you_mean, quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.errors import Mistake
from daemon.domain.selection import CLOSED, FIELDS
from daemon.domain.sources import EVENTS, SOURCES

MOST_STARS, LONGEST_GLOB = 8, 256
"""Of a glob, and in characters: it is matched with every event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What may be said of one source: the types of its fields, and the words of those with a closed list."""

    noun: str
    types: Mapping[str, type]
    closed: Mapping[str, frozenset[str]]

    def not_one(self, name: str) -> str:
        """That it has no such field."""
        return f"{quoted(name)} is not a field of {self.noun}{did_you_mean(name, self.types)}"

    def refused(self, field: str, value: Any) -> str | None:
        """Why a field can have no such value."""
        if isinstance(value, dict | list):
            return "should be a value or a list of values"
        if value is None:
            return "should be a value; for none at all write absent"
        if value in ("absent", "present"):
            return None
        if is_slow(value):
            return f"a glob has at most {MOST_STARS} stars and {LONGEST_GLOB} characters"
        if field in self.closed:
            return _outside(field, value, self.closed[field])
        return _unlike(self.types[field], value)


def _type_of(hint: Any) -> type:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    return kinds[0] if isinstance(kinds[0], type) else str


def _fields(source: str, noun: str) -> Fields:
    types = {name: _type_of(hint) for name, hint in get_type_hints(SOURCES[source]).items()}
    if source == EVENTS:
        return Fields(noun=noun, types={name: types.get(name, str) for name in FIELDS}, closed=CLOSED)
    words = {name: frozenset(kind) for name, kind in types.items() if issubclass(kind, StrEnum)}
    return Fields(noun=noun, types=types, closed=words)


NOUNS = {
    EVENTS: "an event",
    "probes": "a probe's verdict",
    "quota": "a quota reading",
    "self": "a self reading",
}
OF: Mapping[str, Fields] = {source: _fields(source, noun) for source, noun in NOUNS.items()}
"""By source."""


def sources_of(model: type[BaseModel]) -> tuple[str, ...]:
    """What rules of a kind can be about."""
    hint = fields_of(model).get("source")
    return get_args(hint) if get_origin(hint) is not None else (EVENTS,)


def source_of(rule: Node, model: type[BaseModel]) -> str:
    """What a rule is about: where it says nothing that is known, what its kind is about unless said."""
    known, said = sources_of(model), rule.child("source").text
    usual = model.model_fields["source"].default if "source" in model.model_fields else EVENTS
    return said if said in known else str(usual)


def selection_mistakes(selection: Node, names: Mapping[str, Node], source: str = EVENTS) -> Iterator[Mistake]:
    """Of the name of a selection, or of a selection written in place; other types are pydantic's to refuse."""
    fields = OF[source]
    if selection.text is not None and selection.text not in names:
        yield selection.mistake(f"{quoted(selection.text)} is not a selection{did_you_mean(selection.text, names)}")
    for field, wanted in selection.map.items():
        if field not in fields.types:
            yield wanted.mistake(fields.not_one(field))
            continue
        if wanted.value == []:
            yield wanted.mistake("an empty list selects nothing")
        for value in wanted.list if isinstance(wanted.value, list) else [wanted]:
            if message := fields.refused(field, value.value):
                yield value.mistake(message)


def is_slow(value: Any) -> bool:
    """A glob whose time could be felt, whatever it is matched with."""
    is_glob = isinstance(value, str) and any(mark in value for mark in "*?[")
    return is_glob and (value.count("*") > MOST_STARS or len(value) > LONGEST_GLOB)


def _outside(field: str, value: Any, words: frozenset[str]) -> str | None:
    """A glob must fit at least one of the words."""
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
