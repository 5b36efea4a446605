"""The taps of all wires: they never raise, say the same however the bytes are split, and hold little."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from daemon.domain.facts import ResponseFacts
from daemon.logic import tapping
from daemon.logic.sse import SseSplitter
from daemon.logic.wire import WireProtocol
from tests.fuzz.inputs import ANSWERS, BODIES, STREAMS, numbers, seed
from tests.logic.splitting import one_by_one, pieces
from tests.logic.wires.answers import WIRES

SHAPE = "BB4H"
STREAM, ERROR, SMALL = 1, 2, 4
"""Bits of the second byte: an event stream, an error status, limits so low that they are met."""
SEEDS = [
    seed(SHAPE, number % len(WIRES), how, 3, 50, 200, 500, rest=body)
    for bodies, hows in ((STREAMS, (STREAM, STREAM | SMALL)), (ANSWERS + BODIES, (0, ERROR, SMALL)))
    for number, body in enumerate(bodies)
    for how in hows
]
LOW = {"MOST_BODY_BYTES": 400, "TAIL_BYTES": 200, "MOST_ERROR_BYTES": 100, "SseSplitter": partial(SseSplitter, 300)}
MOST_HELD = 3000


def check(data: bytes) -> None:
    (which, how, *at), body = numbers(data, SHAPE)
    wire = WIRES[which % len(WIRES)]
    with limits(low=bool(how & SMALL)):
        said = read(wire, how, [body])
        assert said == read(wire, how, pieces(body, at))
        assert said == read(wire, how, one_by_one(body))


@contextmanager
def limits(*, low: bool) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LOW.items() if low else ():
            patch.setattr(tapping, name, value)
        yield


def read(wire: WireProtocol, how: int, chunks: list[bytes]) -> tuple[ResponseFacts, bool]:
    tap = wire.tap(status=500 if how & ERROR else 200, stream=bool(how & STREAM))
    for chunk in chunks:
        tap.feed(chunk)
        assert len(chunk) < 2 or not how & SMALL or held(tap) < MOST_HELD
    facts = tap.close()
    assert len(repr(facts).encode()) < 5000
    return facts, tap.content_started


def held(thing: object) -> int:
    """The bytes and characters that something of ours keeps."""
    if isinstance(thing, bytes | bytearray | str):
        return len(thing)
    names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
    return sum(held(getattr(thing, name)) for name in names)
