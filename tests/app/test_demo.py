"""The demo's timeline: what was seen is told with its words, what was not is told as missing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from daemon.adapters.fake.scenario import FakeFault, read_scenario
from daemon.app.demo import ALERTS, FIRING, INCIDENT, MIX, Demo, Step


@pytest.fixture
def told() -> list[Step]:
    return []


@pytest.fixture
def demo(tmp_path: Path, told: list[Step]) -> Demo:
    return Demo(tmp_path, tell=told.append)


async def test_a_step_is_told_when_it_is_seen_also_after_a_failed_look(demo: Demo, told: list[Step]) -> None:
    answers: Iterator[str | Exception | None] = iter([None, httpx.ConnectError("not yet"), "there it is"])

    async def look() -> str | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await demo._observe("firing", "something", look, 5)
    assert [(step.name, step.text, step.observed) for step in told] == [("firing", "there it is", True)]
    assert demo.is_complete


async def test_a_step_that_never_comes_is_missing_and_spoils_the_demo(demo: Demo, told: list[Step]) -> None:
    async def look() -> str | None:
        await asyncio.sleep(0)
        return None

    await demo._observe("message", "a message", look, 0.2)
    assert not told[-1].observed
    assert told[-1].text.endswith("a message")
    assert not demo.is_complete


def test_the_incident_strikes_models_of_the_mix_only() -> None:
    scenario = read_scenario(INCIDENT)
    for rule in scenario.rules:
        assert any(rule.match.fits(model=turn.model, wire=turn.wire, stream=turn.stream) for turn in MIX)
    assert [rule.fault for rule in scenario.rules] == [
        FakeFault.RATE_LIMIT,
        FakeFault.SERVER_ERROR,
        FakeFault.THINKING_DRIFT,
        FakeFault.ZERO_USAGE,
    ]


def test_every_alert_that_must_fire_is_in_the_demos_alerts_file() -> None:
    rules = {rule["alert"]: rule for rule in yaml.safe_load(ALERTS)["rules"]}
    assert set(FIRING) <= set(rules)
    assert {rules[alert]["window"] for alert in FIRING} == {"10s"}
