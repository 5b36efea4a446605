"""The harness itself, with the fake upstream in the place of our proxy."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest

from daemon.app.traffic import Traffic, Turn
from daemon.domain.errors import CannotStart
from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

MODELS = {
    Wire.OPENAI_CHAT: "gpt-5.4",
    Wire.OPENAI_RESPONSES: "gpt-5.5",
    Wire.ANTHROPIC_MESSAGES: "claude-sonnet-4-6",
    Wire.GEMINI_GENERATE_CONTENT: "gemini-2.5-pro",
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as house:
        house.rig.proxy_port = house.rig.fake_port
        house.gpt = house.gpt.with_options(base_url=f"{house.rig.fake_url}/v1")
        house.claude = house.claude.with_options(base_url=house.rig.fake_url)
        await house.start("fake")
        yield house


async def test_each_wire_is_spoken_and_each_fault_is_told(house: House) -> None:
    for fault, whole, streamed in (
        ("429", "429", "429"),
        ("truncate", "cut", "cut"),
        ("connect_drop", "cut", "cut"),
        ("in_band_error", None, "error"),
        ("clean_cut", None, "unfinished"),
    ):
        for wire, model in MODELS.items():
            await house.fake.play("healthy")
            assert (await house.turn(wire, model, stream=True)).outcome == "ok", wire
            assert (await house.turn(wire, model)).outcome == "ok", wire
            await house.fake.play({"rules": [{"fault": fault}]})
            assert (await house.turn(wire, model, stream=True)).outcome == streamed, (wire, fault)
            if whole is not None:
                assert (await house.turn(wire, model)).outcome == whole, (wire, fault)


async def test_many_turns_and_an_exact_share(house: House) -> None:
    await house.fake.play({"rules": [{"fault": "429", "share": 0.12, "match": {"model": "gpt-5*"}}]})
    crowd = await house.send(100, Wire.OPENAI_CHAT, "gpt-5.4", stream=True)
    assert crowd.count == {"ok": 88, "429": 12}
    assert (await house.fake.requests())["counts"] == {"gpt-5.4": {"200": 88, "429": 12}}


async def test_plain_traffic_is_counted(house: House) -> None:
    await house.fake.play({"rules": [{"fault": "truncate", "match": {"model": "claude*"}}]})
    mix = [Turn(wire=wire, model=model, stream=stream) for wire, model in MODELS.items() for stream in (True, False)]
    traffic = Traffic(house.http, house.rig.fake_url, "rig-client-key", mix)
    for turn in mix:
        await traffic.send(turn)
    assert traffic.total == 8
    assert traffic.outcomes() == {"ok": 6, "cut": 2}


async def test_processes_are_killed_stopped_frozen_and_restarted(house: House) -> None:
    first = house.rig.pid("fake")
    house.rig.kill("fake")
    assert house.rig.exit_code("fake") == -signal.SIGKILL
    await house.rig.restart("fake")
    assert house.rig.pid("fake") != first
    house.rig.signal("fake", signal.SIGSTOP)
    with pytest.raises(httpx.ReadTimeout):
        await house.http.get(f"{house.rig.fake_url}/healthz", timeout=0.3)
    house.rig.signal("fake", signal.SIGCONT)
    assert await house.rig.stop("fake") == 0
    assert "fake upstream at http://127.0.0.1:" in house.rig.output("fake")


async def test_a_process_that_cannot_start_says_why(house: House) -> None:
    second = _run(house, "fake", "--port", str(house.rig.fake_port))
    assert second.returncode == 3
    assert second.stderr.count("\n") == 1
    assert f"port {house.rig.fake_port} on 127.0.0.1 is taken" in second.stderr
    await house.rig.stop("fake")
    with pytest.raises(CannotStart, match=r"(?s)ended with exit code 2.*neither a file nor one of"):
        await house.rig.start("fake", "--scenario", "no-such")


async def test_the_sink_takes_what_apprise_sends(house: House) -> None:
    assert await asyncio.to_thread(_notify, house.sink.apprise_url) == 0
    (message,) = house.sink.about("title")
    assert (message["title"], message["message"]) == ("title", "body")
    house.sink.refuses = True
    assert await asyncio.to_thread(_notify, house.sink.apprise_url) == 1
    assert (len(house.sink.messages), house.sink.refused) == (1, 1)


async def test_nothing_is_left_behind() -> None:
    async with open_house(alerts="version: 1\n", PROXY_WORKERS="2") as house:
        directory = house.rig.directory
        environment = house.rig.environment()
        await house.start("fake")
        pid = house.rig.pid("fake")
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert environment["RUNBOOKD_PROXY_WORKERS"] == "2"
    assert environment["RUNBOOKD_ALERTS_FILE"] == str(directory / "alerts.yaml")
    assert len(os.fspath(house.rig.places.control_socket)) < 60


async def test_eventually_gives_the_answer_or_the_last_one() -> None:
    answers = iter([None, 0, "yes"])
    assert await eventually(lambda: next(answers)) == "yes"
    with pytest.raises(AssertionError, match="the last answer was 0"):
        await eventually(lambda: 0, within=0.1)


def _run(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "daemon", *arguments]
    return subprocess.run(command, env=house.rig.environment(), capture_output=True, text=True, check=False)


def _notify(url: str) -> int:
    """In a process of its own: importing Apprise warns."""
    code = "import apprise, sys; a = apprise.Apprise(); a.add(sys.argv[1]); sys.exit(not a.notify('body', 'title'))"
    return subprocess.run([sys.executable, "-c", code, url], stderr=subprocess.DEVNULL, check=False).returncode
