"""Rule tests as types: what may stand in a case, and what is told of what may not."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.domain.expectation import Expectation
from daemon.domain.made_up import Spell, is_failure
from daemon.domain.rule_test import Case, Change

SPELL = {"to": "1m", "every": "2s"}


def spell(**said: Any) -> Spell:
    return Spell.model_validate_json(json.dumps(SPELL | said), strict=True)


def test_a_case_is_as_short_as_what_it_says() -> None:
    text = '{"name": "x", "restart_at": ["9m", {"at": "12m", "for": "90s"}], "expect": [{"never": "X"}]}'
    case = Case.model_validate_json(text, strict=True)
    assert [(one.at, one.for_) for one in case.restart_at] == [(540.0, 0.0), (720.0, 90.0)]
    assert (case.traffic, case.begins, case.upstream.models) == ((), None, None)


def test_a_spell_without_a_mix_is_all_good() -> None:
    assert {name: ending.share for name, ending in spell().mix.items()} == {"ok": 1.0}


@pytest.mark.parametrize(
    ("said", "pause_ms"), [({}, 2000.0), ({"every": None, "per_hour": 1800}, 2000.0), ({"every": "100ms"}, 100.0)]
)
def test_its_pace_is_said_either_way(said: dict[str, Any], pause_ms: float) -> None:
    assert spell(**said).pause_ms == pause_ms


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"every": None}, "should say how often"),
        ({"per_hour": 5}, "should say how often"),
        ({"from": "1m"}, "should end after it begins"),
        ({"mix": {"ok": "90%", "provider_error": "20%"}}, "the shares add up to 110%, not to 100%"),
        ({"rerouted": {"ok": "10%"}}, "the shares add up to 10%, not to 100%"),
        ({"every": "0s"}, "greater than or equal to 0.001"),
        ({"per_hour": True, "every": None}, "should be a number of turns"),
    ],
)
def test_a_spell_that_cannot_be_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        spell(**said)


@pytest.mark.parametrize(
    ("mix", "fails"),
    [
        ({"ok": "40%", "provider_error": "60%"}, True),
        ({"ok": "50%", "provider_error": "50%"}, False),
        ({"ok": "40%", "slow": {"share": "60%", "ttft_ms": 90000}}, False),
        ({"ok": "40%", "mine": {"share": "60%", "fault": "overloaded"}}, True),
        ({"gone": {"share": "100%", "fault": "overloaded", "outcome": "client_abort"}}, False),
    ],
)
def test_it_fails_mostly_when_more_fail_than_end_well(mix: dict[str, Any], fails: bool) -> None:
    assert spell(mix=mix).fails_mostly is fails
    assert is_failure("ok", spell().mix["ok"]) is False


@pytest.mark.parametrize(
    "said",
    [
        {"upstream": {"a": True}},
        {"models": []},
        {"reachable": False},
        {"operator": "revert", "mitigation": "fallback"},
        {"operator": "ack", "alert": "X"},
        {"operator": "silence", "matchers": {"alert": "X"}, "for": "2h"},
        {"lost": 100},
    ],
)
def test_one_thing_changes_at_an_instant(said: dict[str, Any]) -> None:
    assert Change.model_validate_json(json.dumps({"at": "3m"} | said), strict=True).at == 180.0


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "should say one thing that happens"),
        ({"lost": 3, "reachable": True}, "should say one thing that happens"),
        ({"operator": "revert"}, "revert wants mitigation"),
        ({"operator": "ack", "mitigation": "fallback"}, "ack wants alert"),
        ({"operator": "silence", "for": "2h"}, "silence wants matchers and for"),
        ({"lost": 3, "alert": "X"}, "lost stands alone"),
    ],
)
def test_a_change_that_says_too_much_or_too_little_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Change.model_validate_json(json.dumps({"at": "3m"} | said), strict=True)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"at": "1m", "alert": "X", "state": "firing", "severity": "warning", "labels": {"a": "b"}}, "alert"),
        ({"never": "X"}, "never"),
        ({"by": "1m", "mitigation": "fallback", "state": "applied", "times": 1, "target": "*"}, "mitigation"),
        ({"at": "1m", "upstream": {"a": True}}, "upstream"),
        ({"messages": {"to": "operators", "between": [1, 2]}}, "messages"),
        ({"message": {"to": "operators", "contains": "x"}}, "message"),
        ({"at": "1m", "explain": "X", "contains": ["x"]}, "explain"),
        ({"audit": "fallback", "contains": ["x"]}, "audit"),
    ],
)
def test_one_thing_is_expected(said: dict[str, Any], kind: str) -> None:
    assert Expectation.model_validate_json(json.dumps(said), strict=True).kind == kind


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "should expect one thing: alert, never, mitigation"),
        ({"never": "X", "explain": "X"}, "should expect one thing"),
        ({"never": "X", "by": "1m"}, "never takes no by; it takes from, to, severity, labels"),
        ({"alert": "X", "at": "1m"}, "alert needs state"),
        ({"alert": "X", "state": "firing"}, "should say when"),
        ({"alert": "X", "state": "firing", "at": "1m", "by": "1m"}, "should say when"),
        ({"alert": "X", "state": "applied", "at": "1m"}, "a state of alert is one of inactive, pending"),
        ({"mitigation": "X", "state": "firing", "at": "1m"}, "a state of mitigation is one of planned"),
        ({"explain": "X", "contains": ["x"]}, "explain needs at"),
        ({"messages": {"to": "x"}}, "should say how many"),
        ({"messages": {"to": "x", "equals": 1, "between": [1, 2]}}, "should say how many"),
        ({"audit": "X", "contains": []}, "at least 1 item"),
    ],
)
def test_an_expectation_that_says_too_much_or_too_little_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Expectation.model_validate_json(json.dumps(said), strict=True)
