"""Copies are inflated in bounded memory, whatever they claim to be."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from daemon.adapters.proxy.inflate import inflater

PACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"X-Gzip": gzip.compress,
    b" br ": brotli.compress,
    b"zstd": zstandard.compress,
    b"identity": bytes,
    b"": bytes,
}
BOMB = bytes(64 << 20)


def splits(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("coding", PACKERS)
@given(text=st.binary(max_size=2000), size=st.integers(1, 300))
def test_any_split_gives_the_same(coding: bytes, text: bytes, size: int) -> None:
    reader = inflater(coding, 1 << 20)
    assert b"".join(reader.feed(piece) for piece in splits(PACKERS[coding](text), size)) == text
    assert not reader.gave_up


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_members_may_follow_each_other(coding: bytes) -> None:
    reader = inflater(coding, 1 << 20)
    assert reader.feed(PACKERS[coding](b"one ") + PACKERS[coding](b"two")) == b"one two"


@pytest.mark.parametrize("coding", [b"gzip", b" br ", b"zstd"])
@pytest.mark.parametrize("size", [1 << 30, 7000])
def test_a_bomb_is_given_up_in_little_memory(coding: bytes, size: int) -> None:
    pieces, reader, limit = splits(PACKERS[coding](BOMB), size), inflater(coding, 1 << 20), 1 << 20
    tracemalloc.start()
    plain = sum(len(reader.feed(piece)) for piece in pieces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (plain, reader.gave_up) == (limit, True)
    assert peak < 8 << 20
    assert reader.feed(b"more") == b""


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd"])
@given(data=st.binary(min_size=40, max_size=200))
def test_rubbish_never_raises(coding: bytes, data: bytes) -> None:
    reader = inflater(coding, 1 << 20)
    for piece in splits(data, 50):
        reader.feed(piece)


@pytest.mark.parametrize("coding", [b"deflate", b"gzip, br", b"aws-chunked"])
def test_a_coding_that_is_not_known_is_not_read(coding: bytes) -> None:
    reader = inflater(coding, 1 << 20)
    assert (reader.feed(zlib.compress(b"x")), reader.gave_up) == (b"", True)
