"""What clients say of themselves, as recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.logic.client import client_family, marked_attempt, turn_id
from daemon.logic.forwarding import by_name

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "client_exchanges.json").read_text()
)


def _headers(exchange: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in exchange["headers"].items()]


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)", "codex"),
        ("codex_cli_rs/0.99", "codex"),
        ("codex-tui/1.0", "codex"),
        ("Codex Desktop/1.2", "codex"),
        ("claude-cli/2.1.197 (external, sdk-cli)", "claude-code"),
        ("GeminiCLI-tui/0.61.0/gemini-2.5-flash (linux; x64; terminal)", "gemini-cli"),
        ("opencode/1.18.33 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14", "opencode"),
        ("litellm/1.106.2", "litellm"),
        ("OpenAI/Python 2.54.0", "openai-sdk"),
        ("AsyncOpenAI/Python 2.54.0", "openai-sdk"),
        ("OpenAI/JS 6.1", "openai-sdk"),
        ("AsyncAnthropic/Python 2.12.0", "anthropic-sdk"),
        ("google-genai-sdk/3.4.0 gl-python/3.11.7", "google-genai-sdk"),
        ("Bun/1.4.0", "bun"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("0123456789abcdef", None),
        ("\xff\x00", None),
        ("", None),
        (None, None),
    ],
)
def test_the_family_of_a_user_agent(agent: str | None, family: str | None) -> None:
    assert client_family(agent.encode("latin-1") if agent is not None else None) == family


@pytest.mark.parametrize(
    ("headers", "turn"),
    [
        ([(b"x-codex-turn-metadata", b'{"thread_id":"t","turn_id":"u"}'), (b"thread-id", b"t")], "u"),
        ([(b"x-codex-turn-metadata", b'{"turn_id":'), (b"thread-id", b"t")], "t"),
        ([(b"x-codex-turn-metadata", b'{"turn_id":""}'), (b"thread-id", b"t")], "t"),
        ([(b"session-id", b"s"), (b"thread-id", b"t")], "t"),
        ([(b"x-claude-code-session-id", b"c")], "c"),
        ([(b"x-session-affinity", b"a"), (b"x-session-id", b"ses")], "ses"),
        ([(b"idempotency-key", b"i"), (b"x-session-id", b"ses")], "i"),
        ([(b"session_id", b"s"), (b"conversation_id", b"c")], "s"),
        ([(b"x-session-id", b""), (b"session_id", b"s")], "s"),
        ([(b"x-session-id", b"first"), (b"x-session-id", b"second")], "first"),
        ([(b"user-agent", b"x")], None),
        ([], None),
    ],
)
def test_turns(headers: list[tuple[bytes, bytes]], turn: str | None) -> None:
    assert turn_id(by_name(headers)) == turn


@pytest.mark.parametrize(
    ("value", "attempt"),
    [(b"0", 0), (b"2", 2), (b"", 0), (b"-1", 0), (b"two", 0), (b"999999", 1000), (b"9" * 5000, 0), (b"\xb2", 0)],
)
def test_marked_attempts(value: bytes, attempt: int) -> None:
    assert marked_attempt({b"x-stainless-retry-count": value}) == attempt
    assert marked_attempt({}) == 0


def test_every_recorded_client_has_a_family_and_every_agent_its_turn() -> None:
    for exchange in EXCHANGES:
        headers = _headers(exchange)
        family = client_family(dict(headers).get(b"user-agent"))
        assert (family is None) is (b"user-agent" not in dict(headers))
        if family in ("codex", "claude-code", "opencode"):
            assert turn_id(by_name(headers))


def test_recorded_retries_of_an_sdk_are_marked() -> None:
    attempts = [marked_attempt(by_name(_headers(one))) for one in EXCHANGES if one["run"] == "sdk-openai-429"]
    assert attempts == [0, 1, 2]
