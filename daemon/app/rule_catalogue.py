"""The rules of an alerts file, those that are switched off too: where each comes from, when it raises, what it does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from daemon.adapters.config.alerts_file import AMONG_EVENTS, load
from daemon.adapters.config.built_in import built_in, built_in_names
from daemon.adapters.config.merging import extend, with_defaults
from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.selecting import sources_of
from daemon.adapters.config.validating import fields_of, validated
from daemon.adapters.config.yaml_tree import Node, read_tree
from daemon.app.written import flow, plain
from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Level, Rule
from daemon.domain.kinds import Kinds
from daemon.domain.sources import EVENTS

Words = Mapping[Severity, str]


class Origin(StrEnum):
    """Who wrote a rule first."""

    BUILT_IN = "built-in"
    SHIPPED = "shipped"
    OWN = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One rule; `is_changed`: the person's file says something of it differently, if only that it is off."""

    rule: Rule
    origin: Origin
    is_changed: bool

    @property
    def raises(self) -> Words:
        """When each level raises, in the words of the file: `above 5%`."""
        return {severity: _raises(level) for severity, level in self.rule.levels.items()}

    @property
    def mitigates(self) -> Words:
        """What each level does, for those that do anything."""
        levels = self.rule.levels.items()
        return {severity: ", ".join(level.mitigate) for severity, level in levels if level.mitigate}


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Every rule of one file, in the order in which they are judged; those that are off are last."""

    path: Path
    entries: tuple[Entry, ...]

    def entry(self, name: str) -> Entry | None:
        """The rule of that name."""
        return next((entry for entry in self.entries if entry.rule.alert == name), None)


def catalogue(path: Path, shelves: Kinds) -> Catalogue:
    """Of the alerts file at a path. Raises `ConfigError` with every mistake in it."""
    config = load(path, shelves).config
    shipped_path = packaged("alerts.yaml")
    own, shipped = _tree(path), _tree(shipped_path)
    is_ours = path.resolve() == shipped_path.resolve()
    beneath = extend(built_in(), shipped) if is_ours or config.extends else built_in()
    rules = [*config.rules, *_switched_off(own if is_ours else extend(beneath, own), shelves)]
    said = {} if is_ours else _by_name(own)
    return Catalogue(path=path, entries=tuple(_entry(rule, _by_name(beneath), said) for rule in rules))


def _entry(rule: Rule, beneath: Mapping[str, Node], said: Mapping[str, Node]) -> Entry:
    base = beneath.get(rule.alert)
    if base is None or base.child("kind").text != rule.kind:
        return Entry(rule=rule, origin=Origin.OWN, is_changed=False)
    origin = Origin.BUILT_IN if rule.alert in built_in_names() else Origin.SHIPPED
    return Entry(rule=rule, origin=origin, is_changed=rule.alert in said)


def _switched_off(tree: Node, shelves: Kinds) -> Iterator[Rule]:
    """What loading leaves out; it was found to be without mistakes."""
    for node in tree.child("rules").list:
        model = shelves.rules.get(node.child("kind").text or "")
        if model is None or node.child("enabled").value is not False:
            continue
        left_out = () if sources_of(model) == (EVENTS,) else AMONG_EVENTS
        names = () if node.child("alert").text in built_in_names() else fields_of(model).keys() - left_out
        if (rule := validated(model, with_defaults(node, tree.child("defaults"), names), [])) is not None:
            yield rule


def _raises(level: Level) -> str:
    """Without what it does, and without when it clears."""
    said = {field.alias or name for name, field in type(level).model_fields.items() if name in level.model_fields_set}
    raising = [(name, value) for name, value in plain(level).items() if name in said and not _is_aside(name)]
    raising.sort(key=lambda named: named[0] == "for")
    return ", ".join(f"{name} {flow(value)}" for name, value in raising)


def _is_aside(name: str) -> bool:
    return name in ("mitigate", "keep_firing_for") or name.startswith("clear_")


def _by_name(tree: Node) -> dict[str, Node]:
    return {rule.child("alert").text or "": rule for rule in tree.child("rules").list}


def _tree(path: Path) -> Node:
    return read_tree(path.read_text(encoding="utf-8-sig"), str(path))[0]
