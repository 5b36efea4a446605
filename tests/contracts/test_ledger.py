"""The contract of `Ledger`, over the fake, SQLite and Postgres."""

from dataclasses import replace

import pytest

from daemon.adapters.store import Store
from daemon.domain.alert import AlertState
from daemon.domain.decision import Decision
from daemon.domain.heard import Heard, HeardKind
from daemon.domain.mitigation import MitigationState
from daemon.domain.notification import NotificationStatus
from daemon.ports import Ledger
from tests.contracts.things import (
    NOON,
    a_mitigation,
    a_notification,
    a_silence,
    absent,
    an_alert,
    an_entry,
    full_alert,
    full_entry,
    full_mitigation,
    full_notification,
)


@pytest.fixture
def ledger(any_store: Store) -> Ledger:
    return any_store.ledger


async def test_a_decision_comes_back_as_it_was(ledger: Ledger) -> None:
    decision = Decision(
        alerts=(an_alert(), full_alert()),
        notifications=(a_notification(), full_notification()),
        mitigations=(a_mitigation(), full_mitigation()),
        audit=(an_entry(), full_entry()),
    )
    await ledger.commit(decision)
    assert sorted(await ledger.alerts(), key=lambda row: row.fingerprint) == list(decision.alerts)
    assert await ledger.notifications() == list(decision.notifications)[::-1]
    assert await ledger.mitigations() == list(decision.mitigations)
    assert await ledger.audit() == list(decision.audit)[::-1]


def test_the_full_things_are_full() -> None:
    assert absent(full_notification()) == absent(full_entry()) == absent(a_silence()) == set()
    assert absent(full_alert()) == {"muted_by"}  # it is not stored
    assert absent(full_mitigation()) == {"owners"}


async def test_a_row_that_exists_is_replaced(ledger: Ledger) -> None:
    await ledger.commit(
        Decision(alerts=(an_alert(),), notifications=(a_notification(),), mitigations=(a_mitigation(),))
    )
    alert = an_alert(state=AlertState.FIRING, fired_at=NOON + 7)
    sent = a_notification(status=NotificationStatus.DELIVERED, title="Firing", attempts=1)
    applied = a_mitigation(state=MitigationState.APPLIED, value_before=[1], passes=2)
    await ledger.commit(Decision(alerts=(alert,), notifications=(sent,), mitigations=(applied,)))
    assert await ledger.alerts() == [alert]
    assert await ledger.notifications() == [sent]
    assert await ledger.mitigations() == [applied]


async def test_an_audit_entry_is_only_ever_added(ledger: Ledger) -> None:
    await ledger.commit(Decision(audit=(an_entry(),)))
    await ledger.commit(Decision(audit=(replace(an_entry(), outcome="forged"), an_entry("a9", at=NOON - 1))))
    assert await ledger.audit() == [an_entry("a9", at=NOON - 1), an_entry()]


async def test_what_is_queued_comes_oldest_first(ledger: Ledger) -> None:
    late, early = a_notification("late", created_at=NOON + 2), a_notification("early", created_at=NOON)
    done = a_notification("done", status=NotificationStatus.SUPERSEDED)
    await ledger.commit(Decision(notifications=(late, done, early)))
    assert await ledger.queued() == [early, late]
    assert await ledger.notifications(limit=1) == [late]


async def test_open_mitigations_stand_first_then_the_newest(ledger: Ledger) -> None:
    ended = [a_mitigation(f"e{at}", state=MitigationState.RESTORED, planned_at=NOON + at) for at in range(3)]
    opened = [a_mitigation(f"o{state}", state=state, planned_at=NOON - 9) for state in MitigationState if state.is_open]
    await ledger.commit(Decision(mitigations=(*ended, *opened)))
    rows = await ledger.mitigations()
    assert {row.id for row in rows[:4]} == {row.id for row in opened}
    assert rows[4:] == ended[::-1]
    assert await ledger.mitigations(limit=5) == rows[:5]


async def test_nothing_committed_is_nothing_listed(ledger: Ledger) -> None:
    await ledger.commit(Decision())
    for listing in (ledger.alerts, ledger.queued, ledger.notifications, ledger.mitigations, ledger.audit):
        assert list(await listing()) == []


async def test_every_row_that_an_alert_has_had_is_kept(ledger: Ledger) -> None:
    pending, firing = an_alert(state=AlertState.PENDING), an_alert(state=AlertState.FIRING, since=NOON + 5)
    for row in (pending, firing, full_alert(), an_alert("f9", alert="Another")):
        await ledger.commit(Decision(alerts=(row,)))
    assert await ledger.transitions("ProviderRateLimited", NOON + 5) == [full_alert(), firing, pending]
    assert await ledger.transitions("ProviderRateLimited", NOON + 4) == [full_alert(), pending]
    assert await ledger.transitions("ProviderRateLimited", NOON + 5, limit=1) == [full_alert()]


