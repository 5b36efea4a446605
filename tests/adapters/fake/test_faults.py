"""Every fault, as a client sees it."""

import json
from typing import Any

import httpx
import openai
import pytest

from tests.adapters.fake.conftest import Start

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
GEMINI = "/v1beta/models/gpt-5.4:generateContent"
GEMINI_STREAM = "/v1beta/models/gpt-5.4:streamGenerateContent?alt=sse"


async def _spoilt(start: Start, fault: str, path: str, *, stream: bool = False, **rule: Any) -> httpx.Response:
    upstream = await start()
    await upstream.put("/_fake/scenario", json={"rules": [{"fault": fault, **rule}]})
    return await upstream.post(path, json={"model": "gpt-5.4", "stream": stream, "reasoning": {"effort": "high"}})


@pytest.mark.parametrize(
    ("fault", "path", "status", "error"),
    [
        ("429", CHAT, 429, {"type": "rate_limit_error", "code": "rate_limit_exceeded"}),
        ("429", MESSAGES, 429, {"type": "rate_limit_error"}),
        ("429", GEMINI, 429, {"code": 429, "status": "RESOURCE_EXHAUSTED"}),
        ("429_cooldown", CHAT, 429, {"code": "model_cooldown", "reset_seconds": 60, "model": "gpt-5.4"}),
        ("429_quota", RESPONSES, 429, {"type": "insufficient_quota", "code": "insufficient_quota"}),
        ("429_quota", MESSAGES, 429, {"type": "insufficient_quota"}),
        ("500", CHAT, 500, {"type": "server_error", "code": "internal_server_error"}),
        ("500", MESSAGES, 500, {"type": "api_error"}),
        ("503_auth_unavailable", CHAT, 503, {"type": "server_error"}),
        ("500_no_api_key", CHAT, 500, {"type": "server_error", "message": "iflow executor: missing api key"}),
        ("406", CHAT, 406, {"type": "invalid_request_error"}),
        ("529", MESSAGES, 529, {"type": "overloaded_error"}),
        ("401", CHAT, 401, {"type": "authentication_error", "code": "invalid_api_key"}),
        ("403", CHAT, 403, {"type": "permission_error", "code": "insufficient_quota"}),
        ("404_model_not_found", CHAT, 404, {"type": "invalid_request_error", "code": "model_not_found"}),
        ("404_model_not_found", MESSAGES, 404, {"type": "not_found_error"}),
        ("400_model_not_supported", MESSAGES, 400, {"type": "invalid_request_error"}),
    ],
)
async def test_an_error_status_has_its_recorded_shape(
    start: Start, fault: str, path: str, status: int, error: dict[str, Any]
) -> None:
    answer = await _spoilt(start, fault, path)
    assert answer.status_code == status
    assert answer.json()["error"].items() >= error.items()
    assert (answer.json().get("type") == "error") is (path == MESSAGES)
    is_local = fault in ("429_cooldown", "503_auth_unavailable")
    assert ("x-cpa-trace-id" in answer.headers) is not is_local


async def test_a_refusal_says_when_to_come_back_if_the_scenario_does(start: Start) -> None:
    assert (await _spoilt(start, "429", CHAT, retry_after="2s")).headers["retry-after"] == "2"
    assert "retry-after" not in (await _spoilt(start, "429", CHAT)).headers


async def test_spark_on_a_plan_without_it(start: Start) -> None:
    answer = await _spoilt(start, "400_model_not_supported", RESPONSES)
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


async def test_the_claude_endpoint_keeps_only_the_sentence_of_a_cooldown(start: Start) -> None:
    error = (await _spoilt(start, "429_cooldown", MESSAGES)).json()["error"]
    assert sorted(error) == ["message", "type"]
    assert error["message"].startswith("All credentials for model")


async def test_a_refused_responses_stream_loses_the_reset_hint(start: Start) -> None:
    error = (await _spoilt(start, "429_cooldown", RESPONSES, stream=True)).json()["error"]
    assert sorted(error) == ["code", "message"]


@pytest.mark.parametrize(
    ("path", "marker"),
    [
        (CHAT, 'data: {"error":'),
        (RESPONSES, "event: error"),
        (MESSAGES, "event: error"),
        (GEMINI_STREAM, "event: error"),
    ],
)
async def test_an_error_inside_a_stream(start: Start, path: str, marker: str) -> None:
    answer = await _spoilt(start, "in_band_error", path, stream=True)
    assert answer.status_code == 200
    assert answer.text.rstrip().split("\n\n")[-1].startswith(marker)


