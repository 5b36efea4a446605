"""Retention deletes what is too old, in pieces, and nothing else."""

import pytest

from daemon.domain.errors import StoreFailure
from daemon.engine.retain import PIECE, Retention
from tests.contracts.things import bare
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore

WEEK = 7 * 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


async def test_what_is_older_than_retention_goes_in_pieces(store: MemoryEventStore, clock: FakeClock) -> None:
    old, young = clock.now() - 1, clock.now()
    await store.append([bare(old) for _ in range(2 * PIECE + 5)] + [kept := bare(young)], {}, clock.now())
    clock.advance(WEEK)
    await Retention(store, clock, WEEK).run()
    assert list(store.rows.values()) == [kept]
    assert store.prunes == [PIECE, PIECE, 5]


async def test_nothing_too_old_is_one_question(store: MemoryEventStore, clock: FakeClock) -> None:
    await store.append([kept := bare(clock.now())], {}, clock.now())
    await Retention(store, clock, WEEK).run()
    assert list(store.rows.values()) == [kept]
    assert store.prunes == [0]


async def test_a_store_that_refuses_is_the_schedules_to_report(store: MemoryEventStore, clock: FakeClock) -> None:
    store.failing = True
    with pytest.raises(StoreFailure):
        await Retention(store, clock, WEEK).run()
