"""The rule tests of the shipped rules hold: what `runbookd rules test tests/rules/*.yaml` runs too."""

from functools import cache
from pathlib import Path

import pytest

from daemon.app.rule_testing import TestFile, play, read
from daemon.app.shelf import scan

FILES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
SHELVES = scan()


@cache
def loaded(path: Path) -> TestFile:
    return read(path, SHELVES)


def named(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


CASES = [(path, case.name) for path in FILES for case in loaded(path).cases]


@pytest.mark.parametrize(("path", "name"), CASES, ids=named)
def test_all_that_is_expected_holds(path: Path, name: str) -> None:
    file = loaded(path)
    (case,) = (case for case in file.cases if case.name == name)
    failures = play(file, case).failures
    assert not failures, "\n".join(f"expected: {x.expectation}\ninstead: {x.reason}\n{x.timeline}" for x in failures)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_cases_of_a_file_have_names_of_their_own(path: Path) -> None:
    names = [case.name for case in loaded(path).cases]
    assert sorted(set(names)) == sorted(names)
