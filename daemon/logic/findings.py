"""Findings: the values, one to three of them, that most failures have and few good turns do.

A finding is a set of values ("credential c3f1, stream"). It is worth `coverage - spill`: the share of the failures that
have them all, less the share of the good turns that do. Only a value that most failures have comes into question, which
leaves one per field at most, so that all sets of one, two and three are simply tried: each value is one integer with a
bit per event, and a set is the `&` of them. Two values of one field ("model sol or luna") are tried as well, alone. A
further value must earn its place (`EARNS`), so that what always goes together (a credential and its index) is found
once, by the name that stands first in `CIRCUMSTANCES`.

It counts only when it stands out (`LEAST_COVERAGE`, `MOST_SPILL`) and chance is ruled out: the hypergeometric tail,
that so many failures have it by chance, times the number of sets that could have been found instead, is below `CHANCE`.
Fields that part the events alike are one question; a value that all events have is none.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from math import comb, exp, inf, lgamma
from typing import Any, NamedTuple

from daemon.domain.event import Event

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
    "thinking_requested_mode",
    "thinking_processed_level",
    "has_tool_result_image",
    "has_tool_use",
)
"""In the order in which they are named."""
LEAST_SHOWN = 0.2
"""Of the failures: what fewer have is not told."""
LEAST_COVERAGE = 0.6
MOST_SPILL = 0.5
"""Of the coverage."""
EARNS = 0.05
"""A further value must raise the worth by so much."""
CHANCE = 0.02
"""Where failures have nothing in common, something is found all the same once in fifty times; the shares beside it tell
how far to believe it."""
MOST_VALUES = 3


class Value(NamedTuple):
    """A value of a field, or two, and the events that have it, one bit each."""

    name: str
    values: tuple[Any, ...]
    failures: int
    good: int
    kinds: int
    """So many values, or pairs of them, the field has in all."""


class Finding(NamedTuple):
    """Values that go together, and how well they tell failures from good turns."""

    values: tuple[Value, ...]
    failures: int
    """How many have all the values."""
    good: int
    worth: float


def found(failures: Sequence[Event], good: Sequence[Event], known: Collection[str]) -> Finding | None:
    """The best one; None where nothing stands out. `known` are fields that are left out."""
    values, pairs = _parting(failures, good, known)
    kinds, best, worth = sum(one.kinds for one in values), None, 0.0
    for size in range(1, MOST_VALUES + 1):
        sets = [*combinations(values, size), *([(one,) for one in pairs] if size == 1 else ())]
        others = comb(kinds, size) + (sum(one.kinds for one in pairs) if size == 1 else 0)
        top = max(
            (_finding(those, len(failures), len(good)) for those in sets), key=lambda one: one.worth, default=None
        )
        if top and top.worth >= worth + EARNS and _stands_out(top, len(failures), len(good), others):
            best, worth = top, top.worth
    return best


def _parting(
    failures: Sequence[Event], good: Sequence[Event], known: Collection[str]
) -> tuple[list[Value], list[Value]]:
    """The values and the pairs that come into question; of those that part the events alike, the first."""
    parting: dict[tuple[int, int], Value] = {}
    found = [one for name in CIRCUMSTANCES if name not in known for one in _values(name, failures, good)]
    for one in sorted(found, key=lambda one: len(one.values)):
        parting.setdefault((one.failures, one.good), one)
    single, pairs = ([one for one in parting.values() if len(one.values) == size] for size in (1, 2))
    return single, pairs


def _values(name: str, failures: Sequence[Event], good: Sequence[Event]) -> Iterator[Value]:
    """The one that most failures have, and the two; yes and no are not two of many."""
    failed, went_well = ([getattr(event, name) for event in events] for events in (failures, good))
    kinds = len({*failed, *went_well})
    common = [(value, n) for value, n in Counter(failed).most_common(2) if n >= LEAST_SHOWN * len(failures)]
    for size in range(1, min(len(common), kinds - 1) + 1):
        values = tuple(value for value, _ in common[:size])
        is_told = size == 1 or not isinstance(values[0], bool)
        if is_told and is_most(sum(n for _, n in common[:size]), failures) and not {None, ""}.intersection(values):
            yield Value(name, values, _bits(failed, values), _bits(went_well, values), comb(kinds, size))


def _bits(values: Sequence[Any], wanted: Collection[Any]) -> int:
    return int("".join("1" if value in wanted else "0" for value in values), 2)


def _finding(values: tuple[Value, ...], failures: int, good: int) -> Finding:
    failed, went_well = values[0].failures, values[0].good
    for one in values[1:]:
        failed &= one.failures
        went_well &= one.good
    with_it, spilt = failed.bit_count(), went_well.bit_count()
    return Finding(values, with_it, spilt, with_it / failures - spilt / good)


def _stands_out(finding: Finding, failures: int, good: int, sets: int) -> bool:
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


def is_most(count: int, failures: Sequence[Event]) -> bool:
    """Whether so many are most of them."""
    return count >= LEAST_COVERAGE * len(failures)
