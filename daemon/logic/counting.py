"""Which events count at all: finished model calls of clients, unless a selection asks for others by name."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from daemon.domain.alerts_config import Rule, SelectionSpec
from daemon.domain.event import CALLER_FAULTS, Event, Outcome, Source, Wire
from daemon.domain.selection import Selection

_TELLS_FAULTS = frozenset({"fault", "status"})
ALWAYS_READ = frozenset({"outcome", "wire", "source", "attempt", "fault"})
"""Whatever a rule asks for."""


class Counted:
    """Which events count; `names` are the fields that decide it."""

    __slots__ = ("_decides", "names")

    def __init__(self, decides: Callable[[Event], bool], names: frozenset[str]) -> None:
        self._decides, self.names = decides, names

    def __call__(self, event: Event) -> bool:
        return self._decides(event)


def counted(of: Selection, bad: Selection, *, retries: bool) -> Counted:
    """The events among which a rule counts the bad ones.

    A marked retry belongs to its first attempt; canaries count only for a rule that names sources, and the turns of a
    fire drill only for the rule that is about nothing else. A caller's own fault counts only where a selection that
    names faults or statuses means it.
    """
    names = of.names | bad.names
    any_source, any_attempt = "source" in names, retries or "attempt" in names
    is_drilled = of.wanted.get("source") == Source.DRILL
    means_faults = [one for one in (of, bad) if one.names & _TELLS_FAULTS]

    def is_counted(event: Event) -> bool:
        return (
            (event.outcome is Outcome.OK or event.outcome is Outcome.FAILED)
            and event.wire is not Wire.OTHER
            and (any_source or event.source is Source.CLIENT)
            and (is_drilled or event.source is not Source.DRILL)
            and (any_attempt or event.attempt == 0)
            and of(event)
            and (event.fault not in CALLER_FAULTS or any(means(event) for means in means_faults))
        )

    return Counted(is_counted, names | ALWAYS_READ)


def spec(wanted: SelectionSpec | None, selections: Mapping[str, dict[str, Any]]) -> Mapping[str, Any]:
    """A selection written in place, or the named one; everything where none is wanted."""
    if wanted is None:
        return {}
    return selections[wanted] if isinstance(wanted, str) else wanted


def key_of(rule: Rule, *facts: object) -> str:
    """The key of a rule's query: its kind, its labels, and whatever else decides what is counted."""
    return json.dumps([rule.kind, rule.by, rule.max_series, *facts], sort_keys=True, default=str)
