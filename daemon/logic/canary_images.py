"""Canaries whose tool has answered with a picture, in the shapes of three wires, and the same ones with a word."""

from collections.abc import Callable, Mapping
from typing import Any

from daemon.domain.event import Wire
from daemon.domain.probe import Ask
from daemon.logic.canary import canary

TOKENS = 1024
"""Room for a model that thinks before its word."""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mP4z8CAFTEMLQkAKP8/wc53yE8AAAAASUVORK5CYII="
"""A red square of eight pixels."""
_NAME, _ID = "take_picture", "call_runbookd1"
_ASKED, _SEEN, _TOLD = "Take a picture, then name its colour in one word.", "The picture:", "It is red."
_SCHEMA = {"type": "object", "properties": {"of": {"type": "string"}}}
_TOOL = {"name": _NAME, "description": "Takes a picture."}
_GIVEN = '{"of":"the wall"}'
_URL = f"data:image/png;base64,{PNG}"


def image_canary(model: str, wire: Wire, *, stream: bool = False, image: bool = True) -> Ask:
    """The third turn of a conversation: somebody asked, the tool was called, and this is what it gave."""
    return canary(model, wire, stream=stream, tokens=TOKENS, **_FIELDS[wire](image))


def _responses(image: bool) -> dict[str, Any]:
    shown = [{"type": "input_text", "text": _SEEN}, {"type": "input_image", "image_url": _URL, "detail": "low"}]
    return {
        "input": [
            {"role": "user", "content": _ASKED},
            {"type": "function_call", "call_id": _ID, "name": _NAME, "arguments": _GIVEN},
            {"type": "function_call_output", "call_id": _ID, "output": shown if image else _TOLD},
        ],
        "tools": [{"type": "function", **_TOOL, "parameters": _SCHEMA}],
    }


def _chat(image: bool) -> dict[str, Any]:
    shown = [{"type": "text", "text": _SEEN}, {"type": "image_url", "image_url": {"url": _URL, "detail": "low"}}]
    call = {"id": _ID, "type": "function", "function": {"name": _NAME, "arguments": _GIVEN}}
    return {
        "messages": [
            {"role": "user", "content": _ASKED},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": _ID, "content": shown if image else _TOLD},
        ],
        "tools": [{"type": "function", "function": {**_TOOL, "parameters": _SCHEMA}}],
    }


def _anthropic(image: bool) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    shown = [{"type": "text", "text": _SEEN}, {"type": "image", "source": source}]
    result = {"type": "tool_result", "tool_use_id": _ID, "content": shown if image else _TOLD}
    call = {"type": "tool_use", "id": _ID, "name": _NAME, "input": {"of": "the wall"}}
    return {
        "messages": [
            {"role": "user", "content": _ASKED},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
        "tools": [{**_TOOL, "input_schema": _SCHEMA}],
    }


_FIELDS: Mapping[Wire, Callable[[bool], dict[str, Any]]] = {
    Wire.OPENAI_RESPONSES: _responses,
    Wire.OPENAI_CHAT: _chat,
    Wire.ANTHROPIC_MESSAGES: _anthropic,
}
