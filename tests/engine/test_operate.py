"""What the doors ask is answered from memory where that reaches, and from what is stored where it does not."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import pytest_asyncio

from daemon.domain.audit import AuditFilter
from daemon.domain.errors import Conflict
from daemon.domain.event import Source
from daemon.domain.rollup import Resolution
from daemon.engine.ingest import STORE_SECONDS, Arrival, Ingest
from daemon.engine.operate import Operate
from daemon.logic.providers import ProviderFigures
from tests.engine.mitigating import Mitigating, firing
from tests.engine.operating import an_operate
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.memory_spool import MemorySpool
from tests.logic.playing import T0, an_event

NOON = Resolution.HOUR.floor(T0)
HOUR = 3600.0
CLIENT = Source.CLIENT


class Traffic:
    """One turn a minute, every tenth rate limited, and as many canaries."""

    def __init__(self, reader: ThreadPoolExecutor) -> None:
        self.clock, self.spool, self.figures = FakeClock(NOON), MemorySpool(), ProviderFigures()
        self.store = MemoryEventStore()
        self.ingest = Ingest(
            spool=self.spool,
            store=self.store,
            clock=self.clock,
            reader=reader,
            label=lambda event: event,
            arrived=self._arrived,
        )
        self.operate = an_operate(clock=self.clock, events=self.store, ingest=self.ingest, figures=self.figures)

    def _arrived(self, arrival: Arrival) -> None:
        for event in arrival.events:
            self.figures.observe(event)

    async def flow(self, minutes: int) -> None:
        for minute in range(minutes):
            at = self.clock.now() - 7000
            self.spool.write(an_event(at, bad=minute % 10 == 0), an_event(at, source=Source.CANARY))
            await self.ingest.catch_up()
            self.clock.advance(max(STORE_SECONDS, 60.0))


@pytest_asyncio.fixture
async def traffic() -> AsyncIterator[Traffic]:
    with ThreadPoolExecutor(1) as reader:
        yield Traffic(reader)


async def test_providers_of_more_than_an_hour_come_from_rollups_and_from_what_is_not_written_yet(
    traffic: Traffic,
) -> None:
    await traffic.flow(300)
    for hours in (1, 2, 4.5):
        codex = (await traffic.operate.providers(hours * HOUR))["codex"]
        since = traffic.clock.now() - hours * HOUR * 1000
        turns = [turn for turn in traffic.store.rows.values() if turn.emitted_at >= since and turn.source is CLIENT]
        failed = [turn for turn in turns if turn.fault is not None]
        assert (codex["request_count"], codex["failure_count"]) == (len(turns), len(failed))


async def test_what_was_never_written_grows_old_too(traffic: Traffic) -> None:
    await traffic.flow(5)
    traffic.clock.advance(3 * HOUR)
    assert await traffic.operate.providers(2 * HOUR) == {}
    assert (await traffic.operate.providers(4 * HOUR))["codex"]["request_count"] == 5


async def test_providers_of_a_day_come_from_hours(traffic: Traffic) -> None:
    await traffic.flow(300)
    day = await traffic.operate.providers(24 * HOUR)
    assert day["codex"]["request_count"] == 300
    assert day["codex"]["rate_limited_ratio"] == 0.1


async def test_after_a_restart_all_hours_are_there_still(traffic: Traffic) -> None:
    await traffic.flow(300)
    before = await traffic.operate.providers(24 * HOUR)
    with ThreadPoolExecutor(1) as reader:
        later = Traffic(reader)
        later.clock, later.spool, later.store = traffic.clock, traffic.spool, traffic.store
        later.ingest._spool, later.ingest._store, later.ingest._clock = traffic.spool, traffic.store, traffic.clock
        later.operate._events, later.operate._clock = traffic.store, traffic.clock
        await later.ingest.catch_up()
        assert await later.operate.providers(24 * HOUR) == before


# ---- what humans do to mitigations -----------------------------------------------------------------------------------


async def an_office() -> tuple[Mitigating, Operate]:
    """A mitigator with a change in force, and the door to it."""
    house = await Mitigating().start()
    await house.tick(firing("debug"))
    operate = an_operate(clock=house.clock, ledger=house.ledger, mitigate=house.mitigate, commit=house.commit)
    return house, operate


async def test_a_hold_lasts_as_long_as_was_said_and_its_comment_is_in_the_audit() -> None:
    house, operate = await an_office()
    row = await operate.act("debug", "hold", "human:jo", 7200.0, "night shift")
    assert (row.held_by, row.hold_expires_at) == ("human:jo", house.clock.now() + 7_200_000)
    said = await operate.audit(10, AuditFilter(actor="human:jo"))
    assert [entry.action for entry in said] == ["comment", "hold"]
    assert (said[0].reason, said[0].outcome) == ("night shift", "on hold")


async def test_without_a_time_and_a_comment_there_are_none() -> None:
    _, operate = await an_office()
    row = await operate.act("debug", "hold", "human:jo")
    assert row.hold_expires_at is None
    assert [entry.action for entry in await operate.audit(10, AuditFilter(actor="human:jo"))] == ["hold"]


async def test_what_is_refused_is_not_commented() -> None:
    _, operate = await an_office()
    with pytest.raises(Conflict):
        await operate.act("debug", "release", "human:jo", comment="nothing")
    assert await operate.audit(10, AuditFilter(actor="human:jo")) == []
