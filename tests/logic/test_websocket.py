"""The websocket is read as another reader reads it, whatever the split; rubbish ends the reading and nothing else."""

import itertools
import json
import sys
import tracemalloc
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from daemon.domain.event import Fault, Outcome
from daemon.domain.facts import RequestFacts, ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.faults import classify
from daemon.logic.sse import SseSplitter
from daemon.logic.websocket import (
    accept_of,
    answer_fault,
    handshake_fault,
    has_turns,
    is_websocket_path,
    model_in,
    websocket_endpoint,
)
from daemon.logic.websocket_frames import (
    HEAD_BYTES,
    MOST_MESSAGE_BYTES,
    FrameReader,
    Kind,
    Message,
    close_frame,
    unmasked,
)
from daemon.logic.websocket_turns import MOST_OPEN_TURNS, Step, TurnBegan, TurnEnded, Turns, TurnSaid, as_sse
from daemon.logic.wire import Tap
from daemon.logic.wires import openai_responses
from tests.logic.splitting import cuts, pieces

# ---- the handshake ---------------------------------------------------------------------------------------------------

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
OPENING = {
    b"Upgrade": b"websocket",
    b"Connection": b"keep-alive, Upgrade",
    b"Sec-WebSocket-Version": b"13",
    b"Sec-WebSocket-Key": KEY,
}
ANSWER = {b"upgrade": b"WebSocket", b"connection": b"upgrade", b"sec-websocket-accept": ACCEPT}


def _headers(*heads: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for head in heads for name, value in head.items() if value]


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/responses", "/v1/responses"),
        ("/v1/responses/ws", "/v1/responses/ws"),
        ("/backend-api/codex/responses", "/backend-api/codex/responses"),
        ("/v1/ws", "/v1/ws"),
        ("/v1/realtime", "/v1/realtime"),
        ("/v1/realtime/translations", "/v1/realtime/translations"),
        ("/v1/realtime/calls/rtc_1", "/v1/realtime/calls/{call_id}"),
        ("/v1/realtime/calls/rtc_1/sideband", "/v1/realtime/*"),
        ("/v1/live/rtc_1", "/v1/live/{call_id}"),
        ("/v1/live", "/v1/live"),
        ("/v1/responses/compact", None),
        ("/v1/responses/", None),
        ("/v1/realtimes", None),
        ("/v1/realtime/", None),
        ("/v1/chat/completions", None),
        ("/v2/v1/ws", None),
    ],
)
def test_where_websockets_are_spoken(path: str, endpoint: str | None) -> None:
    assert websocket_endpoint(path) == endpoint
    assert is_websocket_path(path) is (endpoint is not None)
    assert has_turns(path) is (endpoint not in (None, "/v1/ws"))


def test_the_example_of_the_rfc_is_accepted() -> None:
    assert accept_of(KEY) == ACCEPT
    assert handshake_fault("GET", "1.1", _headers(OPENING)) is None
    assert answer_fault(_headers(ANSWER), KEY) is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({b"Upgrade": b""}, 400),
        ({b"Upgrade": b"h2c"}, 400),
        ({b"Connection": b""}, 400),
        ({b"Connection": b"close"}, 400),
        ({b"Sec-WebSocket-Version": b""}, 426),
        ({b"Sec-WebSocket-Version": b"8"}, 426),
        ({b"sec-websocket-version": b"13"}, 426),
        ({b"Sec-WebSocket-Key": b""}, 400),
        ({b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZQ=="}, 400),
        ({b"Sec-WebSocket-Key": b"not base64, but 24 long!"}, 400),
        ({b"sec-websocket-key": KEY}, 400),
    ],
)
def test_an_opening_that_is_none_is_refused(change: dict[bytes, bytes], status: int) -> None:
    fault = handshake_fault("GET", "1.1", _headers(OPENING | change))
    assert fault is not None
    assert fault[0] == status


@pytest.mark.parametrize(("method", "version"), [("POST", "1.1"), ("HEAD", "1.1"), ("GET", "1.0")])
def test_a_websocket_is_opened_by_get_in_http_1_1(method: str, version: str) -> None:
    assert handshake_fault(method, version, _headers(OPENING)) is not None


@pytest.mark.parametrize(
    "change",
    [
        {b"upgrade": b""},
        {b"connection": b"close"},
        {b"sec-websocket-accept": b""},
        {b"sec-websocket-accept": accept_of(b"another")},
        {b"sec-websocket-extensions": b"permessage-deflate"},
    ],
)
def test_a_switch_to_something_else_is_told(change: dict[bytes, bytes]) -> None:
    assert answer_fault(_headers(ANSWER | change), KEY) is not None


