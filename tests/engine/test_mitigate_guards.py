"""The guards of a mitigation: what it must prove, what undoes it, what is refused, and what is told."""

from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import Conflict, ManagementFailure
from daemon.domain.event import Fault, Outcome, Source
from daemon.domain.mitigation import MitigationState as S
from daemon.domain.mitigation import Mode
from daemon.logic.mitigations.credential_disable import CredentialDisable
from daemon.logic.mitigations.reset_quota import ResetQuota
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle
from daemon.logic.rules.ratio import RatioRule
from tests.engine.mitigating import ALIAS, SPARK, STAND_IN, TOGGLE, Mitigating, a_config, alias, firing, toggle

HOLD, MAX_HOLD, COOL_OFF = 300, 1800, 900
FAILED = {"outcome": Outcome.FAILED, "fault": Fault.PROVIDER_ERROR}
RULE = RatioRule.model_validate(
    {
        "alert": "SparkErrorRatio",
        "kind": "ratio",
        "bad": {"outcome": "failed"},
        "by": ["provider_key"],
        "levels": {"critical": {"above": 0.1, "mitigate": ["fallback"]}},
    }
)
SPARK_FAILS = firing("fallback", alert="SparkErrorRatio", samples=80, bad=34)


def ruled(config: AlertsConfig | None = None) -> AlertsConfig:
    return (config or a_config()).model_copy(update={"rules": (RULE,)})


@pytest.fixture
async def house() -> Mitigating:
    house = await Mitigating().start(ruled())
    house.probes.answer = False
    return house


def through(house: Mitigating, good: int = 0, bad: int = 0, **changes: Any) -> None:
    """Turns that went through the newest alias."""
    row = house.row(ALIAS)
    facts: dict[str, Any] = {"model_id": row.value_wanted, "mitigation_ids": (row.id,)}
    for number in range(good + bad):
        house.mitigate.observe(house.event(**facts | (FAILED if number < bad else {}) | changes))


# ---- it must help ----------------------------------------------------------------------------------------------------


