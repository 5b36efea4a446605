"""What stands in one place of the alerts file and means another: names, placeholders, and what would do nothing."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import chain
from string import Formatter
from typing import get_args

from daemon.adapters.config.comparing import compared_mistakes
from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.selecting import OF, selection_mistakes, source_of
from daemon.adapters.config.validating import fields_of
from daemon.adapters.config.wording import did_you_mean, quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Rule, SelectionSpec
from daemon.domain.errors import Mistake
from daemon.domain.sources import EVENTS
from daemon.domain.units import parse_ratio
from daemon.logic.releasing import NO_PROBES

FALLBACK = "fallback"
"""The shipped mitigation: the alias of `fallbacks:` for the models that an alert is about."""
YOURS = {
    "iflow-away": "{kind: reroute, prefix: iflow, to_prefix: …}",
    "pin-thinking": "{kind: pin_thinking, model: …, level: high}",
    "tool-images-away": "{kind: reroute, model: …, to_model: …}",
}
"""Mitigations that rules may name before there are any, and how each begins: where to, only an operator knows."""
FIGURES = frozenset({"alert", "value", "samples", "bad", "lower_bound", "window", "reason"})
"""What a summary may name beside the fields in `by`."""
RESERVED = frozenset({"alert", "severity"})
"""Labels that every alert has by itself."""
_HOURS = "one of `time_intervals`"


def rule_mistakes(rule: Node, model: type[Rule], tree: Node) -> Iterator[Mistake]:
    """Of one rule, its defaults included, in the file around it."""
    names, source = tree.child("selections").map, source_of(rule, model)
    for selection in _selections(rule, model):
        yield from selection_mistakes(selection, names, source)
    for name in rule.child("by").list:
        if name.text is not None and name.text not in OF[source].types:
            yield name.mistake(OF[source].not_one(name.text))
    for label, node in rule.child("labels").map.items():
        if label in RESERVED:
            yield node.mistake("is a label that every alert has by itself")
    if "field" in fields_of(model):
        yield from compared_mistakes(rule, OF[source], str(model.model_fields["field"].default))
    yield from _placeholders(rule, model)
    yield from _order(rule.child("levels"))
    for level in rule.child("levels").map.values():
        yield from _acting(level, rule, tree)


def file_mistakes(tree: Node, rules: Mapping[str, type[Rule]]) -> Iterator[Mistake]:
    """Of everything but the rules; a selection is judged by what the rules are about that name it."""
    meant = _meant(tree, rules)
    for name, selection in tree.child("selections").map.items():
        for source in sorted(meant.get(name, {EVENTS})):
            yield from selection_mistakes(selection, {}, source)
    for pattern in tree.child("providers").list:
        yield from selection_mistakes(pattern.child("match"), {})
    if FALLBACK in tree.child("mitigations").map:
        yield tree.child("mitigations").map[FALLBACK].mistake("is the name of the shipped mitigation: choose another")
    known = _labels(tree)
    yield from _unknown(tree.child("route").child("group_by").list, known, "a label")
    yield from _unknown(tree.child("route").child("mute_time_intervals").list, tree.child("time_intervals").map, _HOURS)
    yield from _inhibiting(tree, known)


def _selections(rule: Node, model: type[Rule]) -> Iterator[Node]:
    for field, annotation in fields_of(model).items():
        if field in rule.map and {*get_args(SelectionSpec)} <= {*get_args(annotation)}:
            yield rule.map[field]


def _meant(tree: Node, rules: Mapping[str, type[Rule]]) -> Mapping[str, set[str]]:
    """For each name of a selection, what it selects among."""
    meant: dict[str, set[str]] = {}
    for rule in tree.child("rules").list:
        if (model := rules.get(rule.child("kind").text or "")) is not None:
            for selection in _selections(rule, model):
                meant.setdefault(selection.text or "", set()).add(source_of(rule, model))
    return meant


def _placeholders(rule: Node, model: type[Rule]) -> Iterator[Mistake]:
    summary, usual = rule.child("summary"), model.model_fields["by"].default
    by = [name.text for name in rule.child("by").list] if "by" in rule.map else usual
    known = {*FIGURES, *filter(None, by)}
    try:
        parts = list(Formatter().parse(summary.text or ""))
    except ValueError:
        yield summary.mistake("has a single brace: write {name}, or {{ and }} for braces")
        return
    for _, name, form, conversion in parts:
        if form or conversion:
            yield summary.mistake(f"write only {quoted('{' + str(name) + '}')}, without : or !")
        elif name is not None and name not in known:
            yield summary.mistake(f"{quoted('{' + name + '}')} is not filled in here{did_you_mean(name, known)}")


def _order(levels: Node) -> Iterator[Mistake]:
    above = [levels.child(severity).child("above") for severity in ("warning", "critical")]
    try:
        if parse_ratio(above[0].value) > parse_ratio(above[1].value):
            yield above[0].mistake(f"is above that of critical ({above[1].text})", warning=True)
    except ValueError:
        return  # not two ratios, or told already


def _acting(level: Node, rule: Node, tree: Node) -> Iterator[Mistake]:
    wanted, known = level.child("mitigate").list, {FALLBACK, *tree.child("mitigations").map}
    for name in wanted:
        if name.text in YOURS and name.text not in known:
            if name.source != str(packaged("alerts.yaml")):
                yield name.mistake(f"is left out until `mitigations:` has {say_yours(name.text)}", warning=True)
        elif name.text is not None and name.text not in known:
            yield name.mistake(f"{quoted(name.text)} is not a mitigation{did_you_mean(name.text, known)}")
        elif name.text == FALLBACK:
            yield from _fallback(name, rule, tree)
    if wanted and "for" not in level.map and "for" not in rule.map:
        yield level.mistake(
            "acts at the first sight of trouble: say how long it must last, such as for: 1m", warning=True
        )


def say_yours(name: str) -> str:
    """What to write where a mitigation is an operator's own."""
    return f"a line such as {name}: {YOURS[name]}"


