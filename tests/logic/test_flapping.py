"""Flapping, and what is muted, in the outbox: what people are told, second by second."""

from dataclasses import replace

import pytest

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Flap
from daemon.domain.decision import Decision
from daemon.domain.mitigation import MitigationState
from daemon.domain.notification import Delivery, NotificationStatus
from daemon.logic.notifying import concluded
from tests.contracts.things import a_mitigation
from tests.logic.timeline import ROUTE, World, an_alert, at, config

FLAP = ROUTE.model_copy(update={"group_interval": 10.0, "flap": Flap(episodes=3, within=600.0)})
Said = list[tuple[int, str]]


def a_world() -> World:
    world = World()
    world.outbox.configure(config(route=FLAP))
    return world


def flaps(times: int, *, every: int = 40, start: int = 10, name: str = "A") -> dict[int, list[str]]:
    """Opens, and closes halfway to the next opening."""
    script: dict[int, list[str]] = {}
    for place in range(times):
        script[start + place * every] = [f"{name} opens"]
        script[start + place * every + every // 2] = [f"{name} closes"]
    return script


THREE: Said = [
    *[(15, "[warning] A"), (35, "[resolved] A"), (55, "[warning] A"), (75, "[resolved] A")],
    *[(95, "[warning] A"), (115, "[resolved] A")],
]


@pytest.mark.parametrize(
    ("script", "until", "said"),
    [
        pytest.param(flaps(3), 1500, THREE, id="so many are told one by one"),
        pytest.param(
            flaps(12),
            2000,
            [*THREE, (135, "[warning] A (flapping)"), (1070, "[resolved] A")],
            id="then once that it flaps, and its end when it has been calm",
        ),
        pytest.param(
            {**flaps(11), 450: ["A opens"]},
            2000,
            [*THREE, (135, "[warning] A (flapping)"), (1050, "[warning] A")],
            id="what fires when it has come to rest is told when it has been calm",
        ),
        pytest.param(
            {**flaps(6), 250: ["A opens"], 260: ["A rises"], 270: ["A closes"], 280: ["A opens critical"]},
            600,
            [*THREE, (135, "[warning] A (flapping)"), (260, "[critical] A")],
            id="a rise comes at once, and the next one is no rise any more",
        ),
        pytest.param(
            {**flaps(6), 250: ["A opens critical"]},
            600,
            [*THREE, (135, "[warning] A (flapping)"), (255, "[critical] A")],
            id="what opens worse than it was told does not wait for calm",
        ),
        pytest.param(
            {**flaps(4), 900: ["A opens"], 920: ["A closes"]},
            1500,
            [
                *THREE,
                (135, "[warning] A (flapping)"),
                (750, "[resolved] A"),
                (905, "[warning] A"),
                (925, "[resolved] A"),
            ],
            id="after it was calm it is told as ever",
        ),
        pytest.param(
            {**flaps(12), **{second: ["B opens"] for second in (200,)}},
            700,
            [*THREE, (135, "[warning] A (flapping)"), (205, "[warning] B")],
            id="others are told meanwhile",
        ),
    ],
)
def test_the_timeline_of_what_flaps(script: dict[int, list[str]], until: int, said: Said) -> None:
    assert a_world().play(script, until) == said


def test_without_a_word_about_it_nothing_flaps() -> None:
    world = World()
    world.outbox.configure(config(route=FLAP.model_copy(update={"flap": None})))
    assert len(world.play(flaps(12), 2000)) == 24


def test_the_message_says_how_often_and_when_the_next_one_comes() -> None:
    world = a_world()
    world.play(flaps(4), 140)
    assert world.messages[-1].body.startswith(
        "A is flapping: it began 4 times within 10m. "
        "It is told of again when it has been calm for 10m, or when it gets worse.\n"
    )


def test_a_restart_remembers_what_flaps() -> None:
    world = a_world()
    world.play(flaps(6), 240)
    said = len(world.said)
    world.restart(config(route=FLAP))
    for second, lines in flaps(4, start=250).items():
        world.decide(second, *lines)
        world.send(second + 20)
    assert len(world.said) == said
    world.send(1000)
    assert world.said[said:] == [(1000, "[resolved] A")]


def test_a_restart_does_not_count_what_was_told_beside_others() -> None:
    world = a_world()
    world.play({**flaps(3, name="A=x"), 12: ["A=y opens"]}, 130)
    world.restart(config(route=FLAP))
    world.decide(130, "A=y closes")
    world.decide(140, "A=y opens")
    play(world, 140, 160)
    assert world.said[-1] == (140, "[warning] A y")


def test_each_spell_has_its_own_rise() -> None:
    world = a_world()
    script: dict[int, list[str]] = {}
    for start in (10, 1500):
        script |= {**flaps(6, start=start), start + 240: ["A opens critical"], start + 260: ["A closes"]}
    said = [second for second, title in world.play(script, 2000) if title == "[critical] A"]
    assert said == [255, 1745]


def test_what_flaps_is_told_again_when_nobody_asks_for_less() -> None:
    world = a_world()
    world.play(flaps(6), 240)
    world.outbox.configure(config(route=FLAP.model_copy(update={"flap": None})))
    world.decide(250, "A opens")
    play(world, 250, 260)
    assert world.said[-1] == (255, "[warning] A")


def test_a_message_that_is_tried_again_tells_what_was_done_meanwhile() -> None:
    world = a_world()
    world.down = True
    world.decide(10, "A opens critical")
    play(world, 10, 22)
    owner = an_alert("A", Severity.CRITICAL).fingerprint
    done = a_mitigation(owners=(owner,), state=MitigationState.APPLIED, planned_at=at(21), applied_at=at(22))
    assert world.outbox.notice(done, at(22)) == ()


def test_what_has_been_calm_is_forgotten() -> None:
    world = a_world()
    world.play(flaps(6), 240)
    world.outbox.forget(at(809))
    assert world.outbox._flaps._openings
    world.outbox.forget(at(811))
    assert (world.outbox._flaps._openings, world.outbox._flaps._spells) == ({}, {})


def test_a_step_that_is_planned_again_flaps_no_more_than_once() -> None:
    world = a_world()
    for _ in range(9):
        step = world.step("A opens", 10)
        world.outbox.plan([step], at(10))
    world.play({20: []}, 30)
    rows = world.decide(40, "A opens")
    world.send(60)
    assert rows
    assert world.said == [(60, "[warning] A")]


def test_a_row_that_waits_for_calm_is_replaced_by_the_next_one() -> None:
    world = a_world()
    world.play(flaps(12), 500)
    waiting = [row for row in world.rows.values() if row.status is NotificationStatus.QUEUED]
    assert [row.not_before for row in waiting] == [at(470 + 600)]


def test_what_was_done_about_it_does_not_wait_for_calm() -> None:
    world = a_world()
    world.play({**flaps(6), 250: ["A opens"]}, 260)
    owner = an_alert("A", Severity.WARNING).fingerprint
    done = a_mitigation(owners=(owner,), state=MitigationState.APPLIED, planned_at=at(261), applied_at=at(262))
    world.commit(Decision(mitigations=(done,), notifications=world.outbox.notice(done, at(262))))
    play(world, 262, 280)
    assert world.said[-1] == (267, "[warning] A")
    assert "fallback: applied" in world.messages[-1].body


# ---- muted -----------------------------------------------------------------------------------------------------------


def mute(world: World, *episodes: str) -> None:
    """These alone."""
    world.alerts = {
        key: replace(alert, silenced=dict(alert.labels).get("provider_key") in episodes)
        for key, alert in world.alerts.items()
    }


def play(world: World, since: int, until: int) -> None:
    for second in range(since, until):
        world.send(second)


@pytest.mark.parametrize("muted_at", [9, 12], ids=["before it was planned", "while it waits"])
def test_what_is_muted_beside_others_is_told_when_it_is_muted_no_more(muted_at: int) -> None:
    world = World()
    for name in ("x", "y"):
        world.step(f"A={name} opens", 9)
    if muted_at == 9:
        mute(world, "y")
    steps = [world.step(f"A={name} opens", 9) for name in ("x", "y")]
    world.commit(Decision(alerts=tuple(step.alert for step in steps), notifications=world.outbox.plan(steps, at(9))))
    mute(world, "y")
    play(world, 10, 1000)
    assert world.said == [(14, "[warning] A x")]
    mute(world)
    play(world, 1000, 1100)
    assert world.said[1:] == [(1000, "[warning] A y and 1 more")]
    assert all(row.status is not NotificationStatus.QUEUED for row in world.rows.values())


def test_what_was_told_and_ends_muted_is_told_when_it_is_muted_no_more() -> None:
    world = World()
    world.decide(10, "A=x opens")
    play(world, 10, 400)
    world.decide(400, "A=x closes")
    mute(world, "x")
    play(world, 400, 1000)
    assert world.said == [(15, "[warning] A x")]
    mute(world)
    play(world, 1000, 1010)
    assert world.said[1:] == [(1000, "[resolved] A x")]


def test_readers_do_not_forget_what_is_muted_while_they_hear_of_others() -> None:
    world = World()
    world.decide(10, "A=x opens", "A=y opens")
    play(world, 10, 400)
    mute(world, "x")
    world.decide(400, "A=y closes")
    mute(world, "x")
    play(world, 400, 1000)
    assert world.said == [(15, "[warning] A y and 1 more"), (400, "[resolved] A y")]
    mute(world)
    play(world, 1000, 1100)
    assert len(world.said) == 2
    world.decide(1100, "A=x closes")
    play(world, 1100, 1200)
    assert world.said[2:] == [(1105, "[resolved] A x")]


def test_what_ended_muted_before_it_was_told_leaves_no_row_behind() -> None:
    world = World()
    world.decide(10, "A=x opens")
    mute(world, "x")
    play(world, 10, 100)
    world.decide(100, "A=x closes")
    mute(world, "x")
    play(world, 100, 120)
    assert world.said == []
    assert {row.status for row in world.rows.values()} == {NotificationStatus.SUPERSEDED}


def test_what_ends_muted_is_not_told_by_the_end_of_others() -> None:
    world = World()
    world.decide(10, "A=x opens", "A=y opens")
    play(world, 10, 400)
    world.decide(400, "A=x closes", "A=y closes")
    mute(world, "x")
    play(world, 400, 500)
    assert world.said[1:] == [(405, "[resolved] A y")]
    assert "A x" not in world.messages[-1].body
    mute(world)
    play(world, 500, 1000)
    assert world.said[2:] == [(705, "[resolved] A x")]


def test_killed_after_a_message_what_was_muted_beside_it_waits_still() -> None:
    world = World()
    for name in ("x", "y"):
        world.step(f"A={name} opens", 9)
    mute(world, "y")
    steps = [world.step(f"A={name} opens", 9) for name in ("x", "y")]
    world.commit(Decision(alerts=tuple(step.alert for step in steps), notifications=world.outbox.plan(steps, at(9))))
    (errand,) = world.outbox.errands()
    draft = world.outbox.draft(errand)
    assert draft.row is not None
    world.commit(Decision(notifications=concluded(draft.rows, draft.row, Delivery(delivered=True), at(14))))
    world.restart(config())
    mute(world)
    play(world, 400, 410)
    assert world.said == [(400, "[warning] A y and 1 more")]


def test_what_ended_muted_beside_others_is_not_planned_again() -> None:
    world = World()
    world.decide(10, "A=x opens", "A=y opens")
    world.decide(12, "A=y closes")
    mute(world, "y")
    play(world, 12, 400)
    assert world.said == [(15, "[warning] A x")]
    assert len(world.rows) == 2


def test_others_are_repeated_while_something_waits_muted() -> None:
    world = World()
    world.decide(10, "A=x opens")
    play(world, 10, 20)
    world.step("A=y opens", 20)
    mute(world, "y")
    world.decide(20, "A=y opens")
    mute(world, "y")
    for second in range(20, 8000, 20):
        world.send(second)
    assert world.said == [(15, "[warning] A x"), (7220, "[warning] A x")]
