"""The fields of a rule as people write them: of which type, what they are unless said, and what they mean."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel

from daemon.app.written import DURATION, PERCENTAGE, Schema, flow, members, schemas, written
from daemon.domain.alerts_config import Rule

WORDS = {"string": "text", "integer": "whole number", "number": "number", "array": "list", "object": "map"}
MEANINGS = {
    "above": "It raises above this.",
    "alert": "Its name: letters, digits and `_`.",
    "annotations": "Kept with the rule for your own use.",
    "at_least": "It raises on so many, or more.",
    "bad": "So many bad ones.",
    "baseline": "What it is compared with.",
    "below": "It raises below this.",
    "budget": "What it may spend in a day.",
    "clear_after": "It clears after so many good ones in a row.",
    "clear_below": "It clears below this.",
    "differs": "It raises when it is another one at all.",
    "enabled": "`false` switches it off.",
    "every": "How often it runs.",
    "for": "How long it must hold before it fires.",
    "keep_firing_for": "How long it must be clear before it is resolved.",
    "kind": "How it judges: one of the kinds.",
    "labels": "Added to the labels of its alerts.",
    "levels": "`warning`, `critical` or both; each is an alert of its own.",
    "min_bad": "With fewer bad ones it does not raise.",
    "min_samples": "With fewer it does not raise.",
    "model": "The model that it is about.",
    "requests": "So many requests.",
    "runbook": "A link to what is to be done.",
    "source": "What is read.",
    "stretch_to": "A window with too little in it grows up to this.",
    "tokens": "So many tokens, of questions and answers.",
    "window": "How far back it looks.",
    "wire": "The wire that is spoken.",
}
"""Of fields that mean the same wherever they stand, and therefore need not say it themselves."""
MOST_WORDS = 4
"""Of a closed list, where its type is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTold:
    """One field, by the name that stands in the file. Without a `default` it must be said if it `is_needed`."""

    name: str
    type: str
    is_needed: bool
    default: str
    meaning: str


def fields(model: type[BaseModel], *, but: type[BaseModel] | None = None) -> Iterator[FieldTold]:
    """Each field, and those of a map in it behind it as `map.field`; `but` leaves out what it shares with another."""
    shared = set() if but is None else set(fields(but))
    left_out = () if but is None else ("kind", "levels")
    for name, field in model.model_fields.items():
        told = _told(model, name)
        if told in shared or told.name in left_out:
            continue
        yield told
        inner = None if told.name == "levels" else _model_in(field.annotation)
        for below in () if inner is None else fields(inner):
            yield replace(below, name=f"{told.name}.{below.name}")


def level_of(model: type[Rule]) -> type[BaseModel]:
    """The model of the levels of a rule kind."""
    found: type[BaseModel] = get_args(model.model_fields["levels"].annotation)[1]
    return found


def _told(model: type[BaseModel], name: str) -> FieldTold:
    field = model.model_fields[name]
    key = field.alias or name
    part, default = schemas(model)[key], field.get_default(call_default_factory=True)
    kind, meaning = _type(part), " ".join((field.description or MEANINGS.get(key, "")).split())
    if kind.count("`") > 2 * MOST_WORDS:
        kind, meaning = "word", f"{meaning} One of {kind}."
    return FieldTold(
        name=key,
        type=kind,
        is_needed=field.is_required(),
        default="" if field.is_required() or default in (None, "") else flow(written(default, part)),
        meaning=meaning,
    )


def _type(part: Schema) -> str:
    kinds = members(part)
    if {str(kind.get("type")) for kind in kinds} == {"string", "object"}:
        return "selection, or the name of one"
    words = [word for kind in kinds for word in _words(kind)]
    return _or(list(dict.fromkeys(words)))


def _words(part: Schema) -> list[str]:
    if "const" in part or "enum" in part:
        return [f"`{flow(word)}`" for word in part.get("enum", [part.get("const")])]
    if part.get("pattern") in (DURATION, PERCENTAGE):
        return ["duration" if part["pattern"] == DURATION else "percentage"]
    if part.get("type") == "boolean":
        return ["`true`", "`false`"]
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    words = [WORDS[kind] for kind in kinds if kind != "integer" or "number" not in kinds]
    return [_or(words) + "".join(f" such as `{flow(example)}`" for example in part.get("examples", [])[:1])]


def _or(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)