async def test_silences_are_kept_until_they_have_ended(ledger: Ledger) -> None:
    ended, later = a_silence("s0", ends_at=NOON), a_silence("s2", starts_at=NOON + 9, created_at=NOON + 1)
    await ledger.commit(Decision(silences=(later, ended, a_silence())))
    assert await ledger.silences(NOON) == [a_silence(), later]
    shorter = a_silence(ends_at=NOON + 1)
    await ledger.commit(Decision(silences=(shorter,)))
    assert await ledger.silences(NOON) == [shorter, later]


async def test_listings_tell_what_was_there_at_an_instant(ledger: Ledger) -> None:
    for at in range(3):
        await ledger.commit(
            Decision(
                notifications=(a_notification(f"n{at}", created_at=NOON + at),),
                mitigations=(a_mitigation(f"m{at}", planned_at=NOON + at),),
                audit=(an_entry(f"a{at}", at=NOON + at),),
            )
        )
    assert [row.id for row in await ledger.notifications(until=NOON + 1)] == ["n1", "n0"]
    assert [row.id for row in await ledger.mitigations(until=NOON + 1)] == ["m1", "m0"]
    assert [row.id for row in await ledger.audit(until=NOON + 1)] == ["a1", "a0"]
    assert [row.id for row in await ledger.audit(1, until=NOON + 1)] == ["a1"]


async def test_history_is_pruned_the_oldest_first_and_what_is_to_be_sent_stays(ledger: Ledger) -> None:
    for at in range(4):
        status = NotificationStatus.QUEUED if at == 0 else NotificationStatus.SUPERSEDED
        await ledger.commit(
            Decision(
                alerts=(an_alert(since=NOON + at),),
                notifications=(a_notification(f"n{at}", created_at=NOON + at, status=status),),
                audit=(an_entry(f"a{at}", at=NOON + at),),
            )
        )
    assert [await ledger.prune(NOON + 3, 2) for _ in range(3)] == [2, 1, 0]
    assert [row.since for row in await ledger.transitions("ProviderRateLimited", NOON + 9)] == [NOON + 3]
    assert [row.id for row in await ledger.notifications()] == ["n3", "n0"]
    assert [row.id for row in await ledger.audit()] == ["a3"]
    assert [row.since for row in await ledger.alerts()] == [NOON + 3]


async def test_only_ended_alerts_of_others_are_pruned_and_their_history_stays(ledger: Ledger) -> None:
    ended = {"state": AlertState.RESOLVED, "source": "slack"}
    rows = (
        an_alert("f1", **ended),
        an_alert("f2", **ended),
        an_alert("f3", **ended | {"since": NOON + 1}),
        an_alert("f4", state=AlertState.FIRING, source="slack"),
        an_alert("f5", state=AlertState.RESOLVED),
    )
    await ledger.commit(Decision(alerts=rows))
    assert [await ledger.prune_foreign(NOON + 1, 1) for _ in range(3)] == [1, 1, 0]
    assert sorted(row.fingerprint for row in await ledger.alerts()) == ["f3", "f4", "f5"]
    assert len(await ledger.transitions("ProviderRateLimited", NOON + 9)) == 5


async def test_what_was_heard_and_every_move_of_alerts_come_back_in_order(ledger: Ledger) -> None:
    heard = [
        Heard(at=NOON + at, after=NOON, kind=HeardKind.LOST, what={"at": NOON, "lost": at, "more": [[1, 2]]})
        for at in range(3)
    ]
    moves = tuple(an_alert("f1", state=state, since=NOON + at) for at, state in enumerate(AlertState))
    await ledger.commit(Decision(alerts=moves[:3], heard=tuple(heard[:2])))
    await ledger.commit(Decision(alerts=moves[3:], heard=tuple(heard[2:])))
    assert list(await ledger.heard(NOON + 1, NOON + 9)) == heard[1:]
    assert list(await ledger.story(NOON, NOON + 9)) == list(moves)
    assert list(await ledger.story(NOON + 1, NOON + 3)) == list(moves[1:3])
    assert list(await ledger.alerts()) == [moves[-1]]
    assert [await ledger.prune_heard(NOON + 2, 1) for _ in range(3)] == [1, 1, 0]
    assert list(await ledger.heard(NOON, NOON + 9)) == heard[2:]
