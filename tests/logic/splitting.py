"""Cuts bytes at any places."""

from itertools import pairwise

from hypothesis import strategies as st


def cuts() -> st.SearchStrategy[list[int]]:
    """Places to cut at, as numbers that any length is divided by."""
    return st.lists(st.integers(0, 1 << 16), max_size=12)


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    """The data cut there; some pieces may be empty."""
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def one_by_one(data: bytes, most: int = 40) -> list[bytes]:
    """Its bytes each by itself; what is behind the first `most` in one piece."""
    return [*(data[place : place + 1] for place in range(min(most, len(data)))), data[most:]]
