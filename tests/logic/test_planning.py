"""Planning: what is begun, what is noted, and what is left alone; and who owns what was begun."""

from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.alerts_config import AlertsConfig, MitigationOptions, ModeConfig
from daemon.domain.capabilities import Capabilities
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.sample import Counts
from daemon.logic.mitigation import Change
from daemon.logic.mitigations.model_alias import ModelAlias
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle
from daemon.logic.new_rows import unless
from daemon.logic.owning import dissent, overruling, owners
from daemon.logic.planning import begin, cool_until, plan
from daemon.logic.rules.ratio import RatioRule
from daemon.logic.situation import Situation
from daemon.logic.wishes import Wish, targets
from tests.contracts.things import NOON, a_mitigation, an_alert

S = MitigationState
PROJECT = "quota-exceeded.switch-project"
NOW = NOON + 60_000
MINUTE = 60_000


def a_config(**changes: Any) -> AlertsConfig:
    mitigations = {
        "toggle": UpstreamToggle(set={"debug": True, "ws-auth": True}),
        "quota": UpstreamToggle(set={PROJECT: True}),
        "spark": ModelAlias.model_validate({"from": "spark", "to": ["codex"], "hold": "1s", "cool_off": "10m"}),
    }
    facts: dict[str, Any] = {"fallbacks": {"spark": ("codex", "gpt"), "opus": ("sonnet",)}, "mitigations": mitigations}
    return AlertsConfig(**facts | changes)


def firing(*mitigate: str, **changes: Any) -> Alert:
    facts: dict[str, Any] = {"state": AlertState.FIRING, "fired_at": NOON, "mitigate": mitigate, "models": ("spark",)}
    return an_alert(**facts | changes)


def situation(**changes: Any) -> Situation:
    facts: dict[str, Any] = {"config": a_config(), "served": frozenset({"codex", "gpt", "sonnet"})}
    return Situation(**facts | changes)


def begun(alert: Alert, now: int = NOW, **changes: Any) -> list[Mitigation]:
    return list(plan(situation(**changes), [alert], now).mitigations)


def notes(alert: Alert, **changes: Any) -> list[str]:
    return [entry.outcome for entry in plan(situation(**changes), [alert], NOW).audit if entry.action == "noted"]


# ---- what is begun ---------------------------------------------------------------------------------------------------


def test_fallback_is_an_alias_for_each_model_that_has_a_line() -> None:
    alert = firing("fallback", models=("spark", "spark(high)", "opus(low)", "haiku"), summary="20 % of 50")
    spark, opus = begun(alert)
    assert (spark.target, spark.value_wanted, spark.state, spark.soft) == (
        "model_alias:spark",
        "codex",
        S.PLANNED,
        True,
    )
    assert (opus.target, opus.value_wanted, opus.name, opus.kind) == (
        "model_alias:opus",
        "sonnet",
        "fallback",
        "model_alias",
    )
    assert (spark.owners, spark.evidence, spark.mode, spark.effect) == (
        ("f1",),
        "20 % of 50",
        Mode.AUTO,
        Effect.EXPECTED,
    )
    assert notes(alert) == ["it has no line in `fallbacks`: watched, never rerouted"]


def test_an_entry_named_fallback_is_used() -> None:
    entry = ModelAlias.model_validate({"from": "haiku", "to": ["sonnet"]})
    (row,) = begun(firing("fallback"), config=a_config(mitigations={"fallback": entry}))
    assert row.target == "model_alias:haiku"


def test_a_toggle_is_a_row_per_setting() -> None:
    assert [(row.target, row.value_wanted, row.soft) for row in begun(firing("toggle"))] == [
        ("upstream:debug", True, False),
        ("upstream:ws-auth", True, False),
    ]


def test_the_options_are_in_the_row() -> None:
    (row,) = begun(firing("spark"))
    assert (row.hold, row.cool_off, row.max_hold, row.release["passes"]) == (1.0, 600.0, 1800.0, 3)


def test_ids_are_short_and_the_same_for_the_same_plan() -> None:
    (one,), (same,), (later,) = begun(firing("spark")), begun(firing("spark")), begun(firing("spark"), now=NOW + 1)
    assert one.id == same.id != later.id
    assert len(one.id) <= 12


def test_alerts_that_want_one_target_own_it_together_and_the_severest_decides() -> None:
    warning = firing("spark", fingerprint="f2", severity=Severity.WARNING)
    critical = firing("fallback", fingerprint="f1")
    served = frozenset({"gpt", "codex"})
    (row,) = plan(situation(served=served), [warning, critical], NOW).mitigations
    assert (row.name, row.owners) == ("fallback", ("f1", "f2"))


