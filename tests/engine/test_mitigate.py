"""Mitigate: what the alerts want is put in force, held, and undone; never more, and never over a human."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.decision import Decision
from daemon.domain.errors import Conflict, ManagementFailure, StoreFailure
from daemon.domain.event import Fault, Outcome, Source, Wire
from daemon.domain.mitigation import Call, Effect, MitigationState, Mode
from daemon.engine.supervise import Tasks
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle
from tests.engine.mitigating import ALIAS, SPARK, STAND_IN, TOGGLE, Mitigating, a_config, firing, toggle

S = MitigationState
FALLBACK, DEBUG = firing("fallback"), firing("debug")
REFUSED = ManagementFailure("the management key was refused", status=401, barred=True)
HOLD, MAX_HOLD, COOL_OFF = 300, 1800, 900


@pytest.fixture
async def house() -> Mitigating:
    return await Mitigating().start()


# ---- an upstream setting ---------------------------------------------------------------------------------------------


async def test_a_setting_is_written_read_back_held_and_restored(house: Mitigating) -> None:
    await house.tick(DEBUG)
    row = house.row(TOGGLE)
    assert (row.state, row.value_before, row.value_wanted, row.attempts) == (S.APPLIED, False, True, 1)
    assert house.upstream.settings["debug"] is True
    assert [one.state for decision in house.ledger.decisions for one in decision.mitigations] == [
        S.PLANNED,
        S.WRITING,
        S.APPLIED,
    ]
    await house.ticks(seconds=HOLD - 1)
    assert house.upstream.settings["debug"] is True
    await house.tick()
    assert (house.row(TOGGLE).state, house.upstream.settings["debug"]) == (S.RESTORED, False)
    assert house.row(TOGGLE).owners == ("f1",)
    assert house.upstream.writes == [("debug", True), ("debug", False)]
    assert house.actions() == ["planned", "writing", "applied", "restoring", "restored"]


async def test_each_write_has_its_committed_row(house: Mitigating) -> None:
    def check(decision: Decision) -> None:
        states = {row.state for row in decision.mitigations}
        expected = {S.WRITING: 0, S.RESTORING: 1}
        for state in states & expected.keys():
            assert len(house.upstream.writes) == expected[state]

    house.after_commit = check
    await house.tick(DEBUG)
    await house.tick(seconds=HOLD)
    assert len(house.upstream.writes) == 2


async def test_messages_go_with_the_change_they_tell_of(house: Mitigating) -> None:
    await house.tick(DEBUG)
    await house.tick(seconds=HOLD)
    assert house.notices == [(TOGGLE, S.APPLIED), (TOGGLE, S.RESTORED)]
    assert all(decision.mitigations for decision in house.ledger.decisions if decision.notifications)


async def test_a_setting_that_is_as_wanted_is_not_written(house: Mitigating) -> None:
    house.upstream.settings["debug"] = True
    await house.ticks(DEBUG, seconds=3)
    assert [(row.state, row.outcome) for row in house.rows(TOGGLE)] == [(S.NOT_NEEDED, "it was already as wanted")]
    await house.tick()
    assert house.upstream.writes == []


@pytest.mark.parametrize(
    ("answers", "state", "writes"),
    [
        (["applied"], S.APPLIED, 1),
        (["late"], S.APPLIED, 1),
        (["lost"], S.APPLIED, 2),
        (["ignored", "late"], S.APPLIED, 2),
        (["ignored", "lost"], S.FAILED, 2),
    ],
)
async def test_no_status_code_is_believed(
    house: Mitigating, answers: list[str], state: MitigationState, writes: int
) -> None:
    house.upstream.answers.extend(answers)
    await house.ticks(DEBUG, seconds=5)
    assert (house.row(TOGGLE).state, len(house.upstream.writes)) == (state, writes)
    assert house.upstream.settings["debug"] is (state is S.APPLIED)


@pytest.mark.parametrize("found", [False, "auto"])
async def test_a_human_who_was_there_is_left_alone(house: Mitigating, found: Any) -> None:
    await house.tick(DEBUG)
    house.upstream.settings["debug"] = False if found is False else None
    if found == "auto":
        house.upstream.settings["debug"] = False
        house.upstream.writes.append(("by hand", found))
    await house.tick(seconds=HOLD)
    assert house.row(TOGGLE).state is S.ABANDONED
    assert ("debug", False) not in house.upstream.writes
    await house.tick(DEBUG, seconds=COOL_OFF)
    assert len(house.rows(TOGGLE)) == 1, "not again in the same episode"


async def test_two_alerts_share_one_row_and_the_last_one_ends_it(house: Mitigating) -> None:
    other = firing("debug", fingerprint="f2")
    await house.tick(DEBUG)
    await house.tick(DEBUG, other)
    assert house.row(TOGGLE).owners == ("f1", "f2")
    await house.tick(other, seconds=HOLD)
    assert (house.row(TOGGLE).state, house.row(TOGGLE).owners) == (S.APPLIED, ("f2",))
    await house.tick()
    assert (house.row(TOGGLE).state, len(house.rows(TOGGLE))) == (S.RESTORED, 1)


async def test_held_as_long_as_may_be_then_restored_and_again_after_the_cool_off(house: Mitigating) -> None:
    await house.tick(DEBUG)
    await house.tick(DEBUG, seconds=MAX_HOLD - 1)
    assert house.row(TOGGLE).state is S.APPLIED
    await house.tick(DEBUG)
    assert (house.row(TOGGLE).state, house.row(TOGGLE).outcome) == (S.RESTORED, "it was applied as long as it may be")
    await house.tick(DEBUG, seconds=COOL_OFF - 1)
    assert house.upstream.settings["debug"] is False
    await house.tick(DEBUG)
    assert (house.row(TOGGLE).state, len(house.rows(TOGGLE))) == (S.APPLIED, 2)


async def test_only_acting_alerts_begin_something_and_all_firing_ones_keep_it(house: Mitigating) -> None:
    await house.tick(DEBUG, acting=False)
    assert not house.rows(TOGGLE)
    await house.tick(DEBUG)
    await house.tick(DEBUG, acting=False, seconds=HOLD)
    assert house.row(TOGGLE).state is S.APPLIED


async def test_a_plan_is_dropped_when_its_alert_ends_first(house: Mitigating) -> None:
    house.upstream.failure = ManagementFailure("no answer")
    await house.tick(DEBUG)
    assert house.row(TOGGLE).state is S.PLANNED
    house.upstream.failure = None
    await house.tick(seconds=5)
    assert (house.row(TOGGLE).state, house.upstream.writes) == (S.NOT_NEEDED, [])


async def test_a_setting_that_is_not_there_fails(house: Mitigating) -> None:
    del house.upstream.settings["debug"]
    await house.ticks(DEBUG, seconds=3)
    (row,) = house.rows(TOGGLE)
    assert (row.state, house.notices) == (S.FAILED, [(TOGGLE, S.FAILED)])


async def test_a_refused_key_leaves_the_row_waiting_and_says_so_once(house: Mitigating) -> None:
    house.upstream.failure = REFUSED
    await house.ticks(DEBUG, seconds=60)
    assert house.row(TOGGLE).state is S.PLANNED
    assert house.upstream.calls < 10, "each time it waits longer"
    said = [entry.outcome for entry in house.ledger.audit_rows.values() if entry.action == "noted"]
    assert said == ["the management key was refused"]
    house.upstream.failure = None
    await house.ticks(DEBUG, seconds=60)
    assert house.row(TOGGLE).state is S.APPLIED


async def test_a_restore_that_cannot_be_made_is_tried_for_ever(house: Mitigating) -> None:
    await house.tick(DEBUG)
    house.upstream.failure = REFUSED
    await house.ticks(seconds=2 * HOLD)
    assert house.row(TOGGLE).state is S.APPLIED
    house.upstream.failure = None
    await house.ticks(seconds=HOLD)
    assert (house.row(TOGGLE).state, house.upstream.settings["debug"]) == (S.RESTORED, False)


async def test_a_setting_moved_along_freezes_all_writing_until_a_human_looked(house: Mitigating) -> None:
    house.upstream.moves = {"streaming": "gone"}
    await house.tick(DEBUG)
    row = house.row(TOGGLE)
    assert (row.state, row.held_by) == (S.APPLIED, "daemon")
    assert row.outcome == "frozen: other settings changed with our write: streaming"
    quota = firing("quota", fingerprint="f2")
    await house.ticks(quota, seconds=HOLD)
    assert house.upstream.writes == [("debug", True)]
    house.upstream.moves = {}
    await house.mitigate.act(row.id, "release", "human:jo")
    await house.ticks(quota, seconds=HOLD)
    assert house.upstream.writes == [("debug", True), ("debug", False), ("quota-exceeded/switch-project", True)]


async def test_what_we_change_ourselves_freezes_nothing(house: Mitigating) -> None:
    house.upstream.answers.append("late")
    both = firing("debug", "quota")
    await house.ticks(both, seconds=3)
    assert {row.state for row in house.mitigate.rows()} == {S.APPLIED}
    assert {row.held_by for row in house.mitigate.rows()} == {None}


async def test_no_more_than_six_changes_in_an_hour() -> None:
    house = await Mitigating().start(toggle(hold="0s", cool_off="0s"))
    for episode in range(12):
        await house.tick(firing("debug", fired_at=house.clock.now()), seconds=10)
        await house.tick(seconds=10)
        assert house.upstream.settings["debug"] is False, episode
    assert len(house.upstream.writes) == 6
    await house.tick(seconds=3600)
    await house.tick(firing("debug", fired_at=house.clock.now()))
    assert len(house.upstream.writes) == 7


async def test_the_limit_survives_a_restart() -> None:
    config = toggle(hold="0s", cool_off="0s")
    house = await Mitigating().start(config)
    for _ in range(12):
        await house.tick(firing("debug", fired_at=house.clock.now()), seconds=10)
        await house.tick(seconds=10)
        await house.start(config)
    assert len(house.upstream.writes) <= 6


async def test_an_inert_setting_is_written_when_insisted_on(house: Mitigating) -> None:
    await house.tick(firing("quota"))
    row = house.row("upstream:quota-exceeded.switch-project")
    assert (row.state, row.effect) == (S.APPLIED, Effect.NO_EFFECT_KNOWN)


async def test_an_inert_setting_is_else_noted_once() -> None:
    quota = UpstreamToggle(set={"quota-exceeded.switch-project": True})
    house = await Mitigating().start(a_config(mitigations={"quota": quota}))
    await house.ticks(firing("quota"), seconds=5)
    assert [row.state for row in house.mitigate.rows()] == [S.NOT_NEEDED]
    assert house.upstream.calls == 0


async def test_the_journal_refuses_so_nothing_is_written(house: Mitigating) -> None:
    house.upstream.failure = ManagementFailure("no answer")
    await house.tick(DEBUG)
    house.upstream.failure = None
    house.ledger.failing = True
    house.clock.advance(10)
    with pytest.raises(StoreFailure):
        await house.mitigate.carry_out()
    assert house.upstream.writes == []
    house.ledger.failing = False
    await house.ticks(DEBUG, seconds=2)
    assert house.row(TOGGLE).state is S.APPLIED


async def test_without_its_journal_it_plans_nothing(house: Mitigating) -> None:
    house.ledger.failing = True
    with pytest.raises(StoreFailure):
        await house.start()
    assert not house.mitigate.plan([DEBUG], frozenset({"f1"}), house.clock.now())


# ---- a soft one ------------------------------------------------------------------------------------------------------


async def test_a_fallback_is_in_the_table_as_soon_as_it_is_applied(house: Mitigating) -> None:
    await house.tick(FALLBACK)
    assert house.routed == {SPARK: STAND_IN}
    assert (house.row(ALIAS).state, house.row(ALIAS).effect) == (S.APPLIED, Effect.EXPECTED)


async def test_pings_on_the_original_path_release_it_after_its_hold(house: Mitigating) -> None:
    house.mitigate.observe(house.event(wire=Wire.ANTHROPIC_MESSAGES))
    await house.tick(FALLBACK)
    await house.ticks(FALLBACK, seconds=HOLD)
    assert set(house.probes.pinged) == {(SPARK, Wire.ANTHROPIC_MESSAGES)}
    assert len(house.probes.pinged) == HOLD // 30 - 1
    assert house.row(ALIAS).passes == 0
    house.probes.answer = True
    await house.ticks(FALLBACK, seconds=60)
    assert (house.row(ALIAS).passes, house.routed) == (2, {SPARK: STAND_IN})
    await house.ticks(FALLBACK, seconds=30)
    assert (house.row(ALIAS).state, house.routed) == (S.RESTORED, {})
    assert house.row(ALIAS).outcome == "the original path answers again"
    assert house.released == [frozenset({"f1"})]


async def test_passes_must_be_in_a_row_and_the_hold_is_kept(house: Mitigating) -> None:
    house.probes.answer = True
    await house.ticks(FALLBACK, seconds=200)
    assert house.row(ALIAS).state is S.APPLIED
    house.probes.answer = False
    await house.ticks(FALLBACK, seconds=30)
    assert house.row(ALIAS).passes == 0


async def test_without_a_key_one_request_a_minute_is_let_through_and_counts(house: Mitigating) -> None:
    house.probes.answer = None
    await house.ticks(FALLBACK, seconds=40)
    (route,) = house.routes.table.routes
    assert (route.trickle_seconds, len(house.probes.pinged)) == (60.0, 1)
    await house.tick(FALLBACK, seconds=HOLD)
    row = house.row(ALIAS)
    ok, failed = house.event(), house.event(outcome=Outcome.FAILED, fault=Fault.PROVIDER_ERROR)
    for event in (ok, ok, failed, ok, ok):
        house.mitigate.observe(event)
    for other in (
        house.event(mitigation_ids=(row.id,)),
        house.event(source=Source.CANARY),
        house.event(started_at=row.applied_at - 1 if row.applied_at else 0),
        house.event(requested_model="opus"),
        house.event(outcome=Outcome.FAILED, fault=Fault.CLIENT_ERROR),
        house.event(outcome=Outcome.CLIENT_ABORT),
    ):
        house.mitigate.observe(other)
    await house.tick(FALLBACK)
    assert (house.row(ALIAS).state, house.row(ALIAS).passes) == (S.APPLIED, 2)
    house.mitigate.observe(house.event(requested_model=f"{SPARK}(high)"))
    await house.tick(FALLBACK)
    assert (house.row(ALIAS).state, house.routed) == (S.RESTORED, {})


async def test_it_ends_at_the_latest_when_it_was_held_long_enough(house: Mitigating) -> None:
    await house.tick(FALLBACK)
    await house.tick(FALLBACK, seconds=MAX_HOLD)
    assert (house.row(ALIAS).outcome, house.routed) == ("it was applied as long as it may be", {})
    await house.tick(FALLBACK, seconds=COOL_OFF)
    assert house.routed == {SPARK: STAND_IN}


async def test_it_ends_with_its_alert_after_its_hold(house: Mitigating) -> None:
    await house.tick(FALLBACK)
    await house.ticks(seconds=HOLD - 1)
    assert house.routed == {SPARK: STAND_IN}
    await house.tick()
    assert (house.routed, house.released) == ({}, [frozenset({"f1"})])


async def test_an_unverified_stand_in_that_is_not_served_is_dropped_and_the_next_is_taken(house: Mitigating) -> None:
    house.mitigate.set_inventory(None)
    await house.tick(FALLBACK)
    row = house.row(ALIAS)
    assert row.effect is Effect.UNVERIFIED
    house.mitigate.observe(
        house.event(outcome=Outcome.FAILED, fault=Fault.MODEL_NOT_FOUND, status=404, mitigation_ids=(row.id,))
    )
    await house.mitigate.carry_out()
    dropped = house.ledger.mitigation_rows[row.id]
    assert (dropped.state, dropped.outcome, house.routed) == (S.FAILED, "codex is not served", {})
    assert house.released == []
    await house.tick(FALLBACK)
    assert house.routed == {SPARK: "gpt"}


async def test_an_unverified_stand_in_that_answers_is_verified(house: Mitigating) -> None:
    house.mitigate.set_inventory(None)
    await house.tick(FALLBACK)
    row = house.row(ALIAS)
    for fault in (None, Fault.MODEL_NOT_FOUND):
        outcome = Outcome.FAILED if fault else Outcome.OK
        house.mitigate.observe(house.event(outcome=outcome, fault=fault, mitigation_ids=(row.id,)))
    await house.tick(FALLBACK)
    assert (house.row(ALIAS).state, house.row(ALIAS).effect) == (S.APPLIED, Effect.EXPECTED)


async def test_the_tables_sequence_goes_on_rising(house: Mitigating) -> None:
    await house.tick(FALLBACK)
    before = house.routes.table.sequence
    await house.ticks(FALLBACK, seconds=30)
    assert house.routes.table.sequence > before
    last = house.routes.table.sequence
    await house.start()
    await house.mitigate.carry_out()
    assert (house.routes.table.sequence, house.routed) == (last + 1, {SPARK: STAND_IN})


async def test_a_table_that_cannot_be_written_is_tried_again(house: Mitigating) -> None:
    house.routes.failing = True
    await house.tick(FALLBACK)
    assert house.routed == {}
    house.routes.failing = False
    await house.tick(FALLBACK)
    assert house.routed == {SPARK: STAND_IN}


# ---- modes, reload, stop, start --------------------------------------------------------------------------------------


async def test_shadow_changes_nothing_and_says_once_what_it_would_have_done() -> None:
    house = await Mitigating().start(ceiling=Mode.SHADOW)
    await house.ticks(firing("fallback", "debug"), seconds=5)
    assert sorted((row.mode, row.state, row.outcome) for row in house.mitigate.rows()) == [
        (Mode.SHADOW, S.NOT_NEEDED, "would send spark out as codex"),
        (Mode.SHADOW, S.NOT_NEEDED, "would set debug to true"),
    ]
    assert (house.routed, house.upstream.calls, house.notices) == ({}, 0, [])


async def test_a_reload_that_removes_it_restores_it_at_once(house: Mitigating) -> None:
    both = firing("fallback", "debug")
    await house.tick(both)
    house.mitigate.configure(a_config(mitigations={}, fallbacks={}))
    await house.tick(both)
    assert {row.state for row in house.mitigate.rows()} == {S.RESTORED}
    assert (house.routed, house.upstream.settings["debug"]) == ({}, False)


async def test_at_a_stop_settings_are_restored_and_soft_ones_lapse_by_themselves(house: Mitigating) -> None:
    await house.tick(firing("fallback", "debug"))
    (row,) = await house.mitigate.restore_all(on_stop=True)
    assert (row.target, row.state, row.outcome) == (TOGGLE, S.RESTORED, "the daemon stops")
    assert (house.upstream.settings["debug"], house.row(ALIAS).state) == (False, S.APPLIED)


async def test_at_a_stop_what_shall_be_kept_or_is_held_stays() -> None:
    house = await Mitigating().start(toggle(on_stop="keep"))
    await house.tick(DEBUG)
    assert await house.mitigate.restore_all(on_stop=True) == []
    house.mitigate.configure(toggle())
    await house.mitigate.act("debug", "hold", "human:jo")
    assert await house.mitigate.restore_all(on_stop=True) == []
    assert house.upstream.settings["debug"] is True


async def test_all_can_be_reverted_without_a_config_by_another_process(house: Mitigating) -> None:
    await house.tick(firing("fallback", "debug"))
    await house.start(a_config(mitigations={}, fallbacks={}))
    rows = await house.mitigate.restore_all(on_stop=False)
    assert {row.state for row in rows} == {S.RESTORED}
    assert (house.routed, house.upstream.settings["debug"]) == ({}, False)


async def test_a_start_waits_for_the_first_evaluation_before_it_ends_anything(house: Mitigating) -> None:
    await house.tick(firing("fallback", "debug"))
    await house.start()
    house.clock.advance(HOLD)
    await house.mitigate.carry_out()
    assert {row.state for row in house.mitigate.rows()} == {S.APPLIED}
    await house.tick()
    assert {row.state for row in house.mitigate.rows()} == {S.RESTORED}


async def test_what_was_held_too_long_while_we_were_away_ends_at_the_start(house: Mitigating) -> None:
    await house.tick(DEBUG)
    await house.start()
    house.clock.advance(MAX_HOLD)
    await house.mitigate.carry_out()
    assert house.row(TOGGLE).state is S.RESTORED


async def test_the_third_start_in_five_minutes_changes_nothing_for_a_minute(house: Mitigating) -> None:
    for _ in range(3):
        await house.start()
        await run_once(house)
    await house.ticks(DEBUG, seconds=58)
    assert not house.rows(TOGGLE)
    await house.ticks(DEBUG, seconds=2)
    assert house.row(TOGGLE).state is S.APPLIED


async def seen(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if check():
                return
            await asyncio.sleep(0.001)


async def run_once(house: Mitigating) -> None:
    tasks = Tasks()
    tasks.start("mitigate", house.mitigate.run)
    starts, sequence = house.actions().count("start"), house.routes.table.sequence
    await seen(lambda: house.actions().count("start") > starts and house.routes.table.sequence > sequence)
    await tasks.stop()
    house.clock.advance(1)


async def test_the_task_carries_out_what_was_committed(house: Mitigating) -> None:
    tasks = Tasks()
    tasks.start("mitigate", house.mitigate.run)
    both = firing("fallback", "debug")
    await house.commit(house.mitigate.plan([both], frozenset({"f1"}), house.clock.now()))
    await seen(lambda: {row.state for row in house.mitigate.rows()} == {S.APPLIED})
    await tasks.stop()
    assert (house.routed, house.upstream.settings["debug"]) == ({SPARK: STAND_IN}, True)


async def test_open_rows_are_copied_at_the_start_and_after_each_change(house: Mitigating) -> None:
    await house.tick(DEBUG)
    assert [[row.state for row in rows] for rows in house.exports] == [[], [S.PLANNED], [S.WRITING], [S.APPLIED]]
    await house.tick(seconds=HOLD)
    assert house.exports[-1] == ()
    house.exports.clear()
    await house.start()
    assert house.exports == [()]  # what a kill kept from being copied


# ---- humans ----------------------------------------------------------------------------------------------------------


async def test_a_hold_outlasts_the_alert_and_the_longest_hold(house: Mitigating) -> None:
    await house.tick(firing("fallback", "debug"))
    for name in ("fallback", "debug"):
        assert (await house.mitigate.act(name, "hold", "human:jo")).held_by == "human:jo"
    await house.ticks(seconds=HOLD)
    await house.tick(seconds=MAX_HOLD)
    assert {row.state for row in house.mitigate.rows()} == {S.APPLIED}
    for name in ("fallback", "debug"):
        assert (await house.mitigate.act(name, "release", "human:jo")).held_by is None
    await house.tick()
    assert {row.state for row in house.mitigate.rows()} == {S.RESTORED}


async def test_a_plan_that_is_held_is_not_carried_out(house: Mitigating) -> None:
    house.upstream.failure = ManagementFailure("no answer")
    await house.tick(DEBUG)
    house.upstream.failure = None
    await house.mitigate.act("debug", "hold", "human:jo")
    await house.ticks(DEBUG, seconds=10)
    assert (house.row(TOGGLE).state, house.upstream.writes) == (S.PLANNED, [])


@pytest.mark.parametrize(("name", "target"), [("fallback", ALIAS), ("debug", TOGGLE)])
async def test_a_revert_is_done_now_and_lasts_for_the_episode(house: Mitigating, name: str, target: str) -> None:
    alert = firing(name)
    await house.tick(alert)
    row = await house.mitigate.act(house.row(target).id, "revert", "human:jo")
    assert (row.state, row.outcome, row.held_by) == (S.RESTORED, "reverted by human:jo", "human:jo")
    await house.tick(alert, seconds=COOL_OFF)
    assert len(house.rows(target)) == 1
    await house.tick(replace(alert, fired_at=house.clock.now()))
    assert len(house.rows(target)) == 2


async def test_a_revert_while_frozen_is_what_a_human_wants(house: Mitigating) -> None:
    house.upstream.moves = {"streaming": "gone"}
    await house.tick(DEBUG)
    house.upstream.moves = {}
    row = await house.mitigate.act("debug", "revert", "human:jo")
    assert (row.state, row.held_by) == (S.RESTORED, "human:jo")


async def test_apply_works_in_shadow_mode_without_an_alert_until_it_was_long_enough() -> None:
    house = await Mitigating().start(ceiling=Mode.SHADOW)
    await house.tick()
    row = await house.mitigate.act("debug", "apply", "human:jo")
    assert (row.state, row.owners, row.mode) == (S.APPLIED, ("human:jo",), Mode.AUTO)
    await house.ticks(seconds=HOLD)
    assert house.row(TOGGLE).state is S.APPLIED
    await house.tick(seconds=MAX_HOLD)
    assert house.row(TOGGLE).state is S.RESTORED


async def test_apply_takes_up_an_ended_row_again(house: Mitigating) -> None:
    await house.tick(FALLBACK)
    ended = await house.mitigate.act("fallback", "revert", "human:jo")
    house.clock.advance(1)
    row = await house.mitigate.act(ended.id, "apply", "human:jo")
    assert (row.state, row.target, house.routed) == (S.APPLIED, ALIAS, {SPARK: STAND_IN})


async def test_what_was_asked_for_can_be_approved_while_it_is_wanted() -> None:
    house = await Mitigating().start(ceiling=Mode.ASK)
    await house.tick(FALLBACK)
    asked = house.row(ALIAS)
    assert (asked.mode, asked.outcome) == (Mode.ASK, "would send spark out as codex, and needs approval")
    house.clock.advance(1)
    row = await house.mitigate.act(asked.id, "approve", "human:jo")
    assert (row.state, house.routed) == (S.APPLIED, {SPARK: STAND_IN})
    await house.tick()
    with pytest.raises(Conflict, match="no alert wants fallback any more"):
        await house.mitigate.act(asked.id, "approve", "human:jo")


@pytest.mark.parametrize(
    ("name", "action", "reason"),
    [
        ("debug", "dance", "cannot be told to dance"),
        ("nothing", "revert", "no mitigation nothing"),
        ("nothing", "apply", "no mitigation nothing to apply"),
        ("debug", "approve", "was not asked for"),
        ("debug", "release", "is not held"),
        ("debug", "apply", "is applied already"),
        ("quota", "apply", "is ignored by this upstream"),
        ("fallback", "apply", "no mitigation fallback to apply now"),
    ],
)
async def test_what_does_not_fit_is_refused(name: str, action: str, reason: str) -> None:
    quota = UpstreamToggle(set={"quota-exceeded.switch-project": True})
    house = await Mitigating().start(
        a_config(mitigations={"quota": quota, "debug": UpstreamToggle(set={"debug": True})})
    )
    await house.tick(DEBUG)
    with pytest.raises(Conflict, match=reason):
        await house.mitigate.act(name, action, "human:jo")


@pytest.mark.parametrize("action", ["revert", "hold"])
async def test_what_has_ended_cannot_be_changed(house: Mitigating, action: str) -> None:
    await house.tick(DEBUG)
    await house.mitigate.act("debug", "revert", "human:jo")
    with pytest.raises(Conflict):
        await house.mitigate.act("debug", action, "human:jo")


async def test_an_apply_meanwhile_makes_a_plan_superfluous(house: Mitigating) -> None:
    house.clock.advance(1)
    planned = house.mitigate.plan([DEBUG], frozenset({"f1"}), house.clock.now())
    house.clock.advance(-0.5)
    await house.mitigate.act("debug", "apply", "human:jo")
    await house.commit(planned)
    await house.tick(DEBUG)
    assert {row.state for row in house.rows(TOGGLE)} == {S.APPLIED, S.NOT_NEEDED}
    assert next(row for row in house.mitigate.rows() if row.state is S.APPLIED).owners == ("human:jo", "f1")
    assert house.upstream.writes == [("debug", True)]


# ---- killed ----------------------------------------------------------------------------------------------------------


class Killed(Exception):
    """The process is gone."""


def deadly(house: Mitigating, die_at: int) -> Callable[[], int]:
    """Dies at the nth of: before a commit, after it, after a read or a write of the upstream. Counts them."""
    points = 0

    def point(*_: object) -> None:
        nonlocal points
        points += 1
        if points == die_at:
            raise Killed

    house.before_commit = house.after_commit = point
    upstream, read, send = house.upstream, house.upstream.read, house.upstream.send

    async def dying_read(path: str) -> Any:
        answer = await read(path)
        point()
        return answer

    async def dying_send(call: Call) -> None:
        try:
            await send(call)
        finally:
            point()

    upstream.read, upstream.send = dying_read, dying_send  # type: ignore[method-assign]
    return lambda: points


async def story(die_at: int, *, still_firing: bool, answers: tuple[str, ...]) -> tuple[Mitigating, int]:
    """An alert fires and ends; killed on the way, the next process finishes it."""
    config = a_config(mitigations={"debug": UpstreamToggle(set={"debug": True}, hold=0.0, cool_off=0.0)})
    house = await Mitigating().start(config)
    house.upstream.answers.extend(answers)
    alert = firing("debug", "fallback")
    points = deadly(house, die_at)
    fires = True
    for second in range(18):
        fires = fires and second < 4
        try:
            await house.tick(*([alert] if fires else []), seconds=1.0 if second < 8 else HOLD)
        except Killed:
            await house.start(config)
            fires = fires and still_firing
    return house, points()


@pytest.mark.parametrize("answers", [(), ("applied", "applied"), ("late", "late"), ("lost", "late", "ignored")])
@pytest.mark.parametrize("still_firing", [True, False])
async def test_killed_anywhere_it_is_undone_once_nothing_fires(answers: tuple[str, ...], still_firing: bool) -> None:
    _, points = await story(0, still_firing=True, answers=answers)
    assert points >= 20
    for die_at in range(1, points + 1):
        house, _ = await story(die_at, still_firing=still_firing, answers=answers)
        assert (house.upstream.settings["debug"], house.routed) == (False, {}), die_at
        assert not any(row.state.is_open for row in house.mitigate.rows()), die_at
        assert len(house.upstream.writes) <= 6, die_at
        assert len({row.id for row in house.rows(TOGGLE)}) == len(house.rows(TOGGLE))
