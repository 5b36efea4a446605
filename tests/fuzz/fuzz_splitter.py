"""The splitter of event streams, against a reader that goes line by line, however the bytes are split."""

import re

from daemon.logic.sse import SseEvent, SseSplitter
from tests.fuzz.inputs import STREAMS, numbers, seed
from tests.logic.splitting import one_by_one, pieces

SHAPE = "H4H"
NAME = 256
"""So much of an event is kept for its name, however long it is."""
SEEDS = [seed(SHAPE, limit, 3, 50, 200, 500, rest=stream) for limit in (0, 4000) for stream in STREAMS]


def check(data: bytes) -> None:
    (limit, *at), stream = numbers(data, SHAPE)
    most = NAME + limit % 4096
    events = split([stream], most)
    assert split(pieces(stream, at), most) == events
    assert split(one_by_one(stream), most) == events
    assert split([stream], len(stream))[0] == by_lines(stream)


def split(chunks: list[bytes], most: int) -> tuple[list[SseEvent], int]:
    splitter, events = SseSplitter(most), []
    for chunk in chunks:
        events += splitter.feed(chunk)
        assert len(splitter._rest) <= most + 1
    events += splitter.close()
    assert all(len(name) <= max(most, NAME) and len(data or b"") <= most for name, data in events)
    assert splitter.skipped == sum(data is None for _, data in events)
    return events, splitter.skipped


def by_lines(stream: bytes) -> list[SseEvent]:
    """As the standard reads it; but the last event needs no blank line, and a name has no blanks around it."""
    events: list[SseEvent] = []
    name, said = b"", []
    for line in [*re.split(rb"\r\n|\r|\n", stream), b""]:
        field, colon, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            events += [(name, b"\n".join(said))] if said else []
            name, said = b"", []
        elif colon and field == b"data":
            said.append(value)
        elif colon and field == b"event":
            name = value.strip()
    return events
