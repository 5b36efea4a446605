"""Responses: what is special to them."""

import json
from typing import Any

import pytest

from daemon.domain.facts import ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.sse import MOST_EVENT_BYTES
from daemon.logic.wires import openai_responses as wire

HIGH = ThinkingSetting(mode="level", level="high")


def _stream(*events: dict[str, Any]) -> ResponseFacts:
    tap = wire.tap(status=200, stream=True)
    for event in events:
        tap.feed(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode()))
    return tap.close()


def _body(**response: Any) -> ResponseFacts:
    tap = wire.tap(status=200, stream=False)
    tap.feed(json.dumps({"object": "response", "model": "m", **response}).encode())
    return tap.close()


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/responses", "/v1/responses"),
        ("/v1/responses/compact", "/v1/responses/compact"),
        ("/backend-api/codex/responses", "/backend-api/codex/responses"),
        ("/backend-api/codex/responses/compact", "/backend-api/codex/responses/compact"),
        ("/api/provider/openai/responses", "/api/provider/{provider}/responses"),
        ("/api/provider/openai/v1/responses", "/api/provider/{provider}/v1/responses"),
        ("/v1/responses/resp_1", None),
        ("/responses", None),
    ],
)
def test_claims(path: str, endpoint: str | None) -> None:
    assert wire.claims("POST", path) == endpoint
    assert wire.claims("GET", path) is None


@pytest.mark.parametrize(
    ("given", "has_image"),
    [
        ("text", False),
        ([{"type": "message", "content": [{"type": "input_image"}]}], False),
        ([{"type": "function_call_output", "output": "input_image"}], False),
        ([{"type": "function_call_output", "output": [{"type": "input_text"}, {"type": "input_image"}]}], True),
        ([{"type": "custom_tool_call_output", "output": [{"type": "input_image"}]}], True),
        (7, None),
    ],
)
def test_images_in_tool_results(given: Any, has_image: bool | None) -> None:
    body = json.dumps({"model": "m", "stream": True, "reasoning": {"effort": "high"}, "input": given}).encode()
    facts = wire.read_request("/v1/responses", body)
    assert (facts.model, facts.stream, facts.thinking) == ("m", True, HIGH)
    assert facts.has_tool_result_image is has_image


@pytest.mark.parametrize(
    ("kind", "details", "terminal", "incomplete", "reason"),
    [
        ("completed", None, True, False, "completed"),
        ("incomplete", {"reason": "max_output_tokens"}, True, True, "max_output_tokens"),
        ("incomplete", None, True, True, "incomplete"),
        ("failed", None, False, False, None),
        ("in_progress", None, False, False, None),
    ],
)
def test_ends(kind: str, details: Any, terminal: bool, incomplete: bool, reason: str | None) -> None:
    response = {"model": "m", "status": kind, "incomplete_details": details, "usage": {"input_tokens": 1}}
    facts = _stream({"type": f"response.{kind}", "response": response})
    assert (facts.terminal, facts.incomplete, facts.finish_reason) == (terminal, incomplete, reason)
    assert (facts.error is not None) is (kind == "failed")
    assert facts.usage == TokenUsage(input_tokens=1)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (
            {"type": "error", "code": "server_is_overloaded", "message": "m", "sequence_number": 3},
            "server_is_overloaded",
        ),
        ({"type": "error", "error": {"code": "c", "message": "m"}}, "c"),
        ({"type": "response.failed", "response": {"status": "failed", "error": {"code": "c", "message": "m"}}}, "c"),
    ],
)
def test_errors_inside_a_stream(event: dict[str, Any], code: str) -> None:
    error = _stream({"type": "response.created", "response": {"error": None}}, event).error
    assert error is not None
    assert (error.code, error.message) == (code, "m")


def test_a_failure_under_the_name_of_an_error() -> None:
    """As recorded: the event's name and its type differ."""
    tap = wire.tap(status=200, stream=True)
    failed = {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Please try again in 2s."}}
    tap.feed(b"event: error\ndata: %s\n\n" % json.dumps({"type": "response.failed", "response": failed}).encode())
    error = tap.close().error
    assert error is not None
    assert (error.code, error.retry_after_seconds) == ("rate_limit_exceeded", 2.0)


@pytest.mark.parametrize(
    ("output", "empty", "tool_use"),
    [
        ([], True, False),
        ([{"type": "message", "content": []}], True, False),
        ([{"type": "message", "content": [{"type": "output_text", "text": ""}]}], True, False),
        ([{"type": "message", "content": [{"type": "output_text", "text": "a"}]}], False, False),
        ([{"type": "message", "content": [{"type": "refusal", "refusal": "a"}]}], False, False),
        ([{"type": "message", "content": "a"}], False, False),
        ([{"type": "reasoning", "summary": []}], True, False),
        ([{"type": "reasoning", "summary": [{"text": "a"}]}], False, False),
        ([{"type": "reasoning", "encrypted_content": "a"}], False, False),
        ([{"type": "function_call", "name": "f"}], False, True),
        ([{"type": "custom_tool_call"}], False, True),
        ([{"type": "compaction", "encrypted_content": "a"}], False, False),
    ],
)
def test_what_counts_as_content(output: list[Any], empty: bool, tool_use: bool) -> None:
    whole = _body(status="completed", output=output)
    items = [{"type": "response.output_item.done", "item": item} for item in output]
    streamed = _stream(*items, {"type": "response.completed", "response": {"status": "completed", "output": output}})
    for facts in (whole, streamed):
        assert (facts.terminal, facts.empty_payload, facts.has_tool_use) == (True, empty, tool_use)


@pytest.mark.parametrize(
    ("echoed", "processed"),
    [
        ({"effort": "high"}, HIGH),
        ({"effort": None}, None),
        (None, None),
        ({"effort": "none"}, ThinkingSetting(mode="none")),
    ],
)
def test_the_echo_of_thinking(echoed: Any, processed: ThinkingSetting | None) -> None:
    assert _body(status="completed", reasoning=echoed).thinking_processed == processed
    created = {"type": "response.created", "response": {"reasoning": echoed}}
    assert _stream(created).thinking_processed == processed


def test_a_failed_body_is_an_error() -> None:
    error = _body(status="failed", error={"code": "server_error", "message": "m"}).error
    assert error is not None
    assert error.code == "server_error"
    assert _body(status="incomplete").incomplete


def test_a_last_event_too_long_to_be_kept_still_ends_the_stream() -> None:
    tap = wire.tap(status=200, stream=True)
    tap.feed(b'data: {"type":"response.output_text.delta","delta":"a"}\n\n')
    tap.feed(b'event: response.completed\ndata: {"type":"response.completed","response":"')
    tap.feed(b"x" * (MOST_EVENT_BYTES + 1))
    assert not tap.close().terminal
    tap = wire.tap(status=200, stream=True)
    tap.feed(b"event: response.completed\ndata: " + b"x" * (MOST_EVENT_BYTES + 1) + b"\n\n")
    facts = tap.close()
    assert (facts.terminal, facts.empty_payload, facts.usage) == (True, None, None)


def test_the_realtime_api_spells_its_counters_in_the_singular() -> None:
    usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12, "input_token_details": {"cached_tokens": 4}}
    said = _stream({"type": "response.done", "response": {"usage": usage}})
    assert said.usage == TokenUsage(input_tokens=9, output_tokens=3, total_tokens=12, cache_read_tokens=4)
