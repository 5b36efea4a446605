"""Incidents that people reported: what is told first, how soon, of what cause, what is done, and nothing else."""

import re
from pathlib import Path

import pytest

from tests.incidents.corpus import Outcome, incidents, outcome, read

FILES = list(incidents())
REPORT = re.compile(r"[\w.-]+/[\w.-]+#\d+")
FEWEST = 20


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def told(request: pytest.FixtureRequest) -> Outcome:
    """What came of each; it is played once."""
    path: Path = request.param
    return outcome(path)


def test_it_is_told_by_the_rule_that_knows_it_best(told: Outcome) -> None:
    assert told.first_alerts == [] if told.head.first is None else told.head.first in told.first_alerts


def test_it_is_told_after_few_turns(told: Outcome) -> None:
    if (message := told.first_message) is not None:
        assert told.failed_turns(message.at) <= told.head.failed_turns


def test_the_first_message_names_the_cause(told: Outcome) -> None:
    assert told.names_cause, "" if told.first_message is None else told.first_message.message.body


def test_what_helps_is_done_as_far_as_it_can_be(told: Outcome) -> None:
    helps = told.head.helps
    assert (told.mitigation is not None) is (helps is not None and helps.exists)


def test_no_other_alert_fires(told: Outcome) -> None:
    assert told.false_alerts == []
    assert told.silent == []


def test_the_rest_of_the_case_is_as_expected(told: Outcome) -> None:
    assert [f"{one.expectation}: {one.reason}\n{one.timeline}" for one in told.played.failures] == []


def test_twenty_of_them_are_incidents_and_some_are_none() -> None:
    heads = [read(path).incident for path in FILES]
    assert sum(head.first is not None for head in heads) >= FEWEST
    assert any(head.first is None for head in heads)
    assert all(REPORT.fullmatch(report) for head in heads for report in head.report)
    assert all(head.cause for head in heads if head.first is not None)
    assert len({head.name for head in heads}) == len(heads)
