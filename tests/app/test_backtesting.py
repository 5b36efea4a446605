"""Recorded events, judged again: the same stage, the real store, and nothing written to it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from daemon.adapters.config.packaged import packaged
from daemon.adapters.store import Store, open_store, upgrade
from daemon.app.backtesting import Rules, backtest, explain_at, open_for_reading, recorded_within, state_log
from daemon.app.side_by_side import play_all
from daemon.domain.alert import AlertState, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.backtest import Span
from daemon.domain.decision import Decision
from daemon.domain.errors import CannotStart
from daemon.domain.event import Event
from daemon.domain.explanation import Decided
from daemon.domain.mitigation import MitigationState
from daemon.logic.backtest_report import report
from tests.contracts.things import a_mitigation
from tests.contracts.things import an_alert as a_row
from tests.logic.playing import T0, Play, a_rule, an_event

MINUTE = 60_000
SPAN = Span(since=T0, until=T0 + 60 * MINUTE)
FALLBACKS = {"gpt-5.4": ("gpt-5.3-codex",)}


def rules(**changes: Any) -> Rules:
    return Rules(config=AlertsConfig(rules=(a_rule(**changes),), fallbacks=FALLBACKS))


ACTING = rules(levels={"critical": {"above": "10%", "mitigate": ["fallback"]}})


def traffic(**changes: Any) -> Iterator[Event]:
    """An hour, a turn every two seconds; from the 20th to the 30th minute half of them fail."""
    for second in range(0, 3600, 2):
        bad = 1200 <= second < 1800 and second % 4 == 0
        yield an_event(T0 + second * 1000, bad=bad, **(changes if bad else {}))


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'runbookd.db'}"
    upgrade(url, packaged("migrations"))
    return url


async def a_store(database_url: str, events: Sequence[Event] | None = None, decision: Decision | None = None) -> Store:
    store = open_store(database_url)
    await store.events.append(list(traffic()) if events is None else events, {}, SPAN.until)
    await store.ledger.commit(decision or Decision())
    return store


async def test_it_judges_as_the_book_does_second_by_second(database_url: str) -> None:
    store = await a_store(database_url)
    found = await state_log(store, rules(), SPAN)
    await store.close()
    play, events = Play.of(a_rule()), traffic()
    event = next(events)
    for second in range(1, 3601):
        while event is not None and event.emitted_at < T0 + second * 1000:
            play.book.observe(event)
            event = next(events, None)  # type: ignore[arg-type]
        play.judge()
    assert [(row.since, row.severity, row.state) for row in found] == [
        (row.since, row.severity, row.state) for _, row in play.changed
    ]
    assert {row.state for row in found} >= {AlertState.FIRING, AlertState.RESOLVED}


async def test_what_happened_before_the_span_fills_its_windows(database_url: str) -> None:
    store = await a_store(database_url)
    later = Span(since=T0 + 25 * MINUTE, until=T0 + 26 * MINUTE)
    (first, *_) = await state_log(store, rules(), later)
    await store.close()
    assert (first.since, first.samples) == (later.since, 300)


async def test_nothing_is_written_to_the_store(database_url: str) -> None:
    await (await a_store(database_url)).close()
    before = the_file(database_url)
    store = open_for_reading(database_url)
    played = await backtest(store, ACTING, SPAN)
    await store.close()
    assert played.mitigations
    assert played.notifications
    assert the_file(database_url) == before


def the_file(database_url: str) -> str:
    return sha256(Path(database_url.removeprefix("sqlite:///")).read_bytes()).hexdigest()


async def test_it_reads_beside_a_daemon_that_writes(database_url: str) -> None:
    daemon = await a_store(database_url)
    store = open_for_reading(database_url)
    before = await state_log(store, rules(), SPAN)
    await daemon.events.append([an_event(SPAN.until + 1000)], {}, SPAN.until + 2000)
    assert await state_log(store, rules(), SPAN) == before
    for one in (store, daemon):
        await one.close()


async def test_mitigations_are_planned_and_the_recorded_traffic_stays_as_it_was(database_url: str) -> None:
    store = await a_store(database_url)
    played = await backtest(store, ACTING, SPAN)
    await store.close()
    (found,) = report(ACTING.config.rules, played, lambda at: False).rules
    assert (found.episodes, found.mitigations) == (1, 1)
    assert found.led_away > 50
    assert found.lease_seconds > 300
    assert (found.looks, found.blind_share) == (59, 0.0)


@pytest.mark.parametrize(("owner", "episodes"), [("ProviderRateLimited", 0), ("Another", 1)])
async def test_what_a_recorded_mitigation_rewrote_is_no_evidence_for_its_owner(
    database_url: str, owner: str, episodes: int
) -> None:
    ended = a_mitigation("m9", owners=("f9",), state=MitigationState.RESTORED, ended_at=T0)
    row = a_row("f9", episode="e9", alert=owner, severity=Severity.CRITICAL, state=AlertState.RESOLVED, since=T0)
    recorded = list(traffic(mitigation_ids=("m9",)))
    store = await a_store(database_url, recorded, Decision(alerts=(row,), mitigations=(ended,)))
    played = await backtest(store, ACTING, SPAN)
    await store.close()
    assert report(ACTING.config.rules, played, lambda at: False).rules[0].episodes == episodes


async def test_a_ping_goes_as_the_turns_of_its_model_went(database_url: str) -> None:
    """While every turn fails, nothing is released before it must."""
    failing = [an_event(one.emitted_at, bad=one.emitted_at >= T0 + 20 * MINUTE) for one in traffic()]
    store = await a_store(database_url, failing)
    played = await backtest(store, ACTING, SPAN)
    await store.close()
    (row,) = played.mitigations
    assert row.applied_at is not None
    assert row.ended_at is not None
    assert (row.passes, row.ended_at - row.applied_at >= 30 * MINUTE) == (0, True)


async def test_a_decision_is_explained_at_the_end_of_the_span(database_url: str) -> None:
    store = await a_store(database_url)
    during = replace(SPAN, until=T0 + 27 * MINUTE)
    told = await explain_at(store, rules(), during, "ProviderRateLimited", lambda _: None)
    await store.close()
    assert told.decision is Decided.FIRING
    assert any("in 10m" in line for line in told.because)


async def test_how_far_it_has_come_is_told(database_url: str) -> None:
    store, reached = await a_store(database_url), list[int]()
    await backtest(store, rules(), SPAN, reached.append)
    await store.close()
    assert reached == list(range(T0 + MINUTE, SPAN.until, MINUTE))


def test_several_sets_of_rules_are_played_side_by_side(database_url: str) -> None:
    import asyncio

    async def fill() -> None:
        await (await a_store(database_url)).close()

    asyncio.run(fill())
    deaf = rules(levels={"warning": {"above": "90%"}})
    ours, quiet = play_all(database_url, [rules(), deaf], SPAN, lambda _: None)
    assert (bool(ours.transitions), quiet.transitions, ours.events) == (True, (), 1800)
    (alone,) = play_all(database_url, [rules()], SPAN, lambda _: None)
    assert alone == ours


def test_the_span_begins_with_what_was_recorded(database_url: str) -> None:
    import asyncio

    async def fill() -> None:
        await (await a_store(database_url)).close()

    asyncio.run(fill())
    assert recorded_within(database_url, Span(since=0, until=SPAN.until)) == SPAN
    assert recorded_within(database_url, Span(since=0, until=T0)) is None
    assert recorded_within(database_url, Span(since=SPAN.until, until=SPAN.until + MINUTE)) is None


def test_without_a_database_there_is_nothing_to_read_and_none_is_made(tmp_path: Path) -> None:
    path = tmp_path / "no.db"
    with pytest.raises(CannotStart, match="there is no database at"):
        open_for_reading(f"sqlite:///{path}")
    assert not path.exists()


def test_a_database_of_another_version_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.touch()
    with pytest.raises(CannotStart, match="of another version"):
        open_for_reading(f"sqlite:///{path}")
