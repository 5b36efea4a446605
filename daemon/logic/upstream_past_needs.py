"""What a rule must know of an event before it can be judged, and which accounts of the past tell it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, get_args

from daemon.domain.alerts_config import Rule, SelectionSpec
from daemon.domain.event import Event
from daemon.domain.sample import Query
from daemon.domain.units import say_duration
from daemon.domain.upstream_past import Account
from daemon.logic.counting import spec

Selections = Mapping[str, dict[str, Any]]


def is_about_traffic(rule: Rule, selections: Selections) -> bool:
    """Whether it counts events; other rules are about probes, quota or the daemon itself."""
    return rule.query(selections).origin is Event


def needs(rule: Rule, selections: Selections) -> frozenset[str]:
    """The event fields that its selections name, that tell its series apart, and that it measures."""
    query = rule.query(selections)
    selected = {name for wanted in _selections(rule) for name in spec(wanted, selections)}
    return frozenset(selected) | frozenset(query.by) | _measured(query)


def lacks(rule: Rule, selections: Selections, account: Account) -> tuple[str, ...]:
    """What an account does not tell of all that it needs: fields, or days that it compares with."""
    lost = sorted(needs(rule, selections) - account.fields)
    history, told = rule.query(selections).history_seconds, (account.until - account.since) / 1000
    return (*lost, *([f"{say_duration(history)} of history"] if history > told else []))


def least_lacking(rule: Rule, selections: Selections, accounts: Iterable[Account]) -> tuple[str, ...]:
    """What stands between a rule and the account that comes nearest."""
    found = [lacks(rule, selections, account) for account in accounts]
    return min(found, key=len) if found else tuple(sorted(needs(rule, selections)))


def _selections(rule: Rule) -> list[SelectionSpec | None]:
    """Whatever its kind calls them."""
    words = {*get_args(SelectionSpec)}
    fields = type(rule).model_fields.items()
    return [getattr(rule, name) for name, field in fields if words <= {*get_args(field.annotation)}]


class _Watched:
    """Stands in for an event, and remembers what it is asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> None:
        self.names.add(name)


def _measured(query: Query) -> frozenset[str]:
    if query.measure is None:
        return frozenset()
    watched = _Watched()
    with suppress(TypeError, AttributeError):
        query.measure(watched)
    return frozenset(watched.names)