def test_an_open_row_is_the_only_one_of_its_target() -> None:
    assert not begun(firing("fallback"), rows=[a_mitigation(state=S.APPLIED)])


def test_each_row_has_an_entry_in_the_audit() -> None:
    (entry,) = plan(situation(), [firing("spark", summary="20 %")], NOW).audit
    assert (entry.actor, entry.subject, entry.action, entry.after, entry.reason) == (
        "rule:ProviderRateLimited",
        "model_alias:spark",
        "planned",
        "codex",
        "20 %",
    )


# ---- which stand-in --------------------------------------------------------------------------------------------------


def test_the_first_stand_in_that_is_served() -> None:
    assert begun(firing("fallback"), served=frozenset({"gpt"}))[0].value_wanted == "gpt"


def test_where_nothing_is_known_the_first_is_tried() -> None:
    (row,) = begun(firing("fallback"), served=None)
    assert (row.value_wanted, row.effect) == ("codex", Effect.UNVERIFIED)


def test_one_that_was_refused_is_not_tried_again() -> None:
    assert begun(firing("fallback"), served=None, refused=frozenset({"codex"}))[0].value_wanted == "gpt"


@pytest.mark.parametrize("changes", [{"served": frozenset()}, {"served": None, "refused": frozenset({"codex", "gpt"})}])
def test_none_served_is_noted(changes: dict[str, Any]) -> None:
    assert not begun(firing("fallback"), **changes)
    assert notes(firing("fallback"), **changes) == ["nothing is served that may stand in: codex, gpt"]


def test_nothing_is_led_in_a_circle_or_over_two_steps() -> None:
    led_away = a_mitigation(target="model_alias:codex", state=S.APPLIED, value_wanted="spark")
    assert begun(firing("fallback"), rows=[led_away])[0].value_wanted == "gpt"
    itself = a_config(fallbacks={"spark": ("spark",)})
    assert not begun(firing("fallback"), config=itself, served=frozenset({"spark"}))


# ---- what stands against it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ceiling", "mode", "expected"),
    [
        (Mode.SHADOW, ModeConfig(), (Mode.SHADOW, "would send spark out as codex")),
        (Mode.AUTO, ModeConfig(soft=Mode.SHADOW), (Mode.SHADOW, "would send spark out as codex")),
        (Mode.ASK, ModeConfig(), (Mode.ASK, "would send spark out as codex, and needs approval")),
        (Mode.ASK, ModeConfig(soft=Mode.SHADOW), (Mode.SHADOW, "would send spark out as codex")),
    ],
)
def test_a_lower_mode_only_notes(ceiling: Mode, mode: ModeConfig, expected: tuple[Mode, str]) -> None:
    (row,) = begun(firing("fallback"), ceiling=ceiling, config=a_config(mode=mode))
    assert (row.mode, row.outcome) == expected
    assert (row.state, row.ended_at) == (S.NOT_NEEDED, NOW)


def test_the_modes_are_apart() -> None:
    (row,) = begun(firing("fallback"), config=a_config(mode=ModeConfig(upstream=Mode.SHADOW)))
    assert row.state is S.PLANNED


def test_what_the_upstream_ignores_is_noted() -> None:
    (row,) = begun(firing("quota"))
    assert (row.state, row.effect) == (S.NOT_NEEDED, Effect.NO_EFFECT_KNOWN)
    assert row.outcome == f"noted, not written, for this upstream ignores it: would set {PROJECT} to true"


def test_whoever_insists_gets_what_is_known_to_be_ignored_whatever_its_kind() -> None:
    options = MitigationOptions(kind="upstream_toggle", even_if_inert=True)
    change = Change(target=f"upstream:{PROJECT}", choices=(True,), soft=False, inert=True)
    wish = Wish(name="quota", options=options, change=change, owner="f1", actor="rule:A", since=NOON)
    assert isinstance(row := begin(situation(), wish, NOW), Mitigation)
    assert unless(situation(), wish, row) is row
    meek = replace(wish, options=MitigationOptions(kind="upstream_toggle"))
    assert unless(situation(), meek, row).state is S.NOT_NEEDED


def test_without_a_management_key_it_fails_at_once() -> None:
    (row, _) = begun(firing("toggle"), has_management=False)
    assert (row.state, row.outcome) == (S.FAILED, "would set debug to true, but UPSTREAM_MANAGEMENT_KEY is not set")


