"""The built-in rules, about the daemon itself: they lie beneath every alerts file."""

from functools import cache
from pathlib import Path

from daemon.adapters.config.yaml_tree import Node, read_tree
from daemon.domain.alerts_config import AlertsConfig, Rule

FILE = Path(__file__).with_name("builtin.yaml")


@cache
def built_in() -> Node:
    """As they are shipped."""
    return read_tree(FILE.read_text(encoding="utf-8"), FILE.name)[0]


@cache
def built_in_names() -> frozenset[str]:
    return frozenset(str(rule.child("alert").value) for rule in built_in().child("rules").list)


def own_rules(config: AlertsConfig) -> tuple[Rule, ...]:
    """The rules in force that people think of as theirs: all but the built-in ones."""
    return tuple(rule for rule in config.rules if rule.alert not in built_in_names())
