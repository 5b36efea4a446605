"""Where a log is read on, and that no line is read twice or lost."""

import json
from typing import Any

import pytest

from daemon.logic.log_place import Place, fresh
from tests.logic.past import MINUTE, NOW, access, logs, said

SECOND = 1000


def after(place: Place, **answer: Any) -> tuple[list[str], Place]:
    """A look, with the place as it comes out of the store."""
    lines, found = fresh(Place.of(json.loads(json.dumps(place.data()))), answer)
    return lines, found


def test_without_a_cursor_the_last_second_is_read_again_and_its_lines_once() -> None:
    a, b, c = access(NOW), access(NOW, 429), access(NOW + SECOND)
    first, place = after(Place(), **logs(a, a, latest=NOW))
    assert (first, place.latest) == ([a, a], NOW // 1000)
    second, place = after(place, **logs(a, a, b, latest=NOW))
    assert second == [b]
    third, place = after(place, **logs(a, a, b, c, latest=NOW + SECOND))
    assert third == [c]
    assert after(place, **logs(c, latest=NOW + SECOND))[0] == []


def test_a_line_that_is_there_as_often_as_before_and_once_more_is_read_once() -> None:
    a = access(NOW)
    _, place = after(Place(), **logs(a, latest=NOW))
    lines, place = after(place, **logs(a, a, latest=NOW))
    assert lines == [a]
    assert after(place, **logs(a, a, latest=NOW))[0] == []


def test_with_a_cursor_every_line_is_new() -> None:
    a = access(NOW)
    _, place = after(Place(), **logs(a, latest=NOW), **{"next-cursor": "1"})
    assert place.cursor == "1"
    assert after(place, **logs(a, latest=NOW), **{"next-cursor": "2"})[0] == [a]


def test_a_log_that_is_told_from_its_beginning_is_not_counted_twice() -> None:
    old, a, b = access(NOW - MINUTE), access(NOW), access(NOW + SECOND)
    _, place = after(Place(), **logs(old, a, latest=NOW), **{"next-cursor": "2"})
    lines, _ = after(place, **logs(old, a, b, latest=NOW), **{"next-cursor": "1", "cursor-reset": True})
    assert lines == [b]


def test_an_answer_without_lines_leaves_the_place() -> None:
    _, place = after(Place(), **logs(access(NOW), latest=NOW))
    lines, still = after(place, **logs(latest=NOW - MINUTE))
    assert (lines, still) == ([], place)


def test_no_line_is_kept() -> None:
    _, place = after(Place(), **logs(said(NOW, "token sk-canary-4711"), latest=NOW))
    assert "canary" not in json.dumps(place.data())


@pytest.mark.parametrize("answer", [{}, {"lines": None, "latest-timestamp": "x", "next-cursor": 3, "file": []}])
def test_an_odd_answer_is_none(answer: dict[str, Any]) -> None:
    assert after(Place(), **answer) == ([], Place())
