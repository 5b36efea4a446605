"""Selections: a map of event fields to what they must be; all must match, and nothing is negated."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from daemon.domain.event import EVENT_FIELDS, Fault, Outcome, Source, Wire

FIELDS = frozenset(EVENT_FIELDS) | {"usage"}
"""What a selection may name."""

CLOSED: Mapping[str, frozenset[str]] = {
    "fault": frozenset(Fault),
    "outcome": frozenset(Outcome),
    "wire": frozenset(Wire),
    "source": frozenset(Source),
    "usage": frozenset({"missing", "zero", "counted"}),
}
"""Fields with a closed list of values: a word outside the list is a mistake, not a selection of nothing."""

Test = Callable[[Any], bool]


class Selection:
    """A compiled selection; call it with an event, or with a reading of another kind."""

    __slots__ = ("_tests", "names", "wanted")

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self.wanted = wanted
        self.names = frozenset(wanted)
        self._tests = tuple((name, _test_of(want)) for name, want in sorted(wanted.items()))

    def __call__(self, item: Any) -> bool:
        for name, test in self._tests:  # noqa: SIM110 asked for every event and every rule: `all` takes twice as long
            if not test(getattr(item, name)):
                return False
        return True


def _test_of(want: Any) -> Test:
    if isinstance(want, list | tuple):
        tests = [_test_of(one) for one in want]
        return lambda value: any(test(value) for test in tests)
    if want == "absent":
        return lambda value: value is None
    if want == "present":
        return lambda value: value is not None
    if isinstance(want, bool):
        return lambda value: value is want
    if isinstance(want, str) and len(want) == 3 and want[0] in "12345" and want[1:] == "xx":
        century = int(want[0])
        return lambda value: isinstance(value, int) and value // 100 == century
    if isinstance(want, str) and any(mark in want for mark in "*?["):
        return lambda value: value is not None and fnmatchcase(str(value), want)
    return lambda value: value == want
