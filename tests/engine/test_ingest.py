"""From the spool to the store: everything once, whatever fails in between."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from daemon.domain.errors import StoreFailure
from daemon.domain.event import Event, Source
from daemon.domain.rollup import Resolution
from daemon.engine.ingest import LATE_MS, Arrival, Ingest
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.memory_spool import MemorySpool
from tests.logic.playing import T0, an_event


@dataclass
class Desk:
    spool: MemorySpool
    store: MemoryEventStore
    reader: ThreadPoolExecutor
    arrivals: list[Arrival] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: FakeClock(T0))

    def ingest(self) -> Ingest:
        """A process that has just started."""

        def label(event: Event) -> Event:
            return replace(event, provider_key="labelled")

        return Ingest(
            spool=self.spool,
            store=self.store,
            clock=self.clock,
            reader=self.reader,
            label=label,
            arrived=self.arrivals.append,
        )


@pytest.fixture
def desk() -> Iterator[Desk]:
    with ThreadPoolExecutor(1) as reader:
        yield Desk(MemorySpool(), MemoryEventStore(), reader)


async def test_events_are_labelled_stored_shown_and_acknowledged(desk: Desk) -> None:
    first, second = an_event(T0), an_event(T0 + 1)
    desk.spool.write(first)
    desk.spool.write(second, spool_id="s1")
    ingest = desk.ingest()
    await ingest.catch_up()
    assert [event.event_id for arrival in desk.arrivals for event in arrival.events] == [
        first.event_id,
        second.event_id,
    ]
    assert {row.provider_key for row in desk.store.rows.values()} == {"labelled"}
    assert desk.spool.acknowledged == await desk.store.watermarks()
    assert (ingest.events_total, ingest.lost_total, ingest.depth) == (2, 0, 0)
    assert ingest.attached.is_set()


async def test_a_process_that_was_killed_between_commit_and_acknowledgement_shows_nothing_twice(desk: Desk) -> None:
    desk.spool.write(an_event(T0))
    await desk.ingest().catch_up()
    desk.spool.acknowledged = {}
    desk.spool.write(an_event(T0 + 1))
    await desk.ingest().catch_up()
    assert [len(arrival.events) for arrival in desk.arrivals] == [1, 1]
    assert len(desk.store.rows) == 2


async def test_a_store_that_refuses_leaves_everything_in_the_spool(desk: Desk) -> None:
    ingest = desk.ingest()
    await ingest.catch_up()
    desk.spool.write(an_event(T0))
    desk.store.failing = True
    with pytest.raises(StoreFailure):
        await ingest.catch_up()
    assert desk.spool.acknowledged == {}
    desk.store.failing = False
    await ingest.catch_up()
    assert len(desk.store.rows) == 1
    assert [len(arrival.events) for arrival in desk.arrivals] == [1]


async def test_rows_that_a_refusing_store_did_not_take_are_offered_again(desk: Desk) -> None:
    ingest = desk.ingest()
    for second, unwritten in ((0, 1), (20, 2), (40, 1)):
        desk.spool.write(an_event(T0 + second * 1000))
        desk.clock.advance(20.0)
        desk.store.failing = second == 20
        with suppress(StoreFailure):
            await ingest.catch_up()
        assert sum(row.requests for row in ingest.unwritten(Resolution.TEN_SECONDS)) == unwritten
    assert [row.requests for row in desk.store.rolled.values()] == [1, 1]
    assert sum(row.requests for row in ingest.unwritten(Resolution.HOUR)) == 3


async def test_a_clock_of_an_event_that_runs_ahead_closes_nothing_early(desk: Desk) -> None:
    ingest = desk.ingest()
    desk.spool.write(an_event(T0), an_event(T0 + 86_400_000))
    await ingest.catch_up()
    assert (desk.store.rolled, desk.store.rolled_up_to) == ({}, {"": T0 - LATE_MS})


async def test_events_are_shown_at_once_and_stored_every_now_and_then(desk: Desk) -> None:
    ingest = desk.ingest()
    for number in range(25):
        desk.spool.write(an_event(T0 + number * 100))
        await ingest.catch_up()
        assert len(desk.arrivals) == number + 1
        desk.clock.advance(0.1)
    assert desk.store.appends == 2
    assert len(desk.store.rows) == 14
    assert ingest.depth == 0
    await ingest.store()
    assert len(desk.store.rows) == 25


async def test_what_was_emitted_and_never_came_is_counted(desk: Desk) -> None:
    desk.spool.write(an_event(T0), lost=0)
    desk.spool.write(an_event(T0 + 1), an_event(T0 + 2), lost=3)
    ingest = desk.ingest()
    await ingest.catch_up()
    assert ingest.lost_total == 3
    assert sum(arrival.lost for arrival in desk.arrivals) == 3


async def test_an_idle_look_writes_nothing(desk: Desk) -> None:
    ingest = desk.ingest()
    await ingest.catch_up()
    await ingest.catch_up()
    assert desk.arrivals == []
    assert desk.store.alive is None


async def test_what_was_made_up_is_shown_and_neither_labelled_nor_counted_nor_stored(desk: Desk) -> None:
    ingest, made_up = desk.ingest(), an_event(T0, source=Source.DRILL, provider_key="drill-1")
    ingest.inject([made_up])
    assert desk.arrivals == []  # it takes the way of all others
    await ingest.catch_up()
    await ingest.catch_up()
    assert desk.arrivals == [Arrival(events=(made_up,), lost=0)]
    await ingest.store()
    assert desk.store.rows == {}
    assert [row for resolution in Resolution for row in ingest.unwritten(resolution)] == []
    assert (ingest.events_total, ingest.lost_total, list(ingest.waiting)) == (0, 0, [])
