"""From judged seconds to one committed decision, and through a ledger that refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from daemon.adapters.config.alerts_file import without_a_file
from daemon.domain.alert import Alert, AlertState, EpisodeStep, Severity
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure
from daemon.domain.joined import Joined
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification, NotificationReason
from daemon.domain.sample import Verdict
from daemon.domain.self_reading import Condition, SelfReading
from daemon.domain.thinking import ThinkingSetting
from daemon.engine.desk import Desk
from daemon.engine.evaluate import GRACE_MS, Evaluate
from daemon.engine.ingest import Arrival
from daemon.logic.rules.ratio import RatioRule
from daemon.logic.rules.state import StateRule
from tests.contracts.things import a_mitigation
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.logic.playing import T0, a_rule, an_event

ACTING = {"warning": {"above": "5%"}, "critical": {"above": "10%", "mitigate": ["fallback"]}}
RULE = a_rule(window="10s", stretch_to="10s", keep_firing_for="5s", levels=ACTING)


@dataclass
class Scene:
    """An evaluator with planners that write down what they were asked."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    clock: FakeClock = field(default_factory=lambda: FakeClock(T0))
    steps: list[EpisodeStep] = field(default_factory=list)
    asked: list[tuple[list[str], int]] = field(default_factory=list)

    def open(self, *rules: object) -> Evaluate:
        evaluate = Evaluate(
            desk=Desk(self.ledger),
            clock=self.clock,
            plan_messages=self._messages,
            plan_mitigations=self._mitigations,
        )
        evaluate.remember(self.ledger.alert_rows.values(), self.ledger.mitigation_rows.values())
        evaluate.use(evaluate.open(AlertsConfig(rules=tuple(rules))))  # type: ignore[arg-type]
        return evaluate

    def _messages(self, steps: Sequence[EpisodeStep], now: int) -> tuple[Notification, ...]:
        return tuple(
            Notification(
                id=f"{step.episode}-{step.change}-{step.at}",
                receiver="operators",
                group_key="g",
                reason=NotificationReason(step.change),
                severity="critical",
                created_at=now,
                not_before=now,
            )
            for step in steps
        )

    def _mitigations(self, firing: Sequence[Alert], acting: frozenset[str], now: int) -> Decision:
        self.asked.append(([alert.severity.value for alert in firing], len(acting)))
        return Decision()

    async def play(self, evaluate: Evaluate, seconds: int, *, bad: bool, **changes: object) -> None:
        for _ in range(seconds):
            events = tuple(an_event(self.clock.now() + n, bad=bad, **changes) for n in range(10))
            evaluate.arrived(Arrival(events=events, lost=0))
            self.clock.advance(1.0)
            await evaluate.step(self.clock.now() + GRACE_MS)


async def test_transitions_messages_and_audit_are_one_decision() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    [decision] = [one for one in scene.ledger.decisions if one.alerts]
    assert {alert.severity for alert in decision.alerts} == {Severity.WARNING, Severity.CRITICAL}
    assert [row.reason for row in decision.notifications] == [NotificationReason.OPENED]
    assert {entry.actor for entry in decision.audit} == {"rule:ProviderRateLimited"}
    assert scene.asked[-1] == (["warning", "critical"], 1)


async def test_what_the_ledger_refused_is_committed_later_and_once() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 1, bad=True)
    scene.ledger.failing = True
    with pytest.raises(StoreFailure):
        await scene.play(evaluate, 4, bad=True)
    with pytest.raises(StoreFailure):
        await evaluate.step(scene.clock.now() + GRACE_MS)
    scene.ledger.failing = False
    await scene.play(evaluate, 3, bad=True)
    assert len(scene.ledger.notification_rows) == 1
    assert {row.state for row in scene.ledger.alert_rows.values()} == {AlertState.FIRING}


async def test_an_event_of_the_running_second_waits_for_its_end() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    events = tuple(an_event(T0 + 100 + n, bad=True) for n in range(50))
    evaluate.arrived(Arrival(events=events, lost=0))
    await evaluate.step(T0 + 1000 + GRACE_MS - 1)
    assert evaluate.alerts() == []
    await evaluate.step(T0 + 1000 + GRACE_MS)
    assert {alert.state for alert in evaluate.alerts()} == {AlertState.FIRING}


