"""Errors are read out of any vendor's shape."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.facts import ErrorFacts
from daemon.logic.error_reading import MOST_BELIEVED_SECONDS, read_error


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (
            {"error": {"message": "m", "type": "t", "code": "c"}},
            ErrorFacts(status=400, type="t", code="c", message="m"),
        ),
        ({"error": "Invalid API key"}, ErrorFacts(status=400, message="Invalid API key", flat=True)),
        ({"detail": "no such model"}, ErrorFacts(status=400, message="no such model")),
        ({"detail": {"message": "m", "code": "c"}}, ErrorFacts(status=400, code="c", message="m")),
        ({"detail": [{"msg": "m"}]}, ErrorFacts(status=400)),
        ({"type": "error", "error": {"type": "t", "message": "m"}}, ErrorFacts(status=400, type="t", message="m")),
        ({"type": "error", "code": "c", "message": "m"}, ErrorFacts(status=400, type="error", code="c", message="m")),
        ({"response": {"error": {"code": "c", "message": "m"}}}, ErrorFacts(status=400, code="c", message="m")),
        (
            {"__type": "ThrottlingException", "message": "m"},
            ErrorFacts(status=400, type="ThrottlingException", message="m"),
        ),
        ({"error": {"message": None, "type": None, "code": None}}, ErrorFacts(status=400)),
        ({"error": None}, ErrorFacts(status=400)),
        ([{"error": {"message": "m"}}], ErrorFacts(status=400, message="m")),
        ([], ErrorFacts(status=400)),
        ("text", ErrorFacts(status=400, message="text")),
        (7, ErrorFacts(status=400)),
    ],
)
def test_shapes(body: Any, facts: ErrorFacts) -> None:
    assert read_error(json.dumps(body).encode(), 400) == facts


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", ""),
        (b" upstream EOF \n", "upstream EOF"),
        (b"<html>" + b"x" * 9999, "<html>" + "x" * 494),
        (b"\xff", "\ufffd"),
    ],
)
def test_what_is_no_json_is_text(body: bytes, message: str) -> None:
    assert read_error(body, 502) == ErrorFacts(status=502, message=message)


@pytest.mark.parametrize(
    ("error", "status"),
    [({"code": 429}, 429), ({"code": 200}, None), ({"code": "429"}, None), ({"status": 503}, 503), ({}, None)],
)
def test_inside_a_stream_the_error_says_its_status(error: dict[str, Any], status: int | None) -> None:
    assert read_error(json.dumps({"error": error}).encode()).status == status
    assert read_error(json.dumps({"error": error}).encode(), 500).status == 500
    assert read_error(b'{"type":"error","status":429,"error":{}}').status == 429


def _google(**detail: Any) -> dict[str, Any]:
    return {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "x"}, 7, detail]}


@pytest.mark.parametrize(
    ("error", "retry_after", "quota_reset"),
    [
        ({"code": "model_cooldown", "reset_seconds": 120, "reset_time": "2m0s"}, None, 120.0),
        ({"type": "usage_limit_reached", "resets_in_seconds": 3600, "resets_at": 1}, None, 3600.0),
        ({"reset_seconds": 5.7 * 86400}, None, 5.7 * 86400),
        ({"reset_seconds": 18 * 86400}, None, MOST_BELIEVED_SECONDS),
        ({"reset_seconds": -1}, None, None),
        ({"reset_seconds": True}, None, None),
        ({"reset_seconds": 0}, None, 0.0),
        (_google(retryDelay="12.3s"), 12.3, None),
        (_google(retryDelay="0.5s", metadata={"quotaResetDelay": "1h2m3.5s"}), 0.5, 3723.5),
        (_google(quotaResetDelay="350ms"), None, 0.35),
        (_google(retryDelay="soon", metadata=7), None, None),
        ({"message": "Rate limit reached. Please try again in 2.08s."}, 2.08, None),
        ({"message": "Try again in 1m30s"}, 90.0, None),
        ({"message": "kiro: token is in cooldown for 1m0s (reason: rate_limit_exceeded)"}, 60.0, None),
        ({"message": "try again in a while"}, None, None),
    ],
)
def test_hints(error: dict[str, Any], retry_after: float | None, quota_reset: float | None) -> None:
    facts = read_error(json.dumps({"error": error}).encode(), 429)
    assert facts.retry_after_seconds == (pytest.approx(retry_after) if retry_after is not None else None)
    assert facts.quota_reset_seconds == (pytest.approx(quota_reset) if quota_reset is not None else None)


def test_googles_words() -> None:
    facts = read_error(json.dumps({"error": _google(reason="RATE_LIMIT_EXCEEDED")}).encode())
    assert (facts.status, facts.type, facts.code) == (429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    read_error(body, 500)
    read_error(b'{"error":' + body + b"}", None)
