"""What doors are told of the rules is what the book in use says of them."""

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.engine.desk import Desk
from daemon.engine.evaluate import GRACE_MS, Evaluate
from daemon.engine.ingest import Arrival
from daemon.engine.operate import Operate
from daemon.logic.rules.ratio import RatioRule
from tests.engine.operating import an_operate
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.logic.playing import T0, a_rule, an_event


def an_evaluator(clock: FakeClock, *rules: RatioRule) -> Evaluate:
    evaluate = Evaluate(
        desk=Desk(MemoryLedger()),
        clock=clock,
        plan_messages=lambda steps, now: (),
        plan_mitigations=lambda firing, acting, now: Decision(),
    )
    evaluate.use(evaluate.open(AlertsConfig(rules=rules)))
    return evaluate


def operations(evaluate: Evaluate, clock: FakeClock) -> Operate:
    return an_operate(clock=clock, evaluate=evaluate)


async def test_doors_are_told_how_the_rules_in_force_fare() -> None:
    clock = FakeClock(T0)
    evaluate = an_evaluator(clock, a_rule(window="10s", stretch_to="10s"))
    for _ in range(5):
        events = tuple(an_event(clock.now() + n, bad=True) for n in range(10))
        evaluate.arrived(Arrival(events=events, lost=0))
        clock.advance(1.0)
        await evaluate.step(clock.now() + GRACE_MS)
    [told] = await operations(evaluate, clock).rules()
    assert (told.alert, told.series, told.firing) == ("ProviderRateLimited", 1, 2)


async def test_after_a_reload_they_are_those_of_the_new_file() -> None:
    clock = FakeClock(T0)
    evaluate = an_evaluator(clock, a_rule())
    evaluate.use(evaluate.open(AlertsConfig(rules=(a_rule(alert="Other"), a_rule(alert="Another")))))
    assert [one.alert for one in await operations(evaluate, clock).rules()] == ["Other", "Another"]
