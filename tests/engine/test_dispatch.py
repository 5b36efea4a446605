"""Dispatch: at least once, deduplicated, whatever is killed, hangs or refuses, and whenever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from daemon.domain.alert import Alert, AlertState, EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver, RouteTest
from daemon.domain.decision import Decision
from daemon.domain.mitigation import MitigationState
from daemon.domain.notification import Channel, Notification, NotificationReason, NotificationStatus
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
URLS = {"operators": (Channel(url=URL),), "boss": (Channel(url=OTHER),)}
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


# ---- a receiver that cannot be reached -------------------------------------------------------------------------------

PAGER = "fake://pager/token"
BACKED = AlertsConfig(
    receivers=(Receiver(name="operators", backup="pager"), Receiver(name="pager"), Receiver(name="boss")), route=ROUTE
)
WITH_PAGER = {**URLS, "pager": (Channel(url=PAGER),)}
ABSENT = "operators cannot be reached.\n\n"


async def until_it_breaks(node: Node) -> None:
    """Three failures: after the wait, after 5 s, after 15 s more."""
    for seconds in (5, 5, 15):
        await node.later(seconds)


def told(node: Node, url: str) -> list[str]:
    return [message.title for to, message in node.notifier.sent if to == url]


async def test_after_three_failures_it_is_left_alone_but_for_a_try_every_few_minutes(node: Node) -> None:
    node.notifier.down = {URL}
    async with running(node):
        for name in "ABC":
            await node.opens(name)
        await node.later(5)
        assert len(node.notifier.tried) == 3
        assert node.dispatch.cut_off == {"operators"}
        assert node.dispatch.is_mute
        await node.opens("D", Severity.CRITICAL)
        await node.later(179)
        assert len(node.notifier.tried) == 3
        await node.later(1)
        assert [message.title for _, message in node.notifier.tried[3:]] == ["[critical] D"]
        await node.later(179)
        assert len(node.notifier.tried) == 4
        node.notifier.down = set()
        await node.later(1)
        assert sorted(told(node, URL)) == ["[critical] D", "[warning] A", "[warning] B", "[warning] C"]
        assert not node.dispatch.cut_off
        assert not node.dispatch.is_mute
    assert node.statuses == ["delivered"] * 4


async def test_meanwhile_its_backup_hears_each_firing_alert_once_and_its_end(node: Node) -> None:
    node.dispatch.configure(BACKED, WITH_PAGER)
    node.notifier.down = {URL}
    async with running(node):
        await node.opens("A", Severity.CRITICAL)
        await until_it_breaks(node)
        assert told(node, PAGER) == ["[critical] A"]
        assert node.notifier.sent[0][1].body.startswith(ABSENT)
        await node.opens("B")
        await node.later(5)
        await node.later(600)
        await node.later(600)
        assert told(node, PAGER) == ["[critical] A", "[warning] B"]
        await node.closes("B")
        await node.later(600)
        assert told(node, PAGER) == ["[critical] A", "[warning] B", "[resolved] B"]
        assert not node.dispatch.is_mute


async def test_what_waits_for_its_next_try_does_not_wait_once_it_works(node: Node) -> None:
    node.notifier.down = {URL}
    async with running(node):
        await node.opens("A")
        await node.later(5)
        await node.later(5)
        node.notifier.down = set()
        await node.opens("B")
        await node.later(5)
    assert told(node, URL) == ["[warning] B", "[warning] A"]


async def test_it_is_never_told_what_was_meant_for_its_backup(node: Node) -> None:
    node.dispatch.configure(BACKED, WITH_PAGER)
    node.notifier.down = {URL}
    async with running(node):
        await node.opens("A", Severity.CRITICAL)
        await until_it_breaks(node)
        for _ in range(30):
            await node.later(3600)
        assert told(node, PAGER) == ["[critical] A"]
        node.notifier.down = set()
        await node.later(600)
        await node.closes("A")
        await node.later(86_400)
    assert [message.body for url, message in node.notifier.sent if url == URL and ABSENT in message.body] == []


async def test_the_end_of_what_was_given_up_is_told_to_nobody(node: Node) -> None:
    node.dispatch.configure(BACKED, WITH_PAGER)
    node.notifier.down = {URL}
    async with running(node):
        await node.opens("A")
        await until_it_breaks(node)
        for _ in range(2):
            await node.later(43_200)
        assert "failed" in node.statuses
        node.notifier.down = set()
        await node.closes("A")
        await node.later(600)
    assert told(node, URL) == []


async def test_two_that_are_each_others_backup_go_in_no_circle(node: Node) -> None:
    both = (Receiver(name="operators", backup="pager"), Receiver(name="pager", backup="operators"))
    node.dispatch.configure(AlertsConfig(receivers=both, route=ROUTE), WITH_PAGER)
    node.notifier.down = {URL, PAGER}
    async with running(node):
        await node.opens("A")
        for _ in range(10):
            await node.later(200)
    assert len({row.group_key for row in node.ledger.notification_rows.values()}) == 2


async def test_it_comes_back_when_it_works_and_the_backup_hears_only_of_ends(node: Node) -> None:
    node.dispatch.configure(BACKED, WITH_PAGER)
    node.notifier.down = {URL}
    async with running(node):
        await node.opens("A")
        await until_it_breaks(node)
        node.notifier.down = set()
        await node.later(200)
        assert told(node, URL) == ["[warning] A"]
        await node.opens("B")
        await node.later(5)
        assert told(node, URL) == ["[warning] A", "[warning] B"]
        await node.closes("A")
        await node.closes("B")
        await node.later(600)
    assert told(node, URL) == ["[warning] A", "[warning] B", "[resolved] A", "[resolved] B"]
    assert told(node, PAGER) == ["[warning] A", "[resolved] A"]


async def test_a_restart_tells_the_backup_nothing_twice(node: Node) -> None:
    node.dispatch.configure(BACKED, WITH_PAGER)
    node.notifier.down = {URL}
    async with running(node):
        await node.opens("A")
        await until_it_breaks(node)
    assert told(node, PAGER) == ["[warning] A"]
    for _ in range(2):
        node.start()
        node.dispatch.configure(BACKED, WITH_PAGER)
        async with running(node):
            assert node.dispatch.cut_off == {"operators"}
            await node.later(1000)
    assert told(node, PAGER) == ["[warning] A"]


async def test_a_backup_that_is_down_too_is_tried_again_and_stands_in_for_nobody_else(node: Node) -> None:
    node.dispatch.configure(BACKED, WITH_PAGER)
    node.notifier.down = {URL, PAGER}
    async with running(node):
        await node.opens("A")
        await until_it_breaks(node)
        await until_it_breaks(node)
        assert node.dispatch.is_mute
        node.notifier.down = {URL}
        await node.later(200)
    assert told(node, PAGER) == ["[warning] A"]


async def test_one_failure_is_no_reason_to_wake_the_backup(node: Node) -> None:
    node.dispatch.configure(BACKED, WITH_PAGER)
    node.notifier.down = {URL}
    async with running(node):
        await node.opens("A")
        await node.later(5)
        node.notifier.down = set()
        await node.later(5)
    assert (told(node, URL), told(node, PAGER)) == (["[warning] A"], [])


async def test_who_asks_for_patience_is_left_alone_for_so_long(node: Node) -> None:
    node.notifier.down, node.notifier.retry_after = {URL}, 100.0
    async with running(node):
        await node.opens("A")
        await node.later(5)
        assert len(node.notifier.tried) == 1
        await node.opens("B", Severity.CRITICAL)
        await node.later(99)
        assert len(node.notifier.tried) == 1
        node.notifier.down = set()
        await node.later(1)
    assert told(node, URL) == ["[critical] B", "[warning] A"]


async def test_other_urls_after_a_reload_are_tried_at_once(node: Node) -> None:
    node.notifier.down = {URL}
    async with running(node):
        for name in "ABC":
            await node.opens(name)
        await node.later(5)
        node.dispatch.configure(CONFIG, {"operators": (Channel(url=OTHER),)})
        await node.later(5)
    assert len(told(node, OTHER)) == 3


@pytest.mark.parametrize("is_down", [False, True])
async def test_of_hundreds_of_alerts_in_a_minute_the_group_is_told_once(node: Node, is_down: bool) -> None:
    route = ROUTE.model_copy(update={"group_by": ()})
    node.dispatch.configure(CONFIG.model_copy(update={"route": route}), URLS)
    node.notifier.down = {URL} if is_down else set()
    async with running(node):
        for second in range(60):
            for number in range(5):
                await node.opens(f"A{second}x{number}")
            await node.later(1)
        assert len(node.notifier.tried) <= 3
        node.notifier.down = set()
        await node.later(600)
    assert 1 <= len(node.notifier.sent) <= 2
    assert node.statuses.count("queued") == 0


async def test_after_an_hour_of_failures_one_message_tells_what_is_true_then(node: Node) -> None:
    node.notifier.down = {URL}
    async with running(node):
        for _ in range(5):
            await node.opens("A")
            await node.later(300)
            await node.closes("A")
            await node.later(300)
        await node.opens("A", Severity.WARNING)
        await node.later(600)
        assert node.notifier.sent == []
        node.notifier.down = set()
        await node.later(600)
        await node.later(3600)
        assert told(node, URL) == ["[warning] A"]
    assert node.statuses.count("delivered") == 1
    assert set(node.statuses) == {"delivered", "superseded"}


# ---- for programs, and tests -----------------------------------------------------------------------------------------


async def test_a_message_carries_the_same_for_programs(node: Node) -> None:
    async with running(node):
        (row,) = await node.opens("A", Severity.CRITICAL)
        await node.later(5)
    ((_, message),) = node.notifier.sent
    assert message.id == row.id
    assert message.structured is not None
    assert (message.structured["status"], message.structured["receiver"]) == ("firing", "operators")
    assert message.structured["groupKey"] == row.group_key
    assert message.structured["commonAnnotations"]["description"] == message.body


async def test_each_receiver_is_tested_once_a_week_and_not_again_after_a_restart(node: Node) -> None:
    config = CONFIG.model_copy(update={"route": ROUTE.model_copy(update={"test": RouteTest()})})
    for _ in range(2):
        node.start()
        node.dispatch.configure(config, URLS)
        async with running(node):
            await node.later(1)
        assert sorted(url for url, _ in node.notifier.sent) == sorted((URL, OTHER))
    node.start()
    node.dispatch.configure(config, URLS)
    async with running(node):
        await node.later(7 * 86_400)
    assert len(node.notifier.sent) == 4
    assert set(node.notifier.titles) == {"[test] runbookd"}
    assert node.statuses == ["delivered"] * 4


async def test_nobody_is_tested_unless_the_route_says_so(node: Node) -> None:
    async with running(node):
        await node.later(14 * 86_400)
    assert node.notifier.tried == []


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
