"""When a message is due and what it is about: steps in, messages with their seconds out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Route
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.notification import NotificationReason, NotificationStatus
from daemon.logic.news import rank
from daemon.logic.notifying import BACK_OFF_SECONDS
from tests.contracts.things import a_mitigation
from tests.logic.timeline import ROUTE, World, an_alert, at, config

Script = Mapping[int, Sequence[str]]
Said = list[tuple[int, str]]

TIMELINES: list[tuple[str, Script, int, Said]] = [
    ("a new group waits to gather", {10: ["A opens"]}, 400, [(15, "[warning] A")]),
    (
        "what opens within the wait is one message, the worst first",
        {10: ["A=codex opens"], 12: ["A=claude opens critical"]},
        400,
        [(15, "[critical] A claude and 1 more")],
    ),
    (
        "a rise within the wait does not end it",
        {10: ["A opens"], 12: ["A rises"]},
        400,
        [(15, "[critical] A")],
    ),
    (
        "a rise of what was told is told at once",
        {10: ["A opens"], 20: ["A rises"]},
        400,
        [(15, "[warning] A"), (20, "[critical] A")],
    ),
    (
        "what opens later waits for the interval",
        {10: ["A=codex opens"], 20: ["A=claude opens"]},
        400,
        [(15, "[warning] A codex"), (315, "[warning] A claude and 1 more")],
    ),
    (
        "a critical that opens beside a told warning does not wait",
        {10: ["A=codex opens"], 20: ["A=claude opens critical"]},
        400,
        [(15, "[warning] A codex"), (20, "[critical] A claude and 1 more")],
    ),
    (
        "a critical beside a told critical waits for the interval",
        {10: ["A=codex opens critical"], 20: ["A=claude opens critical"]},
        400,
        [(15, "[critical] A codex"), (315, "[critical] A claude and 1 more")],
    ),
    (
        "a rise beside a told critical does not wait",
        {10: ["A=codex opens critical", "A=claude opens"], 20: ["A=claude rises"]},
        400,
        [(15, "[critical] A codex and 1 more"), (20, "[critical] A claude and 1 more")],
    ),
    (
        "what ends is told after the interval",
        {10: ["A opens"], 100: ["A closes"]},
        700,
        [(15, "[warning] A"), (315, "[resolved] A")],
    ),
    (
        "what ends long after is told after the wait",
        {10: ["A opens"], 400: ["A closes"]},
        700,
        [(15, "[warning] A"), (405, "[resolved] A")],
    ),
    ("what ends before it was told is never told", {10: ["A opens critical"], 14: ["A closes"]}, 700, []),
    (
        "one of two that ended before they were told",
        {10: ["A=codex opens", "A=claude opens"], 13: ["A=codex closes"]},
        700,
        [(15, "[warning] A claude")],
    ),
    (
        "a group of which a part has ended says what still fires",
        {10: ["A=codex opens", "A=claude opens"], 400: ["A=codex closes"], 800: ["A=claude closes"]},
        1200,
        [(15, "[warning] A claude and 1 more"), (400, "[warning] A claude"), (805, "[resolved] A claude")],
    ),
    (
        "easing is not told",
        {10: ["A opens critical"], 400: ["A eases"], 800: ["A closes"]},
        1200,
        [(15, "[critical] A"), (805, "[resolved] A")],
    ),
    (
        "rising again after easing is told at once",
        {10: ["A opens critical"], 400: ["A eases"], 500: ["A rises"]},
        700,
        [(15, "[critical] A"), (500, "[critical] A")],
    ),
    (
        "a rise that is over before it could be told is not told",
        {10: ["A opens"], 20: ["down", "A rises"], 22: ["A eases"], 24: ["up"]},
        700,
        [(15, "[warning] A")],
    ),
    (
        "a critical that comes back soon is told after the wait",
        {10: ["A opens critical"], 400: ["A closes"], 420: ["A opens critical"]},
        700,
        [(15, "[critical] A"), (405, "[resolved] A"), (425, "[critical] A")],
    ),
    (
        "a warning that comes back soon waits for the interval",
        {10: ["A opens"], 400: ["A closes"], 420: ["A opens"]},
        900,
        [(15, "[warning] A"), (405, "[resolved] A"), (705, "[warning] A")],
    ),
    (
        "what flaps faster than the interval is told once an interval",
        {second: [f"A {'opens' if second % 60 else 'closes'}"] for second in range(30, 630, 30)},
        900,
        [(35, "[warning] A"), (335, "[warning] A"), (635, "[resolved] A")],
    ),
    (
        "groups do not wait for each other",
        {10: ["A opens"], 20: ["B opens"]},
        400,
        [(15, "[warning] A"), (25, "[warning] B")],
    ),
    (
        "a critical is repeated sooner than a warning",
        {10: ["A opens", "B opens critical"]},
        7300,
        [
            (15, "[critical] B"),
            (15, "[warning] A"),
            (3615, "[critical] B"),
            (7215, "[critical] B"),
            (7215, "[warning] A"),
        ],
    ),
    (
        "what was acknowledged is not repeated, but its end is told",
        {10: ["A opens critical"], 100: ["ack A"], 9000: ["A closes"]},
        9100,
        [(15, "[critical] A"), (9005, "[resolved] A")],
    ),
    (
        "what is silenced is told when the silence ends",
        {10: ["A opens", "silence A"], 1000: ["unsilence A"]},
        1100,
        [(1000, "[warning] A")],
    ),
    ("what ends in silence is not told", {10: ["A opens", "silence A"], 500: ["A closes"]}, 1100, []),
    (
        "a channel that is down is tried again, and told what is true then",
        {10: ["down", "A opens"], 20: ["A rises"], 100: ["up"]},
        400,
        [(395, "[critical] A")],
    ),
    (
        "what is urgent is tried at once, and then no more often than the rest",
        {10: ["A opens"], 20: ["down", "A rises"], 22: ["A=x opens critical"], 24: ["up"]},
        700,
        [(15, "[warning] A"), (37, "[critical] A x and 1 more")],
    ),
    (
        "what ended while the channel was down is never told",
        {10: ["down", "A opens"], 60: ["A closes"], 100: ["up"]},
        1000,
        [],
    ),
]


@pytest.mark.parametrize(("name", "script", "until", "said"), TIMELINES, ids=[row[0] for row in TIMELINES])
def test_the_timeline(name: str, script: Script, until: int, said: Said) -> None:
    world = World()
    assert world.play(script, until) == said
    assert all(row.status is not NotificationStatus.QUEUED for row in world.rows.values())


def test_each_kind_has_its_colour() -> None:
    world = World()
    world.play({10: ["A opens"], 20: ["A rises"], 100: ["A closes"]}, 400)
    assert [message.kind for message in world.messages] == ["warning", "failure", "success"]


def test_a_receiver_may_not_want_to_know_that_it_is_over() -> None:
    world = World()
    world.outbox.configure(config(send_resolved=False))
    script = {10: ["A opens"], 400: ["A closes"], 9000: ["A opens"]}
    assert world.play(script, 9400) == [(15, "[warning] A"), (9005, "[warning] A")]


def test_back_off_grows_and_after_a_day_it_is_given_up_and_told_later() -> None:
    world = World(down=True)
    world.decide(0, "A opens critical")
    tries: list[int] = []
    for second in range(5, 100_000, 5):
        before = max(row.attempts for row in world.rows.values())
        world.send(second)
        if max(row.attempts for row in world.rows.values()) > before:
            tries.append(second)
        if second == 90_000:
            world.down = False
    first = [later - sooner for sooner, later in pairwise(tries)][: len(BACK_OFF_SECONDS)]
    assert first == list(BACK_OFF_SECONDS)
    (lost,) = (row for row in world.rows.values() if row.status is NotificationStatus.FAILED)
    assert (lost.reason, lost.title, lost.error) == (NotificationReason.OPENED, "[critical] A", "ntfy: down")
    assert at(86_400) <= lost.not_before <= at(87_000)
    assert world.said[0] == (lost.not_before // 1000 - at(0) // 1000 + 3600, "[critical] A")


def test_a_step_that_is_planned_again_is_the_same_row() -> None:
    world = World()
    step = world.step("A opens", 10)
    (row,) = world.outbox.plan([step], at(10))
    assert world.outbox.plan([step], at(13)) == (replace(row, created_at=at(13), not_before=at(18)),)
    world.commit(Decision(notifications=(row,)))
    assert world.outbox.plan([step], at(14)) == ()
    world.send(15)
    assert world.outbox.plan([step], at(16)) == ()


def test_steps_of_one_group_are_one_row() -> None:
    world = World()
    rows = world.decide(10, *(f"A=p{n} opens" for n in range(50)), "B opens")
    assert [(len(row.episodes), row.title) for row in rows] == [(50, "[warning] A p0 and 49 more"), (1, "[warning] B")]


def test_an_episode_stays_in_its_group_when_the_grouping_changes() -> None:
    world = World()
    world.play({10: ["A=codex opens"]}, 20)
    world.outbox.configure(config(route=ROUTE.model_copy(update={"group_by": ("provider_key",)})))
    world.decide(400, "A=codex closes")
    world.send(405)
    assert world.said[-1] == (405, "[resolved] A codex")


def test_a_restart_knows_what_was_told() -> None:
    world = World()
    world.play({10: ["A opens"], 20: ["A rises"]}, 50)
    world.decide(100, "A closes")
    world.restart(config())
    assert not world.outbox.counts
    world.send(319)
    assert world.said[-1] == (20, "[critical] A")
    world.send(320)
    assert world.said[-1] == (320, "[resolved] A")


def test_an_alert_that_the_engine_forgot_is_known_from_its_decision() -> None:
    world = World()
    world.play({10: ["A opens"]}, 20)
    world.decide(100, "A closes")
    world.alerts.clear()
    world.outbox.forget(at(200))
    world.send(315)
    assert world.said[-1] == (315, "[resolved] A")


def test_what_ended_long_ago_is_forgotten() -> None:
    world = World()
    world.play({10: ["A opens"], 20: ["A closes"]}, 400)
    world.alerts.clear()
    world.outbox.forget(at(200_000))
    assert world.outbox._told == {}
    assert world.outbox._incidents.stories() == {}


EPISODES = ("A=x", "A=y", "B")
NEXT = {None: ("opens", "opens critical"), "warning": ("rises", "closes"), "critical": ("eases", "closes")}
AFTER = {"opens": "warning", "opens critical": "critical", "rises": "critical", "eases": "warning", "closes": None}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_happens_readers_end_up_knowing_what_is_true(data: st.DataObject) -> None:
    """Random incidents, outages of the channel and restarts."""
    world, state, second = World(), dict.fromkeys(EPISODES), 0
    for _ in range(data.draw(st.integers(1, 25))):
        for _ in range(data.draw(st.sampled_from([0, 1, 2, 5, 20, 70, 150]))):
            second += 5
            world.send(second)
        second += 1
        act = data.draw(st.sampled_from(["step", "step", "step", "down", "up", "restart"]))
        if act == "restart":
            world.restart(config())
        elif act != "step":
            world.down = act == "down"
        else:
            episode = data.draw(st.sampled_from(EPISODES))
            verb = data.draw(st.sampled_from(NEXT[state[episode]]))
            world.decide(second, f"{episode} {verb}")
            state[episode] = AFTER[verb]
    world.down = False
    for later in range(second, second + 1300, 5):
        world.send(later)
    assert all(row.status is not NotificationStatus.QUEUED for row in world.rows.values())
    for group in ("A", "B"):
        rows = sorted(
            (row for row in world.rows.values() if row.group_key == f'{{alert="{group}"}}'),
            key=lambda row: (row.delivered_at or 0, row.created_at),
        )
        delivered = [row for row in rows if row.delivered_at]
        firing = {alert.episode: alert for alert in world.alerts.values() if alert.alert == group and alert.is_firing}
        last = delivered[-1] if delivered else None
        known = last.episodes if last and last.reason is not NotificationReason.CLOSED else ()
        assert set(known) == firing.keys()
        assert last is None or all(alert.severity.rank <= rank(last.severity) for alert in firing.values())
        for sooner, row in pairwise(delivered):
            between = range(sooner.delivered_at, row.delivered_at + 1)
            urgent = any(meant.severity == "critical" and meant.created_at in between for meant in world.planned)
            assert urgent or row.delivered_at - sooner.delivered_at >= 300_000


# ---- mitigations -----------------------------------------------------------------------------------------------------


def for_(name: str, **changes: object) -> Mitigation:
    facts: dict[str, object] = {"owners": (an_alert(name, Severity.CRITICAL).fingerprint,), "planned_at": at(11)}
    return a_mitigation(**{**facts, "state": MitigationState.APPLIED, "applied_at": at(12), **changes})


def tell(world: World, second: int, mitigation: Mitigation) -> bool:
    """Whether a row was needed."""
    rows = world.outbox.notice(mitigation, at(second))
    world.commit(Decision(mitigations=(mitigation,), notifications=rows))
    return bool(rows)


def test_a_message_that_waits_tells_what_was_done() -> None:
    world = World()
    world.decide(10, "A opens critical")
    assert not tell(world, 12, for_("A", effect=Effect.NO_EFFECT_KNOWN))
    world.send(15)
    assert world.said == [(15, "[critical] A")]
    assert "fallback: applied (model_alias:spark, auto, no effect known)" in world.messages[0].body


@pytest.mark.parametrize("second", [14, 15])
def test_a_message_that_goes_at_once_may_not_know_of_it(second: int) -> None:
    world = World()
    world.decide(10, "A opens critical")
    assert tell(world, second, for_("A"))
    world.play({}, 30)
    assert world.said in ([(15, "[critical] A")], [(15, "[critical] A"), (20, "[mitigation] fallback applied: A")])
    assert all(row.status is not NotificationStatus.QUEUED for row in world.rows.values())


def test_a_message_on_its_way_does_not_know_of_it() -> None:
    world = World()
    world.decide(10, "A opens critical")
    world.outbox.sending.add('{alert="A"}')
    assert tell(world, 11, for_("A"))


def test_what_people_should_know_beside_is_told_of_a_row_that_was_told_before() -> None:
    world = World()
    world.play({10: ["A opens critical"]}, 20)
    assert tell(world, 30, for_("A"))
    world.send(35)
    assert tell(world, 60, for_("A", note="the hold of human:jo ended by itself"))
    world.send(65)
    assert "the hold of human:jo ended by itself" in world.messages[-1].body


def test_a_link_that_approves_is_sent_and_stored_nowhere() -> None:
    world = World()
    world.outbox._link = lambda row: f"http://nas/approve/{row.id}"
    world.play({10: ["A opens critical"]}, 20)
    facts = {"mode": Mode.ASK, "state": MitigationState.NOT_NEEDED, "approve_until": at(900), "ended_at": at(30)}
    assert tell(world, 30, for_("A", **facts))
    world.send(35)
    assert [approval.url for approval in world.messages[-1].approvals] == ["http://nas/approve/m1"]
    assert world.messages[-1].structured is not None
    assert world.messages[-1].structured["approvals"][0]["url"] == "http://nas/approve/m1"
    assert "/approve/" not in str(world.rows)


def test_what_is_done_later_is_told_without_waiting_for_the_interval() -> None:
    world = World()
    world.play({10: ["A opens critical"]}, 20)
    done = for_("A")
    assert tell(world, 30, done)
    world.send(35)
    assert tell(world, 60, replace(done, state=MitigationState.RESTORED, owners=(), ended_at=at(60)))
    world.send(65)
    assert world.said[1:] == [(35, "[mitigation] fallback applied: A"), (65, "[mitigation] fallback undone: A")]
    assert {message.kind for message in world.messages[1:]} == {"info"}
    assert "critical since" in world.messages[-1].body
    assert world.messages[-1].body.count("fallback: undone") == 1


def test_a_notice_does_not_put_off_the_next_message() -> None:
    world = World()
    world.play({10: ["A opens"]}, 20)
    tell(world, 30, for_("A"))
    world.play({}, 40)
    world.decide(41, "A rises")
    world.send(41)
    world.decide(100, "A closes")
    world.play({}, 400)
    assert [title for _, title in world.said[-2:]] == ["[critical] A", "[resolved] A"]


def test_the_end_of_both_is_one_message() -> None:
    world = World()
    world.play({10: ["A opens critical"]}, 20)
    done = for_("A")
    world.commit(Decision(mitigations=(done,)))
    world.decide(100, "A closes")
    assert not tell(world, 101, replace(done, state=MitigationState.RESTORED, owners=(), ended_at=at(101)))
    world.send(320)
    assert world.said[-1] == (315 + 5, "[resolved] A")
    assert "fallback: undone (model_alias:spark, auto)" in world.messages[-1].body


def test_a_mitigation_of_nobody_is_told_by_its_name() -> None:
    world = World()
    assert tell(world, 10, for_("A", owners=(), state=MitigationState.ABANDONED, ended_at=at(9)))
    world.send(15)
    assert world.said == [(15, "[mitigation] fallback left as it is, someone else changed it: model_alias:spark")]
    assert world.messages[0].body.rpartition("\n")[0] == (
        "fallback: left as it is, someone else changed it (model_alias:spark, auto)\n\nhttp://nas:8319/"
    )


def test_the_same_notice_is_one_row() -> None:
    world = World()
    assert tell(world, 10, for_("A"))
    assert not tell(world, 12, for_("A"))
    world.send(15)
    assert not tell(world, 16, for_("A"))


def test_a_route_without_intervals_sends_at_once() -> None:
    world = World()
    quick = Route(group_by=("alert",), group_wait=0.0, group_interval=0.0)
    world.outbox.configure(config(route=quick))
    script = {10: ["A opens"], 11: ["A rises"], 12: ["A closes"]}
    assert world.play(script, 20) == [(10, "[warning] A"), (11, "[critical] A"), (12, "[resolved] A")]
