"""The JSON Schema of the alerts file, from the same types that check it: editors complete it and mark what is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from daemon.domain.alerts_config import AlertsConfig, MitigationOptions, Rule
from daemon.domain.selection import CLOSED, FIELDS

Schema = dict[str, Any]
GLOB_OR_PRESENCE = r"[*?\[]|^(absent|present)$"
BASES = ("Rule", "Level", "MitigationOptions")


def schema(rules: Mapping[str, type[Rule]], mitigations: Mapping[str, type[MitigationOptions]]) -> Schema:
    """Of rules and mitigations it does not say what must be there: with `extends` they need only say what differs."""
    root = AlertsConfig.model_json_schema()
    kinds = _kinds([*rules.values(), *mitigations.values()])
    definitions = {**root.pop("$defs"), **kinds, "Selection": _selection()}
    for base in BASES:
        del definitions[base]
    properties = root["properties"]
    properties["rules"]["items"] = _one_of([model.__name__ for model in rules.values()], definitions, "alert")
    properties["mitigations"]["additionalProperties"] = _one_of(
        [model.__name__ for model in mitigations.values()], definitions
    )
    properties["defaults"] = _partial([definitions[model.__name__] for model in rules.values()], without="alert")
    whole = {**root, "title": "alerts.yaml", "description": "The rules of runbookd.", "$defs": definitions}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_tidy(whole)}


def _kinds(models: Sequence[type[BaseModel]]) -> Schema:
    """Each kind is known by its `kind`, and nothing else of it must be there."""
    _, whole = models_json_schema([(model, "validation") for model in models])
    definitions: Schema = whole["$defs"]
    for definition in definitions.values():
        definition.pop("required", None)
    for model in models:
        definitions[model.__name__]["required"] = ["kind"]
    return definitions


def _one_of(names: Sequence[str], definitions: Schema, *needed: str) -> Schema:
    """One of the kinds, or without a kind: what is said differently about a shipped one."""
    different = {**_partial([definitions[name] for name in names]), "required": list(needed)}
    return {"oneOf": [*({"$ref": f"#/$defs/{name}"} for name in names), different]}


def _partial(kinds: Sequence[Schema], without: str = "kind") -> Schema:
    properties = {name: value for kind in kinds for name, value in kind["properties"].items()}
    kept = {name: value for name, value in properties.items() if name not in ("kind", without)}
    return {"type": "object", "properties": kept, "additionalProperties": False}


def _selection() -> Schema:
    return {
        "type": "object",
        "description": "Fields of an event, and for each a value, a list (any of), a glob, 4xx, absent or present.",
        "properties": {field: _wanted(field) for field in sorted(FIELDS)},
        "additionalProperties": False,
    }


def _wanted(field: str) -> Schema:
    value: Schema = {"type": ["string", "integer", "boolean"]}
    if field in CLOSED:
        value = {"anyOf": [{"enum": sorted(CLOSED[field])}, {"type": "string", "pattern": GLOB_OR_PRESENCE}]}
    return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]}


def _tidy(part: Any) -> Any:
    """Maps of anything are selections here; defaults that are not as one writes them are left out."""
    if isinstance(part, list):
        return [_tidy(value) for value in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _tidy(value) for key, value in part.items() if key != "default" or not isinstance(value, float | dict)}
    if kept.get("additionalProperties") is True:
        del kept["additionalProperties"], kept["type"]
        kept["$ref"] = "#/$defs/Selection"
    return kept
