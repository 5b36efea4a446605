"""Evidence: what the events of an alert tell, read in time or not at all."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.event import Event
from daemon.domain.labels import labels_of
from daemon.engine import evidence as module
from daemon.engine.evidence import Witness, nothing_seen
from daemon.logic.common_cause import Evidence
from daemon.logic.judging import Book
from daemon.logic.outbox import Subject
from daemon.ports import EventQuery
from tests.contracts.things import a_mitigation
from tests.engine.test_dispatch import Node, running
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger
from tests.fakes.notifier import FakeNotifier
from tests.logic.playing import T0, a_rule, an_event

RULE = a_rule()
BOOK = Book(AlertsConfig(rules=(RULE,)))


class Store(MemoryEventStore):
    """It knows what it was asked, and may stop to answer."""

    def __init__(self, *events: Event) -> None:
        super().__init__()
        self.rows = {event.event_id: event for event in events}
        self.asked: list[EventQuery] = []
        self.hangs_after = 1000

    async def events(self, query: EventQuery) -> Sequence[Event]:
        self.asked.append(query)
        if len(self.asked) > self.hangs_after:
            await asyncio.Event().wait()
        return await super().events(query)


def the_alert(episode: str = "e1", **changes: Any) -> Alert:
    """It fired at `T0`."""
    alert = Alert(
        fingerprint=f"f-{episode}",
        episode=episode,
        alert=RULE.alert,
        severity=Severity.CRITICAL,
        labels=(("provider_key", "codex"),),
        state=AlertState.FIRING,
        since=T0,
        fired_at=T0,
        last_data_at=T0,
        window_seconds=600.0,
    )
    return replace(alert, **changes)


def events(count: int, second: int, **facts: Any) -> list[Event]:
    """So many, from a second of the alert on."""
    return [an_event(T0 + second * 1000 + n, **facts) for n in range(count)]


async def told(store: Store, alert: Alert, *mitigations: Any, book: Book = BOOK) -> Evidence | None:
    """The evidence of an alert."""
    subject = Subject(alert=alert, mitigations=mitigations)
    return (await Witness(store, book.query_of).gather([subject])).get(alert.episode)


async def test_what_failures_have_in_common_and_what_they_cost() -> None:
    failures = events(18, -60, bad=True, credential="c3f1")
    store = Store(*failures, *events(190, -50, credential="a001"), *events(4, -40, credential="c3f1"))
    assert await told(store, the_alert()) == Evidence(
        common="all failures: credential c3f1; 2% of the rest. All failures: fault provider_rate_limited",
        examples=tuple(event.event_id for event in failures[:-4:-1]),
        lost=18,
    )


async def test_only_its_own_series_counts_while_it_lasts_and_in_the_window_before() -> None:
    others = events(9, -60, bad=True, provider_key="kiro") + events(9, -60, bad=True, attempt=1)
    before, after = events(9, -601, bad=True), events(9, 301, bad=True)
    store = Store(*others, *before, *after, *events(5, -599, bad=True), *events(7, 299, bad=True))
    over = the_alert(state=AlertState.RESOLVED, resolved_at=T0 + 300_000)
    seen = await told(store, over)
    assert seen is not None
    assert seen.lost == 12
    assert {dict(query.where)["provider_key"] for query in store.asked} == {"codex"}


async def test_the_only_fault_that_is_bad_is_not_told() -> None:
    book = Book(AlertsConfig(rules=(a_rule(bad={"fault": "provider_rate_limited"}),)))
    seen = await told(Store(*events(9, -60, bad=True)), the_alert(), book=book)
    assert seen is not None
    assert seen.common == ""


async def test_a_window_that_was_stretched_is_seen_whole() -> None:
    seen = await told(Store(*events(9, -3599, bad=True)), the_alert(window_seconds=3600.0))
    assert seen is not None
    assert seen.lost == 9


@pytest.mark.parametrize("window_seconds", [None, 600.0])
async def test_an_alert_that_does_not_know_its_window_has_that_of_its_rule(window_seconds: float | None) -> None:
    seen = await told(Store(*events(9, -599, bad=True)), the_alert(window_seconds=window_seconds))
    assert seen is not None
    assert seen.lost == 9


async def test_what_went_well_through_its_mitigations_is_saved_and_no_evidence() -> None:
    fallback = a_mitigation("m1", planned_at=T0, applied_at=T0 + 10_000)
    rewritten = {"mitigation_ids": ("m1",), "credential": "a001"}
    store = Store(
        *events(18, -60, bad=True, credential="c3f1"),
        *events(99, -50, credential="b002"),
        *events(30, 20, bad=True, **rewritten),
        *events(40, 30, **rewritten),
        *events(40, 30, mitigation_ids=("m2",)),
        *events(1, 5, **rewritten),  # from before it was applied: a clock was wrong
    )
    seen = await told(store, the_alert(), fallback)
    assert seen is not None
    assert (seen.lost, seen.saved) == (48, 40)
    assert seen.common.startswith("all failures: credential c3f1; none of the rest")


async def test_more_than_can_be_read_is_at_least_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    whole = await told(Store(*events(99, -50, bad=True)), the_alert())
    cut = await told(Store(*events(150, -50, bad=True)), the_alert())
    assert whole is not None
    assert cut is not None
    assert (whole.lost, whole.is_whole) == (99, True)
    assert (cut.lost, cut.is_whole) == (100, False)


async def test_what_was_read_until_the_deadline_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.02)
    store = Store(*events(99, -50, bad=True))
    store.hangs_after = 2
    found = await Witness(store, BOOK.query_of).gather(
        [Subject(alert=the_alert(name), mitigations=()) for name in ("e1", "e2")]
    )
    assert {episode: (seen.lost, seen.is_whole) for episode, seen in found.items()} == {"e1": (20, False)}


async def test_a_store_that_hangs_or_fails_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.01)
    hanging, failing = Store(), Store()
    hanging.hangs_after, failing.failing = 0, True
    assert await told(hanging, the_alert()) is None
    assert await told(failing, the_alert()) is None


async def test_a_rule_that_breaks_is_no_obstacle() -> None:
    def broken(_: Alert) -> Any:
        raise RuntimeError("broken")

    assert await Witness(Store(), broken).gather([Subject(alert=the_alert(), mitigations=())]) == {}


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param(the_alert(alert="Gone"), id="its rule is gone"),
        pytest.param(the_alert(expression="other"), id="its rule asks for something else by now"),
    ],
)
async def test_what_nobody_counts_has_no_evidence(alert: Alert) -> None:
    store = Store(*events(18, -60, bad=True))
    assert await told(store, alert) is None
    assert store.asked == []


async def test_labels_that_the_rule_adds_are_no_columns() -> None:
    labels = labels_of({"provider_key": "codex", "team": "night"})
    store = Store(*events(9, -60, bad=True))
    seen = await told(store, the_alert(labels=labels))
    assert seen is not None
    assert seen.lost == 9
    assert store.asked[0].where == {"provider_key": "codex"}


async def test_a_label_that_is_empty_is_no_filter_and_yet_must_be_empty() -> None:
    rule = a_rule(by=["workload"])
    store = Store(*events(9, -60, bad=True), *events(3, -60, bad=True, workload="nightly"))
    book = Book(AlertsConfig(rules=(rule,)))
    seen = await told(store, the_alert(labels=(("workload", ""),)), book=book)
    assert seen is not None
    assert seen.lost == 9
    assert store.asked[0].where == {}


async def test_whoever_has_no_events_has_seen_nothing() -> None:
    assert await nothing_seen([Subject(alert=the_alert(), mitigations=())]) == {}


async def test_a_message_tells_it() -> None:
    """Dispatch asks for the evidence of the alerts that it is about to tell."""
    asked: list[str] = []

    async def gather(subjects: Sequence[Subject]) -> dict[str, Evidence]:
        asked.extend(subject.alert.alert for subject in subjects)
        return {subject.alert.episode: Evidence(common="all failures: credential c3f1") for subject in subjects}

    node = Node(MemoryLedger(), FakeClock(), FakeNotifier())
    node.dispatch._evidence = gather
    async with running(node):
        await node.opens("A")
        await node.later(5)
        await node.opens("B")
        await node.later(5)
    assert asked == ["A", "B"]
    assert [message.body.count("\nall failures: credential c3f1\n") for _, message in node.notifier.sent] == [1, 1]


async def test_what_is_silenced_while_evidence_is_read_waits_for_the_end_of_the_silence() -> None:
    node = Node(MemoryLedger(), FakeClock(), FakeNotifier())

    async def gather(_: Sequence[Subject]) -> dict[str, Evidence]:
        node.alerts = {key: replace(alert, silenced=True) for key, alert in node.alerts.items()}
        return {}

    node.dispatch._evidence = gather
    async with running(node):
        await node.opens("A")
        await node.later(5)
        assert (node.notifier.sent, node.statuses) == ([], ["queued"])
        node.alerts = {key: replace(alert, silenced=False) for key, alert in node.alerts.items()}
        node.dispatch._evidence = nothing_seen
        await node.later(1)
    assert node.notifier.titles == ["[warning] A"]
