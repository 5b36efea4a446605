"""An acknowledgement stays with its episode: through judgements, refusals, reloads and restarts, and no longer."""

from dataclasses import replace

import pytest

from daemon.domain.alert import AlertState, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure
from daemon.engine.acknowledge import acknowledge
from daemon.engine.evaluate import GRACE_MS, Evaluate
from tests.engine.test_evaluate import RULE, Scene
from tests.logic.timeline import an_alert

NAME = "ProviderRateLimited"


async def ack(scene: Scene, evaluate: Evaluate, by: str = "human:jo") -> None:
    await acknowledge(evaluate, scene.ledger.commit, NAME, by, scene.clock.now())


def by(evaluate: Evaluate) -> dict[str, str | None]:
    return {row.severity.value: row.acknowledged_by for row in evaluate.alerts() if row.is_firing}


BOTH = {"warning": "jo", "critical": "jo"}


async def test_it_stays_while_the_episode_comes_and_goes_and_in_the_ledger_too() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    await ack(scene, evaluate)
    for bad, seconds in ((False, 11), (True, 3)):
        await scene.play(evaluate, seconds, bad=bad)
        assert by(evaluate) == BOTH
        assert {row.acknowledged_by for row in scene.ledger.alert_rows.values()} == {"jo"}
    assert AlertState.CLEARING in {row.state for row in scene.ledger.transition_rows}


async def test_the_next_episode_is_nobodys() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    await ack(scene, evaluate)
    await scene.play(evaluate, 30, bad=False)
    assert by(evaluate) == {}
    await scene.play(evaluate, 10, bad=True)
    assert by(evaluate) == {"warning": None, "critical": None}


async def test_what_rises_later_is_nobodys() -> None:
    scene = Scene()
    evaluate = scene.open(RULE.model_copy(update={"levels": {Severity.WARNING: RULE.levels[Severity.WARNING]}}))
    await scene.play(evaluate, 5, bad=True)
    await ack(scene, evaluate)
    evaluate.use(evaluate.open(AlertsConfig(rules=(RULE,))))
    await scene.play(evaluate, 5, bad=True)
    assert by(evaluate) == {"warning": "jo", "critical": None}


@pytest.mark.parametrize("way", ["reload", "restart"])
async def test_it_survives(way: str) -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    await ack(scene, evaluate)
    if way == "restart":
        evaluate = scene.open(RULE)
    else:
        evaluate.use(evaluate.open(AlertsConfig(rules=(RULE,))))
    await scene.play(evaluate, 3, bad=True)
    assert by(evaluate) == BOTH


async def test_a_judgement_that_waits_for_the_ledger_does_not_undo_it() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 1, bad=True)
    scene.ledger.failing = True
    with pytest.raises(StoreFailure):
        await scene.play(evaluate, 4, bad=True)
    scene.ledger.failing = False
    await ack(scene, evaluate)
    await evaluate.step(scene.clock.now() + GRACE_MS)
    assert len(scene.ledger.decisions) > 1
    assert {row.acknowledged_by for row in scene.ledger.alert_rows.values()} == {"jo"}


async def test_an_alert_of_others_can_be_acknowledged_too() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    foreign = replace(an_alert(NAME, Severity.WARNING), state=AlertState.FIRING, source="alertmanager")
    evaluate.adopt(Decision(alerts=(foreign,)))
    await ack(scene, evaluate)
    assert by(evaluate) == {"warning": "jo"}
    assert scene.ledger.alert_rows[foreign.fingerprint].acknowledged_by == "jo"


async def test_what_was_not_written_down_is_taken_back() -> None:
    scene = Scene()
    evaluate = scene.open(RULE)
    await scene.play(evaluate, 5, bad=True)
    scene.ledger.failing = True
    with pytest.raises(StoreFailure):
        await ack(scene, evaluate)
    assert by(evaluate) == {"warning": None, "critical": None}
