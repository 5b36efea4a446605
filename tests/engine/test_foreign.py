"""What others raise fires, is told, ends, survives a restart and a reload, and cannot flood us."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, ResolvedBecause, Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure
from daemon.domain.foreign import Told
from daemon.domain.notification import NotificationStatus
from daemon.engine import foreign
from daemon.engine.desk import Desk
from daemon.engine.evaluate import GRACE_MS, Evaluate
from daemon.engine.foreign import Foreign
from daemon.logic.foreign_reading import alertmanager, slack
from daemon.logic.outbox import Outbox
from tests.contracts.things import an_alert as a_stored_alert
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.logic.playing import T0
from tests.logic.test_foreign_reading import a_body, an_alert, labels

DAY = 86_400.0
CONFIG = AlertsConfig(receivers=(Receiver(name="operators"),))


@dataclass
class Scene:
    """A real evaluator and a real outbox beside it; `open` is a start of the process."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    clock: FakeClock = field(default_factory=lambda: FakeClock(T0))

    async def open(self, downtime_ms: int = 0) -> "Scene":
        desk, rows = Desk(self.ledger), list(self.ledger.alert_rows.values())
        self.evaluate = Evaluate(
            desk=desk,
            clock=self.clock,
            plan_messages=lambda steps, now: self.outbox.plan(steps, now),
            plan_mitigations=lambda firing, acting, now: Decision(),
        )
        self.evaluate.remember(rows, ())
        self.outbox = Outbox(self.evaluate.alerts, list, "")
        self.outbox.configure(CONFIG)
        self.outbox.restore(await self.ledger.queued(), (), rows)
        desk.read_by(self.outbox.adopt)
        self.foreign = Foreign(
            desk=desk,
            clock=self.clock,
            plan_messages=lambda steps, now: self.outbox.plan(steps, now),
            forget=self.evaluate.forget,
        )
        self.foreign.remember(rows, downtime_ms)
        self.reload()
        return self

    def reload(self) -> None:
        self.evaluate.use(self.evaluate.open(AlertsConfig()))

    async def hear(self, *alerts: dict[str, Any]) -> None:
        await self.foreign.hear(alertmanager(a_body(*alerts)))

    async def pass_by(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.foreign.expire()
        await self.evaluate.step(self.clock.now() + GRACE_MS)

    def read_messages(self) -> list[str]:
        """Whatever waits is sent now; the titles."""
        titles = []
        for errand in self.outbox.errands():
            draft = self.outbox.draft(errand)
            titles += [draft.message.title] if draft.message else []
            sent = replace(draft.row, status=NotificationStatus.DELIVERED, delivered_at=self.clock.now())
            rest = (replace(row, status=NotificationStatus.SUPERSEDED) for row in draft.rows if row.id != sent.id)
            self.outbox.adopt(Decision(notifications=(*rest, sent) if draft.message else tuple(rest)))
        return titles

    @property
    def reasons(self) -> list[str]:
        return [row.reason.value for row in self.ledger.notification_rows.values()]

    @property
    def live(self) -> list[Alert]:
        return [row for row in self.evaluate.alerts() if row.is_firing]


@pytest.fixture
async def scene() -> Scene:
    return await Scene().open()


async def test_an_alert_that_is_told_fires_and_ends_as_ours_do(scene: Scene) -> None:
    await scene.hear(an_alert())
    [row] = scene.live
    assert (row.alert, row.severity, row.source, row.mitigate) == ("DiskFull", Severity.CRITICAL, "alertmanager", ())
    assert (row.fired_at, row.summary) == (T0, "disk of nas is full")
    scene.clock.advance(60)
    await scene.hear(an_alert(status="resolved"))
    [row] = scene.evaluate.alerts()
    assert (row.state, row.resolved_because, row.resolved_at) == (
        AlertState.RESOLVED,
        ResolvedBecause.CLEARED,
        T0 + 60_000,
    )
    assert scene.reasons == ["opened", "closed"]
    assert [entry.actor for entry in scene.ledger.audit_rows.values()] == ["alertmanager"] * 2


async def test_alert_message_and_audit_are_one_decision(scene: Scene) -> None:
    await scene.hear(an_alert())
    [decision] = scene.ledger.decisions
    assert (len(decision.alerts), len(decision.notifications), len(decision.audit)) == (1, 1, 1)


async def test_told_again_it_is_no_news_and_nothing_is_written(scene: Scene) -> None:
    for _ in range(3):
        await scene.hear(an_alert())
        scene.clock.advance(10)
    assert len(scene.ledger.decisions) == 1


async def test_an_end_that_was_never_heard_of_is_nothing(scene: Scene) -> None:
    await scene.hear(an_alert(status="resolved"))
    assert (scene.evaluate.alerts(), scene.ledger.decisions) == ([], [])


async def test_both_severities_are_one_episode_that_escalates_and_eases(scene: Scene) -> None:
    both = [an_alert(labels=labels(severity=word)) for word in ("warning", "critical")]
    await scene.hear(both[0])
    scene.clock.advance(1)
    await scene.hear(both[1])
    scene.clock.advance(1)
    await scene.hear(both[1] | {"status": "resolved"})
    scene.clock.advance(1)
    await scene.hear(both[0] | {"status": "resolved"})
    assert scene.reasons == ["opened", "escalated", "closed"]


async def test_what_is_not_renewed_ends_five_minutes_after_its_end(scene: Scene) -> None:
    await scene.hear(an_alert(endsAt="2026-11-24T10:04:00Z"))
    await scene.pass_by(240 + 299)
    assert len(scene.live) == 1
    for _ in range(2):
        await scene.pass_by(1)
        [row] = scene.evaluate.alerts()
        assert (row.state, row.resolved_because) == (AlertState.RESOLVED, ResolvedBecause.NO_DATA)
    assert scene.reasons == ["opened", "closed"]


async def test_what_is_renewed_goes_on(scene: Scene) -> None:
    for minute in range(4, 20, 2):
        await scene.hear(an_alert(endsAt=f"2026-11-24T10:{minute:02}:00Z"))
        await scene.pass_by(120)
    await scene.pass_by(240)
    assert len(scene.live) == 1
    assert scene.reasons == ["opened"]


async def test_without_an_end_it_fires_until_nobody_repeats_it_for_a_day(scene: Scene) -> None:
    await scene.hear(an_alert())
    await scene.pass_by(DAY - 1)
    assert len(scene.live) == 1
    await scene.pass_by(1)
    assert scene.live == []


async def test_a_message_is_told_once_and_ends_silently(scene: Scene) -> None:
    await scene.foreign.hear(slack({"text": "pool is degraded"}))
    assert len(scene.read_messages()) == 1
    await scene.pass_by(300)
    assert [row.resolved_because for row in scene.evaluate.alerts()] == [ResolvedBecause.ONLY_TOLD]
    assert scene.reasons == ["opened"]
    await scene.foreign.hear(slack({"text": "disk is hot"}))
    for errand in scene.outbox.errands():
        message = scene.outbox.draft(errand).message
        assert message is not None
        assert "disk is hot" in message.body
        assert "resolved" not in message.body.lower()  # nobody knows whether it has ended
    scene.read_messages()
    scene.clock.advance(60)
    await scene.foreign.hear(slack({"text": "pool is degraded"}))
    assert len(scene.read_messages()) == 1


async def test_it_outlives_a_restart_and_time_in_which_nobody_could_tell_us_does_not_count(scene: Scene) -> None:
    await scene.hear(an_alert(endsAt="2026-11-24T10:04:00Z"))
    scene.clock.advance(DAY)
    again = await Scene(scene.ledger, scene.clock).open(downtime_ms=round(DAY * 1000))
    await again.pass_by(240 + 299)
    assert len(again.live) == 1
    await again.pass_by(1)
    assert again.live == []
    assert again.reasons == ["opened", "closed"]


async def test_a_reload_does_not_end_it_as_a_rule_that_is_gone(scene: Scene) -> None:
    await scene.hear(an_alert())
    scene.reload()
    await scene.pass_by(5)
    assert [row.state for row in scene.evaluate.alerts()] == [AlertState.FIRING]


async def test_ours_are_none_of_its_business(scene: Scene) -> None:
    ours = a_stored_alert(state=AlertState.FIRING, since=T0, fired_at=T0, last_data_at=T0)
    scene.foreign.adopt(Decision(alerts=(ours,)))
    scene.foreign.remember([ours], 0)
    scene.clock.advance(DAY)
    await scene.foreign.expire()
    assert scene.ledger.decisions == []


async def test_an_acknowledgement_stays_while_it_is_renewed(scene: Scene) -> None:
    await scene.hear(an_alert())
    [row] = scene.evaluate.acknowledge({row.fingerprint: "jo" for row in scene.live})
    await scene.ledger.commit(Decision(alerts=(row,)))
    scene.foreign.adopt(Decision(alerts=(row,)))
    scene.clock.advance(1)
    await scene.hear(an_alert(annotations={"summary": "worse"}))
    assert [(row.acknowledged_by, row.summary) for row in scene.live] == [("jo", "worse")]


async def test_what_the_ledger_refused_is_heard_when_it_is_told_again(scene: Scene) -> None:
    scene.ledger.failing = True
    with pytest.raises(StoreFailure):
        await scene.hear(an_alert())
    assert scene.evaluate.alerts() == []
    scene.ledger.failing = False
    await scene.hear(an_alert())
    assert len(scene.live) == 1


async def test_before_the_past_is_known_nothing_is_heard() -> None:
    ledger, clock = MemoryLedger(), FakeClock(T0)
    early = Foreign(desk=Desk(ledger), clock=clock, plan_messages=lambda *_: (), forget=lambda _: None)
    with pytest.raises(StoreFailure):
        await early.hear(alertmanager(a_body(an_alert())))
    assert ledger.decisions == []


def many(count: int, severity: str, first: int = 0) -> Sequence[Told]:
    numbers = range(first, first + count)
    return alertmanager(a_body(*(an_alert(labels=labels(severity=severity, pod=f"{n}")) for n in numbers)))


async def test_in_a_flood_the_oldest_warnings_give_way_and_it_is_said_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(foreign, "MOST_LIVE", 10)
    await scene.foreign.hear(many(2, "critical"))
    for first in range(0, 16, 4):
        scene.clock.advance(1)
        await scene.foreign.hear(many(4, "warning", first))
    left = {(row.severity, dict(row.labels)["pod"]) for row in scene.live}
    assert left == {("critical", "0"), ("critical", "1"), *(("warning", f"{n}") for n in range(8, 16))}
    displaced = [row for row in scene.evaluate.alerts() if row.resolved_because is ResolvedBecause.DISPLACED]
    assert len(displaced) == 8
    assert "closed" not in scene.reasons
    assert caplog.text.count("the oldest warnings give way") == 1


async def test_more_than_there_is_room_for_at_once_were_never_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "MOST_LIVE", 10)
    await scene.foreign.hear(many(25, "warning"))
    assert (len(scene.live), len(scene.ledger.alert_rows), len(scene.ledger.audit_rows)) == (10, 10, 10)


async def test_ended_ones_are_known_for_a_while_and_not_for_ever(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MOST_ENDED", 3)
    for first in range(5):
        await scene.foreign.hear(many(1, "warning", first))
        await scene.foreign.hear([replace(one, is_firing=False) for one in many(1, "warning", first)])
        scene.clock.advance(1)
    assert sorted(dict(row.labels)["pod"] for row in scene.evaluate.alerts()) == ["2", "3", "4"]
    assert len(scene.ledger.alert_rows) == 5