async def test_a_killed_process_goes_on_where_it_was() -> None:
    scene = Scene()
    await scene.play(scene.open(RULE), 5, bad=True)
    again = scene.open(RULE)
    assert {alert.state for alert in again.alerts()} == {AlertState.FIRING}
    await scene.play(again, 20, bad=False)
    reasons = [row.reason for row in scene.ledger.notification_rows.values()]
    assert reasons == [NotificationReason.OPENED, NotificationReason.CLOSED]


async def test_a_mitigations_own_events_are_no_evidence_for_its_owners_also_after_a_restart() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    owner = next(alert.fingerprint for alert in evaluate.alerts() if alert.severity is Severity.CRITICAL)
    row: Mitigation = a_mitigation("m1", owners=(owner,))
    await scene.ledger.commit(Decision(mitigations=(row,)))
    again = scene.open(RULE)
    await scene.play(again, 20, bad=False)
    assert {alert.state for alert in again.alerts()} == {AlertState.RESOLVED}
    await scene.play(again, 20, bad=True, mitigation_ids=("m1",))
    assert {alert.state for alert in again.alerts()} == {AlertState.RESOLVED}


def a_reading(condition: Condition, at: int, reason: str = "") -> SelfReading:
    """It holds where there is a reason."""
    return SelfReading(condition=condition, holds=bool(reason), reason=reason, emitted_at=at)


@pytest.fixture
def built_in() -> tuple[Rule, ...]:
    return without_a_file({"state": StateRule}).rules


def told(scene: Scene) -> list[str]:
    return [row.reason.value for row in scene.ledger.notification_rows.values()]


async def test_trouble_of_our_own_is_an_alert_like_any_other(built_in: tuple[Rule, ...]) -> None:
    scene = Scene()
    evaluate = scene.open(RULE, *built_in)
    evaluate.observe(a_reading(Condition.CONFIG_RELOAD_FAILED, T0, "alerts.yaml:3:1: rules: not a list"))
    await evaluate.step(T0 + 5000)
    [alert] = evaluate.alerts()
    assert (alert.alert, alert.state, alert.summary) == (
        "ConfigReloadFailed",
        AlertState.FIRING,
        "alerts.yaml:3:1: rules: not a list",
    )
    evaluate.observe(a_reading(Condition.CONFIG_RELOAD_FAILED, T0 + 5000))
    await evaluate.step(T0 + 9000)
    assert told(scene) == ["opened", "closed"]


async def test_a_reload_forgets_nothing_of_ourselves(built_in: tuple[Rule, ...]) -> None:
    scene = Scene()
    evaluate = scene.open(*built_in)
    evaluate.observe(a_reading(Condition.STORE_FAILING, T0, "the disk is full"))
    evaluate.use(evaluate.open(AlertsConfig(rules=built_in)))  # before anything was judged
    scene.clock.advance(40)
    await evaluate.step(scene.clock.now())
    assert [alert.summary for alert in evaluate.alerts()] == ["the disk is full"]
    evaluate.use(evaluate.open(AlertsConfig(rules=built_in)))
    evaluate.observe(a_reading(Condition.STORE_FAILING, scene.clock.now()))
    await evaluate.step(scene.clock.now() + 3000)
    assert told(scene) == ["opened", "closed"]


async def test_a_restarted_process_holds_its_troubles_until_it_has_looked(built_in: tuple[Rule, ...]) -> None:
    scene = Scene()
    evaluate = scene.open(*built_in)
    evaluate.observe(a_reading(Condition.CONFIG_RELOAD_FAILED, T0, "broken"))
    await evaluate.step(T0 + 5000)
    again = scene.open(*built_in)
    await again.step(T0 + 20_000)
    assert told(scene) == ["opened"]
    again.observe(a_reading(Condition.CONFIG_RELOAD_FAILED, T0 + 20_000))
    await again.step(T0 + 25_000)
    assert told(scene) == ["opened", "closed"]


class BrokenRule(RatioRule):
    def judge(self, *question: object) -> Verdict:
        raise ZeroDivisionError("a mood")


BROKEN = BrokenRule.model_validate(RULE.model_dump(by_alias=True) | {"alert": "Broken", "by": ()})


async def test_a_rule_that_cannot_be_judged_is_told_once_and_until_it_can(built_in: tuple[Rule, ...]) -> None:
    scene = Scene()
    evaluate = scene.open(BROKEN, *built_in)
    await scene.play(evaluate, 20, bad=False)
    [alert] = evaluate.alerts()
    assert (alert.alert, alert.summary) == (
        "EvaluationFailing",
        "Broken keeps its state: ZeroDivisionError: a mood",
    )
    again = scene.open(RULE, *built_in)  # and the first look of the next process tells that all is well
    await scene.play(again, 5, bad=False)
    assert told(scene) == ["opened", "closed"]


