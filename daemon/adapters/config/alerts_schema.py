"""The JSON Schema of the alerts file, from the same types that check it: editors complete it and mark what is wrong."""

from collections.abc import Collection, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from daemon.adapters.config.selecting import OF, Fields, sources_of
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.kinds import Kinds
from daemon.domain.sources import EVENTS

Schema = dict[str, Any]
GLOB_OR_PRESENCE = r"[*?\[]|^(absent|present)$"
BASES = ("Rule", "Level", "MitigationOptions", "ProbeOptions", "ProbeBudget")


def schema(all_kinds: Kinds) -> Schema:
    """Of rules and mitigations it does not say what must be there: with `extends` they need only say what differs."""
    root = AlertsConfig.model_json_schema()
    rules, mitigations, probes = all_kinds.rules, all_kinds.mitigations, all_kinds.probes
    kinds = _kinds([*rules.values(), *mitigations.values()])
    named = {name: _named(model) for name, model in probes.items()}
    for model in rules.values():
        kinds[model.__name__] = _selecting(kinds[model.__name__], sources_of(model))
    definitions = {**root.pop("$defs"), **kinds, **{_name(source): _selection(OF[source]) for source in OF}}
    for base in BASES:
        del definitions[base]
    properties = root["properties"]
    properties["rules"]["items"] = _one_of([model.__name__ for model in rules.values()], definitions, "alert")
    properties["mitigations"]["additionalProperties"] = _one_of(
        [model.__name__ for model in mitigations.values()], definitions
    )
    properties["probes"] |= {"properties": named, "additionalProperties": False}
    properties["selections"] = _selecting(properties["selections"], tuple(OF))
    properties["defaults"] = _partial([definitions[model.__name__] for model in rules.values()], without="alert")
    whole = {**root, "title": "alerts.yaml", "description": "The rules of runbookd.", "$defs": definitions}
    tidy = _tidy(_selecting(whole, (EVENTS,)))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **tidy}


def _kinds(models: Sequence[type[BaseModel]]) -> Schema:
    """Each kind is known by its `kind`, and nothing else of it must be there."""
    _, whole = models_json_schema([(model, "validation") for model in models])
    definitions: Schema = whole["$defs"]
    for definition in definitions.values():
        definition.pop("required", None)
    for model in models:
        definitions[model.__name__]["required"] = ["kind"]
    return definitions


def _named(model: type[BaseModel]) -> Schema:
    """A probe is known by its name, which alone is enough."""
    inlined = model.model_json_schema()
    definitions = inlined.pop("$defs", {})
    whole = _inlined(inlined, definitions)
    return {**whole, "type": ["object", "null"]}


def _inlined(value: Any, definitions: Schema) -> Any:
    if isinstance(value, list):
        return [_inlined(one, definitions) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inlined(definitions[value["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(one, definitions) for key, one in value.items()}


def _one_of(names: Sequence[str], definitions: Schema, *needed: str) -> Schema:
    """One of the kinds, or without a kind: what is said differently about a shipped one."""
    different = {**_partial([definitions[name] for name in names]), "required": list(needed)}
    return {"oneOf": [*({"$ref": f"#/$defs/{name}"} for name in names), different]}


def _partial(kinds: Sequence[Schema], without: str = "kind") -> Schema:
    """What any of the kinds has; a field that is not the same in all of them may be as in any."""
    found: dict[str, list[Schema]] = {}
    for name, value in (pair for kind in kinds for pair in kind["properties"].items()):
        if name not in ("kind", without) and value not in found.setdefault(name, []):
            found[name].append(value)
    kept = {name: values[0] if len(values) == 1 else {"anyOf": values} for name, values in found.items()}
    return {"type": "object", "properties": kept, "additionalProperties": False}


def _selection(fields: Fields) -> Schema:
    return {
        "type": "object",
        "description": f"Fields of {fields.noun}, for each a value, a list (any of), a glob, 4xx, absent or present.",
        "properties": {field: _wanted(fields.closed.get(field)) for field in sorted(fields.types)},
        "additionalProperties": False,
    }


def _wanted(words: Collection[str] | None) -> Schema:
    value: Schema = {"type": ["string", "integer", "boolean"]}
    if words is not None:
        value = {"anyOf": [{"enum": sorted(words)}, {"type": "string", "pattern": GLOB_OR_PRESENCE}]}
    return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]}


def _name(source: str) -> str:
    return "Selection" if source == EVENTS else f"SelectionOf{source.capitalize()}"


def _selecting(part: Any, sources: Sequence[str]) -> Any:
    """Maps of anything are selections, among what a rule can be about."""
    if isinstance(part, list):
        return [_selecting(value, sources) for value in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _selecting(value, sources) for key, value in part.items()}
    if kept.get("additionalProperties") is True:
        del kept["additionalProperties"], kept["type"]
        known = [{"$ref": f"#/$defs/{_name(source)}"} for source in sources]
        kept |= known[0] if len(known) == 1 else {"anyOf": known}
    return kept


def _tidy(part: Any) -> Any:
    """Defaults that are not as one writes them are left out."""
    if isinstance(part, list):
        return [_tidy(value) for value in part]
    if not isinstance(part, dict):
        return part
    return {key: _tidy(value) for key, value in part.items() if key != "default" or not isinstance(value, float | dict)}