def release_mistakes(tree: Node, probes: Collection[str]) -> Iterator[Mistake]:
    """What releases name must be there."""
    known = {*NO_PROBES, *probes}
    for mitigation in tree.child("mitigations").map.values():
        canary = mitigation.child("release").child("canary")
        if canary.text is not None and canary.text not in known:
            yield canary.mistake(
                f"{quoted(canary.text)} is neither ping, trickle nor a probe{did_you_mean(canary.text, known)}"
            )


def _fallback(name: Node, rule: Node, tree: Node) -> Iterator[Mistake]:
    fallbacks, selections = tree.child("fallbacks").map, tree.child("selections")
    if not fallbacks:
        yield name.mistake("no model has a line in `fallbacks`: it will change nothing", warning=True)
        return
    of = rule.child("of")
    models = (selections.child(of.text) if of.text is not None else of).child("requested_model")
    for model in models.list or [models]:
        if model.text and not set("*?[") & set(model.text) and model.text not in (*fallbacks, "present", "absent"):
            yield name.mistake(
                f"{quoted(model.text)} has no line in `fallbacks`: nothing stands in for it", warning=True
            )


def _labels(tree: Node) -> Collection[str]:
    """What any alert can have."""
    labels = chain.from_iterable(rule.child("labels").map for rule in tree.child("rules").list)
    return {*RESERVED, *labels}.union(*(fields.types for fields in OF.values()))


def _unknown(names: Iterable[Node], known: Collection[str], what: str) -> Iterator[Mistake]:
    for name in names:
        if name.text is not None and name.text not in known:
            yield name.mistake(f"{quoted(name.text)} is not {what}{did_you_mean(name.text, known)}")


def _inhibiting(tree: Node, labels: Collection[str]) -> Iterator[Mistake]:
    alerts = {rule.child("alert").text or "" for rule in tree.child("rules").list}
    for inhibit in tree.child("inhibit_rules").list:
        yield from _unknown(inhibit.child("equal").list, labels, "a label")
        for matchers in (inhibit.child("source_matchers").map, inhibit.child("target_matchers").map):
            for label, wanted in matchers.items():
                if label not in labels:
                    yield wanted.mistake(f"{quoted(label)} is not a label{did_you_mean(label, labels)}")
                yield from _unmatched(label, wanted, {"alert": alerts, "severity": {*Severity}}.get(label, ()))


def _unmatched(label: str, wanted: Node, words: Collection[str]) -> Iterator[Mistake]:
    """Alerts of others may have any name."""
    if words and wanted.text is not None and not any(fnmatchcase(word, wanted.text) for word in words):
        message = f"{quoted(wanted.text)} fits no {label}{did_you_mean(wanted.text, words)}"
        yield wanted.mistake(message, warning=label == "alert")