@pytest.mark.parametrize(
    ("query", "model"),
    [
        (b"model=gpt-realtime", "gpt-realtime"),
        (b"intent=voice&model=a%2Fb+c&model=d", "a/b c"),
        (b"model=", None),
        (b"remodel=x", None),
        (b"", None),
        (b"model=%ff", "\ufffd"),
    ],
)
def test_the_model_that_a_query_names(query: bytes, model: str | None) -> None:
    assert model_in(query) == model


# ---- frames ----------------------------------------------------------------------------------------------------------


def read_close(payload: bytes) -> tuple[int | None, str]:
    """The code and the reason of a close; without a code there is neither."""
    code = int.from_bytes(payload[:2]) if len(payload) >= 2 else None
    return code, payload[2:].decode(errors="replace")


Said = tuple[Kind, bytes | None]


def _said(*chunks: bytes, most: int = MOST_MESSAGE_BYTES) -> tuple[list[Message], bool]:
    reader = FrameReader(most)
    return [message for chunk in chunks for message in reader.feed(chunk)], reader.gave_up


def _bytewise(stream: bytes) -> Iterable[bytes]:
    return (bytes([byte]) for byte in stream)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ("81 05 48 65 6c 6c 6f", [(Kind.TEXT, b"Hello")]),
        ("81 85 37 fa 21 3d 7f 9f 4d 51 58", [(Kind.TEXT, b"Hello")]),
        ("01 03 48 65 6c 80 02 6c 6f", [(Kind.TEXT, b"Hello")]),
        ("89 05 48 65 6c 6c 6f", [(Kind.PING, b"Hello")]),
        ("8a 85 37 fa 21 3d 7f 9f 4d 51 58", [(Kind.PONG, b"Hello")]),
        ("82 7e 01 00" + "ab" * 256, [(Kind.BINARY, b"\xab" * 256)]),
        ("82 7f 00 00 00 00 00 01 00 00" + "ab" * 65536, [(Kind.BINARY, b"\xab" * 65536)]),
    ],
)
def test_the_examples_of_the_rfc(stream: str, said: list[Said]) -> None:
    data = bytes.fromhex(stream)
    expected = ([Message(kind, payload, len(payload or b"")) for kind, payload in said], False)
    assert _said(data) == expected
    assert _said(*pieces(data, list(range(40)))) == expected


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ("81 00", [(Kind.TEXT, b"")]),
        ("81 80 01 02 03 04", [(Kind.TEXT, b"")]),
        ("01 00 00 00 80 00", [(Kind.TEXT, b"")]),
        ("01 01 61 89 00 00 01 62 8a 01 21 80 01 63", [(Kind.PING, b""), (Kind.PONG, b"!"), (Kind.TEXT, b"abc")]),
        ("81 7e 00 01 61", [(Kind.TEXT, b"a")]),
        ("88 00", [(Kind.CLOSE, b"")]),
        ("81 01 61 88 02 03 e8 81 01 62", [(Kind.TEXT, b"a"), (Kind.CLOSE, b"\x03\xe8")]),
        ("01 01 61 88 00 80 01 62", [(Kind.CLOSE, b"")]),
        ("88 01 03 ff ff ff", [(Kind.CLOSE, b"\x03")]),
        ("81 02 61", []),
        ("89 02 61", []),
    ],
)
def test_edges_of_framing(stream: str, said: list[Said]) -> None:
    data = bytes.fromhex(stream)
    expected = ([Message(kind, payload, len(payload or b"")) for kind, payload in said], False)
    assert _said(data) == expected
    assert _said(*_bytewise(data)) == expected


@pytest.mark.parametrize(
    "stream",
    [
        "c1 01 61",  # compressed
        "a1 01 61",
        "91 01 61",
        "83 01 61",  # opcodes that mean nothing
        "87 01 61",
        "8b 00",
        "8f 00",
        "c9 00",
        "09 00",  # a control frame in pieces, or too long
        "08 02 03 e8",
        "89 7e 00 7e",
        "89 7f 00 00",
        "80 01 61",  # a continuation of nothing
        "00 01 61",
        "01 01 61 81 01 62",  # a message inside a message
        "02 01 61 02 01 62",
        "82 7f 80 00 00 00 00 00 00 00",  # a length that cannot be
        "48 54 54 50 2f 31 2e 31",
    ],
)
def test_what_is_no_frame_ends_the_reading_for_good(stream: str) -> None:
    before, behind = bytes.fromhex("81 01 61"), bytes.fromhex("81 01 7a")
    data = before + bytes.fromhex(stream) + behind
    expected = ([Message(Kind.TEXT, b"a", 1)], True)
    assert _said(data) == expected
    assert _said(*_bytewise(data)) == expected


