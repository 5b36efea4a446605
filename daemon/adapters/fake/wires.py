"""What the fake upstream answers on each wire: whole bodies and streams that the vendors' own SDKs parse."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.domain.event import Wire
from daemon.domain.thinking import level_of

Json = dict[str, Any]

REASONING_TOKENS = {"none": 0, "minimal": 5, "low": 10, "medium": 20, "high": 40, "xhigh": 80, "max": 160}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request asks for. `sse` is false for a Gemini stream without `alt=sse`: bare JSON pieces."""

    wire: Wire
    model: str
    stream: bool = False
    sse: bool = True
    effort: str | None = None
    input_tokens: int = 1
    codex: bool = False
    tool: str | None = None
    """The tool that must be called: one that may be is not."""
    tool_image: bool = False
    """The result of a tool holds a picture."""

    @property
    def upstream_model(self) -> str:
        """The model without the routing prefix and the thinking suffix."""
        return re.sub(r"\([^)]*\)$", "", self.model).rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Reasoning stands inside `output`, as most vendors count; Gemini counts it outside."""

    input: int
    output: int
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The call of a tool; `arguments` are JSON, or nothing where they were lost."""

    name: str
    arguments: str
    stops_for_it: bool = True
    """The answer says that it ended for the tool, on wires that say so."""

    @property
    def given(self) -> Json:
        """The arguments as an object."""
        return dict(json.loads(self.arguments or "{}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What shall be said, on whichever wire; `usage` is None where the counters shall be absent."""

    id: str
    created: int
    words: tuple[str, ...]
    usage: Tokens | None
    effort: str | None = None
    tool: ToolCall | None = None

    def ends(self, usual: str, for_a_tool: str) -> str:
        """Why it ended, in the words of a wire."""
        return for_a_tool if self.tool and self.tool.stops_for_it else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """A stream: the frames, then those that make it complete (the terminal marker and what comes with it)."""

    body: tuple[bytes, ...]
    ending: tuple[bytes, ...]


# ---- requests --------------------------------------------------------------------------------------------------------


def read_ask(wire: Wire, body: Mapping[str, Any], size: int, *, codex: bool = False) -> Ask:
    """An ask out of a decoded body with the model inside; raises ValueError when there is none."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ValueError("model is required")
    return Ask(
        wire=wire,
        model=model,
        stream=body.get("stream") is True,
        effort=_effort(model, body),
        input_tokens=_input_tokens(_said(body, size)),
        codex=codex,
        tool=_tool(body),
        tool_image=_has_tool_image(body),
    )


def read_gemini_ask(model: str, verb: str, body: Mapping[str, Any], size: int, *, sse: bool) -> Ask:
    """An ask whose model and verb stand in the path."""
    return Ask(
        wire=Wire.GEMINI_GENERATE_CONTENT,
        model=model,
        stream=verb == "streamGenerateContent",
        sse=sse,
        effort=_effort(model, body),
        input_tokens=_input_tokens(size),
        tool=_tool(body),
    )


def _said(body: Mapping[str, Any], size: int) -> int:
    """How long a request is without what asks for a stream: both modes count the same."""
    asking = {name: value for name, value in body.items() if name in ("stream", "stream_options")}
    return size - len(encode(asking)) + 1 if asking else size


def _input_tokens(size: int) -> int:
    return max(1, size // 4)


def _effort(model: str, body: Mapping[str, Any]) -> str | None:
    """The thinking asked for, by whichever field; a suffix of the model beats the body."""
    if suffix := re.search(r"\(([a-z]+|[0-9]+)\)$", model):
        return level_of(int(suffix[1])) if suffix[1].isdigit() else suffix[1]
    config = _thinking_config(body)
    budget = _inside(body, "thinking").get("budget_tokens") or config.get("thinkingBudget")
    budget = budget or config.get("thinking_budget")
    found = (
        body.get("reasoning_effort"),
        _inside(body, "reasoning").get("effort"),
        _inside(body, "output_config").get("effort"),
        config.get("thinkingLevel"),
        config.get("thinking_level"),
        level_of(budget) if isinstance(budget, int) else None,
        "medium" if _inside(body, "thinking").get("type") in ("enabled", "adaptive") else None,
    )
    return next((effort.lower() for effort in found if isinstance(effort, str)), None)


def _thinking_config(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of Gemini, in both spellings."""
    outer = _inside(body, "generationConfig") or _inside(body, "generation_config")
    return _inside(outer, "thinkingConfig") or _inside(outer, "thinking_config")


def _tool(body: Mapping[str, Any]) -> str | None:
    """The first tool, where the request insists on one; a client that may call one gets words."""
    choice = body.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else choice
    calling = _inside(body, "toolConfig", "functionCallingConfig").get("mode")
    if kind not in ("required", "any", "tool", "function") and calling != "ANY":
        return None
    first: Any = next(iter(body.get("tools") or ()), {})
    inner = first.get("function") or next(iter(first.get("functionDeclarations") or ()), first)
    return str(inner.get("name", "")) or None


def _has_tool_image(body: Mapping[str, Any]) -> bool:
    """In the result of a tool, in the shape of chat, of responses or of Claude."""
    turns = [one for name in ("messages", "input") for one in _objects(body.get(name))]
    blocks = [block for turn in turns for block in _objects(turn.get("content"))]
    results = [
        *(turn.get("content") for turn in turns if turn.get("role") == "tool"),
        *(turn.get("output") for turn in turns),
        *(block.get("content") for block in blocks if block.get("type") == "tool_result"),
    ]
    return any("image" in str(part.get("type")) for result in results for part in _objects(result))


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _inside(body: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        inner = body.get(name)
        body = inner if isinstance(inner, dict) else {}
    return body


# ---- answers ---------------------------------------------------------------------------------------------------------


def whole(ask: Ask, reply: Reply) -> bytes:
    """The body of a non-stream answer."""
    return encode(_WHOLE[ask.wire](ask, reply))


def frames(ask: Ask, reply: Reply) -> Frames:
    """The frames of a stream."""
    return _FRAMES[ask.wire](ask, reply)


def error_frame(ask: Ask, error: Json, sequence: int) -> bytes:
    """An error inside a stream that has begun; `error` is `{"message","type","code"}`."""
    if ask.wire is Wire.OPENAI_CHAT:
        return _data({"error": error})
    if ask.wire is Wire.ANTHROPIC_MESSAGES:
        return _named({"type": "error", "error": {"type": "api_error", "message": error["message"]}})
    if ask.wire is Wire.GEMINI_GENERATE_CONTENT:
        frame = encode({"error": error})
        return b"event: error\ndata: " + frame + b"\n\n" if ask.sse else frame
    if ask.codex:
        response = {"id": "resp_failed", "object": "response", "status": "failed", "error": error}
        return _named({"type": "response.failed", "sequence_number": sequence, "response": response})
    told = {"code": error["code"], "message": error["message"], "param": None}
    return _named({"type": "error", **told, "sequence_number": sequence})


def encode(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _data(value: Json) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


def _named(event: Json) -> bytes:
    return b"event: " + str(event["type"]).encode() + b"\n" + _data(event)


def _usage(reply: Reply, shape: Callable[[Tokens], Json], name: str = "usage") -> Json:
    return {} if reply.usage is None else {name: shape(reply.usage)}


# ---- OpenAI chat completions -----------------------------------------------------------------------------------------


def _chat_usage(tokens: Tokens) -> Json:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }


def _chat_head(ask: Ask, reply: Reply, kind: str) -> Json:
    return {"id": f"chatcmpl-{reply.id}", "object": kind, "created": reply.created, "model": ask.upstream_model}


def _chat_whole(ask: Ask, reply: Reply) -> Json:
    message: Json = {"role": "assistant", "content": "".join(reply.words), "refusal": None}
    if reply.tool:
        message |= {"content": None, "tool_calls": [_chat_call(reply, reply.tool, reply.tool.arguments)]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.ends("stop", "tool_calls")}
    return {**_chat_head(ask, reply, "chat.completion"), "choices": [choice], **_usage(reply, _chat_usage)}


def _chat_call(reply: Reply, tool: ToolCall, arguments: str) -> Json:
    function = {"name": tool.name, "arguments": arguments}
    return {"index": 0, "id": f"call_{reply.id}", "type": "function", "function": function}


def _chat_frames(ask: Ask, reply: Reply) -> Frames:
    """Usage stands on the chunk with the finish reason, whatever the client said in `stream_options`."""

    def chunk(delta: Json, finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data({**_chat_head(ask, reply, "chat.completion.chunk"), "choices": [choice], **more})

    calls = [_chat_call(reply, reply.tool, "")] if reply.tool else []
    calls += [{"index": 0, "function": {"arguments": reply.tool.arguments}}] if reply.tool else []
    return Frames(
        body=(
            chunk({"role": "assistant", "content": ""}),
            *(chunk({"content": word}) for word in reply.words),
            *(chunk({"tool_calls": [call]}) for call in calls),
        ),
        ending=(chunk({}, reply.ends("stop", "tool_calls"), **_usage(reply, _chat_usage)), b"data: [DONE]\n\n"),
    )


# ---- OpenAI responses ------------------------------------------------------------------------------------------------


def _responses_usage(tokens: Tokens) -> Json:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def _response(ask: Ask, reply: Reply, status: str, output: list[Json]) -> Json:
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": ask.upstream_model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": reply.effort, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
    }


def _output_item(reply: Reply, status: str, content: list[Json]) -> Json:
    return {"id": f"msg_{reply.id}", "type": "message", "status": status, "role": "assistant", "content": content}


def _function_call(reply: Reply, tool: ToolCall, status: str, arguments: str) -> Json:
    call = {"call_id": f"call_{reply.id}", "name": tool.name, "arguments": arguments}
    return {"id": f"fc_{reply.id}", "type": "function_call", "status": status, **call}


def _output_text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _finished_output(reply: Reply) -> list[Json]:
    """An empty answer has no output item at all."""
    if reply.tool:
        return [_function_call(reply, reply.tool, "completed", reply.tool.arguments)]
    return [_output_item(reply, "completed", [_output_text("".join(reply.words))])] if reply.words else []


def _responses_whole(ask: Ask, reply: Reply) -> Json:
    return {**_response(ask, reply, "completed", _finished_output(reply)), **_usage(reply, _responses_usage)}


def _responses_frames(ask: Ask, reply: Reply) -> Frames:
    item, text = f"msg_{reply.id}", "".join(reply.words)
    at: Json = {"item_id": item, "output_index": 0, "content_index": 0}
    started = _response(ask, reply, "in_progress", [])
    opening: list[Json] = [
        {"type": "response.output_item.added", "output_index": 0, "item": _output_item(reply, "in_progress", [])},
        {"type": "response.content_part.added", **at, "part": _output_text("")},
    ]
    deltas = [{"type": "response.output_text.delta", **at, "delta": word, "logprobs": []} for word in reply.words]
    closing: list[Json] = [
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": _output_text(text)},
        *({"type": "response.output_item.done", "output_index": 0, "item": item} for item in _finished_output(reply)),
    ]
    if reply.tool:
        begun, given = _function_call(reply, reply.tool, "in_progress", ""), reply.tool.arguments
        calling: Json = {"item_id": begun["id"], "output_index": 0}
        opening = [{"type": "response.output_item.added", "output_index": 0, "item": begun}]
        deltas = [{"type": "response.function_call_arguments.delta", **calling, "delta": given}] if given else []
        done = {"type": "response.function_call_arguments.done", **calling, "arguments": given}
        closing = [done, *closing[2:]]
    events: list[Json] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
        *((*opening, *deltas, *closing) if reply.words or reply.tool else ()),
        {"type": "response.completed", "response": _responses_whole(ask, reply)},
    ]
    numbered = tuple(_named({**event, "sequence_number": number}) for number, event in enumerate(events))
    return Frames(body=numbered[:-1], ending=numbered[-1:])


# ---- Anthropic messages ----------------------------------------------------------------------------------------------


def _claude_usage(tokens: Tokens) -> Json:
    return {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning},
    }


def _claude_message(ask: Ask, reply: Reply, content: list[Json], stop_reason: str | None, usage: Json) -> Json:
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": ask.upstream_model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        **usage,
    }


