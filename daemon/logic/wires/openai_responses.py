"""OpenAI responses: finished by `response.completed`, cut by `response.incomplete`, failed by `response.failed`."""

import re
from typing import Any

import msgspec

from daemon.domain.event import Wire
from daemon.domain.facts import RequestFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic import tapping
from daemon.logic.json_peek import DECODE_ERRORS, count, decode, decode_members, inside, says, text
from daemon.logic.model_rewriting import body_with, body_with_model
from daemon.logic.own_errors import openai_error as error_body
from daemon.logic.thinking_reading import from_effort, from_suffix
from daemon.logic.wire import Tap

__all__ = ["WIRE", "claims", "error_body", "read_request", "tap", "with_model", "with_thinking"]

WIRE = Wire.OPENAI_RESPONSES

_PATH = re.compile(r"(?:/v1|/backend-api/codex)/responses(?:/compact)?|/api/provider/[^/]+/((?:v1/)?responses)")
_ENDS = frozenset({"response.completed", "response.done", "response.incomplete"})


def claims(method: str, path: str) -> str | None:
    """POST on `/v1/responses`, `/backend-api/codex/responses`, their `/compact`, and behind `/api/provider`."""
    match = _PATH.fullmatch(path) if method == "POST" else None
    if match is None:
        return None
    return f"/api/provider/{{provider}}/{match[1]}" if match[1] else path


# ---- requests --------------------------------------------------------------------------------------------------------


class _Request(msgspec.Struct):
    model: Any = None
    stream: Any = None
    reasoning: Any = None
    input: msgspec.Raw = msgspec.Raw()


class _Input(msgspec.Struct):
    type: Any = None
    output: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct):
    type: Any = None


_REQUEST = msgspec.json.Decoder(_Request)
_INPUTS = msgspec.json.Decoder(list[_Input])
_PARTS = msgspec.json.Decoder(list[_Part])


def read_request(path: str, body: bytes) -> RequestFacts:
    """Model, stream, thinking by suffix or `reasoning.effort`, and whether a call's output holds an image."""
    request = decode_members(_REQUEST, body)
    if request is None:
        return RequestFacts()
    model = text(request.model)
    return RequestFacts(
        model=model,
        stream=request.stream is True,
        thinking=from_suffix(model) or from_effort(inside(request.reasoning, "effort")),
        has_tool_result_image=_has_tool_result_image(bytes(request.input)),
    )


def _has_tool_result_image(given: bytes) -> bool | None:
    if given[:1] == b'"':
        return False
    try:
        outputs = [item.output for item in _INPUTS.decode(given) if str(item.type).endswith("_call_output")]
        parts = (part for output in outputs if bytes(output)[:1] == b"[" for part in _PARTS.decode(output))
        return any(part.type == "input_image" for part in parts)
    except DECODE_ERRORS:
        return None


def with_model(target: bytes, body: bytes, model: str) -> tuple[bytes, bytes]:
    """The model stands in the body."""
    return target, body_with_model(body, model)


def with_thinking(target: bytes, body: bytes, thinking: ThinkingSetting) -> tuple[bytes, bytes]:
    """As an effort; a budget is the nearest one."""
    return target, body_with(body, "reasoning", "effort", value=thinking.canonical)


# ---- responses -------------------------------------------------------------------------------------------------------


class _Usage(msgspec.Struct):
    input_tokens: Any = None
    output_tokens: Any = None
    total_tokens: Any = None
    input_tokens_details: Any = None
    output_tokens_details: Any = None
    input_token_details: Any = None
    output_token_details: Any = None
    """As the realtime API spells them."""


class _Spoken(msgspec.Struct):
    """A part of a message."""

    text: msgspec.Raw = msgspec.Raw()
    refusal: msgspec.Raw = msgspec.Raw()


class _Item(msgspec.Struct):
    """Something put out: a message, reasoning, a call."""

    type: Any = None
    content: msgspec.Raw = msgspec.Raw()
    summary: msgspec.Raw = msgspec.Raw()
    encrypted_content: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct):
    model: Any = None
    status: Any = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()
    reasoning: Any = None
    incomplete_details: Any = None
    output: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    delta: msgspec.Raw = msgspec.Raw()
    item: _Item | None = None
    error: msgspec.Raw = msgspec.Raw()


_EVENT = msgspec.json.Decoder(_Event)
_RESPONSE = msgspec.json.Decoder(_Response)
_USAGE = msgspec.json.Decoder(_Usage)
_ITEMS = msgspec.json.Decoder(list[_Item])
_SPOKEN = msgspec.json.Decoder(list[_Spoken])


class _Reading(tapping.Reading):
    def read_event(self, name: bytes, data: bytes) -> None:
        event = decode(_EVENT, data)
        if event.type == "error" or event.type == "response.failed" or says(event.error):
            self.add_error(data)
        elif event.type in _ENDS:
            self._end(event.type)
        elif event.item is not None:
            self._read_item(event.item)
        elif not self.has_content:
            self.has_content = says(event.delta)
        if event.response is not None:
            self._read_response(event.response)

    def read_name(self, name: bytes) -> None:
        """The last event repeats the whole answer, and is the longest of all."""
        if (kind := name.decode(errors="replace")) in _ENDS:
            self.is_partly_unseen = not self.has_content
            self._end(kind)

    def read_body(self, data: bytes) -> None:
        response = decode(_RESPONSE, data)
        self._read_response(response)
        if says(response.error) or response.status == "failed":
            self.add_error(data)
        self.terminal = True
        self.incomplete = response.status == "incomplete"

    def read_usage(self, data: bytes) -> TokenUsage:
        return _tokens(_USAGE.decode(data))

    def _end(self, kind: str) -> None:
        self.terminal = True
        self.incomplete = kind == "response.incomplete"

    def _read_response(self, response: _Response) -> None:
        self.add_model(response.model)
        if response.usage is not None:
            self.add_usage(_tokens(response.usage))
        self.thinking_processed = from_effort(inside(response.reasoning, "effort")) or self.thinking_processed
        if response.status in ("completed", "incomplete"):
            self.finish_reason = text(inside(response.incomplete_details, "reason")) or response.status
        if not self.has_content and says(response.output):
            for item in _ITEMS.decode(response.output):
                self._read_item(item)

    def _read_item(self, item: _Item) -> None:
        if item.type == "message":
            self.has_content = self.has_content or _speaks(item.content)
        elif item.type == "reasoning":
            thought = says(item.summary) or says(item.content) or says(item.encrypted_content)
            self.has_content = self.has_content or thought
        elif str(item.type).endswith("_call"):
            self.add_tool_use()
        else:
            self.has_content = True


def _speaks(content: msgspec.Raw) -> bool:
    if bytes(content)[:1] != b"[":
        return says(content)
    return any(says(part.text) or says(part.refusal) for part in _SPOKEN.decode(content))


def _tokens(usage: _Usage) -> TokenUsage:
    """Reasoning is inside output, cached inside input."""
    return TokenUsage(
        input_tokens=count(usage.input_tokens),
        output_tokens=count(usage.output_tokens),
        reasoning_tokens=count(inside(usage.output_tokens_details or usage.output_token_details, "reasoning_tokens")),
        cache_read_tokens=count(inside(usage.input_tokens_details or usage.input_token_details, "cached_tokens")),
        total_tokens=count(usage.total_tokens),
    )


def tap(*, status: int, stream: bool) -> Tap:
    """A tap for one response."""
    return tapping.tap(_Reading(), status=status, stream=stream)
