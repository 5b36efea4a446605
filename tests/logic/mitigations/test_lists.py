"""Kinds whose target is one item of a list: what is read, what is sent, and that they never act by themselves."""

from typing import Any

import pytest

from daemon.domain.alerts_config import AlertsConfig, ModeConfig
from daemon.domain.capabilities import Capabilities
from daemon.domain.mitigation import Call, Mode
from daemon.logic.mitigation import About
from daemon.logic.mitigations import ampcode_mapping, excluded_models
from daemon.logic.planning import plan
from daemon.logic.situation import Situation
from tests.contracts.things import NOON
from tests.engine.mitigating import firing

KEY = "oauth-excluded-models"
EXCLUDED, MAPPED = "excluded_models:codex:gpt-5*", "ampcode_mapping:gpt-5.5"
MODELS = excluded_models.OPTIONS(provider="codex", models=("gpt-5*", "o3"))
MAPPING = ampcode_mapping.OPTIONS.model_validate({"from": "gpt-5.5", "to": "gpt-5.4"})
LISTS = {KEY: {"codex": ["o3", "gpt-5*"], "claude": ["x"]}}
MAPPINGS = {
    "model-mappings": [
        {"from": "gpt-5.5", "to": "gpt-5.1"},
        {"from": "o3", "to": "o4", "regex": True},
        {"from": "o5", "to": "o4", "params": {"effort": "high"}},
    ]
}


def test_one_target_per_model_and_one_per_mapping() -> None:
    assert [(one.target, one.choices) for one in excluded_models.plan(MODELS, About())] == [
        (EXCLUDED, (True,)),
        ("excluded_models:codex:o3", (True,)),
    ]
    (change,) = ampcode_mapping.plan(MAPPING, About())
    assert (change.target, change.choices, change.soft) == (MAPPED, ("gpt-5.4",), False)
    assert excluded_models.reaches(MODELS, EXCLUDED)
    assert not excluded_models.reaches(MODELS, "excluded_models:claude:o3")
    assert (ampcode_mapping.reaches(MAPPING, MAPPED), ampcode_mapping.reaches(MAPPING, MAPPED + "x")) == (True, False)


@pytest.mark.parametrize(
    ("kind", "options", "routes", "says"),
    [
        (excluded_models, MODELS, {KEY: False}, f"this upstream does not serve PATCH {KEY}"),
        (ampcode_mapping, MAPPING, {"ampcode": False}, "this upstream does not serve GET ampcode"),
    ],
)
def test_where_it_is_not_served_it_cannot_be_done(kind: Any, options: Any, routes: dict[str, bool], says: str) -> None:
    changes = kind.plan(options, About(capabilities=Capabilities(routes=routes)))
    assert {change.obstacle for change in changes} == {says}


@pytest.mark.parametrize(
    ("kind", "target", "reply", "expected"),
    [
        (excluded_models, EXCLUDED, LISTS, True),
        (excluded_models, "excluded_models:claude:gpt-5*", LISTS, False),
        (excluded_models, "excluded_models:kimi:k2", LISTS, False),
        (excluded_models, EXCLUDED, {KEY: None}, False),
        (ampcode_mapping, MAPPED, MAPPINGS, "gpt-5.1"),
        (ampcode_mapping, "ampcode_mapping:none", MAPPINGS, None),
        (ampcode_mapping, MAPPED, {"model-mappings": None}, None),
    ],
)
def test_only_its_own_item_is_read(kind: Any, target: str, reply: Any, expected: Any) -> None:
    assert kind.read(target, reply) == expected


@pytest.mark.parametrize(
    ("kind", "target", "reply"),
    [
        *[(excluded_models, EXCLUDED, reply) for reply in ({}, [], None, {KEY: []}, {KEY: {"codex": "all"}})],
        *[(ampcode_mapping, MAPPED, reply) for reply in ({}, [], None, {"model-mappings": {}})],
        (ampcode_mapping, "ampcode_mapping:o3", MAPPINGS),
        (ampcode_mapping, "ampcode_mapping:o5", MAPPINGS),
    ],
)
def test_what_cannot_be_read_or_given_back_is_not_touched(kind: Any, target: str, reply: Any) -> None:
    with pytest.raises(ValueError, match=r"this upstream has no|left to people"):
        kind.read(target, reply)


@pytest.mark.parametrize(
    ("value", "reply", "models"),
    [
        (True, {KEY: {"codex": ["o3"]}}, ["o3", "gpt-5*"]),
        (True, LISTS, ["o3", "gpt-5*"]),
        (True, {KEY: {}}, ["gpt-5*"]),
        (False, LISTS, ["o3"]),
        (False, {KEY: {"codex": ["gpt-5*"]}}, []),
    ],
)
def test_the_list_goes_back_as_it_was_read_but_for_one_item(value: bool, reply: Any, models: list[str]) -> None:
    call = excluded_models.amending(EXCLUDED, value, reply)
    assert call == Call(method="PATCH", path=KEY, body={"provider": "codex", "models": models})


def test_a_mapping_is_merged_and_taken_away_by_its_name() -> None:
    path = "ampcode/model-mappings"
    patch = Call(method="PATCH", path=path, body={"value": [{"from": "gpt-5.5", "to": "gpt-5.4"}]})
    assert ampcode_mapping.writing(MAPPED, "gpt-5.4") == patch
    assert ampcode_mapping.writing(MAPPED, None) == Call(method="DELETE", path=path, body={"value": ["gpt-5.5"]})


@pytest.mark.parametrize(
    ("kind", "target", "value", "says"),
    [
        (excluded_models, EXCLUDED, True, "exclude gpt-5* from codex"),
        (excluded_models, EXCLUDED, False, "offer gpt-5* of codex again"),
        (ampcode_mapping, MAPPED, "gpt-5.4", "map Amp's gpt-5.5 to gpt-5.4"),
        (ampcode_mapping, MAPPED, None, "take away the mapping of Amp's gpt-5.5"),
    ],
)
def test_the_change_in_words(kind: Any, target: str, value: Any, says: str) -> None:
    assert kind.say(target, value) == says


@pytest.mark.parametrize(
    ("mode", "expected"), [(Mode.AUTO, Mode.ASK), (Mode.ASK, Mode.ASK), (Mode.SHADOW, Mode.SHADOW)]
)
def test_whatever_the_mode_it_asks_at_most(mode: Mode, expected: Mode) -> None:
    config = AlertsConfig(mitigations={"out": MODELS}, mode=ModeConfig(upstream=mode))
    rows = plan(Situation(config=config), [firing("out")], NOON).mitigations
    assert [row.mode for row in rows] == [expected] * 2
    assert not any(row.state.is_open for row in rows)
