"""Retention deletes what is too old, in pieces, and nothing else."""

import pytest

from daemon.adapters.memory.probes import MemoryProbes
from daemon.domain.alert import AlertState
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure
from daemon.domain.heard import Heard, HeardKind
from daemon.domain.notification import NotificationStatus
from daemon.domain.rollup import Closed, Resolution
from daemon.engine.retain import PIECE, Retention
from tests.contracts.things import NOON, a_notification, a_rollup, an_alert, an_entry, bare
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger

DAY = 86_400.0
WEEK, YEAR = 7 * DAY, 365 * DAY
YEAR_MS = round(YEAR * 1000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


async def test_what_is_older_than_retention_goes_in_pieces(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock
) -> None:
    old, young = clock.now() - 1, clock.now()
    await store.append([bare(old) for _ in range(2 * PIECE + 5)] + [kept := bare(young)], {}, clock.now())
    clock.advance(WEEK)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR).run()
    assert list(store.rows.values()) == [kept]
    assert store.prunes == [PIECE, PIECE, 5]


async def test_nothing_too_old_is_one_question(store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock) -> None:
    await store.append([kept := bare(clock.now())], {}, clock.now())
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR).run()
    assert list(store.rows.values()) == [kept]
    assert store.prunes == [0]


@pytest.mark.parametrize(
    ("resolution", "days"), [(Resolution.TEN_SECONDS, 0.25), (Resolution.MINUTE, 30), (Resolution.HOUR, 365)]
)
async def test_the_finer_a_rollup_the_sooner_it_goes(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock, resolution: Resolution, days: float
) -> None:
    rows = [a_rollup(resolution=resolution, bucket=NOON + number * resolution.ms, part=number) for number in range(3)]
    await store.append([], {}, NOON, Closed(node_id="", until=NOON + 10 * YEAR_MS, rows=tuple(rows)))
    clock.advance((NOON + 2 * resolution.ms - clock.now()) / 1000 + days * DAY)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR).run()
    assert list(store.rolled.values()) == rows[2:]


async def test_no_rollup_is_kept_longer_than_rollups_may_be(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock
) -> None:
    rows = tuple(a_rollup(resolution=resolution, bucket=NOON) for resolution in Resolution)
    await store.append([], {}, NOON, Closed(node_id="", until=NOON + YEAR_MS, rows=rows))
    clock.advance((NOON - clock.now()) / 1000 + 2 * 3600.0)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, 3600.0).run()
    assert store.rolled == {}


async def test_what_no_hour_holds_yet_is_kept_through_any_idle_time(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock
) -> None:
    until = Resolution.HOUR.floor(NOON) + 1_800_000
    closed = [a_rollup(bucket=until - 10_000), a_rollup(resolution=Resolution.MINUTE, bucket=until - 60_000)]
    await store.append([kept := bare(until + 3)], {}, until, Closed(node_id="n", until=until, rows=tuple(closed)))
    clock.advance((until - clock.now()) / 1000 + YEAR)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR, "n").run()
    assert (list(store.rows.values()), list(store.rolled.values())) == ([kept], closed)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR, "another").run()
    assert (store.rows, store.rolled) == ({}, {})


async def test_the_history_of_alerts_goes_with_the_hours_in_pieces(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock
) -> None:
    old, young, sent = clock.now() - 1, clock.now(), NotificationStatus.DELIVERED
    many = tuple(an_alert(since=old) for _ in range(PIECE + 5))
    await ledger.commit(
        Decision(
            alerts=(*many, kept := an_alert(since=young)),
            audit=(an_entry("old", at=old), an_entry("young", at=young)),
            notifications=(
                a_notification("old", created_at=old, status=sent),
                a_notification("waits", created_at=old),
                a_notification("young", created_at=young, status=sent),
            ),
        )
    )
    clock.advance(YEAR)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR).run()
    assert ledger.transition_rows == [kept]
    assert (set(ledger.audit_rows), set(ledger.notification_rows)) == ({"young"}, {"waits", "young"})
    assert ledger.prunes == [PIECE, 5]
    assert ledger.alert_rows == {kept.fingerprint: kept}


async def test_an_alert_of_others_that_has_ended_is_known_for_a_week(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock
) -> None:
    old, young, ended = clock.now() - 1, clock.now(), AlertState.RESOLVED
    rows = (
        an_alert("old", source="slack", state=ended, since=old),
        an_alert("young", source="slack", state=ended, since=young),
        an_alert("fires", source="slack", state=AlertState.FIRING, since=old),
        an_alert("ours", state=ended, since=old),
    )
    await ledger.commit(Decision(alerts=rows))
    clock.advance(WEEK)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR).run()
    assert set(ledger.alert_rows) == {"young", "fires", "ours"}
    assert len(ledger.transition_rows) == 4


async def test_a_store_that_refuses_is_the_schedules_to_report(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock
) -> None:
    store.failing = True
    with pytest.raises(StoreFailure):
        await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR).run()


async def test_a_clock_that_jumps_by_years_empties_nothing_before_it_is_there_an_hour_later_too(
    store: MemoryEventStore, ledger: MemoryLedger
) -> None:
    clock = JumpingClock()
    await store.append([kept := bare(clock.now())], {}, clock.now())
    retention = Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR)
    clock.jump(YEAR)
    await retention.run()
    assert list(store.rows.values()) == [kept]
    clock.jump(-YEAR)
    await retention.run()
    assert list(store.rows.values()) == [kept]
    clock.jump(YEAR)
    await retention.run()
    clock.advance(3600)
    await retention.run()
    assert not store.rows


class JumpingClock(FakeClock):
    """Its wall clock jumps, and its monotonic one does not."""

    jumped = 0.0

    def jump(self, seconds: float) -> None:
        self.jumped += seconds

    def now(self) -> int:
        return self.instant + round(self.jumped * 1000)


async def test_what_was_heard_goes_with_its_events(
    store: MemoryEventStore, ledger: MemoryLedger, clock: FakeClock
) -> None:
    entries = [Heard(at=clock.now() + at, after=0, kind=HeardKind.RULES) for at in (-1, 0)]
    await ledger.commit(Decision(heard=tuple(entries)))
    clock.advance(WEEK)
    await Retention(store, ledger, MemoryProbes(), clock, WEEK, YEAR).run()
    assert ledger.heard_rows == entries[1:]
