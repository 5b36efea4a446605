"""Messages: what is special to them."""

import json
from typing import Any

import pytest

from daemon.domain.facts import ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.wires import anthropic_messages as wire


def _stream(*events: dict[str, Any]) -> ResponseFacts:
    tap = wire.tap(status=200, stream=True)
    for event in events:
        tap.feed(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode()))
    return tap.close()


def _start(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"model": "m", "content": [], "usage": usage}}


def _delta(**usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


STOP = {"type": "message_stop"}


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/messages", "/v1/messages"),
        ("/api/provider/anthropic/v1/messages", "/api/provider/{provider}/v1/messages"),
        ("/v1/messages/count_tokens", None),
        ("/messages", None),
    ],
)
def test_claims(path: str, endpoint: str | None) -> None:
    assert wire.claims("POST", path) == endpoint


@pytest.mark.parametrize(
    ("messages", "has_image"),
    [
        ([{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "image"}]}]}], True),
        ([{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text"}]}]}], False),
        ([{"role": "user", "content": [{"type": "tool_result", "content": "image"}]}], False),
        ([{"role": "user", "content": [{"type": "tool_result"}]}], False),
        ([{"role": "user", "content": [{"type": "image"}]}], False),
        ([{"role": "user", "content": "hi"}], False),
        ({}, None),
    ],
)
def test_images_in_tool_results(messages: Any, has_image: bool | None) -> None:
    body = json.dumps({"model": "m", "messages": messages}).encode()
    assert wire.read_request("/v1/messages", body).has_tool_result_image is has_image


def test_thinking_of_a_request_that_is_cut_short() -> None:
    body = b'{"thinking":{"type":"enabled","budget_tokens":1024},"model":"m","messages":[{"role":"us'
    facts = wire.read_request("/v1/messages", body)
    assert facts.thinking == ThinkingSetting(mode="budget", level="low", budget=1024)


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        (
            [_start(input_tokens=13, output_tokens=1), _delta(output_tokens=20), STOP],
            TokenUsage(input_tokens=13, output_tokens=20, total_tokens=33),
        ),
        (
            [_start(input_tokens=0, output_tokens=0), _delta(input_tokens=12, output_tokens=30), STOP],
            TokenUsage(input_tokens=12, output_tokens=30, total_tokens=42),
        ),
        (
            [
                _start(input_tokens=3, cache_read_input_tokens=8, cache_creation_input_tokens=5, output_tokens=1),
                _delta(output_tokens=4),
                STOP,
            ],
            TokenUsage(input_tokens=3, output_tokens=4, cache_read_tokens=8, cache_write_tokens=5, total_tokens=20),
        ),
        ([_start(input_tokens=13, output_tokens=1)], TokenUsage(input_tokens=13)),
        ([_start(), _delta(), STOP], None),
        (
            [_start(input_tokens=0, output_tokens=0), _delta(input_tokens=0, output_tokens=0), STOP],
            TokenUsage(input_tokens=0, output_tokens=0, total_tokens=0),
        ),
    ],
)
def test_usage_of_both_ends_is_one(events: list[dict[str, Any]], usage: TokenUsage | None) -> None:
    assert _stream(*events).usage == usage


def test_thinking_tokens() -> None:
    tokens = _stream({**_delta(output_tokens=9), "usage": {"output_tokens_details": {"thinking_tokens": 4}}}).usage
    assert tokens == TokenUsage(reasoning_tokens=4)


@pytest.mark.parametrize(
    ("event", "content", "tool_use"),
    [
        ({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}, False, False),
        ({"type": "content_block_start", "content_block": {"type": "tool_use", "id": "t", "input": {}}}, True, True),
        ({"type": "content_block_start", "content_block": {"type": "server_tool_use"}}, True, True),
        ({"type": "content_block_start", "content_block": {"type": "redacted_thinking", "data": "x"}}, True, False),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, True, False),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "a"}}, True, False),
        ({"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "a"}}, False, False),
        ({"type": "ping"}, False, False),
    ],
)
def test_what_counts_as_content(event: dict[str, Any], content: bool, tool_use: bool) -> None:
    facts = _stream(_start(), event, STOP)
    assert (facts.empty_payload, facts.has_tool_use) == (not content, tool_use)


def test_only_message_stop_ends_a_stream() -> None:
    assert not _stream(_start(), _delta(output_tokens=3)).terminal
    facts = _stream(_start(), _delta(output_tokens=3), STOP)
    assert (facts.terminal, facts.finish_reason, facts.response_model) == (True, "end_turn", "m")


def test_an_error_inside_a_stream() -> None:
    error = _stream(_start(), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).error
    assert error is not None
    assert (error.type, error.message) == ("overloaded_error", "Overloaded")
