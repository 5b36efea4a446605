"""A usage record is read without what must not be kept."""

import json
from typing import Any

import pytest

from daemon.domain.joined import UsageRecord
from daemon.domain.thinking import ThinkingSetting
from daemon.logic.usage_reading import read_record

SECRETS = ("client-key-word", "a@example.org", "5ha256", "10.1.2.3", "text of an error")
RECORD: dict[str, Any] = {
    "timestamp": "2026-08-22T14:40:01.523456789Z",
    "latency_ms": 2300,
    "source": "a@example.org",
    "access_token_sha256": "5ha256",
    "auth_index": "0123456789abcdef",
    "client_ip": "10.1.2.3",
    "x_forwarded_for": "10.1.2.3",
    "tokens": {"input_tokens": 12, "output_tokens": 30, "reasoning_tokens": 20},
    "failed": True,
    "generate": True,
    "fail": {"status_code": 429, "body": "text of an error"},
    "response_headers": {
        "X-Codex-Primary-Used-Percent": ["41"],
        "Set-Cookie": ["client-key-word"],
        "Retry-After": "7",
        "X-Ratelimit-Remaining-Tokens": [3],
    },
    "provider": "codex",
    "model": "gpt-5.4",
    "alias": "gpt-5.3-codex-spark",
    "endpoint": "POST /v1/responses",
    "api_key": "client-key-word",
    "request_id": "a1b2c3d4",
    "reasoning_effort": "high",
}


def test_all_that_is_kept_of_a_record() -> None:
    assert read_record(RECORD) == UsageRecord(
        request_id="a1b2c3d4",
        at=1_787_409_601_523,
        provider_key="codex",
        auth_index="0123456789abcdef",
        requested_model="gpt-5.3-codex-spark",
        endpoint="POST /v1/responses",
        failed=True,
        thinking=ThinkingSetting(mode="level", level="high"),
        reasoning_tokens=20,
        headers={"X-Codex-Primary-Used-Percent": ["41"], "Retry-After": ["7"], "X-Ratelimit-Remaining-Tokens": []},
    )


def test_no_secret_outlives_the_reading() -> None:
    kept = repr(read_record(json.loads(json.dumps(RECORD))))
    assert [word for word in SECRETS if word in kept] == []


@pytest.mark.parametrize(
    "told",
    [
        {"support_refresh": True},
        {"refresh": True},
        "text",
        None,
        [],
        {**RECORD, "generate": False},
        {**RECORD, "request_id": ""},
        {**RECORD, "request_id": "not hex!"},
        {**RECORD, "timestamp": 7},
        {**RECORD, "timestamp": "yesterday"},
    ],
)
def test_what_is_no_record_of_a_call_is_left_out(told: Any) -> None:
    assert read_record(told) is None


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"reasoning_effort": ""}, "thinking", None),
        ({"reasoning_effort": "none"}, "thinking", ThinkingSetting(mode="none")),
        ({"reasoning_effort": "tremendous"}, "thinking", None),
        ({"tokens": None}, "reasoning_tokens", None),
        ({"alias": ""}, "requested_model", "gpt-5.4"),
        ({"provider": None}, "provider_key", "unknown"),
        ({"response_headers": None}, "headers", {}),
    ],
)
def test_what_is_not_told_is_not_known(changes: dict[str, Any], field: str, expected: Any) -> None:
    record = read_record({**RECORD, **changes})
    assert record is not None
    assert getattr(record, field) == expected
