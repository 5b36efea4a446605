"""The heartbeat: it goes on while judging and sending work, and stops when they do not."""

import logging

import pytest

from daemon.engine.heartbeat import Heartbeat
from tests.fakes.clock import FakeClock

URL = "https://outside/token-canary-4711"


class Outside:
    """What is asked, and what is wrong."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.asked: list[str] = []
        self.answer: str | None = None
        self.trouble: str | None = None
        self.heartbeat = Heartbeat(clock=self.clock, beat=self.beat, trouble=lambda: self.trouble)

    async def beat(self, url: str) -> str | None:
        self.asked.append(url)
        return self.answer

    async def looks(self, times: int) -> int:
        """How many beats there are in so many looks, one a second."""
        before = len(self.asked)
        for _ in range(times):
            await self.heartbeat.look()
            self.clock.advance(1)
        return len(self.asked) - before


async def test_it_beats_once_an_interval() -> None:
    outside = Outside()
    outside.heartbeat.configure(URL, 60.0)
    assert await outside.looks(180) == 3
    assert set(outside.asked) == {URL}


async def test_without_a_url_there_is_none() -> None:
    outside = Outside()
    outside.heartbeat.configure(None, 0.0)
    assert await outside.looks(180) == 0


async def test_it_stops_while_something_is_wrong_and_goes_on_after_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    outside = Outside()
    outside.heartbeat.configure(URL, 60.0)
    outside.trouble = "no receiver can be reached"
    assert await outside.looks(180) == 0
    outside.trouble = None
    assert await outside.looks(60) == 1
    assert [record.message for record in caplog.records] == [
        "the heartbeat stops: no receiver can be reached",
        "the heartbeat goes on",
    ]


async def test_an_address_that_does_not_answer_is_told_once_without_it(caplog: pytest.LogCaptureFixture) -> None:
    outside = Outside()
    outside.heartbeat.configure(URL, 60.0)
    outside.answer = "the address answered 500"
    assert await outside.looks(180) == 3
    (record,) = caplog.records
    assert record.message == "the heartbeat stops: the address answered 500"