def _claude_whole(ask: Ask, reply: Reply) -> Json:
    content: list[Json] = [{"type": "text", "text": "".join(reply.words)}] if reply.words else []
    if reply.tool:
        content = [_tool_use(reply, reply.tool, reply.tool.given)]
    return _claude_message(ask, reply, content, reply.ends("end_turn", "tool_use"), _usage(reply, _claude_usage))


def _tool_use(reply: Reply, tool: ToolCall, given: Json) -> Json:
    return {"type": "tool_use", "id": f"toolu_{reply.id}", "name": tool.name, "input": given}


def _claude_tool_block(reply: Reply, tool: ToolCall) -> list[Json]:
    delta = {"type": "input_json_delta", "partial_json": tool.arguments}
    return [
        {"type": "content_block_start", "index": 0, "content_block": _tool_use(reply, tool, {})},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
    ]


def _claude_frames(ask: Ask, reply: Reply) -> Frames:
    """`message_start` carries the placeholder 0/0 of a translated model; `message_delta` has the real figures."""
    placeholder = {} if reply.usage is None else {"usage": {"input_tokens": 0, "output_tokens": 0}}
    start = {"type": "message_start", "message": _claude_message(ask, reply, [], None, placeholder)}
    block: list[Json] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
            for word in reply.words
        ),
        {"type": "content_block_stop", "index": 0},
    ]
    stop = {"stop_reason": reply.ends("end_turn", "tool_use"), "stop_sequence": None}
    ending: list[Json] = [
        {"type": "message_delta", "delta": stop, **_usage(reply, _claude_usage)},
        {"type": "message_stop"},
    ]
    said = _claude_tool_block(reply, reply.tool) if reply.tool else block if reply.words else []
    body = [start, *said]
    return Frames(body=tuple(map(_named, body)), ending=tuple(map(_named, ending)))


