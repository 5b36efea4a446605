"""What failures have in common: in what they differ from the turns that went well, and which fault they show.

Without good turns there is nothing to compare with; those from before the trouble began say nothing about it (`onset`).
Fields that the alert names itself (its labels, what its rule calls bad) say nothing new and are left out.

Faults, statuses and what is missing in the usage are symptoms: no good turn has any, so each of them would explain
everything. They are told by themselves, when most failures show the same one or two.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from daemon.domain.event import Event, Fault, Outcome
from daemon.logic.findings import LEAST_SHOWN, Finding, found, is_most
from daemon.logic.onset import began_at

SYMPTOMS = ("fault", "status", "usage")
LEAST_ERROR_STATUS = 400
LACKS = ("zero", "missing")
"""What usage may be that is none."""
MOST_SHOWN = 2
LEAST_FAILURES = 4
"""As few as raise an alert that acts."""
LEAST_GOOD = 5
LONGEST_VALUE = 80
FLAGS = {
    "stream": ("stream", "no stream"),
    "has_tool_result_image": ("image in a tool result", "no image in a tool result"),
    "has_tool_use": ("tool use", "no tool use"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the events of an alert tell beyond its figures."""

    common: str = ""
    """What its failures have in common; empty where nothing stands out."""
    examples: tuple[int, ...] = ()
    """Event ids of some failures, the newest first."""
    lost: int = 0
    """Turns that failed, those that raised it included."""
    saved: int = 0
    """Turns that went well through its mitigations."""
    is_whole: bool = True
    """Every event was looked at; otherwise there are at least so many."""


NOTHING_SEEN: Mapping[str, Evidence] = MappingProxyType({})
"""Of no episode."""


def common_cause(failures: Sequence[Event], good: Sequence[Event], known: Collection[str] = ()) -> str:
    """`94% of failures: credential c3f1, stream; 2% of the rest`; empty where nothing stands out.

    `known` are the fields that the alert names itself. About 1 ms for 1000 events.
    """
    if len(failures) < LEAST_FAILURES:
        return ""
    began = began_at([event.emitted_at for event in failures], [event.emitted_at for event in good])
    late, meanwhile = _since(began, failures, LEAST_FAILURES), _since(began, good, LEAST_GOOD)
    finding = found(late, meanwhile, known) if len(meanwhile) >= LEAST_GOOD else None
    symptom = "" if known and not set(SYMPTOMS).isdisjoint(known) else _symptom(failures, good)
    if finding is None:
        return symptom
    since = "" if len(late) == len(failures) else f" since {_clock(began)}"
    told = _told(finding, len(late), len(meanwhile), _noun(failures) + since)
    return f"{told}. {symptom[0].upper()}{symptom[1:]}" if symptom else told


def _since(began: int, events: Sequence[Event], at_least: int) -> Sequence[Event]:
    """Those since then; all of them where those are too few."""
    late = [event for event in events if event.emitted_at >= began]
    return late if len(late) >= at_least else events


def _told(finding: Finding, failures: int, good: int, noun: str) -> str:
    values = ", ".join(_say(one.name, *one.values) for one in finding.values)
    rest = f"{_percent(finding.good, good)} of the rest" if finding.good else "none of the rest"
    return f"{_share(finding.failures, failures, noun)}: {values}; {rest}"


def _clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):%H:%M}"


def _symptom(failures: Sequence[Event], good: Sequence[Event]) -> str:
    """The fault that most of them show, or the two; the status, or what is missing, where they have no fault: turns may
    be bad that did not fail."""
    name, shown = next(((name, shown) for name in SYMPTOMS if (shown := _shown(name, failures, good))), ("", Counter()))
    most = [(value, n) for value, n in shown.most_common(MOST_SHOWN) if n >= LEAST_SHOWN * len(failures)]
    if not is_most(sum(n for _, n in most), failures):
        return ""
    (value, n), *rest = most
    others = "".join(f", {_percent(n, len(failures))}: {value}" for value, n in rest)
    return f"{_share(n, len(failures), _noun(failures))}: {_say(name, value)}{others}"


def _shown(name: str, failures: Sequence[Event], good: Sequence[Event]) -> Counter[Any]:
    """How often each symptom shows that no good turn has."""
    healthy = {getattr(event, name) for event in good}
    shown = [getattr(event, name) for event in failures]
    return Counter(value for value in shown if _is_symptom(value) and value not in healthy)


def _is_symptom(value: Any) -> bool:
    if isinstance(value, int):
        return value >= LEAST_ERROR_STATUS
    return isinstance(value, Fault) or value in LACKS


def _share(some: int, failures: int, noun: str) -> str:
    return f"all {noun}" if some == failures else f"{_percent(some, failures)} of {noun}"


def _noun(failures: Sequence[Event]) -> str:
    return "failures" if any(event.outcome is Outcome.FAILED for event in failures) else "such turns"


def _percent(some: int, whole: int) -> str:
    """A whole number: 0 % only of none, 100 % only of all."""
    return f"{round(100 * some / whole) if some in (0, whole) else min(max(round(100 * some / whole), 1), 99)}%"


def _say(name: str, *values: Any) -> str:
    if isinstance(values[0], bool):
        return FLAGS[name][not values[0]]
    return f"{name} {' or '.join(str(value)[:LONGEST_VALUE] for value in values)}"
