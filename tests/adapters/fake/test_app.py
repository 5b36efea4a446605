"""Paths, Gemini's shapes, keys in every place, and what the fake upstream remembers."""

import json
import re
from hashlib import sha256

import httpx
import pytest

from tests.adapters.fake.conftest import Start

GEMINI = "models/gemini-2.5-pro"
ASK = {"contents": [{"role": "user", "parts": [{"text": "ping"}]}]}


@pytest.mark.parametrize("version", ["v1beta", "v1"])
async def test_generate_content(start: Start, version: str) -> None:
    upstream = await start()
    thinking = {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}
    answer = (await upstream.post(f"/{version}/{GEMINI}:generateContent", json=ASK | thinking)).json()
    assert answer["candidates"][0]["content"]["parts"] == [{"text": "All systems are nominal."}]
    usage = answer["usageMetadata"]
    assert (usage["candidatesTokenCount"], usage["thoughtsTokenCount"]) == (12, 40)
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + 52


async def test_stream_generate_content_as_events(start: Start) -> None:
    upstream = await start()
    answer = await upstream.post(f"/v1beta/{GEMINI}:streamGenerateContent?alt=sse", json=ASK)
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in answer.text.split("\n\n") if frame]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] > 0


async def test_stream_generate_content_as_bare_json_pieces(start: Start) -> None:
    upstream = await start()
    text = (await upstream.post(f"/v1beta/{GEMINI}:streamGenerateContent", json=ASK)).text
    decoder, pieces = json.JSONDecoder(), []
    while text:
        piece, end = decoder.raw_decode(text)
        pieces.append(piece)
        text = text[end:]
    assert len(pieces) == 6
    assert pieces[-1]["candidates"][0]["finishReason"] == "STOP"


async def test_other_verbs_and_paths(start: Start) -> None:
    upstream = await start()
    assert (await upstream.post(f"/v1beta/{GEMINI}:countTokens", json=ASK)).json()["totalTokens"] > 0
    assert (await upstream.post(f"/v1beta/{GEMINI}:sing", json=ASK)).status_code == 200
    assert (await upstream.get("/")).json()["message"] == "CLI Proxy API Server"
    assert (await upstream.head("/")).status_code == 200
    assert (await upstream.get("/healthz")).json() == {"status": "ok"}
    for method, path in (("GET", "/health"), ("GET", "/v1/chat/completions"), ("GET", "/v0/management/config")):
        answer = await upstream.request(method, path)
        assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": "Bearer key"}, ""),
        ({"authorization": "key"}, ""),
        ({"x-api-key": "key"}, ""),
        ({"x-goog-api-key": "key"}, ""),
        ({}, "?key=key"),
        ({}, "?auth_token=key"),
    ],
)
async def test_the_key_may_come_in_any_of_its_places(start: Start, headers: dict[str, str], query: str) -> None:
    upstream = await start(api_keys=["other", "key"])
    assert (await upstream.get(f"/v1/models{query}", headers=headers)).status_code == 200
    assert (await upstream.get("/v1/models")).json() == {"error": "Missing API key"}


async def test_what_was_seen_is_remembered_without_secrets(start: Start) -> None:
    upstream = await start(api_keys=["canary-key"])
    body = b'{"model": "gpt-5.4", "messages": ["canary-prompt"], "reasoning_effort": "low"}'
    path = "/v1/chat/completions?key=canary-key"
    answer = await upstream.post(path, content=body, headers={"x-api-key": "canary-key", "x-mine": "1"})
    report = await upstream.get("/_fake/requests")
    assert "canary" not in report.text
    assert report.json()["counts"] == {"gpt-5.4": {"200": 1}}
    (seen,) = report.json()["requests"]
    assert (seen["model"], seen["effort"], seen["status"], seen["ended"]) == ("gpt-5.4", "low", 200, "complete")
    assert (seen["body_bytes"], seen["body_sha256"]) == (len(body), sha256(body).hexdigest())
    assert (seen["headers"]["x-api-key"], seen["headers"]["x-mine"]) == ("***", "1")
    assert re.fullmatch(r"\d{14}-c0de00000000c0de-00000001", answer.headers["x-cpa-trace-id"])


async def test_the_report_can_be_narrowed_and_is_emptied_by_a_reset(start: Start) -> None:
    upstream = await start()
    for model in ("a", "b", "a"):
        await upstream.post("/v1/chat/completions", json={"model": model})
    numbers = [one["number"] for one in (await upstream.get("/_fake/requests?model=a&after=1")).json()["requests"]]
    assert numbers == [3]
    await upstream.post("/_fake/reset")
    assert (await upstream.get("/_fake/requests")).json() == {"total": 0, "counts": {}, "requests": []}


async def test_no_trace_when_not_wanted(start: Start) -> None:
    upstream = await start(trace=False)
    answer = await upstream.post("/v1/chat/completions", json={"model": "gpt-5.4"})
    assert "x-cpa-trace-id" not in answer.headers


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"model": 1}'])
async def test_a_request_that_cannot_be_read_is_the_callers_fault(start: Start, body: bytes) -> None:
    upstream = await start()
    answer = await upstream.post("/v1/responses", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_client_that_leaves_is_noticed(start: Start) -> None:
    upstream = await start()
    scenario = {"rules": [{"fault": "slow", "delay": "30s"}]}
    await upstream.put("/_fake/scenario", json=scenario)
    with pytest.raises(httpx.ReadTimeout):
        await upstream.post("/v1/chat/completions", json={"model": "gpt-5.4"}, timeout=0.2)
    (seen,) = (await upstream.get("/_fake/requests")).json()["requests"]
    assert seen["ended"] == "client_left"
