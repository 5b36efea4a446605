"""Gemini generateContent: the model and the verb stand in the path; the last chunk has a finish reason.

Without `alt=sse` a stream is a JSON array, or bare objects one after another. A single whole object is a whole answer.
"""

import re
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from daemon.domain.event import Wire
from daemon.domain.facts import RequestFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic import tapping
from daemon.logic.json_peek import DECODE_ERRORS, count, decode, decode_members, inside, objects, says, text
from daemon.logic.model_rewriting import body_with, inner, reading, renamed, spelled
from daemon.logic.own_errors import google_error as error_body
from daemon.logic.thinking_reading import from_gemini, from_suffix
from daemon.logic.wire import Tap

__all__ = ["WIRE", "claims", "error_body", "read_request", "tap", "with_model", "with_thinking"]

WIRE = Wire.GEMINI_GENERATE_CONTENT

_VERBS = ("generateContent", "streamGenerateContent")
_ROOT = re.compile(r"(/v1(?:beta)?)|/api/provider/[^/]+/v1beta|(/api/provider/google/v1beta1(?:/[^/]+)*)")
_VERB = re.compile(rb"(.+)((?::|%3[Aa])[A-Za-z]+)", re.DOTALL)
_FUNCTION_RESPONSE = re.compile(rb'"function(?:Response|_response)"\s*:')
_IMAGE = re.compile(rb'"(?:inline|file)(?:Data|_data)"\s*:\s*\{[^{}]*"image\\?/')
_BUDGETS = {"none": 0, "auto": -1}
_THINKING = ("thinkingLevel", "thinking_level", "thinkingBudget", "thinking_budget")
_SILENT_PARTS = frozenset({"thought", "thoughtSignature"})


def claims(method: str, path: str) -> str | None:
    """POST on both verbs under `/v1beta` and `/v1`, also behind `/api/provider/{provider}`."""
    root, model, verb = _split(path)
    match = _ROOT.fullmatch(root) if method == "POST" and model and verb in _VERBS else None
    if match is None:
        return None
    pattern = "/api/provider/google/v1beta1/{path}" if match[2] else "/api/provider/{provider}/v1beta"
    return f"{match[1] or pattern}/models/{{model}}:{verb}"


def _split(path: str) -> tuple[str, str, str]:
    """The root, the model (which may hold a slash or a colon) and the verb."""
    root, _, rest = path.partition("/models/")
    model, _, verb = rest.rpartition(":")
    return root, model, verb


# ---- requests --------------------------------------------------------------------------------------------------------


class _Request(msgspec.Struct):
    contents: msgspec.Raw = msgspec.Raw()
    generation_config: Any = msgspec.field(default=None, name="generationConfig")
    snake_config: Any = msgspec.field(default=None, name="generation_config")


_REQUEST = msgspec.json.Decoder(_Request)
_CONTENTS = msgspec.json.Decoder(list[msgspec.Raw])


def read_request(path: str, body: bytes) -> RequestFacts:
    """Model and stream out of the path, thinking and images in function responses out of the body."""
    _, named, verb = _split(path)
    model, stream = text(named), verb == "streamGenerateContent"
    request = decode_members(_REQUEST, body)
    if request is None:
        return RequestFacts(model=model, stream=stream, thinking=from_suffix(model))
    config = request.generation_config or request.snake_config
    thinking = inside(config, "thinkingConfig") or inside(config, "thinking_config")
    return RequestFacts(
        model=model,
        stream=stream,
        thinking=from_suffix(model) or from_gemini(thinking),
        has_tool_result_image=_has_tool_result_image(request.contents),
    )


def _has_tool_result_image(contents: msgspec.Raw) -> bool | None:
    """An image inside a function's response, or beside it in the same turn."""
    try:
        turns = [bytes(turn) for turn in _CONTENTS.decode(contents)]
    except DECODE_ERRORS:
        return None
    return any(_FUNCTION_RESPONSE.search(turn) and _IMAGE.search(turn) for turn in turns)


