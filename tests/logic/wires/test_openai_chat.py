"""Chat completions: what is special to them."""

import json
from typing import Any

import pytest

from daemon.domain.facts import RequestFacts, ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.wires import openai_chat as wire

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
TEXT = {"type": "text", "text": "image_url"}


def _stream(*chunks: Any, done: bool = False) -> ResponseFacts:
    tap = wire.tap(status=200, stream=True)
    for chunk in chunks:
        tap.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    if done:
        tap.feed(b"data: [DONE]\n\n")
    return tap.close()


def _chunk(delta: Any, reason: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": reason}], **more}


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("POST", "/v1/chat/completions", "/v1/chat/completions"),
        ("POST", "/v1/completions", "/v1/completions"),
        ("POST", "/api/provider/openai/v1/chat/completions", "/api/provider/{provider}/v1/chat/completions"),
        ("POST", "/api/provider/x/chat/completions", "/api/provider/{provider}/chat/completions"),
        ("POST", "/api/provider/x/completions", "/api/provider/{provider}/completions"),
        ("GET", "/v1/chat/completions", None),
        ("POST", "/chat/completions", None),
        ("POST", "/api/provider/x/y/chat/completions", None),
        ("GET", "/v1/models", None),
    ],
)
def test_claims(method: str, path: str, endpoint: str | None) -> None:
    assert wire.claims(method, path) == endpoint


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        ({"model": "m", "messages": []}, RequestFacts(model="m", has_tool_result_image=False)),
        (
            {"messages": [], "stream": True, "model": "m"},
            RequestFacts(model="m", stream=True, has_tool_result_image=False, wants_usage=False),
        ),
        (
            {"model": "m", "stream": True, "stream_options": {"include_usage": True}},
            RequestFacts(model="m", stream=True),
        ),
        ({"model": "m", "stream": "true"}, RequestFacts(model="m")),
        (
            {"model": "m(low)", "reasoning_effort": "high"},
            RequestFacts(model="m(low)", thinking=ThinkingSetting(mode="level", level="low")),
        ),
        (
            {"model": "m", "reasoning_effort": "xhigh"},
            RequestFacts(model="m", thinking=ThinkingSetting(mode="level", level="xhigh")),
        ),
        (
            {"model": "m", "reasoning": {"effort": "none"}},
            RequestFacts(model="m", thinking=ThinkingSetting(mode="none")),
        ),
        ({"model": 7, "reasoning_effort": 7}, RequestFacts()),
    ],
)
def test_requests(body: Any, facts: RequestFacts) -> None:
    assert wire.read_request("/v1/chat/completions", json.dumps(body).encode()) == facts


@pytest.mark.parametrize(
    ("messages", "has_image"),
    [
        ([{"role": "tool", "content": [TEXT, IMAGE]}], True),
        ([{"role": "tool", "content": [TEXT]}], False),
        ([{"role": "tool", "content": "image_url"}], False),
        ([{"role": "user", "content": [IMAGE]}], False),
        ([{"role": "user", "content": "x"}, {"role": "tool", "content": [IMAGE]}], True),
        ("odd", None),
    ],
)
def test_images_in_tool_results(messages: Any, has_image: bool | None) -> None:
    body = json.dumps({"model": "m", "messages": messages}).encode()
    assert wire.read_request("/", body).has_tool_result_image is has_image
    cut = wire.read_request("/", body[:-3])
    assert (cut.model, cut.has_tool_result_image) == ("m", None)


@pytest.mark.parametrize(
    ("chunks", "done", "terminal"),
    [
        ([_chunk({"content": "a"}), _chunk({}, "stop")], True, True),
        ([_chunk({"content": "a"}), _chunk({}, "stop")], False, True),
        ([_chunk({"content": "a"}, "length")], False, True),
        ([_chunk({"content": "a"})], True, True),
        ([_chunk({"content": "a"})], False, False),
        ([_chunk({"content": "a"}, "stop"), _chunk({"content": "b"}, index=1)], False, False),
        ([_chunk({"content": "a"}, "stop"), _chunk({"content": "b"}, "stop", index=1)], False, True),
        ([_chunk({"content": "a"}, "stop"), _chunk({})], False, True),
        ([_chunk({"content": "a"}, "stop"), {"choices": [], "usage": {"total_tokens": 3}}], False, True),
        ([], False, False),
        ([], True, True),
    ],
)
def test_the_end_is_done_or_the_last_choices_finish_reason(chunks: list[Any], done: bool, terminal: bool) -> None:
    assert _stream(*chunks, done=done).terminal is terminal


@pytest.mark.parametrize(
    ("delta", "content", "tool_use"),
    [
        ({"role": "assistant", "content": ""}, False, False),
        ({"content": None}, False, False),
        ({"content": "a"}, True, False),
        ({"content": "\ud800"}, True, False),
        ({"reasoning_content": "hm"}, True, False),
        ({"reasoning": "hm"}, True, False),
        ({"refusal": "no"}, True, False),
        ({"tool_calls": [{"index": 0}]}, True, True),
        ({"tool_calls": []}, False, False),
        ({"function_call": {"name": "f"}}, True, True),
        (None, False, False),
    ],
)
def test_what_counts_as_content(delta: Any, content: bool, tool_use: bool) -> None:
    facts = _stream(_chunk(delta), done=True)
    assert (facts.empty_payload, facts.has_tool_use) == (not content, tool_use)


def test_usage_in_a_chunk_of_its_own_and_running_totals() -> None:
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4, "cached_creation_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    running = _chunk({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6})
    wanted = TokenUsage(
        input_tokens=5, output_tokens=7, reasoning_tokens=6, cache_read_tokens=4, cache_write_tokens=2, total_tokens=12
    )
    assert _stream(running, _chunk({}, "stop", usage=None), {"choices": [], "usage": usage}, done=True).usage == wanted


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": "many"}])
def test_usage_that_counts_nothing_is_absent(usage: Any) -> None:
    assert _stream(_chunk({}, "stop", usage=usage), done=True).usage is None


def test_legacy_completions() -> None:
    facts = _stream({"model": "m", "choices": [{"text": "a", "finish_reason": "stop"}]}, done=True)
    assert (facts.empty_payload, facts.finish_reason) == (False, "stop")


def test_an_event_named_error_is_one_whatever_it_holds() -> None:
    tap = wire.tap(status=200, stream=True)
    tap.feed(
        b'event: error\ndata: {"error": {"message": "upstream quota", "type": "rate_limit_error", "code": "c"}}\n\n'
    )
    error = tap.close().error
    assert error is not None
    assert (error.type, error.code, error.message) == ("rate_limit_error", "c", "upstream quota")
