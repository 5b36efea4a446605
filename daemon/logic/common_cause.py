"""What failures have in common: the value, or up to three together, that most of them have and few good turns do.

A finding is a set of values ("credential c3f1, stream"). It is worth `coverage - spill`: the share of the failures that
have them all, less the share of the good turns that do. Only a value that most failures have comes into question, which
leaves one per field at most, so that all sets of one, two and three are simply tried: each value is one integer with a
bit per event, and a set is the `&` of them. A further value must earn its place (`EARNS`), so that what always goes
together (a credential and its index) is named once, by the name that stands first in `CIRCUMSTANCES`.

It is told only when it stands out (`LEAST_COVERAGE`, `MOST_SPILL`) and chance is ruled out: the hypergeometric tail,
that so many failures have it by chance, times the number of sets that could have been found instead, is below `CHANCE`.
A value that all events have is worth nothing, and without good turns there is nothing to compare with. Fields that the
alert names itself (its labels, what its rule calls bad) say nothing new and are left out.

Faults and statuses are symptoms: no good turn has any, so each of them would explain everything. They are told by
themselves, when most failures show the same one.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, exp, inf, lgamma
from types import MappingProxyType
from typing import Any, NamedTuple

from daemon.domain.event import Event, Fault

CIRCUMSTANCES = (
    "credential",
    "auth_index",
    "requested_model",
    "response_model",
    "prefix",
    "client",
    "workload",
    "wire",
    "stream",
    "endpoint",
    "node_id",
    "thinking_requested_level",
    "has_tool_result_image",
    "has_tool_use",
)
"""In the order in which they are named."""
SYMPTOMS = ("fault", "status")
LEAST_ERROR_STATUS = 400
LEAST_FAILURES = 5
LEAST_GOOD = 10
LEAST_COVERAGE = 0.6
MOST_SPILL = 0.5
"""Of the coverage."""
EARNS = 0.05
"""A further value must raise the worth by so much."""
CHANCE = 0.005
MOST_VALUES = 3
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


class _Value(NamedTuple):
    """A value of a field, and the events that have it, one bit each."""

    name: str
    value: Any
    failures: int
    good: int


class _Finding(NamedTuple):
    values: tuple[_Value, ...]
    failures: int
    """How many have all the values."""
    good: int
    worth: float


def common_cause(failures: Sequence[Event], good: Sequence[Event], known: Collection[str] = ()) -> str:
    """`94% of failures: credential c3f1, stream; 2% of the rest`; empty where nothing stands out.

    `known` are the fields that the alert names itself. About 1 ms for 1000 events.
    """
    if len(failures) < LEAST_FAILURES:
        return ""
    found = _found(failures, good, known) if len(good) >= LEAST_GOOD else None
    symptom = "" if known and not set(SYMPTOMS).isdisjoint(known) else _symptom(failures)
    if found is None:
        return symptom
    told = _told(found, len(failures), len(good))
    return f"{told}. {symptom[0].upper()}{symptom[1:]}" if symptom else told


def _found(failures: Sequence[Event], good: Sequence[Event], known: Collection[str]) -> _Finding | None:
    values = [one for name in CIRCUMSTANCES if name not in known and (one := _value(name, failures, good))]
    kinds = sum(len({getattr(event, one.name) for event in (*failures, *good)}) for one in values)
    best, worth = None, 0.0
    for size in range(1, MOST_VALUES + 1):
        tried = [_finding(those, len(failures), len(good)) for those in combinations(values, size)]
        top = max(tried, key=lambda one: one.worth, default=None)
        if top is None or top.worth < worth + EARNS:
            continue
        if _stands_out(top, len(failures), len(good), comb(kinds, size)):
            best, worth = top, top.worth
    return best


def _value(name: str, failures: Sequence[Event], good: Sequence[Event]) -> _Value | None:
    """The one that most failures have."""
    failed = [getattr(event, name) for event in failures]
    value, count = Counter(failed).most_common(1)[0]
    if value in (None, "") or not _is_most(count, failures):
        return None
    return _Value(name, value, _bits(failed, value), _bits([getattr(event, name) for event in good], value))


def _bits(values: Sequence[Any], wanted: Any) -> int:
    return int("".join("1" if value == wanted else "0" for value in values), 2)


def _finding(values: tuple[_Value, ...], failures: int, good: int) -> _Finding:
    failed, went_well = values[0].failures, values[0].good
    for one in values[1:]:
        failed &= one.failures
        went_well &= one.good
    with_it, spilt = failed.bit_count(), went_well.bit_count()
    return _Finding(values, with_it, spilt, with_it / failures - spilt / good)


def _stands_out(finding: _Finding, failures: int, good: int, sets: int) -> bool:
    coverage, spill = finding.failures / failures, finding.good / good
    if coverage < LEAST_COVERAGE or spill > MOST_SPILL * coverage:
        return False
    return _chance(finding.failures, failures, finding.failures + finding.good, failures + good) * sets < CHANCE


def _chance(hits: int, drawn: int, marked: int, all_of_them: int) -> float:
    """That of so many drawn at least so many are marked ones."""
    whole = _log_ways(all_of_them, drawn)
    return sum(
        exp(_log_ways(marked, some) + _log_ways(all_of_them - marked, drawn - some) - whole)
        for some in range(hits, min(drawn, marked) + 1)
    )


def _log_ways(many: int, some: int) -> float:
    """The logarithm of how many ways there are to choose some of many."""
    if not 0 <= some <= many:
        return -inf
    return lgamma(many + 1) - lgamma(some + 1) - lgamma(many - some + 1)


def _told(finding: _Finding, failures: int, good: int) -> str:
    values = ", ".join(_say(one.name, one.value) for one in finding.values)
    rest = f"{_percent(finding.good, good)} of the rest" if finding.good else "none of the rest"
    return f"{_share(finding.failures, failures)}: {values}; {rest}"


def _symptom(failures: Sequence[Event]) -> str:
    """The fault that most of them show, or the status where they have no fault; turns may be bad that did not fail."""
    for name in SYMPTOMS:
        value, count = Counter(getattr(event, name) for event in failures).most_common(1)[0]
        if isinstance(value, Fault) or (value is not None and value >= LEAST_ERROR_STATUS):
            return f"{_share(count, len(failures))}: {_say(name, value)}" if _is_most(count, failures) else ""
    return ""


def _is_most(count: int, failures: Sequence[Event]) -> bool:
    return count >= LEAST_COVERAGE * len(failures)


def _share(some: int, failures: int) -> str:
    return "all failures" if some == failures else f"{_percent(some, failures)} of failures"


def _percent(some: int, whole: int) -> str:
    """A whole number: 0 % only of none, 100 % only of all."""
    return f"{round(100 * some / whole) if some in (0, whole) else min(max(round(100 * some / whole), 1), 99)}%"


def _say(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return FLAGS[name][not value]
    return f"{name} {str(value)[:LONGEST_VALUE]}"
