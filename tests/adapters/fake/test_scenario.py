"""Scenarios as data: exact shares, the first rule that strikes, and files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from daemon.adapters.fake.scenario import (
    BUILT_IN,
    Director,
    FakeFault,
    FaultRule,
    Scenario,
    load_scenario,
    read_scenario,
)
from daemon.domain.errors import ConfigError
from daemon.domain.event import Wire


def _strikes(rule: FaultRule, requests: int) -> int:
    return sum(rule.strikes(count) for count in range(1, requests + 1))


@pytest.mark.parametrize(
    ("share", "requests", "expected"),
    [(0.12, 100, 12), (0.07, 100, 7), (0.29, 100, 29), (0.2, 5, 1), (1.0, 7, 7), (0.0, 7, 0), (0.02, 1000, 20)],
)
def test_a_share_is_exact(share: float, requests: int, expected: int) -> None:
    assert _strikes(FaultRule(fault=FakeFault.RATE_LIMIT, share=share), requests) == expected


@given(percent=some.integers(0, 100), hundreds=some.integers(1, 20))
def test_a_percentage_of_hundreds_is_exact(percent: int, hundreds: int) -> None:
    rule = FaultRule(fault=FakeFault.RATE_LIMIT, share=percent / 100)
    assert _strikes(rule, hundreds * 100) == percent * hundreds


def test_every_third_is_struck() -> None:
    rule = FaultRule(fault=FakeFault.RATE_LIMIT, every=3)
    assert [count for count in range(1, 10) if rule.strikes(count)] == [3, 6, 9]


def test_the_first_two_are_struck_and_no_more() -> None:
    rule = FaultRule(fault=FakeFault.RATE_LIMIT, first=2)
    assert [count for count in range(1, 10) if rule.strikes(count)] == [1, 2]


def test_each_rule_counts_the_requests_that_reach_it_and_the_first_that_strikes_decides() -> None:
    scenario = read_scenario(
        {
            "rules": [
                {"match": {"model": "gpt-5*"}, "fault": 429, "every": 2},
                {"match": {"wire": "openai_chat"}, "fault": "500", "every": 2},
            ]
        }
    )
    director = Director(scenario)
    found = [
        rule.fault if (rule := director.next_fault(model="gpt-5.4", wire=Wire.OPENAI_CHAT, stream=False)) else None
        for _ in range(4)
    ]
    assert found == [None, FakeFault.RATE_LIMIT, FakeFault.SERVER_ERROR, FakeFault.RATE_LIMIT]
    assert director.next_fault(model="claude", wire=Wire.ANTHROPIC_MESSAGES, stream=False) is None


def test_a_file_is_read_with_durations_and_a_number_as_fault(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("pace: 5ms\nrules:\n- {match: {model: 'kiro/*', stream: true}, fault: 429, share: 0.5}\n")
    scenario = load_scenario(str(file))
    assert scenario.pace == 0.005
    assert scenario.rules[0].fault is FakeFault.RATE_LIMIT


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_built_in_scenario_survives_the_way_over_json(name: str) -> None:
    assert Scenario.model_validate(load_scenario(name).model_dump(mode="json")) == BUILT_IN[name]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("sturm", "neither a file nor one of healthy"),
        ({"rules": [{"fault": "500", "share": 2}]}, "rules.0.share"),
        ({"rules": [{"fault": "500", "share": 0.1, "every": 2}]}, "one of them"),
        ({"rules": [{"fault": "500", "first": 1, "every": 2}]}, "one of them"),
        ({"rule": []}, "rule"),
        (None, "scenario"),
    ],
)
def test_a_mistake_is_told(data: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_scenario(data)