SIZES = st.one_of(st.integers(0, 140), st.sampled_from([125, 126, 127, 255, 256, 257, 65535, 65536, 70000]))
PAYLOADS = st.tuples(SIZES, st.binary(min_size=1, max_size=7)).map(
    lambda it: (it[1] * (it[0] // len(it[1]) + 1))[: it[0]]
)
CONTROLS = st.tuples(st.sampled_from([Kind.PING, Kind.PONG]), st.binary(max_size=125))
SPOKEN = st.tuples(st.sampled_from([Kind.TEXT, Kind.BINARY]), PAYLOADS, cuts(), st.lists(CONTROLS, max_size=2))


def _encoded(spoken: Sequence[tuple[Kind, bytes, list[int], list[tuple[Kind, bytes]]]], *, masked: bool) -> bytes:
    """By another hand: each message in the pieces asked for, with control frames between the first two."""
    frames = []
    for kind, payload, at, controls in spoken:
        parts = pieces(payload, at)
        for number, part in enumerate(parts):
            opcode = Opcode(kind) if number == 0 else Opcode.CONT
            frames.append(Frame(opcode, part, fin=number == len(parts) - 1))
            frames += [Frame(Opcode(control), told) for control, told in controls] if number == 0 else []
    return b"".join(frame.serialize(mask=masked) for frame in frames)


@given(st.lists(SPOKEN, max_size=4), st.booleans(), cuts())
def test_what_another_encodes_is_read_however_it_is_split(spoken: Any, masked: bool, at: list[int]) -> None:
    messages, gave_up = _said(*pieces(_encoded(spoken, masked=masked), at))
    of_data = [(kind, payload) for kind, payload, _, _ in spoken]
    of_control = [control for _, _, _, controls in spoken for control in controls]
    assert not gave_up
    assert [(kind, payload) for kind, payload, _, _ in messages if kind < Kind.CLOSE] == of_data
    assert [(kind, payload) for kind, payload, _, _ in messages if kind > Kind.CLOSE] == of_control
    assert all(message.size == len(message.known) and message.head == b"" for message in messages)


@given(st.lists(SPOKEN, min_size=1, max_size=3), cuts(), st.integers(0, 600))
def test_nor_does_the_split_tell_in_what_is_too_long(spoken: Any, at: list[int], most: int) -> None:
    stream = _encoded(spoken, masked=True)
    messages, _ = _said(*pieces(stream, at), most=most)
    assert messages == _said(stream, most=most)[0]
    for (_, payload, _, _), message in zip(spoken, (it for it in messages if it.kind < Kind.CLOSE), strict=True):
        assert message.size == len(payload)
        assert message.known == (payload if len(payload) <= most else payload[:HEAD_BYTES])
        assert (message.payload is None) is (len(payload) > most)


@given(
    st.one_of(st.binary(max_size=400), st.lists(SPOKEN, max_size=2).map(lambda it: _encoded(it, masked=True)[:2000])),
    st.data(),
)
def test_rubbish_never_raises_and_is_read_no_less_than_by_others(stream: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(stream)
    for place in data.draw(st.lists(st.integers(0, max(len(stream) - 1, 0)), max_size=3)) if stream else []:
        spoilt[place] = data.draw(st.integers(0, 255))
    messages, gave_up = _said(*pieces(bytes(spoilt), data.draw(cuts())))
    assert (messages, gave_up) == _said(bytes(spoilt))
    others, failed = _said_by_others(bytes(spoilt))
    said = [(kind, payload) for kind, payload, _, _ in messages]
    assert said[: len(others)] == others
    assert failed or len(said) == len(others)


def _said_by_others(stream: bytes) -> tuple[list[Said], bool]:
    """What the websockets library makes of a client's bytes; it is stricter, and fails sooner."""
    protocol = Protocol(Side.SERVER, state=OPEN, max_size=None)
    protocol.receive_data(stream)
    said: list[Said] = []
    begun: list[bytes] = []
    kind = Kind.TEXT
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode >= Opcode.CLOSE:
            said.append((Kind(frame.opcode), bytes(frame.data)))
            continue
        kind = kind if frame.opcode is Opcode.CONT else Kind(frame.opcode)
        begun.append(bytes(frame.data))
        if frame.fin:
            said.append((kind, b"".join(begun)))
            begun = []
    return said, protocol.parser_exc is not None


def test_a_frame_of_a_gigabyte_leaves_its_head_and_costs_no_memory() -> None:
    reader, chunk = FrameReader(), b"x" * 65536
    mask = bytes(4)
    tracemalloc.start()
    try:
        messages = reader.feed(b"\x81\xff" + (1 << 30).to_bytes(8) + mask)
        for _ in range((1 << 30) // len(chunk)):
            messages += reader.feed(chunk)
        messages += reader.feed(b"\x81\x01a")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert messages == [Message(Kind.TEXT, None, 1 << 30, b"x" * HEAD_BYTES), Message(Kind.TEXT, b"a", 1)]
    assert peak < 65536


@pytest.mark.parametrize("piece", [0, 1, 1000, 65536])
def test_a_message_without_an_end_costs_no_more_than_the_limit(piece: int) -> None:
    most = 1 << 16
    reader = FrameReader(most)
    frame = Frame(Opcode.CONT, b"x" * piece, fin=False).serialize(mask=True)
    reader.feed(Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True))
    largest = 0
    for _ in range(min(200_000 // max(piece, 1), 5000)):
        assert reader.feed(frame) == []
        largest = max(largest, sys.getsizeof(reader._data))
    assert largest <= 1.25 * most


def test_a_message_as_long_as_the_limit_is_kept() -> None:
    stream = _encoded([(Kind.TEXT, b"x" * 300, [100], []), (Kind.TEXT, b"x" * 301, [100], [])], masked=True)
    kept, cut = _said(*_bytewise(stream), most=300)[0]
    assert kept == Message(Kind.TEXT, b"x" * 300, 300)
    assert cut == Message(Kind.TEXT, None, 301, b"x" * HEAD_BYTES)
    late = _encoded([(Kind.TEXT, bytes(range(100)) * 9, [300, 600], [])], masked=True)
    assert _said(late, most=400)[0] == [Message(Kind.TEXT, None, 900, (bytes(range(100)) * 3)[:HEAD_BYTES])]


def test_an_idle_reader_costs_little() -> None:
    reader = FrameReader()
    reader.feed(Frame(Opcode.TEXT, b"x" * 100_000).serialize(mask=True))
    assert sys.getsizeof(reader) + sys.getsizeof(reader._data) + sys.getsizeof(reader._waiting) < 300
    assert not hasattr(reader, "__dict__")


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_a_mask_is_taken_off_as_it_is_put_on(payload: bytes, mask: bytes) -> None:
    assert unmasked(payload, mask) == bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(mask)))
    assert unmasked(unmasked(payload, mask), mask) == payload


@given(st.integers(1000, 4999), st.text(max_size=150), st.sampled_from([b"", b"\x01\xf2\x83\xc4"]))
def test_a_close_is_read_as_it_was_written(code: int, reason: str, mask: bytes) -> None:
    ((kind, payload, size, _),), gave_up = _said(close_frame(code, reason, mask))
    assert (kind, gave_up) == (Kind.CLOSE, False)
    assert size <= 125
    read, told = read_close(payload or b"")
    assert read == code
    assert reason.startswith(told)
    assert len(reason) > 30 or told == reason


def test_a_close_may_say_nothing() -> None:
    assert close_frame() == b"\x88\x00"
    assert read_close(close_frame(1000, "é" * 100)[2:]) == (1000, "é" * 61)
    assert read_close(b"") == (None, "")
    assert read_close(b"\x03") == (None, "")
    assert read_close(b"\x03\xf4upstream requires HTTP replay") == (1012, "upstream requires HTTP replay")
    assert read_close(b"\x03\xe8\xff") == (1000, "\ufffd")


# ---- turns -----------------------------------------------------------------------------------------------------------

Line = tuple[str, dict[str, Any]]

ERROR = {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "Please try again in 2s."}


def _message(value: Any, kind: Kind = Kind.TEXT) -> Message:
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Message(kind, payload, len(payload))


def _ask(kind: str = "create", **members: Any) -> Line:
    return ">", {"type": f"response.{kind}", **members}


def _tell(kind: str, name: str | None = None, **members: Any) -> Line:
    response = {"response": {"id": name}} if name else {}
    return "<", {"type": kind if kind == "error" else f"response.{kind}", **response, **members}


def _play(lines: Iterable[Line], turns: Turns) -> list[Step]:
    return [
        step
        for side, value in lines
        for step in (turns.asked(_message(value)) if side == ">" else turns.told(_message(value)))
    ]


def _story(*lines: Line, turns: Turns | None = None) -> list[str]:
    return [_words(step) for step in _play(lines, turns or Turns())]


def _words(step: Step) -> str:
    match step:
        case TurnBegan(turn, request):
            return f"{turn} asks {openai_responses.read_request('/v1/responses', request).model}"
        case TurnSaid(turn, event):
            said = [json.loads(data or b"{}").get("type") for _, data in SseSplitter().feed(event)]
            return f"{turn} {said[-1].removeprefix('response.')}"
        case TurnEnded(turn):
            return f"{turn} ends"


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed", "done", "error"])
def test_a_turn_goes_from_its_request_to_its_end(end: str) -> None:
    turns = Turns()
    begun = _story(_ask(model="m"), _tell("created", "r1"), _tell("output_text.delta", delta="Hi"), turns=turns)
    assert begun == ["1 asks m", "1 created", "1 output_text.delta"]
    assert turns.open == [1]
    assert _story(_tell(end, None if end == "error" else "r1"), turns=turns) == [f"1 {end}", "1 ends"]
    assert turns.open == []


def test_turns_follow_one_another_and_may_leave_the_model_out() -> None:
    assert _story(
        _ask(model="m", input=[]),
        _tell("created", "r1"),
        _tell("completed", "r1"),
        _ask(previous_response_id="r1", input=[]),
        _tell("created", "r2"),
        _tell("completed", "r2"),
        _ask("append", input=[]),
        _tell("completed"),
        _ask(),
        _ask(model="n"),
        _tell("completed"),
        _tell("completed"),
    ) == [
        *("1 asks m", "1 created", "1 completed", "1 ends", "2 asks m", "2 created", "2 completed", "2 ends"),
        *("3 asks m", "3 completed", "3 ends", "4 asks m", "5 asks n"),
        *("4 completed", "4 ends", "5 completed", "5 ends"),
    ]


@pytest.mark.parametrize("how", [{"generate": False}, {"prompt_cache_options": {"prewarm": True}}])
def test_a_warm_up_is_no_turn_and_takes_its_own_answer(how: dict[str, Any]) -> None:
    turns = Turns()
    assert _story(_ask(model="m", **how), _ask(input=[]), turns=turns) == ["2 asks m"]
    assert turns.open == [2]
    assert _story(_tell("created", "r1"), _tell("completed", "r1"), turns=turns) == []
    assert _story(_tell("created", "r2"), _tell("completed", "r2"), turns=turns) == [
        "2 created",
        "2 completed",
        "2 ends",
    ]


@pytest.mark.parametrize("generate", [True, None, "false", 0])
def test_only_a_warm_up_is_one(generate: Any) -> None:
    assert _story(_ask(model="m", generate=generate)) == ["1 asks m"]


def test_a_warm_up_that_fails_is_over_too() -> None:
    assert _story(_ask(model="m", generate=False), _tell("error"), _ask(), _tell("completed")) == [
        *("2 asks m", "2 completed", "2 ends"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        _ask("cancel"),
        _ask("processed", response_id="r1"),
        _ask("interrupt", response_id="r1"),
        _ask("steer", previous_response_id="r1", input="and?"),
        (">", {"type": "session.update", "session": {"model": "other"}}),
        (">", {"type": "input_audio_buffer.append", "audio": "AAAA"}),
        (">", {"type": ["response.create"]}),
        (">", {"type": "response.completed"}),
        ("<", {"type": "response.create"}),
        ("<", {"type": "codex.rate_limits", "error": ERROR}),
        ("<", {"type": "rate_limits.updated"}),
        ("<", {"type": "conversation.item.added", "item": {"type": "message"}}),
        ("<", {"type": "conversation.item.input_audio_transcription.failed", "error": ERROR}),
        ("<", {"type": "response.steer.failed", "error": ERROR}),
        ("<", {"type": "response.inject.failed", "error": ERROR}),
        ("<", {"type": None}),
        ("<", {}),
    ],
)
def test_what_else_is_said_begins_and_ends_nothing(line: Line) -> None:
    turns = Turns()
    assert _story(line, turns=turns) == []
    _story(_ask(model="m"), _tell("created", "r1"), turns=turns)
    assert [word for word in _story(line, turns=turns) if word != "1 create"] == []
    assert turns.open == [1]


def test_nobody_is_told_what_belongs_to_no_turn() -> None:
    assert _story(_tell("error"), _tell("completed", "r1"), _tell("output_text.delta", delta="x")) == []


def test_an_error_that_is_told_twice_does_not_end_the_next_turn() -> None:
    assert _story(
        _ask(model="m"), _tell("created", "r1"), _tell("error"), _ask(), _tell("failed", "r1"), _tell("created", "r2")
    ) == ["1 asks m", "1 created", "1 error", "1 ends", "2 asks m", "2 created"]


def test_nor_does_what_is_told_of_it_begin_another() -> None:
    ended = _ask(model="m"), _tell("created", "r1"), _tell("error")
    assert _story(*ended, _tell("created", "r1"), _tell("output_text.delta", response_id="r1"))[4:] == []


def test_an_answer_that_changes_its_name_is_still_the_answer() -> None:
    assert _story(_ask(model="m"), _tell("created", "r1"), _tell("completed", "r2"))[2:] == ["1 completed", "1 ends"]


def test_what_has_no_name_is_of_the_response_that_began_last() -> None:
    left_open = _ask(model="m"), _tell("created", "r1"), _ask(model="n")
    assert _story(*left_open, _tell("created", "r2"), _tell("created", "r3"), _tell("error"), _tell("error"))[3:] == [
        *("2 created", "3 asks n", "3 created", "3 error", "3 ends", "2 error", "2 ends"),
    ]


def test_what_is_no_message_says_nothing() -> None:
    turns = Turns()
    assert turns.asked(_message(_ask(model="m")[1], Kind.PING)) == ()
    assert turns.asked(_message(_ask(model="m")[1], Kind.BINARY)) != ()


def test_streams_go_side_by_side() -> None:
    assert _story(
        _ask(model="m", stream_id="a"),
        _ask(model="n", stream_id="b"),
        _ask(model="o", stream_id="a"),
        _tell("completed", "r0", stream_id="c"),
        _tell("created", "r1", stream_id="b"),
        _tell("created", "r2", stream_id="a"),
        _tell("output_text.delta", stream_id="b", delta="x"),
        _tell("output_text.delta", stream_id="a", delta="x"),
        _tell("error", stream_id="a"),
        _tell("completed", "r1", stream_id="b"),
        _tell("completed", "r3", stream_id="a"),
    ) == [
        *("1 asks m", "2 asks n", "3 asks o", "2 created", "1 created", "2 output_text.delta", "1 output_text.delta"),
        *("1 error", "1 ends", "2 completed", "2 ends", "3 completed", "3 ends"),
    ]


def test_an_upstream_that_names_no_stream_answers_in_order() -> None:
    assert _story(
        _ask(model="m", stream_id="a"), _ask(model="n", stream_id="b"), _tell("completed"), _tell("completed")
    ) == ["1 asks m", "2 asks n", "1 completed", "1 ends", "2 completed", "2 ends"]


def test_what_steering_leads_to_is_a_turn_with_the_settings_of_the_last() -> None:
    began = _play(
        [
            _ask(model="m", reasoning={"effort": "high"}),
            _tell("created", "r1"),
            _ask("steer", previous_response_id="r1"),
            _tell("incomplete", "r1"),
            _tell("created", "r2"),
        ],
        Turns(),
    )[-2]
    assert isinstance(began, TurnBegan)
    assert began == TurnBegan(2, b'{"model":"m","reasoning":{"effort": "high"}}', {})


def test_a_setting_as_long_as_a_book_is_not_kept() -> None:
    assert _story(_ask(model="m" * 5000), _ask())[1:] == ["2 asks None"]


def test_who_asks_without_an_end_is_read_no_further() -> None:
    turns = Turns()
    asked = _story(*[_ask(model="m")] * MOST_OPEN_TURNS, turns=turns)
    assert (len(asked), turns.gave_up) == (MOST_OPEN_TURNS, False)
    assert _story(_ask(model="m"), _tell("completed"), _ask(), turns=turns) == ["1 completed", "1 ends"]
    assert turns.gave_up


# ---- the realtime API ------------------------------------------------------------------------------------------------


def _event(kind: str, name: str | None = None, **members: Any) -> Line:
    return _tell(kind, name, event_id="event_1", **members)


def test_a_realtime_turn_has_the_model_of_its_session() -> None:
    session = ("<", {"type": "session.updated", "event_id": "e", "session": {"model": "gpt-realtime-2"}})
    assert _story(
        _ask(response={"instructions": "Hi"}),
        _event("created", "r1"),
        _event("done", "r1"),
        session,
        _ask(),
        _ask(response={"model": "m"}),
        turns=Turns("gpt-realtime"),
    ) == ["1 asks gpt-realtime", "1 created", "1 done", "1 ends", "2 asks gpt-realtime-2", "3 asks m"]


def test_speech_begins_turns_that_nobody_asked_for() -> None:
    assert _story(_event("created", "r1"), _event("done", "r1"), _event("created", "r2"), turns=Turns("m")) == [
        *("1 asks m", "1 created", "1 done", "1 ends", "2 asks m", "2 created"),
    ]


def test_realtime_responses_go_side_by_side_by_their_names() -> None:
    assert _story(
        _ask(response={}),
        _ask(response={"conversation": "none"}),
        _event("created", "r1"),
        _event("created", "r2"),
        _event("output_audio.delta", response_id="r1", delta="AA"),
        _event("output_audio.delta", response_id="r2", delta="AA"),
        _event("done", "r2"),
        _event("output_audio.delta", response_id="r2", delta="late"),
        _event("done", "r1"),
        turns=Turns("m"),
    ) == [
        *("1 asks m", "2 asks m", "1 created", "2 created", "1 output_audio.delta", "2 output_audio.delta"),
        *("2 done", "2 ends", "1 done", "1 ends"),
    ]


@pytest.mark.parametrize(
    ("asked_by", "cause", "ended"),
    [
        ("mine", "mine", True),
        ("mine", "other", False),
        ("mine", None, True),
        (None, None, True),
        (None, "other", False),
    ],
)
def test_a_realtime_error_ends_the_turn_that_it_is_about(asked_by: str, cause: str, ended: bool) -> None:
    turns = Turns("m")
    error = _event("error", error={**ERROR, "event_id": cause})
    told = _story(_ask(event_id=asked_by, response={}), error, turns=turns)[1:]
    assert told == (["1 error", "1 ends"] if ended else [])


def test_a_realtime_error_ends_no_response_that_has_begun() -> None:
    assert _story(_ask(), _event("created", "r1"), _event("error", error=ERROR)) == ["1 asks None", "1 created"]


# ---- what a wire makes of turns --------------------------------------------------------------------------------------


def _facts(*lines: Line, turns: Turns | None = None) -> list[tuple[RequestFacts, ResponseFacts]]:
    """Of each turn, as the existing wire reads it."""
    asked: dict[int, RequestFacts] = {}
    taps: dict[int, Tap] = {}
    for step in _play(lines, turns or Turns()):
        match step:
            case TurnBegan(turn, request):
                asked[turn] = openai_responses.read_request("/v1/responses", request)
                taps[turn] = openai_responses.tap(status=101, stream=True)
            case TurnSaid(turn, event):
                taps[turn].feed(event)
    return [(asked[turn], tap.close()) for turn, tap in taps.items()]


USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
WORDS = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}


def test_the_wire_reads_a_turn_of_codex_as_it_reads_one_over_http() -> None:
    image = {"type": "function_call_output", "output": [{"type": "input_image"}]}
    completed = {"id": "r2", "model": "gpt-5.5", "status": "completed", "usage": USAGE, "output": [WORDS]}
    ((asked, said),) = _facts(
        _ask(model="gpt-5.5", generate=False, instructions="…", input=[]),
        _tell("created", "r1"),
        _tell("completed", "r1"),
        _ask(model="gpt-5.5", reasoning={"effort": "high"}, input=[image], previous_response_id="r1"),
        _tell("created", "r2"),
        _tell("output_text.delta", delta="Hi"),
        _tell("completed", response=completed),
    )
    high = ThinkingSetting(mode="level", level="high")
    assert asked == RequestFacts(model="gpt-5.5", thinking=high, has_tool_result_image=True)
    assert (said.terminal, said.response_model, said.empty_payload) == (True, "gpt-5.5", False)
    assert said.usage == TokenUsage(input_tokens=5, output_tokens=7, total_tokens=12)


def test_the_wire_reads_what_a_realtime_request_holds() -> None:
    response = {"reasoning": {"effort": "low"}, "input": [], "output_modalities": ["text"]}
    done = {"id": "r1", "status": "completed", "usage": USAGE, "output": []}
    ((asked, said),) = _facts(
        _ask(event_id="e1", response=response),
        _event("output_audio.delta", response_id="r1", delta="AAAA"),
        _event("done", response=done),
        turns=Turns("gpt-realtime"),
    )
    low = ThinkingSetting(mode="level", level="low")
    assert asked == RequestFacts(model="gpt-realtime", thinking=low, has_tool_result_image=False)
    assert (said.terminal, said.empty_payload, said.error) == (True, False, None)
    assert said.usage == TokenUsage(input_tokens=5, output_tokens=7, total_tokens=12)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (_tell("error", status=429, error=ERROR, headers={"retry-after": "2"}), Fault.PROVIDER_RATE_LIMITED),
        (_tell("error", code="server_is_overloaded", message="Busy", sequence_number=3), Fault.OVERLOADED),
        (_tell("failed", response={"status": "failed", "error": ERROR}), Fault.PROVIDER_RATE_LIMITED),
        (_tell("incomplete", response={"status": "incomplete"}), Fault.TRUNCATED),
        (
            _event("done", response={"id": "r", "status": "failed", "status_details": {"error": ERROR}}),
            Fault.PROVIDER_RATE_LIMITED,
        ),
        (_event("done", response={"id": "r", "status": "failed"}), Fault.ERROR_IN_STREAM),
        (_event("done", response={"id": "r", "status": "cancelled"}), None),
        (_tell("completed", response={"status": "completed"}), None),
        (_tell("output_text.delta", delta="and then nothing"), Fault.TRUNCATED),
    ],
)
def test_the_wire_knows_how_a_turn_ended(line: Line, fault: Fault | None) -> None:
    ((_, said),) = _facts(_ask(model="m"), line)
    outcome = Outcome.FAILED if fault else Outcome.OK
    assert classify(status=200, facts=said) == (outcome, fault)


