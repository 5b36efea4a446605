"""Anthropic messages: a stream is finished by `message_stop`; its usage stands at both ends."""

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon.domain.event import Wire
from daemon.domain.facts import RequestFacts, ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic import tapping
from daemon.logic.json_peek import DECODE_ERRORS, count, decode, decode_members, inside, is_list_without, says, text
from daemon.logic.model_rewriting import body_with, body_with_model, inner, reading
from daemon.logic.own_errors import anthropic_error as error_body
from daemon.logic.thinking_reading import from_claude, from_suffix
from daemon.logic.wire import Tap

__all__ = ["WIRE", "claims", "error_body", "read_request", "tap", "with_model", "with_thinking"]

WIRE = Wire.ANTHROPIC_MESSAGES

_EFFORTS = {"minimal": "low", "xhigh": "max"}
"""Levels that this wire does not know."""

_PATH = re.compile(r"/v1/messages|/api/provider/[^/]+/v1/messages")


def claims(method: str, path: str) -> str | None:
    """POST on `/v1/messages`, also behind `/api/provider/{provider}`; counting tokens calls no model."""
    if method != "POST" or not _PATH.fullmatch(path):
        return None
    return path if path == "/v1/messages" else "/api/provider/{provider}/v1/messages"


# ---- requests --------------------------------------------------------------------------------------------------------


class _Request(msgspec.Struct):
    model: Any = None
    stream: Any = None
    thinking: Any = None
    output_config: Any = None
    messages: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct):
    type: Any = None
    content: msgspec.Raw = msgspec.Raw()


_REQUEST = msgspec.json.Decoder(_Request)
_MESSAGES = msgspec.json.Decoder(list[_Message])
_PARTS = msgspec.json.Decoder(list[_Part])


def read_request(path: str, body: bytes) -> RequestFacts:
    """Model, stream, thinking by suffix or in the body, and whether a tool's result holds an image."""
    request = decode_members(_REQUEST, body)
    if request is None:
        return RequestFacts()
    model = text(request.model)
    return RequestFacts(
        model=model,
        stream=request.stream is True,
        thinking=from_suffix(model) or from_claude(request.thinking, request.output_config),
        has_tool_result_image=_has_tool_result_image(request.messages),
    )


def _has_tool_result_image(messages: msgspec.Raw) -> bool | None:
    if is_list_without(messages, b'"tool_result"'):
        return False
    try:
        parts = (part for message in _MESSAGES.decode(messages) for part in _parts(message.content))
        results = (part for part in parts if part.type == "tool_result")
        return any(inner.type == "image" for result in results for inner in _parts(result.content))
    except DECODE_ERRORS:
        return None


def _parts(content: msgspec.Raw) -> list[_Part]:
    """Content is a text or a list of parts."""
    return _PARTS.decode(content) if bytes(content)[:1] == b"[" else []


def with_model(target: bytes, body: bytes, model: str) -> tuple[bytes, bytes]:
    """The model stands in the body."""
    return target, body_with_model(body, model)


def with_thinking(target: bytes, body: bytes, thinking: ThinkingSetting) -> tuple[bytes, bytes]:
    """Disabled, enabled with a budget, or adaptive with an effort beside it."""
    if thinking.mode == "none":
        return target, body_with(body, "thinking", value={"type": "disabled"})
    if thinking.mode == "budget":
        return target, body_with(body, "thinking", value={"type": "enabled", "budget_tokens": thinking.budget})
    changed = body_with(body, "thinking", value={"type": "adaptive"})
    if thinking.level is not None:
        effort = _EFFORTS.get(thinking.level, thinking.level)
        return target, body_with(changed, "output_config", "effort", value=effort)
    beside = inner(changed, "output_config")
    left = reading(beside, "effort")
    return target, body_with(changed, "output_config", value=left) if left != reading(beside) else changed


# ---- responses -------------------------------------------------------------------------------------------------------


class _Usage(msgspec.Struct):
    input_tokens: Any = None
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None
    output_tokens_details: Any = None


class _Block(msgspec.Struct):
    """A content block, or a delta of one."""

    type: Any = None
    text: msgspec.Raw = msgspec.Raw()
    thinking: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    partial_json: msgspec.Raw = msgspec.Raw()
    stop_reason: Any = None


class _Answer(msgspec.Struct):
    model: Any = None
    content: list[_Block] | None = None
    stop_reason: Any = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct):
    type: Any = None
    message: _Answer | None = None
    content_block: _Block | None = None
    delta: _Block | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)
_USAGE = msgspec.json.Decoder(_Usage)


class _Reading(tapping.Reading):
    def read_event(self, name: bytes, data: bytes) -> None:
        event = decode(_EVENT, data)
        if says(event.error):
            self.add_error(data)
        if event.message is not None:
            self._read_start(event.message)
        if event.content_block is not None:
            self._read_block(event.content_block)
        if event.delta is not None:
            self._read_block(event.delta)
            self.finish_reason = text(event.delta.stop_reason) or self.finish_reason
        if event.usage is not None:
            self.add_usage(_tokens(event.usage))
        self.terminal = self.terminal or event.type == "message_stop"

    def read_body(self, data: bytes) -> None:
        answer = decode(_ANSWER, data)
        if says(answer.error):
            self.add_error(data)
        self.add_model(answer.model)
        self.finish_reason = text(answer.stop_reason)
        if answer.usage is not None:
            self.add_usage(_tokens(answer.usage))
        for block in answer.content or ():
            self._read_block(block)
        self.terminal = True

    def read_usage(self, data: bytes) -> TokenUsage:
        return _tokens(_USAGE.decode(data))

    def _read_start(self, message: _Answer) -> None:
        """The count of output at the start is a placeholder, never the answer's."""
        self.add_model(message.model)
        if message.usage is not None:
            message.usage.output_tokens = None
            self.add_usage(_tokens(message.usage))

    def _read_block(self, block: _Block) -> None:
        if str(block.type).endswith("tool_use"):
            self.add_tool_use()
        elif not self.has_content:
            self.has_content = any(map(says, (block.text, block.thinking, block.data, block.partial_json)))

    def facts(self) -> ResponseFacts:
        """Anthropic sends no total: it is all that was counted, for no counter is inside another."""
        if (usage := self.usage) and usage.input_tokens is not None and usage.output_tokens is not None:
            cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
            self.usage = replace(usage, total_tokens=usage.input_tokens + usage.output_tokens + cached)
        return super().facts()


def _tokens(usage: _Usage) -> TokenUsage:
    """Thinking is inside output; what was read from and written to the cache is outside input."""
    return TokenUsage(
        input_tokens=count(usage.input_tokens),
        output_tokens=count(usage.output_tokens),
        reasoning_tokens=count(inside(usage.output_tokens_details, "thinking_tokens")),
        cache_read_tokens=count(usage.cache_read_input_tokens),
        cache_write_tokens=count(usage.cache_creation_input_tokens),
    )


def tap(*, status: int, stream: bool) -> Tap:
    """A tap for one response."""
    return tapping.tap(_Reading(), status=status, stream=stream)
