"""Retry habits: a turn that fails makes as many requests, as fast, and marked as was measured."""

import pytest

from daemon.domain.event import Fault
from daemon.logic.client import client_family
from daemon.logic.marks import REMEMBERED_SECONDS
from daemon.logic.retry_habits import CLIENTS, LONGEST_ASKED_SECONDS, Marks, Trouble, tries, trouble_of

T0 = 1_795_514_400_000


def seconds(client: str, trouble: Trouble, retry_after_seconds: float | None = None) -> list[float]:
    made = tries(client, trouble, at=T0, retry_after_seconds=retry_after_seconds)
    return [(one.at - T0) / 1000 for one in made]


def attempts(client: str, trouble: Trouble, retry_after_seconds: float | None = None) -> list[int]:
    return [one.attempt for one in tries(client, trouble, at=T0, retry_after_seconds=retry_after_seconds)]


@pytest.mark.parametrize(
    ("client", "trouble", "retry_after_seconds", "requests", "within_seconds"),
    [
        ("codex", Trouble.RATE_LIMITED, None, 1, 0),
        ("codex", Trouble.RATE_LIMITED, 2.0, 6, 10),
        ("codex", Trouble.SERVER_ERROR, None, 30, 24.8),
        ("codex", Trouble.UNAUTHORIZED, None, 6, 7.1),
        ("codex", Trouble.REFUSED, None, 1, 0),
        ("codex", Trouble.BROKEN_OFF, None, 6, 7.1),
        ("codex", Trouble.UNFINISHED, None, 6, 7.1),
        ("claude-code", Trouble.SERVER_ERROR, None, 7, 45),
        ("claude-code", Trouble.RATE_LIMITED, 15.0, 11, 150),
        ("claude-code", Trouble.RATE_LIMITED, 90.0, 1, 0),
        ("claude-code", Trouble.REFUSED, None, 2, 1),
        ("claude-code", Trouble.BROKEN_OFF, None, 2, 1),
        ("claude-code", Trouble.UNFINISHED, None, 1, 0),
        ("gemini-cli", Trouble.RATE_LIMITED, None, 4, 60),
        ("gemini-cli", Trouble.RATE_LIMITED, 2.0, 4, 60),
        ("gemini-cli", Trouble.SERVER_ERROR, None, 4, 60),
        ("gemini-cli", Trouble.UNAUTHORIZED, None, 1, 0),
        ("gemini-cli", Trouble.UNFINISHED, None, 4, 60),
        ("opencode", Trouble.UNFINISHED, None, 203, 30),
        ("aider", Trouble.SERVER_ERROR, None, 21, 40),
        ("openai-sdk", Trouble.RATE_LIMITED, None, 3, 5),
        ("openai-sdk", Trouble.UNFINISHED, None, 1, 0),
        ("anthropic-sdk", Trouble.SERVER_ERROR, None, 3, 5),
        ("google-genai-sdk", Trouble.RATE_LIMITED, None, 1, 0),
        ("somebody-else", Trouble.SERVER_ERROR, None, 1, 0),
    ],
)
def test_a_turn_makes_so_many_requests(
    client: str, trouble: Trouble, retry_after_seconds: float | None, requests: int, within_seconds: float
) -> None:
    made = seconds(client, trouble, retry_after_seconds)
    assert len(made) == requests
    assert made == sorted(made)
    assert made[-1] <= within_seconds


def test_who_is_asked_to_wait_waits_so_long() -> None:
    assert seconds("codex", Trouble.RATE_LIMITED, 2.0) == [0, 2, 4, 6, 8, 10]
    assert seconds("openai-sdk", Trouble.RATE_LIMITED, 0.35) == [0, 0.35, 0.7]


def test_retries_are_marked_as_their_client_marks_them() -> None:
    assert attempts("codex", Trouble.UNAUTHORIZED) == [0, 1, 2, 3, 4, 5]
    assert attempts("openai-sdk", Trouble.SERVER_ERROR) == [0, 1, 2]
    assert attempts("gemini-cli", Trouble.RATE_LIMITED) == [0, 0, 0, 0]
    assert attempts("aider", Trouble.SERVER_ERROR) == [0, 1, 2] * 7


def test_nobody_waits_so_long_that_the_turn_is_forgotten() -> None:
    pauses = [pause for client in CLIENTS.values() for habit in client.habits.values() for pause in habit.pauses_ms]
    assert max(*pauses, LONGEST_ASKED_SECONDS * 1000) <= REMEMBERED_SECONDS * 1000


@pytest.mark.parametrize(
    ("fault", "status", "trouble"),
    [
        (Fault.PROVIDER_RATE_LIMITED, 429, Trouble.RATE_LIMITED),
        (Fault.PROVIDER_QUOTA, 402, Trouble.REFUSED),
        (Fault.PROVIDER_AUTH, 401, Trouble.UNAUTHORIZED),
        (Fault.PROVIDER_AUTH, 403, Trouble.REFUSED),
        (Fault.MODEL_NOT_FOUND, 400, Trouble.REFUSED),
        (Fault.NO_CREDENTIAL, 503, Trouble.SERVER_ERROR),
        (Fault.OVERLOADED, 529, Trouble.SERVER_ERROR),
        (Fault.UPSTREAM_CONNECT, None, Trouble.SERVER_ERROR),
        (Fault.TRUNCATED, 200, Trouble.UNFINISHED),
        (Fault.ERROR_IN_STREAM, 200, Trouble.BROKEN_OFF),
        (Fault.PROVIDER_RATE_LIMITED, 200, Trouble.BROKEN_OFF),
        (Fault.UPSTREAM_PROTOCOL, 200, Trouble.BROKEN_OFF),
    ],
)
def test_a_client_sees_a_status_and_how_a_stream_ends(fault: Fault, status: int | None, trouble: Trouble) -> None:
    assert trouble_of(fault, status) is trouble


def test_clients_have_the_names_that_events_give_them() -> None:
    agents = {
        "codex": "codex_exec/0.169.0",
        "claude-code": "claude-cli/2.1.0 (external, sdk-cli)",
        "gemini-cli": "GeminiCLI/0.40.0/gemini-2.5-pro",
        "opencode": "opencode/1.2.0",
        "aider": "aider/0.86.0",
        "openai-sdk": "OpenAI/Python 2.0.0",
        "anthropic-sdk": "Anthropic/Python 0.70.0",
        "google-genai-sdk": "google-genai-sdk/1.50.0",
    }
    assert {family: client_family(agent.encode()) for family, agent in agents.items()} == {
        family: family for family in CLIENTS
    }


def test_only_who_names_its_turns_or_counts_marks_its_retries() -> None:
    assert [name for name, client in CLIENTS.items() if client.marks is Marks.NOT] == ["gemini-cli", "google-genai-sdk"]
