"""OpenAI chat completions, and the legacy completions that the upstream serves by conversion to chat.

A stream is finished by `[DONE]`, or by a finish reason on the last chunk that had a choice: some vendors leave `[DONE]`
out, and none sends a finish reason before its answer is whole.
"""

import re
from typing import Any

import msgspec

from daemon.domain.event import Wire
from daemon.domain.facts import RequestFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic import tapping
from daemon.logic.json_peek import DECODE_ERRORS, count, decode, decode_members, inside, is_list_without, says, text
from daemon.logic.model_rewriting import body_with, body_with_model
from daemon.logic.own_errors import openai_error as error_body
from daemon.logic.thinking_reading import from_effort, from_suffix
from daemon.logic.wire import Tap

__all__ = ["WIRE", "claims", "error_body", "read_request", "tap", "with_model", "with_thinking"]

WIRE = Wire.OPENAI_CHAT

_PATH = re.compile(r"/v1/((?:chat/)?completions)|/api/provider/[^/]+/(v1/)?((?:chat/)?completions)")


def claims(method: str, path: str) -> str | None:
    """POST on `/v1/chat/completions`, `/v1/completions`, and on both behind `/api/provider/{provider}`."""
    match = _PATH.fullmatch(path) if method == "POST" else None
    if match is None:
        return None
    return path if match[1] else f"/api/provider/{{provider}}/{match[2] or ''}{match[3]}"


# ---- requests --------------------------------------------------------------------------------------------------------


class _Request(msgspec.Struct):
    model: Any = None
    stream: Any = None
    reasoning_effort: Any = None
    reasoning: Any = None
    stream_options: Any = None
    messages: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct):
    role: Any = None
    content: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct):
    type: Any = None


_REQUEST = msgspec.json.Decoder(_Request)
_MESSAGES = msgspec.json.Decoder(list[_Message])
_PARTS = msgspec.json.Decoder(list[_Part])


def read_request(path: str, body: bytes) -> RequestFacts:
    """Model, stream, thinking by suffix or effort, and whether a tool's result holds an image."""
    request = decode_members(_REQUEST, body)
    if request is None:
        return RequestFacts()
    model = text(request.model)
    return RequestFacts(
        model=model,
        stream=request.stream is True,
        thinking=from_suffix(model) or from_effort(request.reasoning_effort, inside(request.reasoning, "effort")),
        has_tool_result_image=_has_tool_result_image(request.messages),
        wants_usage=request.stream is not True or inside(request.stream_options, "include_usage") is True,
    )


def _has_tool_result_image(messages: msgspec.Raw) -> bool | None:
    if is_list_without(messages, b'"tool"'):
        return False
    try:
        results = [message.content for message in _MESSAGES.decode(messages) if message.role == "tool"]
        parts = (part for content in results if bytes(content)[:1] == b"[" for part in _PARTS.decode(content))
        return any(part.type == "image_url" for part in parts)
    except DECODE_ERRORS:
        return None


def with_model(target: bytes, body: bytes, model: str) -> tuple[bytes, bytes]:
    """The model stands in the body."""
    return target, body_with_model(body, model)


def with_thinking(target: bytes, body: bytes, thinking: ThinkingSetting) -> tuple[bytes, bytes]:
    """As an effort; a budget is the nearest one."""
    return target, body_with(body, "reasoning_effort", value=thinking.canonical)


# ---- responses -------------------------------------------------------------------------------------------------------


class _Said(msgspec.Struct):
    """A message, or a delta of one."""

    content: msgspec.Raw = msgspec.Raw()
    reasoning_content: msgspec.Raw = msgspec.Raw()
    reasoning: msgspec.Raw = msgspec.Raw()
    refusal: msgspec.Raw = msgspec.Raw()
    tool_calls: msgspec.Raw = msgspec.Raw()
    function_call: msgspec.Raw = msgspec.Raw()


class _Choice(msgspec.Struct):
    delta: _Said | None = None
    message: _Said | None = None
    text: msgspec.Raw = msgspec.Raw()
    finish_reason: Any = None


class _Usage(msgspec.Struct):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    prompt_tokens_details: Any = None
    completion_tokens_details: Any = None


class _Answer(msgspec.Struct):
    """A whole answer, or a chunk of one."""

    model: Any = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


_NOTHING_SAID = _Said()
_ANSWER = msgspec.json.Decoder(_Answer)
_USAGE = msgspec.json.Decoder(_Usage)


class _Reading(tapping.Reading):
    def read_event(self, name: bytes, data: bytes) -> None:
        if data == b"[DONE]":
            self.terminal = True
        else:
            self._read(data)

    def read_body(self, data: bytes) -> None:
        self._read(data)
        self.terminal = True

    def read_usage(self, data: bytes) -> TokenUsage:
        return _tokens(_USAGE.decode(data))

    def _read(self, data: bytes) -> None:
        answer = decode(_ANSWER, data)
        if says(answer.error):
            self.add_error(data)
        if answer.model is not None:
            self.add_model(answer.model)
        if answer.usage is not None:
            self.add_usage(_tokens(answer.usage))
        for choice in answer.choices or ():
            self._read_choice(choice)

    def _read_choice(self, choice: _Choice) -> None:
        said = choice.delta or choice.message or _NOTHING_SAID
        if says(said.tool_calls) or says(said.function_call):
            self.add_tool_use()
        spoke = says(said.content) or says(choice.text) or says(said.reasoning_content) or says(said.reasoning)
        self.has_content = self.has_content or spoke or says(said.refusal)
        if reason := text(choice.finish_reason):
            self.finish_reason = reason
            self.terminal = True
        elif spoke:
            self.terminal = False


def _tokens(usage: _Usage) -> TokenUsage:
    """Reasoning is inside output, cached inside input."""
    return TokenUsage(
        input_tokens=count(usage.prompt_tokens),
        output_tokens=count(usage.completion_tokens),
        reasoning_tokens=count(inside(usage.completion_tokens_details, "reasoning_tokens")),
        cache_read_tokens=count(inside(usage.prompt_tokens_details, "cached_tokens")),
        cache_write_tokens=count(inside(usage.prompt_tokens_details, "cached_creation_tokens")),
        total_tokens=count(usage.total_tokens),
    )


def tap(*, status: int, stream: bool) -> Tap:
    """A tap for one response."""
    return tapping.tap(_Reading(), status=status, stream=stream)
