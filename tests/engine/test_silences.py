"""Silences and acknowledgements: committed with who and why, and there again whenever the process is killed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from daemon.domain.alert import Alert, AlertState, EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import AlertsConfig, InhibitRule, Receiver, TimeInterval
from daemon.domain.decision import Decision
from daemon.domain.errors import Conflict, Misuse, StoreFailure
from daemon.domain.notification import Channel
from daemon.engine.acknowledge import acknowledge
from daemon.engine.desk import Desk
from daemon.engine.dispatch import Dispatch
from daemon.engine.silences import Silences
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.fakes.notifier import FakeNotifier
from tests.logic.timeline import ROUTE, an_alert

HOUR = 3600.0
CONFIG = AlertsConfig(
    receivers=(Receiver(name="operators"),),
    route=ROUTE,
    inhibit_rules=(InhibitRule(source_matchers={"alert": "Down"}, target_matchers={"alert": "A"}),),
)


class Judge:
    """As much of the evaluator as says what fires."""

    def __init__(self) -> None:
        self.rows: dict[str, Alert] = {}

    def alerts(self) -> list[Alert]:
        return list(self.rows.values())

    def acknowledge(self, names: Mapping[str, str | None]) -> list[Alert]:
        for name, by in names.items():
            self.rows[name] = replace(self.rows[name], acknowledged_by=by)
        return [self.rows[name] for name in names]


class Node:
    """It can be killed at any moment: its ledger survives, and what the rules say."""

    def __init__(self) -> None:
        self.ledger, self.clock, self.notifier, self.judge = MemoryLedger(), FakeClock(), FakeNotifier(), Judge()
        self.config = CONFIG

    async def start(self) -> None:
        self.desk = Desk(self.ledger)
        self.silences = Silences(
            ledger=self.ledger, clock=self.clock, commit=self.desk.commit, alerts=self.judge.alerts
        )
        self.desk.read_by(self.silences.adopt)
        self.dispatch = Dispatch(
            ledger=self.ledger,
            notifier=self.notifier,
            clock=self.clock,
            commit=self.desk.commit,
            alerts=self.silences.alerts,
            mitigations=list,
            public_url="http://nas:8319",
        )
        self.desk.read_by(self.dispatch.adopt)
        self.configure(self.config)
        await self.silences.load()
        await self.dispatch.load()

    def configure(self, config: AlertsConfig) -> None:
        self.config = config
        self.silences.configure(config)
        self.dispatch.configure(config, {"operators": (Channel(url="fake://operators/token"),)})

    async def changes(self, change: EpisodeChange, name: str = "A", severity: Severity = Severity.WARNING) -> None:
        now = self.clock.now()
        fresh = an_alert(name, severity)
        state = AlertState.RESOLVED if change is EpisodeChange.CLOSED else AlertState.FIRING
        alert = replace(self.judge.rows.get(fresh.fingerprint, fresh), state=state, since=now)
        alert = replace(alert, resolved_at=now) if change is EpisodeChange.CLOSED else replace(alert, fired_at=now)
        self.judge.rows[alert.fingerprint] = alert
        after = None if change is EpisodeChange.CLOSED else severity
        step = EpisodeStep(change=change, episode=alert.episode, at=now, before=None, after=after, alert=alert)
        await self.desk.commit(Decision(alerts=(alert,), notifications=self.dispatch.plan([step], now)))

    async def opens(self, name: str = "A", severity: Severity = Severity.WARNING) -> None:
        await self.changes(EpisodeChange.OPENED, name, severity)

    async def silence(self, hours: float = 1.0, **matchers: str) -> str:
        row = await self.silences.add(
            matchers or {"alert": "A"},
            starts_at=None,
            ends_at=None,
            seconds=hours * HOUR,
            actor="human:jo",
            comment="planned",
        )
        return row.id

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.dispatch.adopt(Decision())
        await settled()

    def muted_by(self, name: str = "A") -> str:
        (alert,) = (alert for alert in self.silences.alerts() if alert.alert == name)
        return alert.muted_by


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def node() -> Node:
    node = Node()
    await node.start()
    return node


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[None]:
    """Killed at the end, wherever it is."""
    task = asyncio.ensure_future(node.dispatch.run())
    await settled()
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# ---- silences --------------------------------------------------------------------------------------------------------


async def test_what_is_silenced_waits_and_is_told_when_the_silence_is_over(node: Node) -> None:
    async with running(node):
        await node.silence()
        await node.opens()
        await node.later(HOUR - 1)
        assert node.notifier.titles == []
        await node.later(1)
    assert node.notifier.titles == ["[warning] A"]


async def test_what_ended_meanwhile_is_never_told(node: Node) -> None:
    async with running(node):
        await node.silence()
        await node.opens()
        await node.later(600)
        await node.changes(EpisodeChange.CLOSED)
        await node.later(2 * HOUR)
    assert node.notifier.titles == []
    assert {row.status.value for row in node.ledger.notification_rows.values()} == {"superseded"}


async def test_a_silence_that_is_expired_ends_at_once(node: Node) -> None:
    async with running(node):
        id_ = await node.silence()
        await node.opens()
        await node.later(60)
        await node.silences.expire(id_, "human:al")
        await settled()
    assert node.notifier.titles == ["[warning] A"]
    assert node.silences.rows() == []
    with pytest.raises(Conflict, match=f"there is no silence {id_} that has not ended"):
        await node.silences.expire(id_, "human:al")


async def test_a_maintenance_window_begins_later(node: Node) -> None:
    now = node.clock.now()
    begin, end = now + 60_000, now + 120_000
    await node.silences.add(
        {"alert": "A"}, starts_at=begin, ends_at=end, seconds=None, actor="human:jo", comment="planned"
    )
    await node.opens()
    assert [node.muted_by(), len(node.silences.rows())] == ["", 1]
    node.clock.advance(60)
    assert node.muted_by().startswith("silenced by jo until ")
    node.clock.advance(60)
    assert [node.muted_by(), node.silences.rows()] == ["", []]


async def test_killed_after_the_commit_a_silence_is_there_and_what_waits_for_it_too(node: Node) -> None:
    await node.silence()
    await node.opens()
    await node.start()
    assert node.muted_by().endswith(": planned")
    async with running(node):
        await node.later(HOUR - 1)
        assert node.notifier.titles == []
        await node.later(1)
    assert node.notifier.titles == ["[warning] A"]


async def test_killed_after_the_commit_what_is_expired_stays_expired(node: Node) -> None:
    await node.silences.expire(await node.silence(), "human:al")
    await node.opens()
    await node.start()
    assert node.muted_by() == ""


async def test_what_is_not_committed_does_not_count(node: Node) -> None:
    await node.opens()
    node.ledger.failing = True
    with pytest.raises(StoreFailure):
        await node.silence()
    assert (node.muted_by(), node.silences.rows()) == ("", [])
    node.ledger.failing = False
    id_ = await node.silence()
    node.ledger.failing = True
    with pytest.raises(StoreFailure):
        await node.silences.expire(id_, "human:jo")
    assert node.muted_by() != ""


async def test_the_audit_says_who_silenced_and_who_ended_it(node: Node) -> None:
    id_ = await node.silence(alert="A*", severity="warning")
    node.clock.advance(5)
    await node.silences.expire(id_, "human:al")
    ended, begun = await node.ledger.audit()
    assert (begun.actor, begun.action, begun.subject, begun.reason) == (
        "human:jo",
        "silence",
        f"silence:{id_}",
        "planned",
    )
    assert begun.after["matchers"] == {"alert": "A*", "severity": "warning"}
    assert (ended.actor, ended.action, ended.after["ends_at"]) == ("human:al", "expire", node.clock.now())


@pytest.mark.parametrize(
    ("matchers", "seconds", "ends_at", "said"),
    [
        ({}, 60.0, None, "say what to silence, such as alert=ProviderRateLimited"),
        ({"provider": "x"}, 60.0, None, "no alert can have the label 'provider'; known: alert, severity"),
        ({"alert": "A"}, None, None, "say when it ends, either by `for`, such as 2h, or by `ends_at`"),
        ({"alert": "A"}, 60.0, 1, "say when it ends, either by `for`, such as 2h, or by `ends_at`"),
        ({"alert": "A"}, None, 1, "it would end before it begins"),
    ],
)
async def test_a_mistake_changes_nothing(
    node: Node, matchers: dict[str, str], seconds: float | None, ends_at: int | None, said: str
) -> None:
    with pytest.raises(Misuse) as caught:
        await node.silences.add(
            matchers, starts_at=None, ends_at=ends_at, seconds=seconds, actor="human:jo", comment=""
        )
    assert str(caught.value) == said
    assert node.ledger.decisions == []


async def test_what_ended_by_itself_cannot_be_expired(node: Node) -> None:
    id_ = await node.silence()
    node.clock.advance(HOUR)
    with pytest.raises(Conflict):
        await node.silences.expire(id_, "human:al")


async def test_what_has_ended_is_let_go_of(node: Node) -> None:
    for _ in range(3):
        await node.silence(hours=0.01)
        node.clock.advance(60)
    assert len(node.silences._rows) == 1


async def test_inhibition_and_quiet_hours_hold_from_a_reload_on(node: Node) -> None:
    await node.opens("Down", Severity.CRITICAL)
    await node.opens()
    assert node.muted_by() == "inhibited by Down"
    night = {"night": TimeInterval(schedule="00:00-24:00")}
    route = ROUTE.model_copy(update={"mute_time_intervals": ("night",)})
    node.configure(CONFIG.model_copy(update={"inhibit_rules": (), "time_intervals": night, "route": route}))
    assert node.muted_by() == "quiet hours: night"
    assert node.muted_by("Down") == ""


async def test_what_the_rules_say_is_not_touched_by_a_silence(node: Node) -> None:
    await node.opens("A", Severity.CRITICAL)
    judged = node.judge.alerts()
    await node.silence(alert="*")
    assert node.muted_by() != ""
    assert node.judge.alerts() == judged


# ---- acknowledgements ------------------------------------------------------------------------------------------------


async def acknowledged(node: Node, name: str, by: str = "human:jo") -> list[tuple[str, str | None]]:
    rows = await acknowledge(node.judge, node.desk.commit, name, by, node.clock.now())
    return sorted((row.severity.value, row.acknowledged_by) for row in rows)


async def test_all_firing_severities_of_an_episode_are_acknowledged_together(node: Node) -> None:
    await node.opens()
    await node.opens(severity=Severity.CRITICAL)
    await node.opens("B")
    warning = an_alert("A", Severity.WARNING).fingerprint
    both = [("critical", "jo"), ("warning", "jo")]
    assert await acknowledged(node, warning) == both
    assert await acknowledged(node, "A") == both
    assert node.judge.rows[an_alert("B", Severity.WARNING).fingerprint].acknowledged_by is None


async def test_an_acknowledgement_is_committed_with_who_it_was(node: Node) -> None:
    await node.opens()
    await acknowledged(node, "A", "human:al")
    (row,) = node.ledger.alert_rows.values()
    (entry,) = await node.ledger.audit()
    assert row.acknowledged_by == "al"
    assert (entry.actor, entry.subject, entry.action, entry.after) == (
        *("human:al", "alert:A", "acknowledge"),
        {"severity": "warning"},
    )


async def test_only_repeats_are_stopped(node: Node) -> None:
    async with running(node):
        await node.opens()
        await node.later(5)
        await acknowledged(node, "A")
        await node.later(10 * HOUR)
        assert node.notifier.titles == ["[warning] A"]
        await node.changes(EpisodeChange.ESCALATED, severity=Severity.CRITICAL)
        await node.later(1)
        assert node.notifier.titles == ["[warning] A", "[critical] A"]
        await node.later(2 * HOUR)
    assert node.notifier.titles == ["[warning] A", "[critical] A", "[critical] A"]


async def test_what_does_not_fire_cannot_be_acknowledged(node: Node) -> None:
    await node.opens()
    await node.changes(EpisodeChange.CLOSED)
    for name in ("A", "B"):
        with pytest.raises(Conflict, match=f"no alert fires that is called {name}"):
            await acknowledged(node, name)


async def test_what_cannot_be_committed_is_taken_back(node: Node) -> None:
    await node.opens()
    await acknowledged(node, "A", "human:al")
    node.ledger.failing = True
    with pytest.raises(StoreFailure):
        await acknowledged(node, "A", "human:jo")
    assert [row.acknowledged_by for row in node.judge.alerts()] == ["al"]
