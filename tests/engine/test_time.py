"""Time that jumps, stands still or is lost: what an alert waits for is served in judged time, and in no other."""

import pytest

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.engine.desk import Desk
from daemon.engine.evaluate import GRACE_MS, Evaluate
from daemon.engine.ingest import Arrival
from daemon.logic.judging import Book, Judgement
from tests.engine.test_evaluate import Scene, told
from tests.logic.playing import T0, a_rule, an_event

HOUR_MS = 3_600_000
FOR_SECONDS = 10
RULE = a_rule(
    window="60s", stretch_to="60s", keep_firing_for="10s", levels={"critical": {"above": "10%"}}, **{"for": "10s"}
)


def the_alert(scene: Scene) -> Alert:
    [row] = scene.ledger.alert_rows.values()
    return row


def restarted(scene: Scene, seconds_down: float, *, seen: int = 60) -> Evaluate:
    """Killed and started again: the ledger is all it has, and the events that were stored (`seen`)."""
    began = scene.clock.now()
    scene.clock.advance(seconds_down)
    evaluate = Evaluate(
        desk=Desk(scene.ledger), clock=scene.clock, plan_messages=scene._messages, plan_mitigations=scene._mitigations
    )
    evaluate.remember(scene.ledger.alert_rows.values(), ())
    book = evaluate.open(AlertsConfig(rules=(RULE,)))
    for n in range(seen):
        book.warm(an_event(began - 1 - n * 50, bad=True))
    evaluate.use(book, downtime_ms=round(seconds_down * 1000))
    return evaluate


@pytest.mark.parametrize("served", range(1, FOR_SECONDS))
async def test_a_restart_at_any_second_of_for_neither_counts_nor_resets(served: int) -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 2 + served, bad=True)
    pending = the_alert(scene)
    assert pending.state is AlertState.PENDING
    left = FOR_SECONDS - (scene.clock.now() - pending.since) // 1000
    for down in (30.0, 45.0):  # the second one before anything has changed its state
        evaluate = restarted(scene, down)
        await scene.play(evaluate, 0, bad=True)
        await evaluate.step(scene.clock.now() + GRACE_MS)
    for second in range(left):
        assert the_alert(scene).state is AlertState.PENDING, second
        await scene.play(evaluate, 1, bad=True)
    assert the_alert(scene).state is AlertState.FIRING


async def test_a_machine_that_slept_matures_nothing_and_sees_no_good_turns_in_its_sleep() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    scene.clock.advance(8 * 3600)
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert the_alert(scene).state is AlertState.INACTIVE  # the window is empty: no data, and never 0 %
    assert told(scene) == []


async def test_a_machine_that_slept_while_pending_has_waited_no_longer() -> None:
    scene = Scene()
    evaluate = scene.open(
        a_rule(window="12h", stretch_to="12h", levels={"critical": {"above": "10%"}}, **{"for": "30m"})
    )
    await scene.play(evaluate, 60, bad=True)
    scene.clock.advance(8 * 3600)
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert the_alert(scene).state is AlertState.PENDING  # all that failed is in its window still
    await scene.play(evaluate, 1800, bad=True)
    assert the_alert(scene).state is AlertState.FIRING


async def test_a_machine_that_slept_while_firing_goes_on_firing_until_it_knows_better() -> None:
    scene = Scene()
    evaluate = scene.open(a_rule(window="60s", stretch_to="60m", levels={"critical": {"above": "10%"}}))
    await scene.play(evaluate, 5, bad=True)
    scene.clock.advance(8 * 3600)
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert the_alert(scene).state is AlertState.FIRING
    await scene.play(evaluate, 200, bad=True)
    assert told(scene) == ["opened"]


async def test_however_long_a_pause_no_more_than_two_minutes_of_it_are_judged_second_by_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, judged = Scene(), 0
    evaluate, judge = scene.open(RULE), Book.judge

    def counted(book: Book, at: int) -> Judgement:
        nonlocal judged
        judged += 1
        return judge(book, at)

    await scene.play(evaluate, 5, bad=True)
    monkeypatch.setattr(Book, "judge", counted)
    scene.clock.advance(8 * 3600)
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert judged == 121


async def test_a_restart_while_firing_says_nothing_however_long_it_was_down_and_though_nothing_is_known() -> None:
    scene = Scene()
    await scene.play(scene.open(RULE), 30, bad=True)
    assert told(scene) == ["opened"]
    again = restarted(scene, 8 * 3600.0, seen=0)
    scene.clock.advance(20.0)
    await again.step(scene.clock.now() + GRACE_MS)
    assert the_alert(scene).state is AlertState.FIRING
    await scene.play(again, 30, bad=True)
    assert told(scene) == ["opened"]


async def test_a_clock_that_is_ahead_by_years_causes_no_storm_and_its_repair_no_silence() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 30, bad=True)
    decisions = len(scene.ledger.decisions)
    scene.clock.instant += 10 * 365 * 24 * HOUR_MS
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert len(scene.ledger.decisions) <= decisions + 2
    scene.clock.instant = T0 + HOUR_MS
    await scene.play(evaluate, 30, bad=True)
    assert the_alert(scene).state is AlertState.FIRING
    assert the_alert(scene).fired_at is not None
    assert evaluate._judged_at <= scene.clock.now()


async def test_events_that_come_half_a_minute_late_count_in_their_own_second_and_are_judged_in_the_next() -> None:
    scene = Scene()
    evaluate = scene.open(a_rule(window="60s", stretch_to="60s", levels={"critical": {"above": "10%"}}))
    await scene.play(evaluate, 40, bad=False)
    late = tuple(an_event(scene.clock.now() - 30_000 + n, bad=True) for n in range(200))
    evaluate.arrived(Arrival(events=late, lost=0))
    scene.clock.advance(1.0)
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert the_alert(scene).state is AlertState.FIRING
    assert the_alert(scene).severity is Severity.CRITICAL
    scene.clock.advance(32.0)  # and they leave the window with their own second, not a minute after they came
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert the_alert(scene).state is AlertState.CLEARING


async def test_an_alert_that_has_fired_for_hours_is_not_resolved_by_a_restart_into_silence() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 300, bad=True)
    scene.clock.advance(120)
    evaluate = Evaluate(
        desk=Desk(scene.ledger), clock=scene.clock, plan_messages=scene._messages, plan_mitigations=scene._mitigations
    )
    evaluate.remember(scene.ledger.alert_rows.values(), ())
    evaluate.use(evaluate.open(AlertsConfig(rules=(RULE,))), downtime_ms=120_000)
    for _ in range(58):
        scene.clock.advance(1.0)
        await evaluate.step(scene.clock.now() + GRACE_MS)
        assert the_alert(scene).state is AlertState.FIRING
    for _ in range(10):
        scene.clock.advance(1.0)
        await evaluate.step(scene.clock.now() + GRACE_MS)
    assert the_alert(scene).state is AlertState.RESOLVED
