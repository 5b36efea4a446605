"""The catalogue of faults: every test that it names exists, and nearly every row names one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "faults.md"
SHARE_WITH_A_TEST = 0.9
SECTIONS = {"A": 18, "B": 23, "C": 7, "F": 8, "G": 15, "H": 15, "I": 26}
"""How many rows each has."""

_ROW = re.compile(r"^\| *([A-Z]\d+[a-z]?) *\|(.*)\|$", re.MULTILINE)
_TEST = re.compile(r"tests/[\w/]+\.py(?:::\w+)+")


def rows(text: str) -> dict[str, str]:
    """Each row of each table by its number; a number that is given twice is a mistake."""
    found = _ROW.findall(text)
    assert len({number for number, _ in found}) == len(found)
    return dict(found)


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of the tests in a file, `Class::name` for those in a class."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        functions = (one for one in inner if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
        names |= {before + one.name for one in functions if one.name.startswith("test_")}
    return frozenset(names)


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return (ROOT / path).is_file() and name in names_in(ROOT / path)


def missing(text: str) -> list[str]:
    return [test for test in _TEST.findall(text) if not exists(test)]


def without_a_test(text: str) -> list[str]:
    return [number for number, row in rows(text).items() if not _TEST.search(row)]


HERE = "tests/test_faults_doc.py"


@pytest.mark.parametrize(
    ("row", "lacks", "has_none"),
    [
        (f"| A1 | x | y | `{HERE}::test_a_page_is_judged_by_its_rows` |", 0, 0),
        (f"| A1 | x | y | `{HERE}::test_that_is_not_there` |", 1, 0),
        ("| A1 | x | y | `tests/test_that_is_not_there.py::test_x` |", 1, 0),
        ("| A1 | x | y | cannot be had here |", 0, 1),
        ("| row | fault | what happens | proved by |", 0, 0),
    ],
)
def test_a_page_is_judged_by_its_rows(row: str, lacks: int, has_none: int) -> None:
    assert (len(missing(row)), len(without_a_test(row))) == (lacks, has_none)


@pytest.mark.skipif(not PAGE.exists(), reason="there is no catalogue yet")
def test_what_proves_a_row_exists() -> None:
    assert missing(PAGE.read_text()) == []


@pytest.mark.skipif(not PAGE.exists(), reason="there is no catalogue yet")
def test_nearly_every_row_is_proved() -> None:
    text = PAGE.read_text()
    assert rows(text)
    bare = without_a_test(text)
    assert len(bare) <= (1 - SHARE_WITH_A_TEST) * len(rows(text)), bare


def test_no_row_is_missing() -> None:
    wanted = [f"{section}{number}" for section, last in SECTIONS.items() for number in range(1, last + 1)]
    assert list(rows(PAGE.read_text())) == wanted
