"""Canaries on demand: what comes of one, and how many there may be."""

import json

import pytest

from daemon.app import shelf
from daemon.domain.errors import Conflict
from daemon.domain.event import Fault, Outcome, Wire
from daemon.domain.probe import Ask, Reply
from daemon.engine.canaries import HOUR_SECONDS, MOST_PER_HOUR, Canaries
from tests.fakes.clock import FakeClock

WIRES = {wire.WIRE: wire for wire in shelf.wires()}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}
SAID = {"id": "c", "object": "chat.completion", "model": "m", "choices": [CHOICE]}
USAGE = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}


def canaries(reply: Reply, asked: list[Ask], clock: FakeClock | None = None) -> Canaries:
    async def ask(one: Ask) -> Reply:
        asked.append(one)
        return reply

    return Canaries(ask=ask, wires=WIRES, clock=clock or FakeClock())


def answered(body: object, status: int = 200) -> Reply:
    kind = {"content-type": "application/json"}
    return Reply(status=status, headers=kind, body=json.dumps(body).encode(), duration_ms=42)


async def test_a_good_one_says_how_long_it_took_and_what_it_cost() -> None:
    asked: list[Ask] = []
    report = await canaries(answered({**SAID, "usage": USAGE}), asked).send("a/m", Wire.OPENAI_CHAT, stream=True)
    assert (report.outcome, report.duration_ms, report.tokens, report.usage_present) == (Outcome.OK, 42, 9, True)
    assert [(one.stream, (one.body or {})["model"]) for one in asked] == [(True, "a/m")]


@pytest.mark.parametrize(
    ("reply", "outcome", "fault", "usage"),
    [
        (answered(SAID), Outcome.OK, None, False),
        (answered({"error": {"message": "slow down"}}, 429), Outcome.FAILED, Fault.PROVIDER_RATE_LIMITED, False),
        (answered({"error": "Invalid API key"}, 401), None, None, False),
        (Reply(error="there is no client key"), None, None, False),
    ],
)
async def test_what_went_wrong_is_told_apart(
    reply: Reply, outcome: Outcome | None, fault: Fault | None, usage: bool
) -> None:
    report = await canaries(reply, []).send("m", Wire.OPENAI_CHAT, stream=False)
    assert (report.outcome, report.fault, report.usage_present) == (outcome, fault, usage)
    assert bool(report.reason) == (outcome is not Outcome.OK)


async def test_there_are_only_so_many_within_an_hour() -> None:
    asked: list[Ask] = []
    clock = FakeClock()
    door = canaries(answered(SAID), asked, clock)
    for _ in range(MOST_PER_HOUR):
        await door.send("m", Wire.OPENAI_CHAT, stream=False)
    with pytest.raises(Conflict, match="within an hour"):
        await door.send("m", Wire.OPENAI_CHAT, stream=False)
    assert len(asked) == MOST_PER_HOUR
    clock.advance(HOUR_SECONDS)
    await door.send("m", Wire.OPENAI_CHAT, stream=False)
    assert len(asked) == MOST_PER_HOUR + 1
