"""The schema: it takes what the loader takes, and marks what the loader refuses."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from daemon.adapters.config.alerts_schema import schema
from daemon.adapters.config.packaged import packaged
from daemon.app.demo import ALERTS
from tests.adapters.config.conftest import SHELVES

SCHEMA = schema(SHELVES)
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
KEYWORDS = {
    *("$ref", "$schema", "$defs", "title", "description", "default", "examples", "type", "const", "enum", "pattern"),
    *("anyOf", "oneOf", "properties", "additionalProperties", "propertyNames", "required", "items", "minItems"),
    *("minProperties", "minimum", "exclusiveMinimum", "maximum", "minLength"),
}


def fits(value: Any, part: Mapping[str, Any]) -> bool:
    """As much of JSON Schema as our schema uses."""
    assert set(part) <= KEYWORDS
    if "$ref" in part and not fits(value, SCHEMA["$defs"][part["$ref"].rpartition("/")[2]]):
        return False
    if "anyOf" in part and not any(fits(value, one) for one in part["anyOf"]):
        return False
    if "oneOf" in part and sum(fits(value, one) for one in part["oneOf"]) != 1:
        return False
    if "type" in part and not is_of(value, part["type"]):
        return False
    if value != part.get("const", value) or value not in part.get("enum", [value]):
        return False
    if isinstance(value, str):
        return len(value) >= part.get("minLength", 0) and bool(re.search(part.get("pattern", ""), value))
    if isinstance(value, int | float) and not part.get("minimum", value) <= value <= part.get("maximum", value):
        return False
    if isinstance(value, list):
        return len(value) >= part.get("minItems", 0) and all(fits(one, part.get("items", {})) for one in value)
    return not isinstance(value, dict) or fits_map(value, part)


def is_of(value: Any, types: str | list[str]) -> bool:
    kinds = tuple(TYPES.get(name, type(None)) for name in ([types] if isinstance(types, str) else types))
    return isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)


def fits_map(value: dict[str, Any], part: Mapping[str, Any]) -> bool:
    known, others = part.get("properties", {}), part.get("additionalProperties", {})
    if not set(part.get("required", ())) <= set(value) or len(value) < part.get("minProperties", 0):
        return False
    if not all(fits(key, part.get("propertyNames", {})) for key in value):
        return False
    rest = {key: inner for key, inner in value.items() if key not in known}
    if others is False and rest:
        return False
    others = {} if others is False else others
    return all(fits(inner, known.get(key, others)) for key, inner in value.items())


@pytest.mark.parametrize("text", [packaged("alerts.yaml").read_text(), ALERTS], ids=["shipped", "demo"])
def test_what_loads_fits(text: str) -> None:
    assert fits(yaml.safe_load(text), SCHEMA)


RULE = {"alert": "A", "kind": "ratio", "bad": {"outcome": "failed"}, "levels": {"warning": {"above": "5%"}}}
STATE = {"alert": "A", "kind": "state", "field": "quota_exhausted", "levels": {"warning": {"equals": True}}}


@pytest.mark.parametrize(
    ("content", "is_right"),
    [
        ({"rules": [RULE]}, True),
        ({"rules": [RULE | {"of": "spark", "by": ["prefix"], "for": "1m", "in_a_row": "none"}]}, True),
        ({"rules": [RULE | {"bad": {"fault": ["provider_*", "truncated"], "status": "5xx", "stream": True}}]}, True),
        ({"rules": [{"alert": "A", "enabled": False}]}, True),
        ({"rules": [{"alert": "A", "levels": {"critical": {"for": "0s"}}}]}, True),
        ({"rules": [{"enabled": False}]}, False),
        ({"rules": [RULE | {"kind": "ratoi"}]}, False),
        ({"rules": [RULE | {"windw": "10m"}]}, False),
        ({"rules": [RULE | {"window": 10}]}, False),
        ({"rules": [RULE | {"window": "10"}]}, False),
        ({"rules": [RULE | {"levels": {"warn": {}}}]}, False),
        ({"rules": [RULE | {"bad": {"outcom": "failed"}}]}, False),
        ({"rules": [RULE | {"bad": {"outcome": "faild"}}]}, False),
        ({"mitigations": {"m": {"kind": "model_alias", "from": "a", "to": ["b"]}}}, True),
        ({"mitigations": {"m": {"hold": "10m"}}}, True),
        ({"mitigations": {"m": {"kind": "model_alias", "set": {}}}}, False),
        ({"mitigations": {"m": {"kind": "reroute", "prefix": "a", "to_prefix": "b", "workload": "w"}}}, True),
        ({"mitigations": {"m": {"kind": "pin_thinking", "workload": "w", "level": "hihg"}}}, False),
        ({"mitigations": {"m": {"kind": "limit_concurrency", "model": "a", "at_once": 0}}}, False),
        ({"workloads": [{"name": "w", "match": {"header": {"x-app": "a*"}}, "priority": "best_effort"}]}, True),
        ({"workloads": [{"name": "w", "match": {"model": "a"}, "fallbacks": {"a": ["b"]}, "exclude": ["c"]}]}, True),
        ({"workloads": [{"name": "w", "match": {"client_key_id": "me"}}]}, False),
        ({"workloads": [{"name": "w", "match": {"headers": {}}}]}, False),
        ({"workloads": [{"name": "w"}]}, False),
        ({"defaults": {"window": "5m", "min_samples": 50}}, True),
        ({"defaults": {"windw": "5m"}}, False),
        ({"defaults": {"alert": "A"}}, False),
        ({"selections": {"a": {"usage": ["zero", "missing"]}}}, True),
        ({"selections": {"a": {"usage": "none"}}}, False),
        ({"receivers": [{"urls": []}]}, False),
        ({"rules": [STATE]}, True),
        ({"rules": [STATE | {"source": "self", "of": {"condition": "disk_free"}, "field": "value"}]}, True),
        ({"rules": [STATE | {"levels": {"warning": {"above": 90}, "critical": {"below": "10%"}}}]}, True),
        ({"rules": [STATE | {"source": "probes"}]}, False),
        ({"rules": [STATE | {"of": {"outcome": "failed"}}]}, False),
        ({"rules": [STATE | {"of": {"condition": "disk_full"}}]}, False),
        ({"rules": [STATE | {"levels": {"warning": {"above": "90s"}}}]}, False),
        ({"rules": [{"alert": "A", "kind": "verdict", "probe": "models", "of": {"outcome": "bad"}}]}, True),
        ({"rules": [{"alert": "A", "kind": "verdict", "probe": "models", "of": {"outcome": "failed"}}]}, False),
        ({"rules": [{"alert": "A", "levels": {"critical": {"falls_by": "5%"}}}]}, True),
        ({"rules": [{"alert": "A", "levels": {"critical": {"falls_bye": "5%"}}}]}, False),
        ({"selections": {"a": {"refresh_state": "failed"}, "b": {"fault": "overloaded"}}}, True),
        ({"selections": {"a": {"refresh_state": "failed", "fault": "overloaded"}}}, False),
        ({"extends": "runbok"}, False),
        ({"recievers": []}, False),
        ({"time_intervals": {"night": {"schedule": "22:00-07:00", "timezone": "Europe/Berlin"}}}, True),
        ({"time_intervals": {"night": {"timezone": "UTC"}}}, False),
        ({"route": {"mute_time_intervals": ["night"], "flap": {"episodes": 3, "within": "1h"}}}, True),
        ({"route": {"flap": {"within": 60}}}, False),
        (
            {
                "inhibit_rules": [
                    {"source_matchers": {"alert": "A*"}, "target_matchers": {"alert": "B"}, "equal": ["x"]}
                ]
            },
            True,
        ),
        ({"inhibit_rules": [{"source_matchers": {"alert": "A"}, "target_matchers": {}}]}, False),
        ({"inhibit_rules": [{"source_matchers": {"alert": "A"}}]}, False),
    ],
)
def test_what_an_editor_marks(content: dict[str, Any], is_right: bool) -> None:
    assert fits({"version": 1, **content}, SCHEMA) is is_right


def test_every_reference_leads_to_a_definition_and_every_definition_is_referred_to() -> None:
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            found.update(value for key, value in part.items() if key == "$ref")
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inner)

    walk(SCHEMA)
    assert found == {f"#/$defs/{name}" for name in SCHEMA["$defs"]}
