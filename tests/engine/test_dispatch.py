"""Dispatch: at least once, deduplicated, whatever is killed, hangs or refuses, and whenever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from daemon.domain.alert import Alert, AlertState, EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver
from daemon.domain.decision import Decision
from daemon.domain.mitigation import MitigationState
from daemon.domain.notification import Notification, NotificationReason, NotificationStatus
from daemon.engine import dispatch as module
from daemon.engine.desk import Desk
from daemon.engine.dispatch import Dispatch
from daemon.logic.notifying import NO_URLS
from tests.contracts.things import a_mitigation
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.fakes.notifier import FakeNotifier
from tests.logic.timeline import ROUTE, an_alert

URL, OTHER = "fake://operators/token", "fake://boss/token"
URLS = {"operators": (URL,), "boss": (OTHER,)}
CONFIG = AlertsConfig(receivers=(Receiver(name="operators"), Receiver(name="boss")), route=ROUTE)


class Node:
    """A control plane as far as messages go: it can be killed at any moment, its ledger survives."""

    def __init__(self, ledger: MemoryLedger, clock: FakeClock, notifier: FakeNotifier) -> None:
        self.ledger = ledger
        self.clock = clock
        self.notifier = notifier
        self.alerts: dict[str, Alert] = {}
        self.start()

    def start(self) -> None:
        self.desk = Desk(self.ledger)
        self.dispatch = Dispatch(
            ledger=self.ledger,
            notifier=self.notifier,
            clock=self.clock,
            commit=self.desk.commit,
            alerts=lambda: list(self.alerts.values()),
            mitigations=lambda: list(self.ledger.mitigation_rows.values()),
            public_url="http://nas:8319",
        )
        self.desk.read_by(self.dispatch.adopt)
        self.dispatch.configure(CONFIG, URLS)

    def step(self, change: EpisodeChange, name: str = "A", severity: Severity = Severity.WARNING) -> EpisodeStep:
        now = self.clock.now()
        alert = an_alert(name, severity)
        alert = self.alerts.get(alert.fingerprint, alert)
        if change is EpisodeChange.CLOSED:
            alert = replace(alert, state=AlertState.RESOLVED, since=now, resolved_at=now)
        else:
            alert = replace(alert, state=AlertState.FIRING, since=now, fired_at=now)
        self.alerts[alert.fingerprint] = alert
        closed = change is EpisodeChange.CLOSED
        before, after = (severity, None) if closed else (None, severity)
        return EpisodeStep(change=change, episode=alert.episode, at=now, before=before, after=after, alert=alert)

    async def decide(self, *steps: EpisodeStep) -> tuple[Notification, ...]:
        rows = self.dispatch.plan(steps, self.clock.now())
        await self.desk.commit(Decision(alerts=tuple(step.alert for step in steps), notifications=rows))
        return rows

    async def opens(self, name: str = "A", severity: Severity = Severity.WARNING) -> tuple[Notification, ...]:
        return await self.decide(self.step(EpisodeChange.OPENED, name, severity))

    async def closes(self, name: str = "A") -> tuple[Notification, ...]:
        return await self.decide(self.step(EpisodeChange.CLOSED, name))

    async def later(self, seconds: float) -> None:
        """Time passes, and what is due is sent."""
        self.clock.advance(seconds)
        self.dispatch.adopt(Decision())
        await settled()

    def row(self, reason: NotificationReason) -> Notification:
        (row,) = (row for row in self.ledger.notification_rows.values() if row.reason is reason)
        return row

    @property
    def statuses(self) -> list[str]:
        return sorted(row.status for row in self.ledger.notification_rows.values())


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def node() -> Node:
    return Node(MemoryLedger(), FakeClock(), FakeNotifier())


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[None]:
    """The loop, killed at the end wherever it is."""
    await node.dispatch.load()
    task = asyncio.ensure_future(node.dispatch.run())
    await settled()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled(), task.exception()


async def test_a_message_is_sent_when_it_is_due_and_the_ledger_says_so(node: Node) -> None:
    async with running(node):
        await node.opens()
        await node.later(4.9)
        assert node.notifier.sent == []
        await node.later(0.1)
    ((url, message),) = node.notifier.sent
    assert (url, message.title, message.kind) == (URL, "[warning] A", "warning")
    row = node.row(NotificationReason.OPENED)
    assert (row.status, row.attempts, row.error) == (NotificationStatus.DELIVERED, 1, None)
    assert (row.title, row.body, row.delivered_at) == (message.title, message.body, node.clock.now())
    assert node.dispatch.counters()['notifications_total{status="delivered"}'] == 1


async def test_nothing_is_said_before_it_is_committed(node: Node) -> None:
    async with running(node):
        rows = node.dispatch.plan([node.step(EpisodeChange.OPENED)], node.clock.now())
        await node.later(1000)
        assert node.notifier.sent == []
        await node.desk.commit(Decision(notifications=rows))
        await settled()
        assert node.notifier.titles == ["[warning] A"]


async def test_an_idle_loop_writes_nothing(node: Node) -> None:
    async with running(node):
        await node.later(3600)
        await node.opens()
        await node.later(5)
        committed = len(node.ledger.decisions)
        await node.later(3600)
    assert len(node.ledger.decisions) == committed


async def test_a_channel_that_is_down_is_tried_again(node: Node) -> None:
    node.notifier.down = {URL}
    async with running(node):
        await node.opens()
        await node.later(5)
        row = node.row(NotificationReason.OPENED)
        assert (row.status, row.attempts, row.error) == (NotificationStatus.QUEUED, 1, "fake: is down")
        assert row.title == "[warning] A"
        await node.later(4.9)
        assert len(node.notifier.tried) == 1
        node.notifier.down = set()
        await node.later(0.1)
    assert node.notifier.titles == ["[warning] A"]
    assert node.row(NotificationReason.OPENED).attempts == 2


async def test_a_receiver_without_urls_is_not_tried_again(node: Node) -> None:
    node.dispatch.configure(CONFIG, {"operators": ()})
    async with running(node):
        await node.opens()
        await node.later(5)
        row = node.row(NotificationReason.OPENED)
        assert (row.status, row.error, row.title) == (NotificationStatus.FAILED, NO_URLS, "[warning] A")
        assert row.body.startswith("A\n")
        await node.closes()
        await node.later(1000)
    assert node.statuses == ["failed"]
    assert node.notifier.tried == []
    assert node.dispatch.counters()['notifications_total{status="failed"}'] == 1


async def test_what_could_not_be_told_is_told_when_there_are_urls(node: Node) -> None:
    async with running(node):
        node.dispatch.configure(CONFIG, {})
        await node.opens()
        await node.later(5)
        node.dispatch.configure(CONFIG, URLS)
        await node.later(7200)
    assert node.notifier.titles == ["[warning] A"]


async def test_one_message_at_a_time_to_a_receiver_the_worst_first(node: Node) -> None:
    node.notifier.hanging = {URL}
    async with running(node):
        await node.decide(
            *(node.step(EpisodeChange.OPENED, name) for name in "AB"),
            node.step(EpisodeChange.OPENED, "C", Severity.CRITICAL),
        )
        await node.later(5)
        assert [message.title for _, message in node.notifier.tried] == ["[critical] C"]
        node.notifier.release()
        await settled()
    assert node.notifier.titles == ["[critical] C", "[warning] A", "[warning] B"]


async def test_a_receiver_that_hangs_delays_no_other(node: Node) -> None:
    node.notifier.hanging = {URL}
    async with running(node):
        await node.opens("A")
        await node.later(5)
        node.dispatch.configure(
            CONFIG.model_copy(update={"route": ROUTE.model_copy(update={"receiver": "boss"})}), URLS
        )
        await node.opens("B")
        await node.later(5)
        assert node.notifier.sent[0][0] == OTHER
        node.notifier.release()
        await settled()
    assert [url for url, _ in node.notifier.sent] == [OTHER, URL]


async def test_a_receiver_that_is_gone_leaves_its_rows_to_the_routes(node: Node) -> None:
    async with running(node):
        await node.opens()
        node.dispatch.configure(
            CONFIG.model_copy(
                update={"receivers": CONFIG.receivers[1:], "route": ROUTE.model_copy(update={"receiver": "boss"})}
            ),
            URLS,
        )
        await node.later(5)
    assert [url for url, _ in node.notifier.sent] == [OTHER]
    assert node.row(NotificationReason.OPENED).receiver == "boss"


async def test_what_changes_during_a_send_is_told_after_it(node: Node) -> None:
    node.notifier.hanging = {URL}
    async with running(node):
        await node.opens()
        await node.later(5)
        await node.closes()
        node.notifier.release()
        await settled()
        assert node.notifier.titles == ["[warning] A"]
        await node.later(305)
    assert node.notifier.titles == ["[warning] A", "[resolved] A"]
    assert node.statuses == ["delivered", "delivered"]


async def test_what_was_delivered_is_not_sent_again_while_the_ledger_refuses(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESTART_SECONDS", (0.0,))
    async with running(node):
        await node.opens()
        node.ledger.failing = True
        await node.later(5)
        await node.later(1000)
        assert node.row(NotificationReason.OPENED).status is NotificationStatus.QUEUED
        node.ledger.failing = False
        await settled()
        assert node.row(NotificationReason.OPENED).status is NotificationStatus.DELIVERED
    assert node.notifier.titles == ["[warning] A"]


async def test_a_repetition_is_a_row_like_any_other(node: Node) -> None:
    async with running(node):
        await node.opens(severity=Severity.CRITICAL)
        await node.later(5)
        await node.later(3600)
    assert node.notifier.titles == ["[critical] A"] * 2
    assert node.row(NotificationReason.REPEAT).status is NotificationStatus.DELIVERED


async def test_a_notice_of_a_mitigation(node: Node) -> None:
    async with running(node):
        await node.opens()
        await node.later(5)
        owner = next(iter(node.alerts))
        done = a_mitigation(owners=(owner,), state=MitigationState.APPLIED, applied_at=node.clock.now())
        rows = node.dispatch.notice(done, node.clock.now())
        await node.desk.commit(Decision(mitigations=(done,), notifications=rows))
        await node.later(5)
    assert node.notifier.titles == ["[warning] A", "[mitigation] fallback applied: A"]


# ---- killed at each point --------------------------------------------------------------------------------------------


async def test_killed_before_the_commit_it_is_planned_again_as_one_message(node: Node) -> None:
    step = node.step(EpisodeChange.OPENED)
    node.dispatch.plan([step], node.clock.now())
    node.start()
    await node.dispatch.load()
    await node.decide(step)
    node.start()
    await node.dispatch.load()
    assert await node.decide(step) == ()
    async with running(node):
        await node.later(5)
    assert node.notifier.titles == ["[warning] A"]


async def test_killed_before_the_send_it_is_sent_after_the_start_from_what_is_true_then(node: Node) -> None:
    await node.opens()
    node.start()
    node.clock.advance(600)
    node.alerts = {name: replace(alert, summary="worse now") for name, alert in node.alerts.items()}
    async with running(node):
        await settled()
    ((_, message),) = node.notifier.sent
    assert message.body.startswith("worse now\n")


async def test_killed_before_the_send_what_ended_meanwhile_is_not_told(node: Node) -> None:
    await node.opens()
    node.start()
    await node.dispatch.load()
    await node.closes()
    async with running(node):
        await node.later(600)
    assert node.notifier.tried == []
    assert node.statuses == ["superseded", "superseded"]


async def test_killed_during_the_send_it_is_sent_again(node: Node) -> None:
    node.notifier.hanging = {URL}
    async with running(node):
        await node.opens()
        await node.later(5)
        assert len(node.notifier.tried) == 1
    node.notifier.hanging = set()
    node.start()
    async with running(node):
        await node.later(0)
    assert node.notifier.titles == ["[warning] A"]
    assert node.statuses == ["delivered"]


async def test_killed_between_the_send_and_its_record_it_is_sent_once_more(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESTART_SECONDS", (0.0,))
    async with running(node):
        await node.opens()
        node.ledger.failing = True
        await node.later(5)
    node.ledger.failing = False
    node.start()
    async with running(node):
        await node.later(0)
        await node.later(600)
    assert node.notifier.titles == ["[warning] A"] * 2
    assert node.statuses == ["delivered"]


async def test_killed_after_the_record_it_is_not_sent_again_and_its_end_is_told(node: Node) -> None:
    async with running(node):
        await node.opens()
        await node.later(5)
    node.start()
    async with running(node):
        await node.later(600)
        assert node.notifier.titles == ["[warning] A"]
        await node.closes()
        await node.later(5)
    assert node.notifier.titles == ["[warning] A", "[resolved] A"]


async def test_killed_in_back_off_it_goes_on_where_it_was(node: Node) -> None:
    node.notifier.down = {URL}
    async with running(node):
        await node.opens()
        for seconds in (5, 5, 15):
            await node.later(seconds)
    assert node.row(NotificationReason.OPENED).attempts == 3
    node.start()
    async with running(node):
        await node.later(59)
        assert len(node.notifier.tried) == 3
        await node.later(1)
        assert node.row(NotificationReason.OPENED).attempts == 4
