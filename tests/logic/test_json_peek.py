"""JSON is found by its brackets, whole or cut short."""

import json
from time import perf_counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.logic.json_peek import count, decode, decode_members, last_member, members, mended, objects, text, value_end

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
_OBJECTS = st.dictionaries(st.text(max_size=3), _JSON, max_size=5)
_LAYOUTS = st.sampled_from([{"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}])


@given(_OBJECTS, _LAYOUTS)
def test_members_are_those_of_the_decoder(value: dict[str, Any], layout: dict[str, Any]) -> None:
    data = json.dumps(value, **layout).encode()
    assert {json.loads(key): json.loads(data[start:end]) for key, start, end in members(data)} == value


@given(_OBJECTS, _LAYOUTS, st.integers(0, 1 << 16))
def test_what_is_cut_short_keeps_its_whole_members(value: dict[str, Any], layout: dict[str, Any], at: int) -> None:
    data = json.dumps(value, **layout).encode()
    kept = json.loads(mended(data[: at % (len(data) + 1)]))
    assert list(kept.items()) == list(value.items())[: len(kept)]


@given(st.lists(_OBJECTS, max_size=4), st.sampled_from([b"", b"\n", b",\r\n"]))
def test_objects_come_out_of_arrays_and_of_bare_sequences(values: list[dict[str, Any]], between: bytes) -> None:
    bare = between.join(json.dumps(value).encode() for value in values)
    for data in (bare, b"[" + bare + b"]", b" [\n" + bare):
        assert [json.loads(piece) for piece in objects(data)] == values


@given(st.binary(max_size=100) | st.text(alphabet='{}[]",:\\ a1', max_size=60).map(str.encode), st.integers(0, 50))
def test_no_bytes_make_it_raise(data: bytes, start: int) -> None:
    list(members(data))
    list(objects(data))
    value_end(data, start)
    last_member(data, b'"a"')
    mended(data)


@pytest.mark.parametrize(
    ("tail", "value"),
    [
        (b'... "usage": {"a":1},"x":2}', b'{"a":1}'),
        (b'"usage":{"a":1}} "usage" : {"b":{"c":2}}}', b'{"b":{"c":2}}'),
        (b'"usage":{"a":1', None),
        (b'"usage"', None),
        (b"", None),
    ],
)
def test_the_last_member_of_a_tail(tail: bytes, value: bytes | None) -> None:
    assert last_member(tail, b'"usage"') == value


class _Model(msgspec.Struct):
    model: str = ""


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\ude00", b"\xf0\x9f", b"\xc3", b"\xff"])
def test_half_a_character_is_not_worth_failing_for(half: bytes) -> None:
    decoder = msgspec.json.Decoder(_Model)
    assert decode(decoder, b'{"model":"m%b"}' % half).model.rstrip("\ufffd") == "m"
    assert decode_members(decoder, b'{"model":"m%b","messages":[{"content":"abc' % half) is not None
    with pytest.raises(ValueError, match="truncated"):
        decode(decoder, b'{"model":"m%b"' % half)


def test_a_cut_body_still_says_its_model() -> None:
    decoder = msgspec.json.Decoder(_Model)
    assert decode_members(decoder, b'{"model":"m","messages":[{"content":"abc') == _Model("m")
    assert decode_members(decoder, b'{"model":"m","stream":tru') == _Model("m")
    assert decode_members(decoder, b"[1]") == _Model()
    assert decode_members(decoder, b'{"model":7}') is None


def test_megabytes_of_strings_and_brackets_take_no_recursion() -> None:
    data = b'{"a":["' + b'x\\"{' * 2_000_000 + b'",' + b"[" * 100_000 + b"]" * 100_000 + b'],"model":"m"}'
    start = perf_counter()
    assert [key for key, _, _ in members(data)] == [b'"a"', b'"model"']
    assert perf_counter() - start < 5


@pytest.mark.parametrize(("value", "kept"), [(0, 0), (7, 7), (True, None), (-1, None), (1.0, None), (1 << 60, None)])
def test_counters_fit_the_store(value: object, kept: int | None) -> None:
    assert count(value) == kept


@pytest.mark.parametrize(("value", "kept"), [("a", "a"), ("", None), ("\0", None), (3, None), ("x" * 999, "x" * 256)])
def test_names_fit_the_store(value: object, kept: str | None) -> None:
    assert text(value) == kept
