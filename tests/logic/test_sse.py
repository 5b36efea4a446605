"""The splitter gives the same events however the bytes were split, and never holds more than its limit."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.logic.sse import MOST_EVENT_BYTES, SseEvent, SseSplitter
from tests.logic.splitting import cuts, pieces


def _events(*chunks: bytes, most: int = MOST_EVENT_BYTES) -> list[SseEvent]:
    splitter = SseSplitter(most)
    return [event for chunk in chunks for event in splitter.feed(chunk)] + splitter.close()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: {}\n\n", [(b"", b"{}")]),
        (b"data:{}\n\n", [(b"", b"{}")]),
        (b"data:  {}\n\n", [(b"", b" {}")]),
        (b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
        (b"event: ping\ndata: {}\n\n", [(b"ping", b"{}")]),
        (b"data: {}\nevent: ping\nid: 7\nretry: 3\n\n", [(b"ping", b"{}")]),
        (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
        (b"data\n\n", []),
        (b"data:\n\n", [(b"", b"")]),
        (b": keep-alive\n\ndata: a\n\n", [(b"", b"a")]),
        (b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
        (b"event: ping\r\ndata: {}\r\n\r\ndata: x\r\n\r\n", [(b"ping", b"{}"), (b"", b"x")]),
        (b"event: ping\rdata: {}\r\rdata: x\r\r", [(b"ping", b"{}"), (b"", b"x")]),
        (b"data: a\r\n\ndata: b\n\r\n", [(b"", b"a"), (b"", b"b")]),
        ("data: a\u2028b\u2029c\u0085d\n\n".encode(), [(b"", "a\u2028b\u2029c\u0085d".encode())]),
        (b"event: error\n\ndata: a\n\n", [(b"", b"a")]),
        (b"data: the last without its blank line", [(b"", b"the last without its blank line")]),
        (b"data: the last\n", [(b"", b"the last")]),
        (b"event: only a name", []),
    ],
)
def test_a_stream_is_split_into_its_events(stream: bytes, events: list[SseEvent]) -> None:
    assert _events(stream) == events
    assert _events(*(bytes([byte]) for byte in stream)) == events


_LINES = st.sampled_from(
    [b"data: a", b"data:b", b"event: x", b": c", b"", b"", b"junk", b"data", b"data: \xe2\x80\xa8"]
)
_ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])
_STREAMS = st.lists(st.tuples(_LINES, _ENDS)).map(lambda lines: b"".join(line + end for line, end in lines))


@given(st.one_of(_STREAMS, st.binary(max_size=200)), cuts())
def test_events_do_not_depend_on_the_split(stream: bytes, at: list[int]) -> None:
    assert _events(*pieces(stream, at)) == _events(stream)


@given(st.lists(st.integers(200, 400), max_size=6), cuts())
def test_nor_does_what_is_too_long(sizes: list[int], at: list[int]) -> None:
    stream = b"".join(b"event: e%d\ndata: %s\n\n" % (size, b"x" * size) for size in sizes)
    assert _events(*pieces(stream, at), most=300) == _events(stream, most=300)


def test_an_event_too_long_leaves_its_name_and_is_counted() -> None:
    splitter = SseSplitter(1000)
    events = splitter.feed(b"event: big\ndata: ")
    for _ in range(100):
        events += splitter.feed(b"x" * 100)
    events += splitter.feed(b"\n\ndata: next\n\n")
    assert events == [(b"big", None), (b"", b"next")]
    assert splitter.skipped == 1


def test_an_endless_event_costs_no_more_than_the_limit() -> None:
    splitter = SseSplitter()
    chunk = b"x" * 65536
    for _ in range(800):
        splitter.feed(chunk)
    assert sys.getsizeof(splitter._rest) <= 1.25 * MOST_EVENT_BYTES