async def test_what_helped_stays_with_its_proof(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    through(house, good=73, bad=2)
    await house.tick(SPARK_FAILS, seconds=HOLD - 1)
    assert house.row(ALIAS).proof == ""
    await house.tick(SPARK_FAILS)
    row = house.row(ALIAS)
    assert (row.state, row.proof) == (S.APPLIED, "before 34 of 80 failed (42 %), after 2 of 75 (3 %)")


async def test_what_did_not_help_is_undone_has_failed_and_is_told(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    through(house, good=43, bad=32)
    await house.ticks(SPARK_FAILS, seconds=HOLD)
    (row,) = (one for one in house.rows(ALIAS) if one.state is S.FAILED)
    assert row.outcome == "it did not help: before 34 of 80 failed (42 %), after 32 of 75 (43 %)"
    assert (row.proof, row.saved_turns) == ("before 34 of 80 failed (42 %), after 32 of 75 (43 %)", 43)
    assert house.notices == [(ALIAS, S.APPLIED), (ALIAS, S.FAILED)]
    await house.tick(SPARK_FAILS)
    assert house.routed == {SPARK: "gpt"}, "the next one may stand in"


async def test_too_few_turns_prove_nothing_and_are_looked_at_again(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    through(house, bad=9)
    await house.ticks(SPARK_FAILS, seconds=HOLD)
    row = house.row(ALIAS)
    assert (row.state, row.proof) == (
        S.APPLIED,
        "before 34 of 80 failed (42 %), after 9 of 9 (100 %): too little to tell",
    )
    through(house, good=200)
    await house.ticks(SPARK_FAILS, seconds=HOLD - 1)
    assert house.row(ALIAS).proof == row.proof
    await house.tick(SPARK_FAILS)
    assert house.row(ALIAS).proof == "before 34 of 80 failed (42 %), after 9 of 209 (4 %)"


async def test_only_what_went_through_it_counts(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    for changes in (
        {"mitigation_ids": ()},
        {"source": Source.CANARY},
        {"fault": Fault.CLIENT_ERROR},
        {"outcome": Outcome.CLIENT_ABORT},
        {"started_at": (house.row(ALIAS).applied_at or 0) - 1},
    ):
        through(house, bad=20, **changes)
    for attempt in (0, 1):
        through(house, bad=1, attempt=attempt)
    await house.tick(SPARK_FAILS, seconds=HOLD)
    assert "after 1 of 1 " in house.row(ALIAS).proof


async def test_without_verify_nothing_is_compared() -> None:
    house = await Mitigating().start(ruled(alias(verify="none")))
    await house.tick(SPARK_FAILS)
    through(house, good=43, bad=32)
    await house.ticks(SPARK_FAILS, seconds=HOLD)
    assert (house.row(ALIAS).state, house.row(ALIAS).proof) == (S.APPLIED, "")


async def test_the_figures_survive_a_restart(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    through(house, good=43, bad=32)
    await house.ticks(SPARK_FAILS, seconds=61)
    await house.start(ruled())
    await house.tick(SPARK_FAILS, seconds=HOLD)
    assert house.rows(ALIAS)[0].outcome == "it did not help: before 34 of 80 failed (42 %), after 32 of 75 (43 %)"


async def test_a_setting_that_did_not_help_is_given_back_though_that_takes_time() -> None:
    about = replace(SPARK_FAILS, mitigate=("debug",), labels=(("provider_key", "codex"),))
    house = await Mitigating().start(ruled(toggle(verify={"within": "5m"})))
    await house.tick(about)
    for provider_key in ("codex", "gemini"):
        for number in range(50):
            failed = FAILED if number < 25 or provider_key == "gemini" else {}
            house.mitigate.observe(house.event(provider_key=provider_key, started_at=house.clock.now() + 1, **failed))
    house.upstream.failure = ManagementFailure("no answer")
    await house.ticks(about, seconds=HOLD + 5)
    house.upstream.failure = None
    await house.ticks(about, seconds=20)
    row = house.row(TOGGLE)
    assert (row.state, house.upstream.settings["debug"]) == (S.FAILED, False)
    assert row.outcome == "it did not help: before 34 of 80 failed (42 %), after 25 of 50 (50 %)"
    assert (row.proof, row.saved_turns) == ("before 34 of 80 failed (42 %), after 25 of 50 (50 %)", None)


async def test_without_a_known_effect_nothing_is_compared_and_it_ends_with_its_alert() -> None:
    quota = UpstreamToggle.model_validate(
        {"set": {"quota-exceeded.switch-project": True}, "even_if_inert": True, "verify": {"within": "1m"}}
    )
    house = await Mitigating().start(a_config(mitigations={"quota": quota}))
    await house.tick(firing("quota"))
    row = house.row("upstream:quota-exceeded.switch-project")
    if row.effect.value == "no effect known":
        assert row.verify == {}
    await house.tick(firing("quota"), seconds=HOLD)
    assert house.upstream.settings["quota-exceeded/switch-project"] is True
    await house.tick()
    assert house.upstream.settings["quota-exceeded/switch-project"] is False


# ---- a stand-in that is worse ----------------------------------------------------------------------------------------


async def test_a_stand_in_that_is_worse_for_two_minutes_is_undone_within_its_hold(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    for second in range(119):
        through(house, bad=1)
        await house.tick(SPARK_FAILS)
        assert house.row(ALIAS).state is S.APPLIED, second
    through(house, bad=1)
    await house.tick(SPARK_FAILS)
    row = house.rows(ALIAS)[0]
    assert row.state is S.FAILED
    assert (row.outcome or "").startswith("the stand-in is worse: 11")
    assert (ALIAS, S.FAILED) in house.notices


async def test_one_that_is_no_worse_stays(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    for _ in range(130):
        through(house, good=3, bad=1)
        through(house, bad=9, fault=Fault.DENIED)
        await house.tick(SPARK_FAILS)
    assert [row.state for row in house.rows(ALIAS)] == [S.APPLIED]


async def test_what_a_human_holds_is_not_undone(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    await house.mitigate.act("fallback", "hold", "human:jo")
    for _ in range(130):
        through(house, bad=1)
        await house.tick(SPARK_FAILS)
    assert house.row(ALIAS).state is S.APPLIED


async def test_where_the_others_are_as_bad_a_stand_in_that_is_no_better_is_lifted_and_told(house: Mitigating) -> None:
    original = {"outcome": Outcome.OK, "model_id": SPARK}
    for number in range(80):
        house.mitigate.observe(house.event(**original | (FAILED if number < 34 else {})))
    await house.tick(SPARK_FAILS)
    assert house.routed == {SPARK: STAND_IN}
    for _ in range(125):
        through(house, good=4, bad=3)
        for _ in range(2):
            house.mitigate.observe(house.event(requested_model="gpt", model_id="gpt", **FAILED))
        await house.tick(SPARK_FAILS)
    row = house.rows(ALIAS)[0]
    assert (row.state, house.routed) == (S.FAILED, {})
    assert (row.outcome or "").startswith("nothing healthy is left: codex is no better, ")
    assert (ALIAS, S.FAILED) in house.notices


async def test_where_another_one_is_well_it_is_left_to_the_proof(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    for _ in range(125):
        through(house, good=4, bad=3)
        await house.tick(SPARK_FAILS)
    assert [row.state for row in house.rows(ALIAS)] == [S.APPLIED]


async def test_where_nothing_is_healthy_nothing_is_changed_and_it_is_told_once(house: Mitigating) -> None:
    for model in (SPARK, STAND_IN, "gpt"):
        for _ in range(20):
            house.mitigate.observe(house.event(requested_model=model, model_id=model, **FAILED))
    await house.ticks(SPARK_FAILS, seconds=5)
    (row,) = house.rows(ALIAS)
    assert (row.state, house.routed, house.notices) == (S.FAILED, {}, [(ALIAS, S.FAILED)])
    assert row.outcome == ("critical: nothing healthy is left: codex and gpt fail as much as spark; nothing is changed")


# ---- what was saved --------------------------------------------------------------------------------------------------


async def test_the_good_turns_are_in_the_row_at_its_end(house: Mitigating) -> None:
    await house.tick(SPARK_FAILS)
    through(house, good=7, bad=1)
    through(house, good=2, attempt=1)
    through(house, good=4, source=Source.CANARY)
    await house.tick(seconds=HOLD)
    row = house.row(ALIAS)
    assert (row.state, row.saved_turns) == (S.RESTORED, 9)


async def test_while_it_is_open_they_are_not_there_yet_and_an_upstream_setting_has_none(house: Mitigating) -> None:
    await house.tick(firing("fallback", "debug"))
    through(house, good=7)
    assert house.row(ALIAS).saved_turns is None
    await house.tick(seconds=HOLD)
    assert house.row(TOGGLE).saved_turns is None


# ---- credentials -----------------------------------------------------------------------------------------------------

OFF = a_config(mitigations={"off": CredentialDisable(), "reset": ResetQuota()})
CODEX = firing("off", labels=(("provider_key", "codex"),))


def files(*names: str) -> tuple[CredentialFile, ...]:
    return tuple(
        CredentialFile(auth_index=f"i-{name}", name=name, provider_key="codex", disabled=False) for name in names
    )


def noted(house: Mitigating) -> list[str]:
    return [said.outcome for said in house.ledger.audit_rows.values() if said.action == "noted"]


async def credentials(*names: str, failing: tuple[str, ...]) -> Mitigating:
    house = Mitigating()
    house.upstream.files, house.failing = files(*names), failing
    return await house.start(OFF)


def off(house: Mitigating) -> list[str]:
    return [one.name for one in house.upstream.files if one.disabled]


async def test_half_of_the_credentials_at_once_and_not_the_next() -> None:
    house = await credentials("a", "b", "c", "d", failing=("a", "b", "c"))
    await house.ticks(CODEX, seconds=10)
    assert off(house) == ["a", "b"]
    assert noted(house) == ["3 of 4 credentials of codex would be changed at once, `max_share` is 50%"]


async def test_never_the_last_healthy_credential_not_even_for_a_human() -> None:
    house = await credentials("a", "b", failing=("a",))
    await house.ticks(CODEX, seconds=3)
    house.failing = ("b",)
    await house.ticks(CODEX, seconds=3)
    assert off(house) == ["a"]
    with pytest.raises(Conflict):
        await house.mitigate.act("off", "apply", "human:jo")
    assert off(house) == ["a"]


async def test_a_cooldown_is_reset_once_and_there_is_nothing_to_give_back() -> None:
    house = await credentials("a", "b", failing=("a",))
    reset = replace(CODEX, mitigate=("reset",))
    await house.ticks(reset, seconds=HOLD)
    (row,) = house.rows("reset_quota:i-a")
    assert (row.state, row.outcome) == (S.RESTORED, "done: there is nothing to give back")
    assert len(house.upstream.writes) == 1


# ---- who wants what --------------------------------------------------------------------------------------------------

CONTRARY = a_config(
    mitigations={"on": UpstreamToggle(set={"debug": True}), "off": UpstreamToggle(set={"debug": False})}
)


def want(name: str, severity: Severity) -> Alert:
    return firing(name, fingerprint=name, alert=name.title(), severity=severity)


async def test_who_comes_later_and_is_no_more_severe_is_noted_and_told() -> None:
    house = await Mitigating().start(CONTRARY)
    on, other = want("on", Severity.CRITICAL), want("off", Severity.WARNING)
    await house.tick(on)
    await house.ticks(on, other, seconds=3)
    row = house.row(TOGGLE)
    assert (row.value_wanted, row.owners) == (True, ("on",))
    assert row.note == "Off would set debug to false: not done, on holds it"
    assert house.notices == [(TOGGLE, S.APPLIED), (TOGGLE, S.APPLIED)]
    assert row.note in noted(house)
    await house.tick(other, seconds=HOLD)
    assert house.rows(TOGGLE)[0].state is S.RESTORED, "it does not own what it does not want"


async def test_who_is_more_severe_gets_it_at_once() -> None:
    house = await Mitigating().start(CONTRARY)
    house.upstream.settings["debug"] = False
    on, other = want("on", Severity.WARNING), want("off", Severity.CRITICAL)
    await house.tick(on)
    assert house.upstream.settings["debug"] is True
    await house.ticks(on, other, seconds=3)
    first = house.rows(TOGGLE)[0]
    assert (first.state, first.outcome) == (S.RESTORED, "a more severe alert wants it otherwise: Off")
    assert house.upstream.settings["debug"] is False


async def test_a_rule_that_is_gone_owns_nothing_any_more(house: Mitigating) -> None:
    other = firing("fallback", fingerprint="f2")
    await house.tick(SPARK_FAILS, other)
    assert house.row(ALIAS).owners == ("f1", "f2")
    await house.tick(other, seconds=HOLD)
    assert (house.row(ALIAS).owners, house.row(ALIAS).state) == (("f2",), S.APPLIED)
    await house.tick()
    assert house.row(ALIAS).state is S.RESTORED


# ---- restores --------------------------------------------------------------------------------------------------------


async def test_a_restore_that_fails_is_told_after_three_times_and_tried_for_ever(house: Mitigating) -> None:
    await house.tick(firing("debug"))
    house.notices.clear()
    house.upstream.failure = ManagementFailure("no answer")
    await house.tick(seconds=HOLD)
    await house.tick(seconds=1)
    assert house.notices == []
    await house.tick(seconds=2)
    assert house.notices == [(TOGGLE, S.APPLIED)]
    note = "critical: its restore failed 3 times, it is tried until it works: no answer"
    assert house.row(TOGGLE).note == note
    calls = house.upstream.calls
    await house.ticks(seconds=3600)
    assert 3600 // 300 - 1 <= house.upstream.calls - calls <= 20, "at the latest every five minutes"
    assert len(house.notices) == 1
    house.upstream.failure = None
    await house.ticks(seconds=300)
    assert (house.row(TOGGLE).state, house.upstream.settings["debug"]) == (S.RESTORED, False)


async def test_a_setting_that_cannot_be_made_is_no_restore_that_fails(house: Mitigating) -> None:
    house.upstream.failure = ManagementFailure("no answer")
    await house.ticks(firing("debug"), seconds=60)
    assert (house.row(TOGGLE).state, house.row(TOGGLE).note) == (S.PLANNED, "")


async def test_past_its_time_it_is_told_and_restored_though_its_alert_fires(house: Mitigating) -> None:
    await house.tick(firing("debug"))
    house.notices.clear()
    await house.tick(firing("debug"), seconds=MAX_HOLD)
    assert house.notices == [(TOGGLE, S.RESTORED)]
    await house.tick(firing("debug"), seconds=COOL_OFF - 1)
    assert len(house.rows(TOGGLE)) == 1, "never renewed in silence"


async def test_an_upstream_that_started_anew_is_looked_at_and_our_value_is_kept(house: Mitigating) -> None:
    debug = firing("debug")
    await house.tick(debug)
    house.upstream.failure = ManagementFailure("it starts")
    await house.ticks(debug, seconds=70)
    house.upstream.failure = None
    calls = house.upstream.calls
    await house.ticks(debug, seconds=70)
    assert house.upstream.calls > calls
    assert (house.row(TOGGLE).state, house.row(TOGGLE).note) == (S.APPLIED, "")
    await house.ticks(seconds=HOLD)
    assert house.row(TOGGLE).state is S.RESTORED


async def test_a_human_who_was_there_is_seen_while_it_is_in_force(house: Mitigating) -> None:
    debug = firing("debug")
    await house.tick(debug)
    house.upstream.settings["debug"] = False
    await house.tick(debug, seconds=59)
    assert house.row(TOGGLE).state is S.APPLIED
    await house.tick(debug)
    assert house.row(TOGGLE).state is S.ABANDONED
    assert len(house.upstream.writes) == 1


@pytest.mark.parametrize(("most", "writes"), [(2, 2), (4, 4), (6, 6)])
async def test_so_many_changes_in_an_hour_as_the_file_allows(most: int, writes: int) -> None:
    house = await Mitigating().start(toggle(hold="0s", cool_off="0s", max_changes_per_hour=most))
    for _ in range(12):
        await house.tick(firing("debug", fired_at=house.clock.now()), seconds=10)
        await house.tick(seconds=10)
    assert len(house.upstream.writes) == writes


# ---- evidence --------------------------------------------------------------------------------------------------------


async def test_who_fires_without_evidence_begins_nothing(house: Mitigating) -> None:
    await house.ticks(SPARK_FAILS, seconds=3, acting=False)
    assert not house.rows(ALIAS)


# ---- humans ----------------------------------------------------------------------------------------------------------


async def test_a_hold_ends_at_its_time_and_says_so(house: Mitigating) -> None:
    await house.tick(firing("debug"))
    until = house.clock.now() + 600_000
    row = await house.mitigate.act("debug", "hold", "human:jo", until)
    assert (row.held_by, row.hold_expires_at) == ("human:jo", until)
    house.notices.clear()
    await house.tick(seconds=599)
    assert (house.row(TOGGLE).state, house.notices) == (S.APPLIED, [])
    await house.tick()
    row = house.row(TOGGLE)
    assert (row.state, row.held_by, row.note) == (S.RESTORED, None, "the hold of human:jo ended by itself")
    assert house.notices == [(TOGGLE, S.APPLIED), (TOGGLE, S.RESTORED)]
    assert "release" in house.actions()


async def test_what_is_applied_lasts_as_long_as_was_said(house: Mitigating) -> None:
    await house.tick()
    until = house.clock.now() + 60_000
    row = await house.mitigate.act("debug", "apply", "human:jo", until)
    assert (row.state, row.expires_at) == (S.APPLIED, until)
    await house.tick(seconds=60)
    assert house.row(TOGGLE).state is S.RESTORED


@pytest.mark.parametrize("action", ["hold", "apply"])
async def test_a_time_that_is_over_is_refused(house: Mitigating, action: str) -> None:
    await house.tick(*([firing("debug")] if action == "hold" else []))
    with pytest.raises(Conflict, match="is over"):
        await house.mitigate.act("debug", action, "human:jo", house.clock.now())


async def asked() -> Mitigating:
    house = await Mitigating().start(ceiling=Mode.ASK)
    await house.tick(firing("fallback"))
    house.clock.advance(1)
    return house


async def test_what_is_asked_for_is_told() -> None:
    house = await asked()
    await house.ticks(firing("fallback"), seconds=3)
    assert house.notices == [(ALIAS, S.NOT_NEEDED)]


async def test_an_approval_is_good_once() -> None:
    house = await asked()
    name = house.row(ALIAS).id
    await house.mitigate.act(name, "approve", "human:jo")
    assert house.routed == {SPARK: STAND_IN}
    await house.mitigate.act("fallback", "revert", "human:jo")
    with pytest.raises(Conflict, match="was approved already"):
        await house.mitigate.act(name, "approve", "human:jo")
    assert house.routed == {}


async def test_an_approval_comes_in_time_or_not_at_all() -> None:
    house = await asked()
    name = house.row(ALIAS).id
    await house.tick(firing("fallback"), seconds=1798)
    house.clock.advance(1)
    with pytest.raises(Conflict, match="the time to approve fallback is over"):
        await house.mitigate.act(name, "approve", "human:jo")
    assert house.routed == {}