@pytest.mark.parametrize("alert", [firing("quota"), firing("toggle"), firing("fallback", fingerprint="f9")])
def test_what_ended_at_once_is_said_once_in_an_episode(alert: Alert) -> None:
    facts: dict[str, Any] = {"ceiling": Mode.SHADOW, "has_management": False}
    rows = begun(alert, **facts)
    assert not begun(alert, NOW + MINUTE, rows=rows, **facts)
    again = replace(alert, fired_at=NOW + MINUTE)
    assert len(begun(again, NOW + 2 * MINUTE, rows=rows, **facts)) == len(rows)


def test_a_mode_that_was_raised_acts_in_the_same_episode() -> None:
    rows = begun(firing("fallback"), ceiling=Mode.SHADOW)
    assert begun(firing("fallback"), NOW + 1, rows=rows)[0].state is S.PLANNED


@pytest.mark.parametrize("state", [S.ABANDONED, S.FAILED, S.NOT_NEEDED])
def test_an_end_that_was_not_ours_answers_for_the_episode(state: MitigationState) -> None:
    past = a_mitigation(state=state, value_wanted="codex", planned_at=NOON + 1, ended_at=NOON + 2)
    assert not begun(firing("fallback"), rows=[past])
    assert begun(firing("fallback", fired_at=NOON + 3), rows=[past])


def test_what_a_human_reverted_stays_so_for_the_episode() -> None:
    past = a_mitigation(state=S.RESTORED, value_wanted="codex", planned_at=NOON + 1, ended_at=NOON + 2, cool_off=0.0)
    assert begun(firing("fallback"), rows=[past])
    assert not begun(firing("fallback"), rows=[replace(past, held_by="human:jo")])


# ---- guards ----------------------------------------------------------------------------------------------------------


def test_two_that_disagree_the_severer_gets_it_and_the_other_is_noted_and_told() -> None:
    both = a_config(
        mitigations={"on": UpstreamToggle(set={"debug": True}), "off": UpstreamToggle(set={"debug": False})}
    )
    on = firing("on", fingerprint="f1", alert="On", severity=Severity.WARNING)
    off = firing("off", fingerprint="f2", alert="Off")
    made = plan(situation(config=both), [on, off], NOW)
    (row,) = made.mitigations
    words = "On would set debug to true: not done, off holds it"
    assert (row.value_wanted, row.owners, row.note) == (False, ("f2",), words)
    assert words in [said.outcome for said in made.audit]
    assert dissent(both, row, [on, off]) == words
    assert owners(both, row, [on, off]) == ("f2",)


def test_a_severer_alert_overrules_what_is_open_and_no_human() -> None:
    both = a_config(
        mitigations={"on": UpstreamToggle(set={"debug": True}), "off": UpstreamToggle(set={"debug": False})}
    )
    on = firing("on", fingerprint="f1", severity=Severity.WARNING)
    off = firing("off", fingerprint="f2", alert="Off")
    facts = {"kind": "upstream_toggle", "target": "upstream:debug", "name": "on", "value_wanted": True}
    row = a_mitigation(**facts, state=S.APPLIED, soft=False)
    assert overruling(both, row, [on, off]) == off
    assert overruling(both, row, [on, replace(off, severity=Severity.WARNING)]) is None
    assert overruling(both, replace(row, owners=("f1", "human:jo")), [on, off]) is None
    made_way = replace(row, state=S.RESTORED, ended_at=NOW, outcome="a more severe alert wants it otherwise: Off")
    assert cool_until([made_way]) == 0


def test_depth_one_holds_within_one_plan() -> None:
    circle = a_config(fallbacks={"spark": ("codex",), "codex": ("spark",)})
    alert = firing("fallback", models=("spark", "codex"))
    served = frozenset({"spark", "codex"})
    made = plan(situation(config=circle, served=served), [alert], NOW)
    assert [row.target for row in made.mitigations] == ["model_alias:spark"]
    assert "nothing is served that may stand in: spark" in [said.outcome for said in made.audit]


