"""What an onboarding asks of the API, and who is refused."""

from typing import Any

import httpx
import pytest

from daemon.domain.event import Wire
from tests.fakes.operations import FakeOperations


async def test_a_canary_is_sent_and_told_of(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    asked = {"model": "team-b/gpt-5.4", "wire": "anthropic_messages", "stream": True}
    answer = await client.post("/api/v1/canary", json=asked)
    assert answer.json() == {
        "outcome": "ok",
        "fault": None,
        "reason": "",
        "duration_ms": 120,
        "tokens": 9,
        "usage_present": True,
    }
    await client.post("/api/v1/canary", json={"model": "m"})
    assert operations.canaries == [
        ("team-b/gpt-5.4", Wire.ANTHROPIC_MESSAGES, True),
        ("m", Wire.OPENAI_CHAT, False),
    ]
    assert (await client.post("/api/v1/canary", json={"model": "m"})).status_code == 409


@pytest.mark.parametrize(
    "asked", [{}, {"model": ""}, {"model": 3}, {"model": "m", "wire": "other"}, {"model": "m", "stream": 1}, {"x": 1}]
)
async def test_what_makes_no_sense_is_refused_and_not_sent(
    client: httpx.AsyncClient, operations: FakeOperations, asked: dict[str, Any]
) -> None:
    answer = await client.post("/api/v1/canary", json=asked)
    assert (answer.status_code, operations.canaries) == (400, [])


async def test_strangers_send_nothing(stranger: httpx.AsyncClient, operations: FakeOperations) -> None:
    answer = await stranger.post("/api/v1/canary", json={"model": "m"})
    assert (answer.status_code, operations.canaries) == (401, [])


@pytest.mark.parametrize("listed", [True, False])
async def test_models_are_told_with_their_owners(
    client: httpx.AsyncClient, operations: FakeOperations, listed: bool
) -> None:
    if not listed:
        operations.listed = None
    known = [{"model_id": "gpt-5.4", "owned_by": "openai", "client": "default"}]
    assert (await client.get("/api/v1/models")).json() == {"models": known if listed else None}
