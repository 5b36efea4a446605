"""Looks into JSON by its brackets alone: finds members, mends what is cut short, never decodes more than is wanted."""

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec

DECODE_ERRORS = (ValueError, RecursionError)
"""What a decoder may raise, whatever the bytes are."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb")*+[{}\[\]]", re.DOTALL)
_SCALAR = re.compile(_STRING + rb'|[^\s,\]}"{\[]++', re.DOTALL)
_OBJECT = re.compile(rb"\s*+\{")
_KEY = re.compile(rb"\s*+(" + _STRING + rb")\s*+:\s*+", re.DOTALL)
_COMMA = re.compile(rb"\s*+,")
_COLON = re.compile(rb"\s*+:\s*+")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_OPENING = frozenset(b"{[")
_NOTHING = frozenset({b"", b"null", b'""', b"[]", b"{}"})
_LONGEST_TEXT = 256
_HEAD_BYTES = 256 << 10

_T = TypeVar("_T")


def members(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each whole member of an object: its raw key (with the quotes), and where its value begins and ends."""
    opened = _OBJECT.match(data)
    position = opened.end() if opened else len(data)
    while key := _KEY.match(data, position):
        end = value_end(data, key.end())
        if end is None:
            return
        yield key[1], key.end(), end
        comma = _COMMA.match(data, end)
        if comma is None:
            return
        position = comma.end()


def value_end(data: bytes, start: int) -> int | None:
    """Where the value that begins at `start` ends; None when it is cut short."""
    if data[start : start + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(data, start)
        is_whole = scalar is not None and (data[start] == 0x22 or scalar.end() < len(data))
        return scalar.end() if scalar and is_whole else None
    depth, position = 1, start + 1
    while depth:
        bracket = _TO_BRACKET.match(data, position)
        if bracket is None:
            return None
        position = bracket.end()
        depth += 1 if data[position - 1] in _OPENING else -1
    return position


def mended(data: bytes) -> bytes:
    """An object that is cut short, ended behind its last whole member."""
    end = 0
    for member in members(data):
        end = member[2]
    return data[:end] + b"}" if end else b"{}"


def decode(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    """Decoded; half a character, as of a split emoji, is not worth failing for, as no text is kept."""
    try:
        return decoder.decode(data)
    except ValueError:
        whole = _SURROGATE.sub(rb"\\ufffd", data.decode(errors="replace").encode())
        if whole == data:
            raise
    return decoder.decode(whole)


def decode_members(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T | None:
    """A decoded object; where it is cut short, what the whole members in its head say; None when it is none."""
    try:
        return decode(decoder, data)
    except DECODE_ERRORS:
        pass
    try:
        return decode(decoder, mended(data[:_HEAD_BYTES]))
    except DECODE_ERRORS:
        return None


def objects(data: bytes) -> Iterator[bytes]:
    """The whole objects of an array, or of objects one after another."""
    position = 0
    while (start := data.find(b"{", position)) >= 0 and (end := value_end(data, start)) is not None:
        yield data[start:end]
        position = end


def last_member(data: bytes, key: bytes) -> bytes | None:
    """The value behind the last occurrence of a raw key, at whatever depth; for the tail of a long body."""
    found = data.rfind(key)
    colon = _COLON.match(data, found + len(key)) if found >= 0 else None
    end = value_end(data, colon.end()) if colon else None
    return data[colon.end() : end] if colon and end else None


def is_list_without(raw: msgspec.Raw, word: bytes) -> bool:
    """Whether it is a list in which a word stands nowhere: most need not be decoded to know that."""
    data = bytes(raw)
    return data[:1] == b"[" and word not in data and b"\\u00" not in data


def says(raw: msgspec.Raw) -> bool:
    """Whether a member was there and holds more than an empty value."""
    return bytes(raw) not in _NOTHING


def text(value: object) -> str | None:
    """A name that somebody else chose, fit to be stored; None for anything but a text that is not empty."""
    return value[:_LONGEST_TEXT].replace("\0", "") or None if isinstance(value, str) else None


def count(value: object) -> int | None:
    """A counter, fit to be stored; None for anything else."""
    return value if type(value) is int and 0 <= value < 1 << 53 else None


def inside(value: object, *names: str) -> object:
    """What lies under a path of names; None where there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
