"""Members of a JSON body that are set, and not one other byte changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.logic.model_rewriting import body_with

_NAMES = st.text(max_size=4)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "path", "changed"),
    [
        (b"{}", ("a",), b'{"a":1}'),
        (b"{ }", ("a", "b"), b'{"a":{"b":1} }'),
        (b' {\n"x": 2 }', ("a", "b"), b' {"a":{"b":1},\n"x": 2 }'),
        (b'{"a" : 2, "x":"a"}', ("a",), b'{"a" : 1, "x":"a"}'),
        (b'{"a":{"c":2}}', ("a", "b"), b'{"a":{"b":1,"c":2}}'),
        (b'{"a":{"b":{"c":2}}}', ("a", "b"), b'{"a":{"b":1}}'),
        (b'{"a":null}', ("a", "b"), b'{"a":{"b":1}}'),
        (b'{"\\u0061":2}', ("a",), b'{"\\u0061":1}'),
        (b'{"a":1,"a":2}', ("a",), b'{"a":1,"a":2}'),
        (b'{"a":{"b":1,"b":2}}', ("a", "b"), b'{"a":{"b":1,"b":2}}'),
        (b'{"x":{"a":2}}', ("a",), b'{"a":1,"x":{"a":2}}'),
        (b'{"x":1', ("a",), b'{"x":1'),
        (b"[]", ("a",), b"[]"),
        (b"", ("a",), b""),
    ],
)
def test_a_member_is_set(body: bytes, path: tuple[str, ...], changed: bytes) -> None:
    assert body_with(body, *path, value=1) == changed


@given(st.dictionaries(_NAMES, _VALUES, max_size=4), st.lists(_NAMES, min_size=1, max_size=3), _VALUES)
def test_only_that_member_is_another_one(body: dict[str, Any], path: list[str], value: Any) -> None:
    found = json.loads(body_with(json.dumps(body).encode(), *path, value=value))
    wanted: dict[str, Any] = json.loads(json.dumps(body))
    place = wanted
    for name in path[:-1]:
        if not isinstance(place.get(name), dict):
            place[name] = {}
        place = place[name]
    place[path[-1]] = value
    assert found == wanted
