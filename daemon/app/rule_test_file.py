"""Files of rule tests: read with places, checked with the alerts file that they are about; every mistake at once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import msgspec

from daemon.adapters.config.alerts_file import Loaded, load
from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.validating import validated
from daemon.adapters.config.wording import did_you_mean, quoted
from daemon.adapters.config.yaml_tree import MOST_CHARACTERS, Node, read_tree
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import ConfigError, Mistake
from daemon.domain.event import EVENT_FIELDS
from daemon.domain.kinds import Kinds
from daemon.domain.made_up import DERIVED
from daemon.domain.mitigation import Mode
from daemon.domain.rule_test import Case, RuleTests
from daemon.domain.selection import CLOSED
from daemon.logic.made_up_traffic import a_turn
from daemon.logic.retry_habits import CLIENTS
from daemon.logic.wishes import FALLBACK

SETTABLE = frozenset(EVENT_FIELDS) - DERIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFile:
    """A file without mistakes, and the rules that it is about."""

    __test__: ClassVar[bool] = False

    path: Path
    config: AlertsConfig
    off: tuple[str, ...]
    """The names of rules that are switched off."""
    mode: Mode
    cases: tuple[Case, ...]


def read(path: Path, shelves: Kinds) -> TestFile:
    """The file at a path. Raises `ConfigError` with every mistake, also those of the alerts file that it names."""
    tree, mistakes = tree_of(path)
    tests = validated(RuleTests, tree, mistakes)
    loaded = _only(tree.child("only"), _rules(tree, path, shelves, mistakes), mistakes)
    for case in tree.child("cases").list:
        mistakes += [*case_mistakes(case, loaded), *_probe_mistakes(case, shelves)]
    if tests is None or loaded is None or mistakes:
        raise ConfigError(sorted(mistakes, key=lambda one: (one.source, one.line or 0, one.column or 0)))
    return TestFile(path=path, config=loaded.config, off=loaded.off, mode=tests.mode, cases=tests.cases)


def tree_of(path: Path) -> tuple[Node, list[Mistake]]:
    """The file as a tree. Raises `ConfigError` where there is nothing to go on with."""
    try:
        with path.open("rb") as file:
            text = file.read(4 * MOST_CHARACTERS).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Mistake(source=str(path), message=f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError([Mistake(source=str(path), message="is not UTF-8")]) from None
    return read_tree(text, str(path))


def _rules(tree: Node, path: Path, shelves: Kinds, mistakes: list[Mistake]) -> Loaded | None:
    named = tree.child("rules").text
    there = packaged("alerts.yaml") if named is None else path.parent / named
    try:
        return load(there, shelves)
    except ConfigError as error:
        mistakes += error.mistakes
        return None


def _only(chosen: Node, loaded: Loaded | None, mistakes: list[Mistake]) -> Loaded | None:
    """With no other rules than those."""
    if loaded is None or not chosen.list:
        return loaded
    known = {rule.alert for rule in loaded.config.rules}
    strange = ((name, name.text) for name in chosen.list if name.text is not None and name.text not in known)
    mistakes += [name.mistake(_unknown(text, known, "alert", loaded)) for name, text in strange]
    wanted = {name.text for name in chosen.list}
    rules = tuple(rule for rule in loaded.config.rules if rule.alert in wanted)
    return replace(loaded, config=loaded.config.model_copy(update={"rules": rules}))


# ---- what a case says of turns, and names of the alerts file ---------------------------------------------------------


def case_mistakes(case: Node, loaded: Loaded | None) -> Iterator[Mistake]:
    """What its type does not tell: fields of events, clients, and names that the alerts file does not have."""
    for spell in case.child("traffic").list:
        yield from _turn_mistakes(spell.child("set"))
        client = spell.child("retries")
        if client.text is not None and client.text not in CLIENTS:
            yield client.mistake(f"{quoted(client.text)} is no client that we know{did_you_mean(client.text, CLIENTS)}")
        for mix in (spell.child("mix"), spell.child("rerouted")):
            yield from _mix_mistakes(mix)
    for history in case.child("history").list:
        yield from _turn_mistakes(history.child("set"))
    if loaded is not None:
        for wanted in (*case.child("expect").list, *case.child("changes").list):
            yield from _name_mistakes(wanted, loaded)


def _probe_mistakes(case: Node, shelves: Kinds) -> Iterator[Mistake]:
    """Those of the upstream itself are no one's to make up."""
    for verdicts in case.child("verdicts").list:
        probe = verdicts.child("probe")
        if probe.text is not None and probe.text not in shelves.probes:
            yield probe.mistake(f"{quoted(probe.text)} is not a probe{did_you_mean(probe.text, shelves.probes)}")


def _mix_mistakes(mix: Node) -> Iterator[Mistake]:
    for name, ending in mix.map.items():
        known = name == "ok" or name in CLOSED["fault"]
        if not isinstance(ending.value, dict) and not known:
            yield ending.mistake(f"{quoted(name)} is no fault{did_you_mean(name, CLOSED['fault'])}")
        yield from _turn_mistakes(ending, besides="share")


def _turn_mistakes(said: Node, besides: str = "") -> Iterator[Mistake]:
    for name, node in said.map.items():
        if name in DERIVED:
            yield node.mistake("follows from the rest and cannot be set")
        elif name not in SETTABLE and name != besides:
            yield node.mistake(f"is not a field of an event{did_you_mean(name, SETTABLE)}")
        elif name in SETTABLE and (message := _refused(name, node)):
            yield node.mistake(message)


def _refused(name: str, node: Node) -> str | None:
    if name in CLOSED and node.text not in CLOSED[name]:
        return f"{quoted(node.plain)} is not a value of {name}{did_you_mean(str(node.plain), CLOSED[name])}"
    try:
        a_turn({name: node.plain})
    except msgspec.ValidationError as error:
        return str(error).partition(" - at ")[0].replace("Expected", "should be").replace("`", "")
    return None


def _name_mistakes(wanted: Node, loaded: Loaded) -> Iterator[Mistake]:
    config = loaded.config
    alerts = {rule.alert for rule in config.rules}
    receivers = {receiver.name for receiver in config.receivers}
    mitigations = {*config.mitigations, FALLBACK}
    about = (
        ("alert", alerts, "alert"),
        ("never", alerts, "alert"),
        ("explain", alerts | set(loaded.off), "alert"),
        ("mitigation", mitigations, "mitigation"),
        ("audit", alerts | mitigations, "alert or mitigation"),
    )
    for key, known, noun in about:
        node = wanted.child(key)
        if node.text is not None and node.text not in known:
            yield node.mistake(_unknown(node.text, known, noun, loaded))
    for key in ("messages", "message"):
        to, alert = wanted.child(key).child("to"), wanted.child(key).child("alert")
        if to.text is not None and to.text not in receivers:
            yield to.mistake(_unknown(to.text, receivers, "receiver", loaded))
        if alert.text is not None and alert.text not in alerts:
            yield alert.mistake(_unknown(alert.text, alerts, "alert", loaded))


def _unknown(name: str, known: set[str], noun: str, loaded: Loaded) -> str:
    if name in loaded.off:
        return f"the rule {quoted(name)} is switched off"
    return f"there is no {noun} {quoted(name)}{did_you_mean(name, known)}"
