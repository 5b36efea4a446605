"""generateContent: what is special to it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.facts import RequestFacts, ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.wires import gemini_generate_content as wire

BETA = "/v1beta/models/{model}:"
PATH = "/v1beta/models/gemini-2.5-pro:generateContent"
IMAGE = {"inlineData": {"mimeType": "image/png", "data": "AA"}}


def _chunk(*parts: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts)}, **({"finishReason": reason} if reason else {})}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-pro", **more}


def _read(body: bytes, *, stream: bool = False) -> ResponseFacts:
    tap = wire.tap(status=200, stream=stream)
    tap.feed(body)
    return tap.close()


def _stream(*chunks: Any) -> ResponseFacts:
    return _read(b"".join(b"data: %s\r\n\r\n" % json.dumps(chunk).encode() for chunk in chunks), stream=True)


@pytest.mark.parametrize(
    ("path", "endpoint", "model"),
    [
        (PATH, BETA + "generateContent", "gemini-2.5-pro"),
        ("/v1beta/models/g:streamGenerateContent", BETA + "streamGenerateContent", "g"),
        ("/v1/models/g:generateContent", "/v1/models/{model}:generateContent", "g"),
        ("/v1beta/models/team/g(high):generateContent", BETA + "generateContent", "team/g(high)"),
        ("/v1beta/models/a:b:generateContent", BETA + "generateContent", "a:b"),
        (
            "/api/provider/google/v1beta/models/g:generateContent",
            "/api/provider/{provider}/v1beta/models/{model}:generateContent",
            "g",
        ),
        (
            "/api/provider/google/v1beta1/publishers/google/models/g:streamGenerateContent",
            "/api/provider/google/v1beta1/{path}/models/{model}:streamGenerateContent",
            "g",
        ),
        ("/v1beta/models/g:countTokens", None, None),
        ("/v1beta/models/:generateContent", None, None),
        ("/v1beta/models/g", None, None),
        ("/v2/models/g:generateContent", None, None),
        ("/v1beta/models", None, None),
    ],
)
def test_claims(path: str, endpoint: str | None, model: str | None) -> None:
    assert wire.claims("POST", path) == endpoint
    if endpoint:
        facts = wire.read_request(path, b"{}")
        assert (facts.model, facts.stream) == (model, "stream" in path)


def test_a_long_path_of_slashes_is_soon_judged() -> None:
    path = "/api/provider/google/v1beta1" + "/models" * 9000
    assert wire.claims("POST", path) is None
    assert wire.with_model(path.encode(), b"", "m")[0] == path.encode()


@pytest.mark.parametrize(
    ("contents", "has_image"),
    [
        ([{"parts": [{"functionResponse": {"name": "f", "response": {}, "parts": [IMAGE]}}]}], True),
        ([{"parts": [{"functionResponse": {"name": "f", "response": {}}}, IMAGE]}], True),
        ([{"parts": [{"function_response": {"parts": [{"inline_data": {"mime_type": "image/png"}}]}}]}], True),
        ([{"parts": [{"functionResponse": {"response": {"text": json.dumps(IMAGE)}}}]}], False),
        ([{"parts": [{"functionResponse": {}}]}, {"parts": [IMAGE]}], False),
        ([{"parts": [IMAGE]}], False),
        ([{"parts": [{"functionResponse": {"parts": [{"inlineData": {"mimeType": "text/plain"}}]}}]}], False),
        ("odd", None),
    ],
)
def test_images_in_function_responses(contents: Any, has_image: bool | None) -> None:
    facts = wire.read_request(PATH, json.dumps({"contents": contents}).encode())
    assert facts.has_tool_result_image is has_image


@pytest.mark.parametrize(
    ("config", "thinking"),
    [
        (
            {"thinkingConfig": {"thinkingBudget": 8192, "includeThoughts": True}},
            ThinkingSetting(mode="budget", level="medium", budget=8192),
        ),
        ({"thinkingConfig": {"thinking_budget": 0}}, ThinkingSetting(mode="none", budget=0)),
        ({"thinking_config": {"thinking_level": "HIGH"}}, ThinkingSetting(mode="level", level="high")),
        ({"thinkingConfig": {"includeThoughts": True}}, None),
        (None, None),
    ],
)
@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_thinking(name: str, config: Any, thinking: ThinkingSetting | None) -> None:
    assert wire.read_request(PATH, json.dumps({name: config}).encode()).thinking == thinking


def test_a_suffix_is_read_without_a_body() -> None:
    path = "/v1beta/models/g(low):generateContent"
    low = ThinkingSetting(mode="level", level="low")
    assert wire.read_request(path, b"\xff") == RequestFacts(model="g(low)", thinking=low)


@pytest.mark.parametrize(
    ("target", "changed"),
    [
        (b"/v1beta/models/g:generateContent", b"/v1beta/models/new:generateContent"),
        (
            b"/v1beta/models/g:streamGenerateContent?alt=sse&key=a:b",
            b"/v1beta/models/new:streamGenerateContent?alt=sse&key=a:b",
        ),
        (b"/v1beta/models/g%3AgenerateContent", b"/v1beta/models/new%3AgenerateContent"),
        (b"/v1beta/models/team%2Fg(high):generateContent", b"/v1beta/models/new(high):generateContent"),
        (b"/v1beta/models/g%288192%29:generateContent?", b"/v1beta/models/new(8192):generateContent?"),
        (b"//v1beta//models/g:generateContent", b"//v1beta//models/new:generateContent"),
        (b"/v1beta/models?x=/models/g:generateContent", b"/v1beta/models?x=/models/g:generateContent"),
        (b"/v1beta/models/g", b"/v1beta/models/g"),
        (b"/v1beta%2Fmodels%2Fa/models/g:generateContent", b"/v1beta%2Fmodels%2Fa/models/g:generateContent"),
    ],
)
def test_the_model_of_the_target_is_replaced(target: bytes, changed: bytes) -> None:
    body = b'{"model":"models/g","contents":[]}'
    assert wire.with_model(target, body, "new") == (changed, body)


@given(st.text(min_size=1, max_size=10).filter(lambda name: "(" not in name and name.isprintable()))
def test_any_model_survives_the_target(model: str) -> None:
    target, _ = wire.with_model(b"/v1beta/models/g:generateContent?a=1", b"", model)
    assert target.endswith(b":generateContent?a=1")
    assert target.isascii()
    assert b" " not in target


@pytest.mark.parametrize(
    ("parts", "empty", "tool_use"),
    [
        ([{"text": "a"}], False, False),
        ([{"text": ""}], True, False),
        ([{"text": "", "thoughtSignature": "x", "thought": True}], True, False),
        ([{"text": "hm", "thought": True}], False, False),
        ([{"functionCall": {"name": "f", "args": {}}}], False, True),
        ([{"inlineData": {"data": "AA"}}], False, False),
        ([], True, False),
    ],
)
def test_what_counts_as_content(parts: list[Any], empty: bool, tool_use: bool) -> None:
    facts = _stream(_chunk(*parts), _chunk(reason="STOP"))
    assert (facts.terminal, facts.empty_payload, facts.has_tool_use) == (True, empty, tool_use)


def test_the_last_usage_counts() -> None:
    first = {"promptTokenCount": 21, "totalTokenCount": 21}
    last = {
        "promptTokenCount": 21,
        "candidatesTokenCount": 6,
        "thoughtsTokenCount": 128,
        "totalTokenCount": 155,
        "cachedContentTokenCount": 8,
    }
    facts = _stream(_chunk({"text": "a"}, usageMetadata=first), _chunk(reason="STOP", usageMetadata=last))
    assert facts.usage == TokenUsage(
        input_tokens=21, output_tokens=6, reasoning_tokens=128, cache_read_tokens=8, total_tokens=155
    )
    assert _stream(_chunk({"text": "a"}, cpaUsageMetadata=last)).usage is None


@pytest.mark.parametrize("opening", [b"", b"[", b" [\n"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_stream_without_sse_is_an_array_or_bare_objects(opening: bytes, stream: bool) -> None:
    chunks = [json.dumps(chunk).encode() for chunk in (_chunk({"text": "{["}), _chunk({"text": "b"}, reason="STOP"))]
    facts = _read(opening + b"\n,".join(chunks), stream=stream)
    assert (facts.terminal, facts.finish_reason, facts.empty_payload) == (True, "STOP", False)
    assert not _read(opening + b",".join(chunks)[:-1], stream=stream).terminal
    assert not _read(opening + chunks[0] + chunks[0], stream=stream).terminal


def test_an_error_in_place_of_a_piece() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    for body in (json.dumps([error]), json.dumps(_chunk({"text": "a"})) + json.dumps(error), json.dumps(error)):
        found = _read(body.encode()).error
        assert found is not None
        assert (found.status, found.type) == (503, "UNAVAILABLE")


def test_a_blocked_prompt_is_an_end() -> None:
    facts = _stream({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "g"})
    assert (facts.terminal, facts.finish_reason, facts.empty_payload) == (True, "SAFETY", True)
