"""Sweeps: one rule with one of its values at several settings, each to be tried on the same traffic."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.errors import Misuse

STEPS = 5
"""Between the ends, unless the size of a step is said."""
MOST_VALUES = 50
_SWEEP = re.compile(
    r"(?:(?P<alert>\w+)\.)??(?:(?P<level>warning|critical)\.)?(?P<field>\w+)="
    r"(?P<first>-?\d+(?:\.\d+)?)(?P<unit>%|[a-z]*)\.\.(?P<last>-?\d+(?:\.\d+)?)(?P=unit)"
    r"(?:/(?P<step>\d+(?:\.\d+)?)(?P=unit))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """`SparkErrorRatio.above=2%..12%`; without a level it is the lowest one."""

    alert: str
    level: Severity | None
    field: str
    values: tuple[str, ...]


def parse_sweep(text: str, alert: str | None = None) -> Sweep:
    """Out of `above=2%..12%`, `NAME.above=2%..12%/1%`, `NAME.critical.above=…`. Raises `Misuse`."""
    match = _SWEEP.fullmatch(text)
    if match is None:
        raise Misuse(f"--sweep: {text!r} is no sweep; write NAME.above=2%..12%, or NAME.above=2%..12%/1%")
    name = match["alert"] or alert
    if name is None:
        raise Misuse(f"--sweep: which rule? Write NAME.{text}, or add --alert NAME")
    level = None if match["level"] is None else Severity(match["level"])
    return Sweep(alert=name, level=level, field=match["field"], values=_values(match))


def _values(match: re.Match[str]) -> tuple[str, ...]:
    first, last, unit = float(match["first"]), float(match["last"]), match["unit"]
    step = (last - first) / STEPS if match["step"] is None else float(match["step"])
    if last <= first or step <= 0 or (last - first) / step > MOST_VALUES:
        raise Misuse(f"--sweep: it goes from less to more, in at most {MOST_VALUES} steps")
    count = int((last - first) / step + 1e-9) + 1
    return tuple(f"{round(first + place * step, 6):g}{unit}" for place in range(count))


def variant(config: AlertsConfig, sweep: Sweep, value: str) -> AlertsConfig:
    """Only this rule, at this value; where a level has it, only that level. Raises `Misuse`."""
    rule = next((rule for rule in config.rules if rule.alert == sweep.alert), None)
    if rule is None:
        raise Misuse(f"--sweep: there is no rule {sweep.alert!r} in force; runbookd rules list lists them")
    try:
        changed = type(rule).model_validate(_changed(rule, sweep, _plain(value)))
    except ValidationError as error:
        raise Misuse(f"--sweep: {sweep.alert} with {sweep.field} {value}: {error.errors()[0]['msg']}") from None
    return config.model_copy(update={"rules": (changed,)})


def _changed(rule: Rule, sweep: Sweep, value: str | int | float) -> dict[str, Any]:
    severity = sweep.level or min(rule.levels, key=lambda one: one.rank)
    if severity not in rule.levels:
        raise Misuse(f"--sweep: {rule.alert} has no level {severity}")
    said = _said(rule)
    level = _said(rule.levels[severity])
    if sweep.field in _names(type(rule.levels[severity])):
        return said | {"levels": {severity: _keeping_shape(level, sweep.field, value)}}
    if sweep.field in _names(type(rule)):
        return said | {sweep.field: value, "levels": {one: _said(its) for one, its in rule.levels.items()}}
    raise Misuse(f"--sweep: a rule of kind {rule.kind} has no {sweep.field!r}; runbookd rules kinds {rule.kind} says")


def _keeping_shape(level: Mapping[str, Any], field: str, value: str | int | float) -> dict[str, Any]:
    """What clears goes with what raises: it is as far below as it was by itself."""
    return {name: said for name, said in level.items() if field != "above" or name != "clear_below"} | {field: value}


def _said(model: Any) -> dict[str, Any]:
    """What the file says of it."""
    fields = type(model).model_fields
    return {fields[name].alias or name: getattr(model, name) for name in sorted(model.model_fields_set)}


def _names(model: Any) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def _plain(value: str) -> str | int | float:
    """A number without a unit is one."""
    try:
        return int(value) if value.lstrip("-").isdigit() else float(value)
    except ValueError:
        return value