def test_a_soft_change_of_one_target_is_made_so_often_in_an_hour() -> None:
    def past(count: int) -> list[Mitigation]:
        ended = [NOW - (2 * number + 1) * MINUTE for number in range(count)]
        return [restored(at, cool_off=0.0, applied_at=at - MINUTE) for at in ended]

    assert begun(firing("fallback"), rows=past(5))
    assert not begun(firing("fallback"), rows=past(6))
    assert notes(firing("fallback"), rows=past(6)) == ["there were as many changes in this hour as there may be"]
    often = ModelAlias.model_validate({"from": "spark", "to": ["codex"], "max_changes_per_hour": 7})
    assert begun(firing("spark"), rows=past(6), config=a_config(mitigations={"spark": often}))
    assert begun(firing("fallback"), NOW + 60 * MINUTE, rows=past(6))


def test_an_obstacle_is_noted() -> None:
    lacking = Capabilities(routes={"debug": False}, version="6.0.0")
    assert not begun(firing("toggle"), capabilities=replace(lacking, routes={"debug": False, "ws-auth": False}))
    assert [row.target for row in begun(firing("toggle"), capabilities=lacking)] == ["upstream:ws-auth"]


def test_what_is_asked_for_can_be_approved_for_half_an_hour() -> None:
    (row,) = begun(firing("fallback"), ceiling=Mode.ASK)
    assert row.approve_until == NOW + 30 * MINUTE
    assert begun(firing("fallback"))[0].approve_until is None
    soon = ModelAlias.model_validate({"from": "spark", "to": ["codex"], "approve_within": "5m"})
    config = a_config(mitigations={"spark": soon})
    assert begun(firing("spark"), ceiling=Mode.ASK, config=config)[0].approve_until == NOW + 5 * MINUTE


FIVE = {"within": 300.0}


@pytest.mark.parametrize(
    ("options", "inert", "expected"),
    [
        ({}, False, {}),
        ({"verify": FIVE}, False, FIVE),
        ({"verify": FIVE, "even_if_inert": True}, True, {}),
    ],
)
def test_what_may_have_no_effect_is_compared_only_if_wanted_and_what_has_none_never(
    options: dict[str, Any], inert: bool, expected: dict[str, Any]
) -> None:
    toggle = UpstreamToggle.model_validate({"set": {"debug": True}, **options})
    known = Capabilities(inert=frozenset({"debug"}) if inert else frozenset())
    config = a_config(mitigations={"toggle": toggle})
    (row,) = begun(firing("toggle"), config=config, capabilities=known)
    assert (row.state, row.verify) == (S.PLANNED, expected)


def test_an_alias_is_compared_unless_somebody_does_not_want_it() -> None:
    assert begun(firing("fallback"))[0].verify == FIVE
    silent = ModelAlias.model_validate({"from": "spark", "to": ["codex"], "verify": "none"})
    assert begun(firing("spark"), config=a_config(mitigations={"spark": silent}))[0].verify == {}


def test_what_it_was_like_before_is_what_the_rule_counted() -> None:
    rule = RatioRule.model_validate(
        {
            "alert": "ProviderRateLimited",
            "kind": "ratio",
            "bad": {"outcome": "failed"},
            "levels": {"critical": {"above": 0.1, "mitigate": ["fallback"]}},
        }
    )
    alert = firing("fallback", samples=80, bad=34)
    (row,) = begun(alert, config=a_config(rules=(rule,)), errors={"spark": Counts(50, 20)})
    assert row.figures == {"before_samples": 80, "before_bad": 34, "original_samples": 50, "original_bad": 20}
    (row,) = begun(alert)
    assert row.figures["before_samples"] == 0, "a rule that is not there counts nothing that could be compared"


# ---- nothing healthy is left -----------------------------------------------------------------------------------------

BAD, GOOD, SPARK = Counts(40, 20), Counts(40, 1), Counts(40, 18)
PANIC = "critical: nothing healthy is left: codex and gpt fail as much as spark; nothing is changed"


def test_a_stand_in_that_fails_as_much_is_passed_over() -> None:
    assert begun(firing("fallback"), errors={"spark": SPARK, "codex": BAD, "gpt": GOOD})[0].value_wanted == "gpt"
    assert begun(firing("fallback"), errors={"spark": SPARK, "codex": GOOD})[0].value_wanted == "codex"
    assert begun(firing("fallback"), errors={"spark": SPARK, "codex": Counts(9, 9)})[0].value_wanted == "codex"


def test_where_all_fail_as_much_nothing_is_changed_and_it_is_said_once_in_an_episode() -> None:
    errors = {"spark": SPARK, "codex": BAD, "gpt": BAD}
    (row,) = begun(firing("fallback"), errors=errors)
    assert (row.state, row.outcome, row.value_wanted) == (S.FAILED, PANIC, None)
    assert not begun(firing("fallback"), NOW + 1, errors=errors, rows=[row])
    assert len(begun(firing("fallback", fired_at=NOW + 1), NOW + 2, errors=errors, rows=[row])) == 1


