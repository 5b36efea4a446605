"""Usage records: what they tell reaches the rules, the quotas and the status, and no failure ends it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from daemon.domain.alerts_config import AlertsConfig, UsageRecords
from daemon.domain.errors import ManagementFailure, StoreFailure
from daemon.domain.event import Event, Source
from daemon.domain.joined import Joined
from daemon.domain.quota import QuotaReading
from daemon.engine.usage import Usage
from daemon.logic.joining import ENOUGH, SETTLE_MS
from tests.fakes.clock import FakeClock
from tests.logic.test_joining import a_turn, asked
from tests.logic.test_usage_reading import RECORD

ASKED = AlertsConfig(usage_records=UsageRecords())


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock(1_795_521_600_000)
        self.observed: list[Joined] = []
        self.quota: list[QuotaReading] = []
        self.answers: list[Any] = []
        self.pauses: list[float] = []
        self.opened = self.closed = 0
        self.usage = Usage(
            open_source=self._open,
            observe=self.observed.append,
            take_quota=self._take,
            name_of={"0123456789abcdef": "codex.json"}.get,
            clock=self.clock,
            pause=self._pause,
        )

    def _open(self, options: UsageRecords) -> "Desk":
        self.opened += 1
        return self

    async def next(self) -> Sequence[Any]:
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def close(self) -> None:
        self.closed += 1

    async def _take(self, readings: Sequence[QuotaReading]) -> None:
        self.quota += readings

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def told(self) -> Any:
        return self.usage.told()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def turn(number: int, desk: Desk, **more: Any) -> Event:
    return a_turn(number, emitted_at=desk.clock.now(), **more)


def record(number: int, **more: Any) -> dict[str, Any]:
    facts = {"request_id": f"{number:08x}", "reasoning_effort": "low", "alias": "gpt-5.5", "failed": False}
    return {**RECORD, **facts, **more}


async def test_what_was_applied_reaches_the_rules(desk: Desk) -> None:
    desk.usage.configure(ASKED)
    desk.usage.turn(turn(1, desk, **asked("high")))
    await desk.usage.take([record(1), {"support_refresh": True}])
    assert desk.observed == []
    desk.clock.advance(SETTLE_MS / 1000)
    await desk.usage.take([])
    ((event, match),) = [(joined.event.trace_id, joined.match) for joined in desk.observed]
    assert (str(event)[-8:], match) == ("00000001", False)
    assert (desk.told()["records"], desk.told()["from"]) == (1, "queue")


async def test_a_fire_drill_is_no_turn_of_the_upstream(desk: Desk) -> None:
    desk.usage.configure(ASKED)
    desk.usage.turn(turn(1, desk, source=Source.DRILL, **asked("high")))
    await desk.usage.take([record(1)])
    desk.clock.advance(SETTLE_MS / 1000)
    await desk.usage.take([])
    assert desk.observed == []


async def test_quotas_in_its_headers_are_taken_under_the_name_of_the_credential(desk: Desk) -> None:
    desk.usage.configure(ASKED)
    await desk.usage.take([record(1)])
    (reading,) = desk.quota
    assert (reading.credential, reading.usage_percentage, reading.source) == ("codex.json", 41.0, "usage_queue")


@pytest.mark.parametrize(("had", "suspected"), [(ENOUGH, False), (ENOUGH // 2, True), (0, False)])
async def test_who_gets_only_some_is_not_alone_at_the_queue(desk: Desk, had: int, suspected: bool) -> None:
    desk.usage.configure(ASKED)
    for number in range(ENOUGH):
        desk.usage.turn(turn(number, desk))
    await desk.usage.take([record(number) for number in range(had)])
    desk.clock.advance(30)
    await desk.usage.take([])
    assert (desk.told()["coverage"], desk.told()["other_consumers_suspected"]) == (had / ENOUGH, suspected)


async def test_nothing_is_taken_unless_it_is_asked_for(desk: Desk) -> None:
    running = asyncio.ensure_future(desk.usage.run())
    await asyncio.sleep(0)
    assert (desk.opened, desk.told()) == (0, None)
    desk.usage.turn(turn(1, desk))
    desk.answers = [[], []]
    desk.usage.configure(ASKED)
    await _a_while()
    assert (desk.opened, desk.answers) == (1, [])
    running.cancel()
    await asyncio.wait((running,))
    assert desk.closed == 1


async def test_a_failure_is_told_waited_for_longer_each_time_and_gone_with_the_next_record(desk: Desk) -> None:
    refused = ManagementFailure("usage-queue: 404", status=404)
    desk.answers = [refused] * 8
    desk.usage.configure(ASKED)
    running = asyncio.ensure_future(desk.usage.run())
    await _a_while()
    assert (desk.pauses[:3], desk.pauses[-1], desk.told()["trouble"]) == ([2.0, 4.0, 8.0], 60.0, "usage-queue: 404")
    desk.answers = [[]]
    running.cancel()
    await asyncio.wait((running,))
    again = asyncio.ensure_future(desk.usage.run())
    await _a_while()
    assert desk.told()["trouble"] == ""
    again.cancel()
    await asyncio.wait((again,))


async def test_a_store_that_refuses_a_quota_ends_nothing(desk: Desk) -> None:
    async def refuse(_: Sequence[QuotaReading]) -> None:
        raise StoreFailure("no")

    desk.usage._take_quota = refuse
    desk.usage.configure(ASKED)
    await desk.usage.take([record(1)])
    assert desk.told()["records"] == 1


async def _a_while() -> None:
    for _ in range(60):
        await asyncio.sleep(0)
