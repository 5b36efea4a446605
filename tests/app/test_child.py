"""A child: it is started again when it ends, and asked once, then killed, when it shall stop."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.adapters.clock import SystemClock
from daemon.app import child
from daemon.app.child import Child

TRAP = 'trap "echo TERM >> {0}" TERM; echo up >> {0}; while :; do sleep 0.02; done'
"""Counts the SIGTERMs that it gets, and never heeds them."""


@asynccontextmanager
async def running(script: str, ended: Callable[[int], None] = lambda code: None) -> AsyncIterator[Child]:
    one = Child("one", ["sh", "-c", script], SystemClock(), ended=ended)
    life = asyncio.get_running_loop().create_task(one.run())
    try:
        yield one
    finally:
        await one.stop(0.1)
        await life


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 another process
            await asyncio.sleep(0.01)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "BACK_OFF_SECONDS", (0.01,))


@pytest.mark.usefixtures("quickly")
async def test_it_is_started_again_and_its_failures_are_counted() -> None:
    codes: list[int] = []
    async with running("exit 3", codes.append) as one:
        await until(lambda: len(codes) == 3)
        assert (codes, one.failures) == ([3, 3, 3], 3)
        assert one.lives >= 3


async def test_it_stops_at_once_while_it_waits_for_its_next_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "BACK_OFF_SECONDS", (60.0,))
    codes: list[int] = []
    async with running("exit 1", codes.append) as one:
        await until(lambda: codes == [1])
        async with asyncio.timeout(1):
            await one.stop(30)
    assert (one.lives, codes) == (1, [1])


async def test_it_is_asked_once_and_killed_when_it_does_not_heed(tmp_path: Path) -> None:
    heard, codes = tmp_path / "heard", []
    async with running(TRAP.format(heard), codes.append) as one:
        await until(heard.exists)
        one.ask_stop()
        await one.stop(0.3)
    assert (heard.read_text(), codes) == ("up\nTERM\n", [])


async def test_asked_while_it_is_being_started_it_stops_all_the_same() -> None:
    async with running("exec sleep 60") as one:
        await until(lambda: one.lives == 1)
        async with asyncio.timeout(5):
            await one.stop(4)
    assert one.lives == 1


@pytest.mark.usefixtures("quickly")
async def test_one_that_answered_and_then_is_silent_is_killed_and_started_again_and_one_that_boots_is_left() -> None:
    answers, asked = [False] * 5 + [True, False, False, True, False, False, False], 0

    async def answering() -> bool:
        nonlocal asked
        asked += 1
        return answers[asked - 1] if asked <= len(answers) else True

    codes: list[int] = []
    async with running("sleep 60", codes.append) as one:
        watch = asyncio.get_running_loop().create_task(one.watch(answering, every_seconds=0.01, misses=3))
        await until(lambda: one.lives == 2)
        assert (codes, asked >= len(answers)) == ([-signal.SIGKILL], True)
        watch.cancel()
