"""Checked values, written again as a person would write them in a file: `10m`, `5%`, names as they stand there."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from math import inf
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter

from daemon.domain.units import Duration, Ratio, parse_duration, say_duration

Schema = Mapping[str, Any]

DURATION, PERCENTAGE = (TypeAdapter(kind).json_schema()["pattern"] for kind in (Duration, Ratio))


def plain(model: BaseModel) -> dict[str, Any]:
    """All values, by the names that stand in the file; None is what is not said."""
    parts = schemas(type(model))
    named = {field.alias or name: getattr(model, name) for name, field in type(model).model_fields.items()}
    return {key: written(value, parts[key]) for key, value in named.items()}


def flow(value: Any) -> str:
    """A value of a file on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=inf)
    return text.removesuffix("\n").removesuffix("\n...")


def written(value: Any, part: Schema) -> Any:
    """One value of a field that has this schema."""
    if isinstance(value, BaseModel):
        return plain(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {written(key, {}): written(inner, {}) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [written(inner, part.get("items", {})) for inner in value]
    return _number(value, members(part)) if isinstance(value, float) else value


def members(part: Schema) -> list[Schema]:
    """What a value may be, other than absent."""
    found = [inner for one in part["anyOf"] for inner in members(one)] if "anyOf" in part else [part]
    return [one for one in found if one.get("type") != "null"]


@cache
def schemas(model: type[BaseModel]) -> Mapping[str, Schema]:
    """The JSON Schema of each field, with what it refers to in its place."""
    schema = model.model_json_schema()
    return {name: _resolved(part, schema.get("$defs", {})) for name, part in schema["properties"].items()}


def _resolved(part: Any, definitions: Schema) -> Any:
    if isinstance(part, list):
        return [_resolved(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _resolved(definitions[part["$ref"].rpartition("/")[2]], definitions)
    return {key: _resolved(one, definitions) for key, one in part.items()}


def _number(value: float, kinds: list[Schema]) -> Any:
    """With its unit, where it has one."""
    patterns = {kind.get("pattern") for kind in kinds}
    is_share = 0 < value < 1 or not any(kind.get("type") == "number" for kind in kinds)
    if DURATION in patterns:
        said = say_duration(value)
        return said if parse_duration(said) == value else f"{value:.10g}s"
    if PERCENTAGE in patterns and is_share:
        return f"{value * 100:.10g}%"
    return int(value) if value.is_integer() else value
