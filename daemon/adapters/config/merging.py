"""How a person's file lies upon the shipped one, and how `defaults:` reach the rules."""

from collections.abc import Collection
from dataclasses import replace

from daemon.adapters.config.yaml_tree import Node

WHOLE = frozenset({"of", "bad", "match"})
"""A selection is one thing: merged with another one it would select what nobody wrote."""


def extend(base: Node, own: Node) -> Node:
    """The person's file over the shipped one: maps merge, rules by their name; lists and selections replace."""
    merged = dict(_merge(base, own).map)
    if "selections" in own.map:
        merged["selections"] = _joined(base.child("selections"), own.map["selections"])
    if "rules" in own.map:
        merged["rules"] = _rules(base.child("rules"), own.map["rules"])
    return replace(own, value=merged)


def with_defaults(rule: Node, defaults: Node, fields: Collection[str]) -> Node:
    """A rule with those of the defaults that its kind knows and that it does not say itself."""
    given = {name: node for name, node in defaults.map.items() if name in fields}
    return replace(rule, value={**given, **rule.map})


def _merge(base: Node, own: Node) -> Node:
    if not isinstance(base.value, dict) or not isinstance(own.value, dict):
        return own
    both = {key: _merge(base.map[key], node) for key, node in own.map.items() if key in base.map and key not in WHOLE}
    return replace(own, value={**base.map, **own.map, **both})


def _joined(base: Node, own: Node) -> Node:
    return replace(own, value={**base.map, **own.map}) if isinstance(own.value, dict) else own


def _rules(base: Node, own: Node) -> Node:
    """Shipped rules keep their order; new ones follow. A rule of another kind is another rule."""
    if not isinstance(own.value, list):
        return own
    shipped = {rule.child("alert").text: rule for rule in base.list}
    changed: dict[str | None, Node] = {}
    new: list[Node] = []
    for rule in own.list:
        name = rule.child("alert").text
        if name in shipped and name not in changed:
            changed[name] = _changed(shipped[name], rule)
        else:
            new.append(rule)
    return replace(own, value=[*(shipped | changed).values(), *new])


def _changed(shipped: Node, rule: Node) -> Node:
    is_other = "kind" in rule.map and rule.map["kind"].value != shipped.map["kind"].value
    return rule if is_other else _merge(shipped, rule)
