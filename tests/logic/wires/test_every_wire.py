"""What holds on all four wires: facts do not depend on the split, nothing raises, memory is bounded."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.adapters.fake import wires as spoken
from daemon.domain.event import Wire
from daemon.domain.facts import RequestFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.thinking_reading import from_word
from daemon.logic.wire import WireProtocol
from tests.logic.splitting import cuts, pieces
from tests.logic.wires.answers import CODEX_ERROR, IDS, TOKENS, WIRES, ask, frames, read, reply, streamed, whole

every_wire = pytest.mark.parametrize("wire", WIRES, ids=IDS)
any_wire = st.sampled_from(WIRES)
GEMINI = Wire.GEMINI_GENERATE_CONTENT
PATHS = {
    Wire.OPENAI_CHAT: "/v1/chat/completions",
    Wire.OPENAI_RESPONSES: "/v1/responses",
    Wire.ANTHROPIC_MESSAGES: "/v1/messages",
    GEMINI: "/v1beta/models/gpt-5.4:streamGenerateContent",
}
ERRORS = [
    {"error": "Invalid API key"},
    {"error": CODEX_ERROR},
    {"type": "error", "error": {"type": "api_error", "message": "m"}},
    {"detail": "no"},
    {"error": {"code": 500, "status": "INTERNAL", "message": "m"}},
]


def _bodies(wire: Wire) -> list[bytes]:
    """Everything that may come: whole, streamed in both forms, cut, with an error."""
    stream = streamed(wire)
    errors = [json.dumps(error).encode() for error in ERRORS]
    bare = [b"".join((b"[", b",\n".join([*parts.body, *parts.ending]), b"]")) for parts in [frames(wire, sse=False)]]
    in_band = [stream[:400] + spoken.error_frame(ask(wire, codex=codex), CODEX_ERROR, 3) for codex in (True, False)]
    crlf = stream.replace(b"\n", b"\r\n")
    return [whole(wire), stream, crlf, streamed(wire, sse=False), stream[: len(stream) // 2], *bare, *in_band, *errors]


# ---- streams and bodies ----------------------------------------------------------------------------------------------


@every_wire
def test_a_stream_and_a_whole_answer_say_the_same(wire: WireProtocol) -> None:
    facts = read(wire, [streamed(wire.WIRE)])
    assert facts == read(wire, [whole(wire.WIRE)], stream=False)
    assert facts.terminal
    assert facts.response_model == "gpt-5.4"
    assert facts.usage is not None
    assert (facts.usage.input_tokens, facts.usage.reasoning_tokens, facts.usage.total_tokens) == (12, 20, 42)
    assert (facts.error, facts.empty_payload, facts.has_tool_use) == (None, False, False)


@given(any_wire, st.integers(0, 20), cuts(), st.booleans(), st.sampled_from([200, 200, 200, 500]))
def test_facts_do_not_depend_on_the_split(
    wire: WireProtocol, number: int, at: list[int], stream: bool, status: int
) -> None:
    bodies = _bodies(wire.WIRE)
    body = bodies[number % len(bodies)]
    assert read(wire, pieces(body, at), status=status, stream=stream) == read(
        wire, [body], status=status, stream=stream
    )


@every_wire
def test_byte_by_byte_is_the_same(wire: WireProtocol) -> None:
    for body in _bodies(wire.WIRE):
        for stream in (True, False):
            assert read(wire, [bytes([byte]) for byte in body], stream=stream) == read(wire, [body], stream=stream)


@every_wire
def test_a_stream_without_its_end_is_not_finished(wire: WireProtocol) -> None:
    facts = read(wire, frames(wire.WIRE).body)
    assert (facts.terminal, facts.empty_payload, facts.has_tool_use) == (False, None, False)


@every_wire
def test_a_stream_cut_anywhere_before_its_end_marker_is_not_finished(wire: WireProtocol) -> None:
    stream = streamed(wire.WIRE)
    marker = {
        Wire.OPENAI_CHAT: b'"finish_reason":"stop"',
        Wire.OPENAI_RESPONSES: b'"type":"response.completed"',
        Wire.ANTHROPIC_MESSAGES: b'"type":"message_stop"',
        GEMINI: b'"finishReason"',
    }[wire.WIRE]
    for end in range(stream.rindex(marker) + 5):
        assert not read(wire, [stream[:end]]).terminal


@every_wire
def test_a_body_cut_anywhere_is_not_finished(wire: WireProtocol) -> None:
    body = whole(wire.WIRE)
    assert not any(read(wire, [body[:end]], stream=False).terminal for end in range(len(body)))


@every_wire
@pytest.mark.parametrize("stream", [True, False])
def test_half_an_emoji_spoils_nothing(wire: WireProtocol, stream: bool) -> None:
    said = reply(words=("HALF",))
    body = streamed(wire.WIRE, said) if stream else whole(wire.WIRE, said)
    assert read(wire, [body.replace(b"HALF", rb"\ud83d")], stream=stream) == read(wire, [body], stream=stream)


@every_wire
def test_only_blank_lines_before_a_body_are_no_content(wire: WireProtocol) -> None:
    tap = wire.tap(status=200, stream=False)
    tap.feed(b"\n\n")
    assert not tap.content_started
    tap.feed(whole(wire.WIRE))
    assert tap.content_started
    assert tap.close().terminal


@every_wire
def test_content_starts_with_the_first_word(wire: WireProtocol) -> None:
    tap = wire.tap(status=200, stream=True)
    started = []
    for frame in frames(wire.WIRE).body:
        tap.feed(frame)
        started.append(tap.content_started)
    first = next(number for number, frame in enumerate(frames(wire.WIRE).body) if b"All" in frame)
    assert started.index(True) == first


@every_wire
@pytest.mark.parametrize("stream", [True, False])
def test_an_empty_answer_is_finished_and_empty(wire: WireProtocol, stream: bool) -> None:
    said = reply(words=())
    facts = read(wire, [streamed(wire.WIRE, said) if stream else whole(wire.WIRE, said)], stream=stream)
    assert (facts.terminal, facts.empty_payload, facts.has_tool_use) == (True, True, False)


@every_wire
@pytest.mark.parametrize("stream", [True, False])
def test_absent_usage_is_not_zero_usage(wire: WireProtocol, stream: bool) -> None:
    def usage(tokens: spoken.Tokens | None) -> TokenUsage | None:
        said = reply(usage=tokens)
        return read(wire, [streamed(wire.WIRE, said) if stream else whole(wire.WIRE, said)], stream=stream).usage

    zero = usage(spoken.Tokens(input=0, output=0))
    assert usage(None) is None
    assert zero is not None
    assert (zero.input_tokens, zero.output_tokens, zero.total_tokens) == (0, 0, 0)
    assert usage(TOKENS) != zero


@every_wire
@pytest.mark.parametrize("codex", [True, False])
def test_an_error_inside_a_started_stream_is_found(wire: WireProtocol, codex: bool) -> None:
    frame = spoken.error_frame(ask(wire.WIRE, codex=codex), CODEX_ERROR, 3)
    facts = read(wire, [*frames(wire.WIRE).body, frame])
    assert facts.error is not None
    assert facts.error.message == "upstream stream broke"
    assert facts.empty_payload is None


@every_wire
@pytest.mark.parametrize("error", ERRORS[:3] + ERRORS[4:], ids=str)
@pytest.mark.parametrize("stream", [True, False])
def test_any_vendors_error_in_a_200_body_is_found(wire: WireProtocol, error: dict[str, Any], stream: bool) -> None:
    facts = read(wire, [b"\n\n", json.dumps(error).encode()], stream=stream)
    assert facts.error is not None
    assert facts.empty_payload is None


@every_wire
def test_the_body_of_an_error_status_is_an_error_whatever_it_says(wire: WireProtocol) -> None:
    for body in (b"", b"<html>502</html>", whole(wire.WIRE), b'{"error":{"message":"m","code":"c"}}'):
        facts = read(wire, [body], status=502)
        assert facts.error is not None
        assert facts.error.status == 502
        assert not facts.terminal


# ---- bounds ----------------------------------------------------------------------------------------------------------


@every_wire
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("opening", [b"", b"data: ", b'{"choices":[{"text":"', b"data: {}\n\n"])
def test_fifty_megabytes_leave_little_behind(wire: WireProtocol, stream: bool, status: int, opening: bytes) -> None:
    chunk = (opening + b"x" * 65536)[:65536]
    tracemalloc.start()
    try:
        tap = wire.tap(status=status, stream=stream)
        tap.feed(opening)
        for _ in range(800):
            tap.feed(chunk)
        assert tracemalloc.get_traced_memory()[0] < 6 << 20
        tap.close()
    finally:
        tracemalloc.stop()


@every_wire
def test_a_body_too_long_to_be_parsed_still_gives_its_usage(wire: WireProtocol) -> None:
    said = reply(words=("long " * 1_500_000,))
    facts, short = read(wire, pieces(whole(wire.WIRE, said), [70_000] * 3), stream=False), reply()
    assert facts.terminal
    assert facts.usage is not None
    assert facts.usage == read(wire, [whole(wire.WIRE, short)], stream=False).usage
    assert (facts.empty_payload, facts.has_tool_use, facts.error) == (None, None, None)
    assert not read(wire, [whole(wire.WIRE, said)[:5_000_000]], stream=False).terminal


# ---- fuzz ------------------------------------------------------------------------------------------------------------


@given(any_wire, st.binary(max_size=300), st.booleans(), st.sampled_from([200, 429]))
def test_random_bytes_never_raise(wire: WireProtocol, body: bytes, stream: bool, status: int) -> None:
    read(wire, [body], stream=stream, status=status)
    read(wire, [b"data: ", body, b"\n\n"], stream=stream, status=status)
    wire.read_request(PATHS[wire.WIRE], body)
    wire.with_model(body, body, "m")


_ODD = st.sampled_from(
    [b"null", b"7", b'"x"', b"[]", b"{}", b"-1e5", b'"\\ud800"', b"\xff", b"[[[", b"\n\n", b'{"error":']
)


@settings(max_examples=300)
@given(any_wire, st.integers(0, 20), st.integers(0, 1 << 16), st.integers(0, 40), _ODD, st.booleans())
def test_mutated_answers_never_raise(
    wire: WireProtocol, number: int, at: int, length: int, odd: bytes, stream: bool
) -> None:
    bodies = _bodies(wire.WIRE)
    body = bodies[number % len(bodies)]
    at %= len(body)
    read(wire, [body[:at] + odd + body[at + length :]], stream=stream)


_NAMES = st.sampled_from(
    """model stream messages input contents parts content type role output thinking reasoning reasoning_effort effort
    generationConfig thinkingConfig thinkingBudget budget_tokens output_config choices delta message usage error
    response item status candidates finishReason usageMetadata promptFeedback details tool_calls""".split()  # noqa: SIM905
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(any_wire, st.dictionaries(_NAMES, _VALUES, max_size=6), st.integers(0, 1 << 16))
def test_right_names_with_wrong_values_never_raise(wire: WireProtocol, value: dict[str, Any], cut: int) -> None:
    body = json.dumps(value).encode()
    read(wire, [body], stream=False)
    read(wire, [b"data: ", body, b"\n\n"])
    read(wire, [body], status=400)
    wire.read_request(PATHS[wire.WIRE], body)
    wire.read_request(PATHS[wire.WIRE], body[: cut % (len(body) + 1)])


def test_brackets_without_end_never_raise() -> None:
    for wire in WIRES:
        for opening in (b"[", b'{"model":', b'{"messages":[', b'{"usage":{"a":'):
            body = opening * 100_000
            read(wire, [body], stream=False)
            read(wire, [b"data: ", body, b"\n\n"])
            read(wire, [body], status=400)
            assert wire.read_request("/v1/responses", body).model is None


# ---- requests --------------------------------------------------------------------------------------------------------


@every_wire
def test_only_one_wire_claims_a_path(wire: WireProtocol) -> None:
    path = PATHS[wire.WIRE]
    assert [other.WIRE for other in WIRES if other.claims("POST", path)] == [wire.WIRE]
    assert wire.claims("GET", path) is None
    assert wire.claims("POST", path + "/") is None


@every_wire
def test_nothing_is_read_out_of_nothing(wire: WireProtocol) -> None:
    for body in (b"", b"--boundary\r\n", b"[1]", b"\x28\xb5\x2f\xfd"):
        assert wire.read_request("/", body) == RequestFacts()


_MODELS = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())
_TEXTS = st.dictionaries(st.text(max_size=4).filter(lambda name: name != "model"), _VALUES, max_size=4)
_LAYOUTS = st.sampled_from([{"separators": (",", ":")}, {"indent": 3}, {"ensure_ascii": False}])


@given(st.sampled_from(WIRES[:3]), _MODELS, _MODELS, _TEXTS, _TEXTS, _LAYOUTS)
def test_another_model_changes_not_one_other_byte(
    wire: WireProtocol, asked: str, model: str, before: dict[str, Any], after: dict[str, Any], layout: dict[str, Any]
) -> None:
    marked = json.dumps({**before, "model": "@@", **after, "nested": {"model": asked}}, **layout).encode()
    head, _, tail = marked.partition(b'"@@"')
    body = head + json.dumps(asked).encode() + tail
    target, changed = wire.with_model(b"/v1/x?model=a", body, model)
    assert target == b"/v1/x?model=a"
    assert changed.startswith(head)
    assert changed.endswith(tail)
    sent = json.loads(changed[len(head) : len(changed) - len(tail)])
    assert sent == model or sent.startswith(model + "(")


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b'{"model":"a"}', b'{"model":"new"}'),
        (b' {\n "x":{"model":"a"}, "model" : "a" ,"y":1}\n', b' {\n "x":{"model":"a"}, "model" : "new" ,"y":1}\n'),
        (b'{"model":"a(high)"}', b'{"model":"new(high)"}'),
        (b'{"model":"p/a(8192)","m":"\\u00e9 \xc3\xa9"}', b'{"model":"new(8192)","m":"\\u00e9 \xc3\xa9"}'),
        (b'{"model":"a","messages":[{"content":"cut', b'{"model":"a","messages":[{"content":"cut'),
        (b'{"messages":[]}', b'{"messages":[]}'),
        (b'{"model":7}', b'{"model":7}'),
        (b'{"nested":{"model":"a"}}', b'{"nested":{"model":"a"}}'),
        (b'{"model":"a","half":"\\ud83d"}', b'{"model":"new","half":"\\ud83d"}'),
        (b"", b""),
        (b"not json", b"not json"),
    ],
)
@pytest.mark.parametrize("wire", WIRES[:3], ids=IDS[:3])
def test_the_model_of_a_body_is_replaced(wire: WireProtocol, body: bytes, changed: bytes) -> None:
    assert wire.with_model(b"/v1/x", body, "new") == (b"/v1/x", changed)


def test_a_suffix_of_the_new_model_wins() -> None:
    assert WIRES[0].with_model(b"/", b'{"model":"a(high)"}', "new(low)")[1] == b'{"model":"new(low)"}'


WORDS = ("none", "auto", "minimal", "low", "medium", "high", "xhigh", "max", "0", "-1", "1024", "8192", "32768")
ASKED: list[dict[str, Any]] = [
    {},
    {"model": "m"},
    {"reasoning_effort": "low", "reasoning": {"summary": "auto", "effort": "low"}},
    {"thinking": {"type": "enabled", "budget_tokens": 5}, "output_config": {"effort": "low", "x": [1]}},
    {"thinking": None, "reasoning": None, "generationConfig": None, "output_config": None},
    {"generationConfig": {"temperature": 1, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 3}}},
    {"generation_config": {"thinking_config": {"thinking_level": "low"}, "topK": 4}},
    {"thinking": "odd", "generationConfig": [1], "reasoning": 7},
]


@every_wire
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("asked", ASKED, ids=range(len(ASKED)))
def test_a_pinned_thinking_is_what_the_wire_reads_then(wire: WireProtocol, word: str, asked: dict[str, Any]) -> None:
    thinking = from_word(word)
    assert thinking is not None
    path = PATHS[wire.WIRE].replace("gpt-5.4", "m")
    _, body = wire.with_thinking(path.encode(), json.dumps(asked, indent=1).encode(), thinking)
    read_again = wire.read_request(path, body).thinking
    assert read_again is not None
    nearest = {"minimal": "low", "xhigh": "max"} if wire.WIRE is Wire.ANTHROPIC_MESSAGES else {}
    assert read_again.canonical in (thinking.canonical, nearest.get(thinking.canonical))
    assert _without_thinking(json.loads(body)) == _without_thinking(asked)


def _without_thinking(value: Any) -> Any:
    """What is no member that says how to think, nor an object that is empty without them."""
    if not isinstance(value, dict):
        return value
    ours = ("reasoning_effort", "effort", "thinking", "thinkingBudget", "thinkingLevel", "thinking_level")
    kept = {name: _without_thinking(inner) for name, inner in value.items() if name not in ours}
    holders = (
        "reasoning",
        "output_config",
        "generationConfig",
        "generation_config",
        "thinkingConfig",
        "thinking_config",
    )
    return {name: inner for name, inner in kept.items() if name not in holders or (inner and isinstance(inner, dict))}


@every_wire
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"not json", b'{"a":1', b"\xff"])
def test_a_body_that_is_no_object_is_not_pinned(wire: WireProtocol, body: bytes) -> None:
    assert wire.with_thinking(b"/x", body, ThinkingSetting(mode="level", level="high")) == (b"/x", body)


# ---- errors of our own -----------------------------------------------------------------------------------------------


@every_wire
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 502, 503, 504])
def test_our_own_errors_carry_their_reason(wire: WireProtocol, status: int) -> None:
    body = json.loads(wire.error_body(status, "runbookd_upstream_connect", "the upstream cannot be reached"))
    error = body["error"]
    assert error["message"] == "the upstream cannot be reached"
    if wire.WIRE is GEMINI:
        assert (error["code"], error["details"][0]["reason"]) == (status, "runbookd_upstream_connect")
        assert error["status"]
    else:
        assert error["code"] == "runbookd_upstream_connect"
        assert error["type"]
        assert (body.get("type") == "error") is (wire.WIRE is Wire.ANTHROPIC_MESSAGES)
