"""Recorded exchanges of real clients: what they send is claimed and read, what they got is judged."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.domain.event import Fault, Outcome
from daemon.domain.thinking import ThinkingSetting
from daemon.logic.faults import classify
from daemon.logic.wire import WireProtocol
from tests.logic.wires.answers import WIRES, read

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "client_exchanges.json").read_text()
)
CALLS = [
    one
    for one in EXCHANGES
    if one["method"] == "POST" and "count_tokens" not in one["path"] and "api" not in one["path"]
]


def _wire(exchange: dict[str, Any]) -> WireProtocol:
    (wire,) = [wire for wire in WIRES if wire.claims(exchange["method"], exchange["path"])]
    return wire


def test_what_calls_no_model_is_claimed_by_nobody() -> None:
    others = [one for one in EXCHANGES if one not in CALLS]
    assert {one["path"] for one in others} == {
        "/",
        "/api/internal",
        "/v1/responses",
        "/v1/messages/count_tokens",
        "/v1/models",
    }
    assert not any(wire.claims(one["method"], one["path"]) for one in others for wire in WIRES)


@pytest.mark.parametrize("exchange", CALLS, ids=lambda one: one["run"])
def test_every_model_call_is_read(exchange: dict[str, Any]) -> None:
    facts = _wire(exchange).read_request(exchange["path"], json.dumps(exchange["request"]).encode())
    asked = exchange["request"]
    assert facts.model in (asked.get("model"), "gemini-2.5-flash")
    assert facts.stream is (asked.get("stream", False) or "stream" in exchange["path"])


@pytest.mark.parametrize(
    ("run", "thinking"),
    [
        ("codex-429x2", ThinkingSetting(mode="level", level="high")),
        ("claude-404", ThinkingSetting(mode="level", level="high")),
        ("gemini-cut1", ThinkingSetting(mode="budget", level="medium", budget=8192)),
        ("sdk-genai-gen", ThinkingSetting(mode="budget", level="low", budget=1024)),
        ("sdk-anthropic-msg", ThinkingSetting(mode="budget", level="low", budget=1024)),
        ("sdk-openai-chat", ThinkingSetting(mode="level", level="low")),
        ("sdk-openai-resp", ThinkingSetting(mode="level", level="high")),
        ("llm-ok", None),
    ],
)
def test_every_clients_thinking_is_read(run: str, thinking: ThinkingSetting | None) -> None:
    exchange = next(one for one in CALLS if one["run"] == run)
    body = json.dumps(exchange["request"]).encode()
    assert _wire(exchange).read_request(exchange["path"], body).thinking == thinking


@pytest.mark.parametrize("exchange", [one for one in CALLS if one["response"]], ids=lambda one: one["run"])
def test_every_recorded_answer_is_judged(exchange: dict[str, Any]) -> None:
    status, body = exchange["status"], exchange["response"].encode()
    facts = read(_wire(exchange), [body], status=status, stream=False)
    outcome, fault = classify(status=status, facts=facts)
    if status == 200:
        assert (outcome, fault) == (Outcome.OK, None)
        assert facts.usage is not None
        assert facts.usage.total_tokens == 155
        assert facts.empty_payload is False
    else:
        wanted = {
            401: Fault.PROVIDER_AUTH,
            404: Fault.CLIENT_ERROR if "no such route" in exchange["response"] else Fault.MODEL_NOT_FOUND,
            429: Fault.PROVIDER_RATE_LIMITED,
            500: Fault.PROVIDER_ERROR,
            529: Fault.OVERLOADED,
        }
        assert (outcome, fault) == (Outcome.FAILED, wanted[status])
