"""Canaries that insist on a tool, on every wire, and whether what came of it can be called."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from daemon.domain.event import Wire
from daemon.domain.probe import Ask, Reply
from daemon.logic.canary import Answer, canary
from daemon.logic.json_peek import DECODE_ERRORS
from daemon.logic.sse import SseSplitter

TOKENS = 256
"""A call takes more than a word."""
_NAME, _WANTED = "get_weather", "city"
_SCHEMA = {"type": "object", "properties": {_WANTED: {"type": "string"}}, "required": [_WANTED]}
_TOLD = {"name": _NAME, "description": "The weather of a city."}
_ENDS = {
    Wire.OPENAI_CHAT: frozenset({"tool_calls", "function_call"}),
    Wire.ANTHROPIC_MESSAGES: frozenset({"tool_use"}),
}
"""What an answer must say that it ended for, on the wires that have a word for it."""

_FIELDS: Mapping[Wire, Mapping[str, Any]] = {
    Wire.OPENAI_CHAT: {
        "tools": [{"type": "function", "function": {**_TOLD, "parameters": _SCHEMA}}],
        "tool_choice": "required",
    },
    Wire.OPENAI_RESPONSES: {
        "tools": [{"type": "function", **_TOLD, "parameters": _SCHEMA}],
        "tool_choice": "required",
    },
    Wire.ANTHROPIC_MESSAGES: {"tools": [{**_TOLD, "input_schema": _SCHEMA}], "tool_choice": {"type": "any"}},
    Wire.GEMINI_GENERATE_CONTENT: {
        "tools": [{"functionDeclarations": [{**_TOLD, "parameters": _SCHEMA}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    },
}


def tool_canary(model: str, wire: Wire, *, stream: bool = False) -> Ask:
    """One small request whose answer must be the call of a tool."""
    text = "What is the weather in Paris? Use the tool."
    return canary(model, wire, stream=stream, text=text, tokens=TOKENS, **_FIELDS[wire])


def tool_trouble(ask: Ask, reply: Reply, answer: Answer) -> str:
    """What is wrong with a good answer to a `tool_canary`, in words; empty where nothing is."""
    wire, facts = ask.wire or Wire.OPENAI_CHAT, answer.facts
    if facts is None or not facts.has_tool_use:
        return "the tool is not called"
    if facts.finish_reason not in _ENDS.get(wire, {facts.finish_reason}):
        return f"the tool is called, and the answer ends as if it were not ({facts.finish_reason})"
    given = _arguments(wire, reply)
    if not given:
        return "the tool is called without arguments"
    return "" if _is_whole(given) else "the arguments of the tool are not what was asked for"


def _is_whole(given: str) -> bool:
    try:
        found = json.loads(given)
    except DECODE_ERRORS:
        return False
    return isinstance(found, dict) and _WANTED in found


def _arguments(wire: Wire, reply: Reply) -> str:
    """Of the first call, as JSON; empty where there are none."""
    calls: dict[Any, str] = {}
    for call, piece in _READ[wire](_pieces(reply)):
        calls[call] = calls.get(call, "") + (piece if isinstance(piece, str) else json.dumps(piece) if piece else "")
    found = next(iter(calls.values()), "")
    return "" if found == "{}" else found


def _pieces(reply: Reply) -> Iterator[Any]:
    """The decoded body, or the events of a stream one after the other."""
    if "event-stream" not in reply.headers.get("content-type", ""):
        yield reply.json()
        return
    splitter = SseSplitter()
    for _, data in (*splitter.feed(reply.body), *splitter.close()):
        try:
            yield json.loads(data or b"null")
        except DECODE_ERRORS:
            continue


def _at(value: Any, *steps: str | int) -> Any:
    """What stands there; None where the shape is another."""
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _all(value: Any, *steps: str | int) -> list[Any]:
    found = _at(value, *steps)
    return found if isinstance(found, list) else []


_Calls = Iterator[tuple[object, Any]]
"""Pieces of arguments, each with what tells its call from others."""


def _of_chat(pieces: Iterator[Any]) -> _Calls:
    for piece in pieces:
        said = _at(piece, "choices", 0, "message") or _at(piece, "choices", 0, "delta")
        for call in _all(said, "tool_calls"):
            yield str(_at(call, "index")), _at(call, "function", "arguments")


def _of_responses(pieces: Iterator[Any]) -> _Calls:
    """The last event repeats the whole answer."""
    for piece in pieces:
        whole = _at(piece, "response") if _at(piece, "type") == "response.completed" else piece
        for number, item in enumerate(_all(whole, "output")):
            if _at(item, "type") == "function_call":
                yield number, _at(item, "arguments")


def _of_anthropic(pieces: Iterator[Any]) -> _Calls:
    for piece in pieces:
        if (given := _at(piece, "delta", "partial_json")) is not None:
            yield str(_at(piece, "index")), given
        for number, block in enumerate(_all(piece, "content")):
            if _at(block, "type") == "tool_use":
                yield number, _at(block, "input")


def _of_gemini(pieces: Iterator[Any]) -> _Calls:
    for number, piece in enumerate(pieces):
        for place, part in enumerate(_all(piece, "candidates", 0, "content", "parts")):
            if _at(part, "functionCall") is not None:
                yield (number, place), _at(part, "functionCall", "args")


_READ: Mapping[Wire, Callable[[Iterator[Any]], _Calls]] = {
    Wire.OPENAI_CHAT: _of_chat,
    Wire.OPENAI_RESPONSES: _of_responses,
    Wire.ANTHROPIC_MESSAGES: _of_anthropic,
    Wire.GEMINI_GENERATE_CONTENT: _of_gemini,
}
