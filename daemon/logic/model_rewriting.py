"""Puts another model, or another thinking, into a JSON body, and changes not one other byte."""

from typing import Any

import msgspec

from daemon.logic.json_peek import DECODE_ERRORS, decode, members
from daemon.logic.thinking_reading import split_suffix


class _Whole(msgspec.Struct):
    """Decodes any whole object, and nothing of it."""


_WHOLE = msgspec.json.Decoder(_Whole)


def renamed(asked: str, model: str) -> str:
    """The new model with the asked one's suffix, unless it has one of its own."""
    suffix = split_suffix(asked)[1]
    return f"{model}({suffix})" if suffix and not split_suffix(model)[1] else model


def body_with_model(body: bytes, model: str) -> bytes:
    """The body as it is when it is cut short, or has not one model at its top level."""
    try:
        decode(_WHOLE, body)
        ((start, end),) = _places(body, "model")
        asked = msgspec.json.decode(body[start:end], type=str)
    except DECODE_ERRORS:
        return body
    return body[:start] + msgspec.json.encode(renamed(asked, model)) + body[end:]


def body_with(body: bytes, *path: str, value: Any) -> bytes:
    """The body with a value under a path of names; the body as it is when it is no whole object, or says a name twice.

    What stands there is replaced, what is missing on the way is added in front.
    """
    try:
        decode(_WHOLE, body)
        return _put(body, path, value)
    except DECODE_ERRORS:
        return body


def spelled(body: bytes, *names: str) -> str:
    """Which of several spellings of a name an object uses; the first where it uses none."""
    return next((name for name in names if _places(body, name)), names[0])


def inner(body: bytes, name: str) -> bytes:
    """The object under a name; an empty one where there is none."""
    found = [body[start:end] for start, end in _places(body, name)]
    return found[0] if found and found[0][:1] == b"{" else b"{}"


def reading(body: bytes, *left_out: str) -> dict[str, Any]:
    """A small object, without some of its members; empty when it is none."""
    try:
        found: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except DECODE_ERRORS:
        return {}
    return {name: value for name, value in found.items() if name not in left_out}


def _put(body: bytes, path: tuple[str, ...], value: Any) -> bytes:
    places = _places(body, path[0])
    if len(places) > 1:
        raise ValueError(f"{path[0]} is said twice")
    if not places:
        return _added(body, path, value)
    start, end = places[0]
    below = body[start:end]
    if len(path) > 1 and below[:1] == b"{":
        return body[:start] + _put(below, path[1:], value) + body[end:]
    return body[:start] + _nested(path[1:], value) + body[end:]


def _added(body: bytes, path: tuple[str, ...], value: Any) -> bytes:
    opened = body.index(b"{") + 1
    comma = b"" if body[opened:].lstrip()[:1] == b"}" else b","
    return body[:opened] + msgspec.json.encode(path[0]) + b":" + _nested(path[1:], value) + comma + body[opened:]


def _nested(path: tuple[str, ...], value: Any) -> bytes:
    for name in reversed(path):
        value = {name: value}
    return msgspec.json.encode(value)


def _places(body: bytes, name: str) -> list[tuple[int, int]]:
    """Where the values of a name begin and end, at the top level of an object."""
    return [(start, end) for key, start, end in members(body) if _is(key, name)]


def _is(key: bytes, name: str) -> bool:
    return key == b'"%b"' % name.encode() or (b"\\" in key and msgspec.json.decode(key) == name)