async def test_codex_is_told_by_response_failed(start: Start) -> None:
    upstream = await start()
    await upstream.put("/_fake/scenario", json={"rules": [{"fault": "in_band_error"}]})
    ask = {"model": "gpt-5.4", "stream": True}
    answer = await upstream.post(RESPONSES, json=ask, headers={"user-agent": "codex_exec/0.169.0"})
    assert "event: response.failed" in answer.text


async def test_an_error_in_a_whole_answer_comes_with_status_200(start: Start) -> None:
    answer = await _spoilt(start, "in_band_error", CHAT)
    assert answer.status_code == 200
    assert "error" in answer.json()


async def test_the_openai_sdk_raises_on_an_error_inside_a_stream(start: Start) -> None:
    upstream = await start()
    await upstream.put("/_fake/scenario", json={"rules": [{"fault": "in_band_error"}]})
    async with openai.AsyncOpenAI(base_url=f"{upstream.base_url}/v1", api_key="k", max_retries=0) as client:
        stream = await client.chat.completions.create(model="gpt-5.4", messages=[], stream=True)
        with pytest.raises(openai.APIError):
            [chunk async for chunk in stream]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
async def test_a_truncated_answer_breaks_the_framing(start: Start, path: str, stream: bool) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await _spoilt(start, "truncate", path, stream=stream)


@pytest.mark.parametrize(
    ("path", "terminal"),
    [(CHAT, "[DONE]"), (RESPONSES, "response.completed"), (MESSAGES, "message_stop"), (GEMINI_STREAM, "finishReason")],
)
async def test_a_clean_cut_only_lacks_the_terminal_marker(start: Start, path: str, terminal: str) -> None:
    cut = await _spoilt(start, "clean_cut", path, stream=True)
    whole = await _spoilt(start, "slow", path, stream=True, delay="10ms")
    assert terminal not in cut.text.replace("finish_reason", "")
    assert terminal in whole.text


async def test_a_dropped_connection_gives_no_answer_at_all(start: Start) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await _spoilt(start, "connect_drop", CHAT)


@pytest.mark.parametrize(("path", "usage"), [(CHAT, "usage"), (MESSAGES, "usage"), (GEMINI, "usageMetadata")])
async def test_usage_is_zero_or_absent(start: Start, path: str, usage: str) -> None:
    zero = (await _spoilt(start, "zero_usage", path)).json()[usage]
    assert {value for value in zero.values() if isinstance(value, int)} == {0}
    assert usage not in (await _spoilt(start, "no_usage", path)).json()


async def test_usage_is_absent_from_a_stream(start: Start) -> None:
    for path in (CHAT, RESPONSES, MESSAGES):
        assert '"usage"' not in (await _spoilt(start, "no_usage", path, stream=True)).text


async def test_thinking_drifts(start: Start) -> None:
    assert (await _spoilt(start, "thinking_drift", RESPONSES)).json()["reasoning"]["effort"] == "low"


async def test_an_empty_answer_is_complete_and_says_nothing(start: Start) -> None:
    assert (await _spoilt(start, "empty", RESPONSES)).json()["output"] == []
    assert (await _spoilt(start, "empty", MESSAGES)).json()["content"] == []
    assert "message_stop" in (await _spoilt(start, "empty", MESSAGES, stream=True)).text


async def test_a_share_over_real_requests_is_exact(start: Start) -> None:
    upstream = await start()
    await upstream.put("/_fake/scenario", json={"rules": [{"fault": "429", "share": 0.12}]})
    for _ in range(100):
        await upstream.post(CHAT, json={"model": "gpt-5.4"})
    assert (await upstream.get("/_fake/requests")).json()["counts"] == {"gpt-5.4": {"200": 88, "429": 12}}


async def test_only_the_models_of_the_scenario_are_served(start: Start) -> None:
    upstream = await start()
    await upstream.put("/_fake/scenario", json={"models": ["gpt-5.4"]})
    refused = await upstream.post(CHAT, json={"model": "gpt-5.5"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_not_found")
    assert (await upstream.post(CHAT, json={"model": "gpt-5.4"})).status_code == 200
    assert [model["id"] for model in (await upstream.get("/v1/models")).json()["data"]] == ["gpt-5.4"]


async def test_a_scenario_is_named_or_refused_at_the_control_endpoint(start: Start) -> None:
    upstream = await start()
    assert (await upstream.put("/_fake/scenario", json="storm")).json()["name"] == "storm"
    refused = await upstream.put("/_fake/scenario", content=json.dumps({"rules": [{"fault": "flood"}]}))
    assert refused.status_code == 422
    assert (await upstream.get("/_fake/scenario")).json()["name"] == "storm"