def test_as_soon_as_one_is_well_again_it_is_used_in_the_same_episode() -> None:
    (said,) = begun(firing("fallback"), errors={"spark": SPARK, "codex": BAD, "gpt": BAD})
    (row,) = begun(firing("fallback"), NOW + 1, errors={"spark": SPARK, "codex": BAD, "gpt": GOOD}, rows=[said])
    assert (row.state, row.value_wanted) == (S.PLANNED, "gpt")


def test_one_alert_says_it_once_for_all_that_it_asks_for() -> None:
    errors = dict.fromkeys(("spark", "codex", "gpt", "opus", "sonnet"), BAD)
    alert = firing("fallback", models=("spark", "opus"))
    assert [row.target for row in begun(alert, errors=errors)] == ["model_alias:spark"]
    assert notes(alert, errors=errors) == ["nothing healthy is left: sonnet fails as much as opus"]


@pytest.mark.parametrize("outcome", ["it did not help: …", "the stand-in is worse: …"])
def test_a_stand_in_that_did_not_help_makes_way_for_the_next_one(outcome: str) -> None:
    past = a_mitigation(state=S.FAILED, value_wanted="codex", planned_at=NOON + 1, ended_at=NOON + 2, outcome=outcome)
    assert begun(firing("fallback"), rows=[past])[0].value_wanted == "gpt"
    both = [past, replace(past, id="m2", value_wanted="gpt")]
    assert not begun(firing("fallback"), rows=both)
    assert begun(firing("fallback", fired_at=NOON + 3), rows=both)[0].value_wanted == "codex"


# ---- cool-off --------------------------------------------------------------------------------------------------------


def restored(ended_at: int, **changes: Any) -> Mitigation:
    facts = {"id": f"m{ended_at}", "state": S.RESTORED, "planned_at": ended_at - MINUTE, "ended_at": ended_at}
    return a_mitigation(**facts | {"value_wanted": "codex"} | changes)


def test_what_we_restored_rests_for_its_cool_off() -> None:
    past = restored(NOON)
    assert not begun(firing("fallback"), NOON + 15 * MINUTE - 1, rows=[past])
    assert begun(firing("fallback"), NOON + 15 * MINUTE, rows=[past])


@pytest.mark.parametrize(("restores", "minutes"), [(1, 15), (2, 30), (3, 60), (4, 120), (9, 120)])
def test_each_restore_soon_after_the_last_doubles_it(restores: int, minutes: int) -> None:
    past = [restored(NOON - number * 90 * MINUTE) for number in range(restores)]
    assert cool_until(past) == NOON + minutes * MINUTE


def test_a_quiet_time_ends_the_doubling() -> None:
    assert cool_until([restored(NOON), restored(NOON - 122 * MINUTE)]) == NOON + 15 * MINUTE


def test_only_our_own_restores_count() -> None:
    others = [restored(NOON, held_by="human:jo"), restored(NOON, state=S.ABANDONED), restored(NOON, state=S.FAILED)]
    assert cool_until(others) == 0
    assert cool_until([restored(NOON, cool_off=0.0)] * 3) == NOON


# ---- owners ----------------------------------------------------------------------------------------------------------


def test_an_owner_stays_one_while_it_fires_though_its_models_are_well_again() -> None:
    row = a_mitigation(owners=("f1",), state=S.APPLIED)
    assert owners(a_config(), row, [firing("fallback", models=())]) == ("f1",)
    assert owners(a_config(), row, [firing("fallback", fingerprint="f2", models=())]) == ()
    assert owners(a_config(), row, [firing("fallback", fingerprint="f2")]) == ("f2",)


def test_who_does_not_ask_for_the_target_any_more_owns_nothing() -> None:
    row = a_mitigation(owners=("f1", "human:jo"), state=S.APPLIED)
    assert owners(a_config(), row, [firing("toggle")]) == ("human:jo",)
    assert owners(a_config(fallbacks={}), row, [firing("fallback")]) == ("human:jo",)


def test_the_targets_of_a_name() -> None:
    assert targets(a_config(), ["fallback", "quota", "gone"]) == {
        "model_alias:spark",
        "model_alias:opus",
        f"upstream:{PROJECT}",
    }