@pytest.mark.parametrize(
    ("metadata", "headers"),
    [
        (
            {"x-codex-turn-metadata": '{"turn_id":"t"}', "thread_id": "x"},
            {b"x-codex-turn-metadata": b'{"turn_id":"t"}'},
        ),
        ({"x-codex-turn-metadata": {"turn_id": "t"}}, {}),
        ([1], {}),
        (None, {}),
    ],
)
def test_a_turn_is_named_by_its_own_message(metadata: Any, headers: dict[bytes, bytes]) -> None:
    (began,) = _play([_ask(model="m", client_metadata=metadata)], Turns())
    assert isinstance(began, TurnBegan)
    assert began.headers == headers


def test_messages_too_long_to_be_kept_begin_and_end_turns_by_their_heads() -> None:
    turns = Turns()
    asked = b'{"type":"response.create","model":"m","input":[{"type":"mess'
    ended = b'{"type":"response.completed","sequence_number":9,"response":{"id":"r1","out'
    (began,) = turns.asked(Message(Kind.TEXT, None, 9 << 20, asked))
    said = turns.told(Message(Kind.TEXT, None, 9 << 20, ended))
    assert _words(began) == "1 asks m"
    assert [_words(step) for step in said] == ["1 completed", "1 ends"]


def test_the_longest_message_that_is_kept_is_an_event_that_is_kept() -> None:
    assert SseSplitter().feed(as_sse(b"x" * MOST_MESSAGE_BYTES)) == [(b"", b"x" * MOST_MESSAGE_BYTES)]