async def test_a_rule_that_is_seldom_looked_at_fails_all_the_while(built_in: tuple[Rule, ...]) -> None:
    scene = Scene()
    evaluate = scene.open(BROKEN, *built_in)
    for _ in range(10):
        await scene.play(evaluate, 1, bad=False)
        for _ in range(5):
            scene.clock.advance(1.0)
            await evaluate.step(scene.clock.now() + GRACE_MS)
    scene.clock.advance(2.0)
    again = scene.open(BROKEN, *built_in)
    for _ in range(3):
        scene.clock.advance(1.0)
        await again.step(scene.clock.now() + GRACE_MS)
    await scene.play(again, 20, bad=False)
    assert told(scene) == ["opened"]


async def test_rules_that_fail_in_turns_are_told_together(built_in: tuple[Rule, ...]) -> None:
    scene = Scene()
    by_model = [BROKEN.model_copy(update={"alert": name, "of": {"requested_model": name}}) for name in ("A", "B")]
    evaluate = scene.open(*by_model, *built_in)
    for name in ("A", "B", "C"):
        await scene.play(evaluate, 1, bad=False, requested_model=name)
    [alert] = evaluate.alerts()
    assert alert.summary == "; ".join(f"{name} keeps its state: ZeroDivisionError: a mood" for name in ("A", "B"))


async def test_how_far_it_lags_behind_is_told_by_what_was_judged_last() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    assert evaluate.lag_seconds == 0
    await evaluate.step(T0 + 5000 + GRACE_MS)
    scene.clock.advance(45)
    assert evaluate.lag_seconds == 40


async def test_a_long_pause_is_judged_at_its_end_without_judging_each_second_of_it() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    scene.clock.advance(7200)
    await evaluate.step(scene.clock.now())
    assert {alert.state for alert in evaluate.alerts()} == {AlertState.RESOLVED}


async def test_what_the_process_before_has_lost_is_a_hole_for_this_one_too() -> None:
    scene = Scene()
    row = Alert(
        fingerprint="f",
        episode="e",
        alert="EventsDropped",
        severity=Severity.WARNING,
        labels=(),
        state=AlertState.FIRING,
        since=T0 - 5000,
        last_data_at=T0 - 5000,
        value=100.0,
    )
    await scene.ledger.commit(Decision(alerts=(row,)))
    evaluate = scene.open(a_rule(window="60s", stretch_to="60s", levels=ACTING))
    await scene.play(evaluate, 5, bad=True)
    assert scene.asked[-1] == (["warning", "critical"], 0)
    await scene.play(evaluate, 70, bad=True)
    assert scene.asked[-1] == (["warning", "critical"], 1)


async def test_a_rule_with_too_many_label_sets_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    evaluate = scene.open(a_rule(by=["requested_model"], max_series=10))
    for number in range(30):
        await scene.play(evaluate, 1, bad=True, requested_model=f"m{number}")
    assert [record.getMessage() for record in caplog.records if "max_series" in record.getMessage()] == [
        "ProviderRateLimited has more label sets than max_series: the least bad ones make room"
    ]


async def test_what_is_learned_of_a_turn_is_counted_once_and_stands_for_nothing() -> None:
    scene, few = Scene(), {"min_samples": "none", "min_bad": "none", "confidence": "none", "window": "10s"}
    thinking = a_rule(alert="T", of={"thinking_match": "present"}, bad={"thinking_match": False}, **few)
    all_turns = a_rule(alert="All", bad={"status": 200}, **few)
    evaluate = scene.open(thinking, all_turns)
    turns = [an_event(T0 + number, status=200, thinking_requested_mode="none") for number in range(3)]
    evaluate.arrived(Arrival(events=tuple(turns), lost=0))
    applied = ThinkingSetting(mode="level", level="high")
    for turn in turns:
        evaluate.observe(Joined(event=turn, processed=applied, match=False, emitted_at=T0 + 500))
    scene.clock.advance(2)
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert {row.alert: (row.samples, row.bad) for row in evaluate.alerts()} == {"T": (3, 3), "All": (3, 3)}
    evaluate.use(evaluate.open(AlertsConfig(rules=(thinking, all_turns))))
    assert evaluate.look("T") == [], "a new book does not count it again"