def with_model(target: bytes, body: bytes, model: str) -> tuple[bytes, bytes]:
    """The model stands in the target; one whose slashes are encoded in another way than we read them is left alone."""
    path, mark, query = target.partition(b"?")
    root, slash, rest = path.partition(b"/models/")
    match = _VERB.fullmatch(rest)
    asked = unquote(match[1].decode("latin-1")) if match else ""
    if match is None or asked != _split(unquote(path.decode("latin-1")))[1]:
        return target, body
    new = quote(renamed(asked, model), safe="/()").encode()
    return root + slash + new + match[2] + mark + query, body


def with_thinking(target: bytes, body: bytes, thinking: ThinkingSetting) -> tuple[bytes, bytes]:
    """As a level or a budget, in the spelling that the request uses; both together would be refused."""
    config = spelled(body, "generationConfig", "generation_config")
    below = inner(body, config)
    name = spelled(below, "thinkingConfig", "thinking_config")
    budget = thinking.budget if thinking.mode == "budget" else _BUDGETS.get(thinking.mode)
    said = {"thinkingLevel": thinking.level} if budget is None else {"thinkingBudget": budget}
    return target, body_with(body, config, name, value={**reading(inner(below, name), *_THINKING), **said})


# ---- responses -------------------------------------------------------------------------------------------------------


class _Spoken(msgspec.Struct):
    parts: list[dict[str, msgspec.Raw]] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Spoken | None = None
    finish_reason: Any = None


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: Any = None
    candidates_token_count: Any = None
    total_token_count: Any = None
    cached_content_token_count: Any = None
    thoughts_token_count: Any = None


class _Answer(msgspec.Struct, rename="camel"):
    """A whole answer, or a chunk of one."""

    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    model_version: Any = None
    prompt_feedback: Any = None
    error: msgspec.Raw = msgspec.Raw()


_ANSWER = msgspec.json.Decoder(_Answer)
_USAGE = msgspec.json.Decoder(_Usage)


class _Reading(tapping.Reading):
    usage_key = b'"usageMetadata"'

    def read_event(self, name: bytes, data: bytes) -> None:
        answer = decode(_ANSWER, data)
        if says(answer.error):
            self.add_error(data)
        self.add_model(answer.model_version)
        if answer.usage_metadata is not None:
            self.add_usage(_tokens(answer.usage_metadata))
        for candidate in answer.candidates or ():
            self._read_candidate(candidate)
        if blocked := text(inside(answer.prompt_feedback, "blockReason")):
            self.finish_reason, self.terminal = blocked, True

    def read_body(self, data: bytes) -> None:
        try:
            self.read_event(b"", data)
            self.terminal = True
        except DECODE_ERRORS:
            for piece in objects(data):
                self.read_event(b"", piece)

    def read_usage(self, data: bytes) -> TokenUsage:
        return _tokens(_USAGE.decode(data))

    def _read_candidate(self, candidate: _Candidate) -> None:
        spoke = False
        for part in candidate.content.parts or () if candidate.content else ():
            if "functionCall" in part:
                self.add_tool_use()
            spoke = spoke or any(says(part[name]) for name in part if name not in _SILENT_PARTS)
        self.has_content = self.has_content or spoke
        if reason := text(candidate.finish_reason):
            self.finish_reason = reason
            self.terminal = True
        elif spoke:
            self.terminal = False


def _tokens(usage: _Usage) -> TokenUsage:
    """Thoughts are outside output, cached inside input."""
    return TokenUsage(
        input_tokens=count(usage.prompt_token_count),
        output_tokens=count(usage.candidates_token_count),
        reasoning_tokens=count(usage.thoughts_token_count),
        cache_read_tokens=count(usage.cached_content_token_count),
        total_tokens=count(usage.total_token_count),
    )


def tap(*, status: int, stream: bool) -> Tap:
    """A tap for one response."""
    return tapping.tap(_Reading(), status=status, stream=stream)
