"""Whether the call of a tool can be called, on every wire and in both modes."""

import json
from typing import Any

import pytest

from daemon.app import shelf
from daemon.domain.event import Outcome, Wire
from daemon.domain.facts import ResponseFacts
from daemon.domain.probe import Reply
from daemon.logic.canary import Answer, answer
from daemon.logic.canary_tools import tool_canary, tool_trouble

WIRES = {wire.WIRE: wire for wire in shelf.wires()}
CHAT, RESPONSES, CLAUDE, GEMINI = (
    Wire.OPENAI_CHAT,
    Wire.OPENAI_RESPONSES,
    Wire.ANTHROPIC_MESSAGES,
    Wire.GEMINI_GENERATE_CONTENT,
)
GOOD = '{"city": "Paris"}'
OTHERWISE = "the tool is called, and the answer ends as if it were not"
ABSENT, STRANGE = "the tool is called without arguments", "the arguments of the tool are not what was asked for"


def chat(*given: str, ends: str = "tool_calls") -> Any:
    calls = [{"index": number, "function": {"arguments": one}} for number, one in enumerate(given)]
    return {"choices": [{"message": {"tool_calls": calls}, "finish_reason": ends}]}


def responses(*given: str) -> Any:
    output = [{"type": "reasoning"}, *({"type": "function_call", "arguments": one} for one in given)]
    return {"status": "completed", "output": output}


def claude(*given: Any, ends: str = "tool_use") -> Any:
    return {"content": [{"type": "tool_use", "input": one} for one in given], "stop_reason": ends}


def gemini(*given: Any) -> Any:
    parts = [{"functionCall": {"name": "get_weather", "args": one}} for one in given]
    return {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}


def chat_chunks(*pieces: tuple[int, str]) -> list[Any]:
    deltas = [{"tool_calls": [{"index": call, "function": {"arguments": piece}}]} for call, piece in pieces]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    return [*({"choices": [{"delta": delta}]} for delta in deltas), end]


def claude_events(*pieces: tuple[int, str]) -> list[Any]:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {}}}
    deltas = [
        {"type": "content_block_delta", "index": call, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for call, piece in pieces
    ]
    ending = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    return [block, *deltas, ending, {"type": "message_stop"}]


def trouble(wire: Wire, body: Any, *, stream: bool = False) -> str:
    kind = "text/event-stream" if stream else "application/json"
    events = "".join(f"data: {json.dumps(one)}\n\n" for one in body) if stream else json.dumps(body)
    ask = tool_canary("m", wire, stream=stream)
    reply = Reply(status=200, headers={"content-type": kind}, body=events.encode())
    return tool_trouble(ask, reply, answer(ask, reply, WIRES))


@pytest.mark.parametrize(
    ("wire", "body", "expected"),
    [
        (CHAT, chat(GOOD), ""),
        (CHAT, chat(GOOD, GOOD), ""),
        (CHAT, chat(""), ABSENT),
        (CHAT, chat("{}"), ABSENT),
        (CHAT, chat('{"city": "Pa'), STRANGE),
        (CHAT, chat('{"town": "Paris"}'), STRANGE),
        (CHAT, chat('["city"]'), STRANGE),
        (CHAT, chat(GOOD, ends="stop"), f"{OTHERWISE} (stop)"),
        (CHAT, {"choices": [{"message": {"content": "No."}, "finish_reason": "stop"}]}, "the tool is not called"),
        (RESPONSES, responses(GOOD), ""),
        (RESPONSES, responses(GOOD, GOOD), ""),
        (RESPONSES, responses(""), ABSENT),
        (CLAUDE, claude({"city": "Paris"}), ""),
        (CLAUDE, claude({"city": "Paris"}, {"city": "Rome"}), ""),
        (CLAUDE, claude({}), ABSENT),
        (CLAUDE, claude({"city": "Paris"}, ends="end_turn"), f"{OTHERWISE} (end_turn)"),
        (GEMINI, gemini({"city": "Paris"}), ""),
        (GEMINI, gemini({"city": "Paris"}, {"city": "Rome"}), ""),
        (GEMINI, gemini({}), ABSENT),
        (GEMINI, gemini(None), ABSENT),
    ],
)
def test_of_a_whole_answer(wire: Wire, body: Any, expected: str) -> None:
    assert trouble(wire, body) == expected


@pytest.mark.parametrize(
    ("wire", "events", "expected"),
    [
        (CHAT, chat_chunks((0, ""), (0, '{"city"'), (0, ': "Paris"}')), ""),
        (CHAT, chat_chunks((0, GOOD), (1, GOOD)), ""),
        (CHAT, chat_chunks((0, "")), ABSENT),
        (CLAUDE, claude_events((0, '{"city"'), (0, ': "Paris"}')), ""),
        (CLAUDE, claude_events((0, GOOD), (1, GOOD)), ""),
        (CLAUDE, claude_events(), ABSENT),
        (CLAUDE, claude_events((0, '{"city"')), STRANGE),
        (RESPONSES, [{"type": "response.completed", "response": responses(GOOD)}], ""),
        (RESPONSES, [{"type": "response.completed", "response": responses("")}], ABSENT),
        (GEMINI, [gemini({"city": "Paris"})], ""),
        (GEMINI, [gemini({})], ABSENT),
    ],
)
def test_of_a_stream(wire: Wire, events: list[Any], expected: str) -> None:
    assert trouble(wire, events, stream=True) == expected


NONSENSE = (
    b"",
    b"null",
    b"[7]",
    b"{",
    b"data: {\n\n",
    b"data: [DONE]\n\n",
    b'{"choices": 7, "output": 7, "content": 7, "candidates": 7, "delta": 7, "response": 7}',
    b'{"choices": [{"message": {"tool_calls": 7}}], "content": [7], "output": [7], "candidates": [[7]]}',
    b'{"choices": [{"message": {"tool_calls": [7]}}], "candidates": [{"content": {"parts": 7}}]}',
)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("body", NONSENSE)
def test_nothing_that_an_upstream_says_breaks_it(wire: Wire, kind: str, body: bytes) -> None:
    """Whatever the tap made of it."""
    facts = ResponseFacts(has_tool_use=True, finish_reason="tool_calls" if wire is CHAT else "tool_use")
    reply = Reply(status=200, headers={"content-type": kind}, body=body)
    assert tool_trouble(tool_canary("m", wire), reply, Answer(outcome=Outcome.OK, facts=facts)) == ABSENT
