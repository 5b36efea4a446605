"""One rule with all its values, said or not, and what each of them means."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from daemon.app.kind_page import WIDTH, says, told
from daemon.app.rule_catalogue import Entry
from daemon.app.rule_fields import fields, level_of
from daemon.app.written import flow, plain
from daemon.domain.alerts_config import Rule

OBVIOUS = frozenset({"alert", "enabled", "kind", "levels"})


def as_yaml(entry: Entry) -> Iterator[str]:
    """Lines of a file that says everything; what does not apply is commented out."""
    rule, values = entry.rule, effective(entry.rule)
    levels = values.pop("levels")
    meanings = {field.name: field.meaning for field in fields(type(rule))}
    origin = f"{entry.origin}, changed by your file" if entry.is_changed else entry.origin
    yield f"# {origin}. {says(type(rule))}"
    for place, line in enumerate(_said(values, meanings, "  ")):
        yield f"- {line.lstrip()}" if place == 0 else line
    yield "  levels:"
    yield from _comment(told(level_of(type(rule))), "    ")
    meanings = {field.name: field.meaning for field in fields(level_of(type(rule)))}
    for place, (severity, level) in enumerate(levels.items()):
        yield f"    {severity}:"
        yield from _said(level, {} if place else meanings, "      ")


def as_object(rule: Rule) -> dict[str, Any]:
    """The same for programs."""
    model = type(rule)
    return {
        "rule": effective(rule),
        "meanings": {field.name: field.meaning for field in fields(model)},
        "level_meanings": {field.name: field.meaning for field in fields(level_of(model))},
    }


def effective(rule: Rule) -> dict[str, Any]:
    """The values of a rule; what a level does not say it has from the rule, if that says it."""
    values = plain(rule)
    levels = {str(severity): plain(level) for severity, level in rule.levels.items()}
    own = {
        severity: {name: values.get(name) if value is None else value for name, value in level.items()}
        for severity, level in levels.items()
    }
    return {**values, "summary": rule.summary or rule.default_summary, "levels": own}


def _said(values: Mapping[str, Any], meanings: Mapping[str, str], indent: str) -> Iterator[str]:
    for name, value in values.items():
        if name not in OBVIOUS:
            yield from _comment(meanings.get(name, ""), indent)
        yield f"{indent}# {name}:" if value is None else f"{indent}{name}: {flow(value)}"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in wrap(text, WIDTH - len(indent) - 2, break_long_words=False, break_on_hyphens=False):
        yield f"{indent}# {line}"