@pytest.mark.parametrize("payload", [b'{\n  "a": 1,\r\n  "b": [\n\n]\r}', b"", b"\n", b'{"a":"\\n"}'])
def test_a_message_is_one_event_however_its_json_is_laid_out(payload: bytes) -> None:
    ((name, data),) = SseSplitter().feed(as_sse(payload))
    assert name == b""
    assert (data or b"").split() == payload.split()


JSONS = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["r1", "response.created"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
NAMES = ("stream_id", "event_id", "response_id", "response", "error", "session", "model", "reasoning", "generate")
TYPES = st.sampled_from(["create", "append", "created", "completed", "done", "failed"]).map("response.{}".format)
WILD = st.fixed_dictionaries(
    {"type": st.one_of(TYPES, st.sampled_from(["error", "session.created"]), JSONS)},
    optional={
        name: st.one_of(st.fixed_dictionaries({}, optional={"id": JSONS, "type": TYPES}), JSONS) for name in NAMES
    },
)


@given(st.lists(st.tuples(st.booleans(), st.one_of(WILD, JSONS, st.binary(max_size=40)), st.sampled_from(list(Kind)))))
def test_turns_never_raise_and_each_begins_goes_on_and_ends_once(lines: list[tuple[bool, Any, Kind]]) -> None:
    turns = Turns()
    begun: set[int] = set()
    ended: set[int] = set()
    for is_clients, value, kind in lines:
        message = _message(value, kind)
        for step in turns.asked(message) if is_clients else turns.told(message):
            is_new = isinstance(step, TurnBegan)
            assert (step.turn in begun) is not is_new
            assert step.turn not in ended
            begun |= {step.turn}
            ended |= {step.turn} if isinstance(step, TurnEnded) else set()
    assert begun - ended == set(turns.open)