# ---- Gemini generateContent ------------------------------------------------------------------------------------------


def _gemini_usage(tokens: Tokens) -> Json:
    return {
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "thoughtsTokenCount": tokens.reasoning,
        "totalTokenCount": tokens.input + tokens.output,
    }


def _gemini_chunk(ask: Ask, reply: Reply, text: str) -> Json:
    parts: list[Json] = [{"text": text}] if text else []
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {"candidates": [candidate], "modelVersion": ask.upstream_model, "responseId": reply.id}


def _gemini_last(ask: Ask, reply: Reply, text: str) -> Json:
    chunk = _gemini_chunk(ask, reply, text)
    chunk["candidates"][0]["finishReason"] = "STOP"
    if reply.tool:
        call = {"functionCall": {"name": reply.tool.name, "args": reply.tool.given}}
        chunk["candidates"][0]["content"]["parts"].append(call)
    return {**chunk, **_usage(reply, _gemini_usage, "usageMetadata")}


def _gemini_whole(ask: Ask, reply: Reply) -> Json:
    return _gemini_last(ask, reply, "".join(reply.words))


def _gemini_frames(ask: Ask, reply: Reply) -> Frames:
    frame = _data if ask.sse else encode
    chunks = (_gemini_chunk(ask, reply, word) for word in reply.words)
    return Frames(body=tuple(map(frame, chunks)), ending=(frame(_gemini_last(ask, reply, "")),))


_WHOLE: Mapping[Wire, Callable[[Ask, Reply], Json]] = {
    Wire.OPENAI_CHAT: _chat_whole,
    Wire.OPENAI_RESPONSES: _responses_whole,
    Wire.ANTHROPIC_MESSAGES: _claude_whole,
    Wire.GEMINI_GENERATE_CONTENT: _gemini_whole,
}
_FRAMES: Mapping[Wire, Callable[[Ask, Reply], Frames]] = {
    Wire.OPENAI_CHAT: _chat_frames,
    Wire.OPENAI_RESPONSES: _responses_frames,
    Wire.ANTHROPIC_MESSAGES: _claude_frames,
    Wire.GEMINI_GENERATE_CONTENT: _gemini_frames,
}
