"""Puts another model into a JSON body, and changes not one other byte."""

import msgspec

from daemon.logic.json_peek import DECODE_ERRORS, decode, members
from daemon.logic.thinking_reading import split_suffix

_MODEL = b'"model"'


class _Whole(msgspec.Struct):
    """Decodes any whole object, and nothing of it."""


_WHOLE = msgspec.json.Decoder(_Whole)


def renamed(asked: str, model: str) -> str:
    """The new model with the asked one's suffix, unless it has one of its own."""
    suffix = split_suffix(asked)[1]
    return f"{model}({suffix})" if suffix and not split_suffix(model)[1] else model


def _is_model(key: bytes) -> bool:
    return key == _MODEL or (b"\\" in key and msgspec.json.decode(key) == "model")


def body_with_model(body: bytes, model: str) -> bytes:
    """The body as it is when it is cut short, or has not one model at its top level."""
    try:
        decode(_WHOLE, body)
        ((start, end),) = [(start, end) for key, start, end in members(body) if _is_model(key)]
        asked = msgspec.json.decode(body[start:end], type=str)
    except DECODE_ERRORS:
        return body
    return body[:start] + msgspec.json.encode(renamed(asked, model)) + body[end:]
