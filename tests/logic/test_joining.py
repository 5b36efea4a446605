"""Records and events find each other, once, and what they come to is drift or not."""

from typing import Any

import pytest

from daemon.domain.event import Event, Outcome
from daemon.domain.joined import Joined, UsageRecord
from daemon.domain.thinking import ThinkingSetting
from daemon.logic.joining import COVERAGE_MS, ENOUGH, SETTLE_MS, UNNAMED_MS, WAIT_MS, Joins, learned
from daemon.logic.thinking_reading import from_word
from tests.logic.playing import T0, an_event


def a_turn(number: int = 1, **more: Any) -> Event:
    facts: dict[str, Any] = {"trace_id": f"20261124100000-c0de00000000c0de-{number:08x}", "requested_model": "gpt-5.5"}
    return an_event(T0, **{**facts, **more})


def asked(word: str) -> dict[str, Any]:
    setting = from_word(word) or ThinkingSetting(mode="auto")
    return {
        "thinking_requested_mode": setting.mode,
        "thinking_requested_level": setting.level,
        "thinking_requested_budget": setting.budget,
    }


def a_record(number: int = 1, applied: str = "", **more: Any) -> UsageRecord:
    facts: dict[str, Any] = {"request_id": f"{number:08x}", "at": T0 - 100, "provider_key": "codex"}
    return UsageRecord(**{**facts, "thinking": from_word(applied), "requested_model": "gpt-5.5", **more})


def due(joins: Joins, now: int) -> list[tuple[str | None, int]]:
    return [(event.trace_id, len(records)) for event, records in joins.due(now)]


@pytest.mark.parametrize("record_first", [True, False])
def test_they_find_each_other_in_either_order_and_once(record_first: bool) -> None:
    joins, turn = Joins(), a_turn()
    steps = [lambda: joins.take([a_record()], T0), lambda: joins.turn(turn, T0)]
    for step in steps if record_first else steps[::-1]:
        assert due(joins, T0 + WAIT_MS - 1) == []
        step()
    assert due(joins, T0 + SETTLE_MS - 1) == [], "another attempt may be told still"
    assert due(joins, T0 + SETTLE_MS) == [(turn.trace_id, 1)]
    assert due(joins, T0 + WAIT_MS) == []


def test_attempts_that_were_hidden_are_counted() -> None:
    joins = Joins()
    joins.turn(a_turn(), T0)
    joins.take([a_record(at=T0 - 10, applied="low"), a_record(at=T0 - 900, failed=True)], T0)
    ((_, records),) = joins.due(T0 + SETTLE_MS)
    assert ([one.failed for one in records], joins.hidden_attempts, joins.records) == ([True, False], 1, 2)


def test_what_finds_nobody_is_given_up() -> None:
    joins = Joins()
    joins.turn(a_turn(1), T0)
    joins.take([a_record(2)], T0)
    assert due(joins, T0 + WAIT_MS) == []
    joins.take([a_record(1)], T0 + WAIT_MS)
    assert due(joins, T0 + WAIT_MS + SETTLE_MS) == []


@pytest.mark.parametrize(
    ("turns", "records", "joined"),
    [
        ([{}], [{}], 1),
        ([{}], [{"requested_model": "gpt-5.4"}], 0),
        ([{}], [{"endpoint": "POST /v1/messages"}], 0),
        ([{}], [{"at": T0 - 60_000}], 0),
        ([{}, {}], [{}], 0),
        ([{}], [{}, {}], 0),
        ([{}, {"requested_model": "gpt-5.4"}], [{}, {"requested_model": "gpt-5.4"}], 2),
    ],
)
def test_without_a_trace_id_only_what_fits_one_of_each_is_joined(
    turns: list[dict[str, Any]], records: list[dict[str, Any]], joined: int
) -> None:
    joins = Joins()
    for number, facts in enumerate(turns):
        joins.turn(a_turn(event_id=number + 1, trace_id=None, **facts), T0)
    joins.take([a_record(number, **facts) for number, facts in enumerate(records)], T0)
    assert due(joins, T0 + 1) == []
    assert len(due(joins, T0 + 1 + SETTLE_MS)) == joined


@pytest.mark.parametrize(("known", "turns", "expected"), [(20, 20, 1.0), (15, 20, 0.75), (0, 20, 0.0), (9, 19, None)])
def test_coverage_says_how_many_turns_have_a_record(known: int, turns: int, expected: float | None) -> None:
    joins = Joins()
    for number in range(turns):
        joins.turn(a_turn(number), T0)
    joins.take([a_record(number) for number in range(known)], T0)
    list(joins.due(T0 + SETTLE_MS))
    later = T0 + 11 * SETTLE_MS
    assert (joins.coverage(later), turns >= ENOUGH) == (expected, expected is not None)
    list(joins.due(T0 + WAIT_MS))
    assert joins.coverage(T0 + WAIT_MS) == expected
    assert joins.coverage(T0 + WAIT_MS + COVERAGE_MS) is None


@pytest.mark.parametrize(
    ("wanted", "applied", "match"),
    [
        ("high", "high", True),
        ("high", "low", False),
        ("8192", "medium", True),
        ("8192", "low", False),
        ("max", "xhigh", True),
        ("xhigh", "high", None),  # the highest that the model has
        ("max", "high", None),
        ("none", "minimal", None),  # where thinking cannot be off
        ("none", "high", False),
        ("minimal", "low", None),
        ("auto", "medium", None),
        ("high", "", None),
    ],
)
def test_what_a_model_may_have_instead_is_no_drift(wanted: str, applied: str, match: bool | None) -> None:
    found = learned(a_turn(**asked(wanted)), [a_record(applied="low"), a_record(applied=applied)], T0 + 5)
    assert (None if found is None else found.match) is match
    if found is not None:
        assert (found.learned.thinking_match, found.learned.emitted_at) == (match, T0 + 5)
        assert found.learned.thinking_evidence == "usage_queue"


@pytest.mark.parametrize(
    ("model", "joined"),
    [("gpt-5.5", 1), ("gpt-5.5(high)", 1), ("gpt-5.4", 1), ("claude-haiku-4-5", 0), (None, 1)],
)
def test_records_of_auxiliary_models_are_not_its(model: str | None, joined: int) -> None:
    joins = Joins()
    joins.turn(a_turn(requested_model="team/gpt-5.5", model_id="gpt-5.4"), T0)
    joins.take([a_record(requested_model=model)], T0)
    ((_, records),) = joins.due(T0 + SETTLE_MS)
    assert (len(records), joins.hidden_attempts) == (joined, 0)


@pytest.mark.parametrize(
    ("attempts", "applied"),
    [
        ([{"applied": "high", "failed": True}, {"applied": "low"}], "low"),
        ([{"applied": "low"}, {"applied": "high", "failed": True}], "low"),
        ([{"applied": "low", "failed": True}], None),
        ([], None),
    ],
)
def test_what_failed_applied_nothing(attempts: list[dict[str, Any]], applied: str | None) -> None:
    found = learned(a_turn(**asked("high")), [a_record(**facts) for facts in attempts], T0)
    assert (None if found is None else found.processed.level) == applied


@pytest.mark.parametrize(("outcome", "expected"), [(Outcome.OK, 0.0), (Outcome.FAILED, None)])
def test_turns_without_a_name_are_missed_too_if_they_were_served(outcome: Outcome, expected: float | None) -> None:
    joins = Joins()
    for number in range(ENOUGH):
        joins.turn(a_turn(event_id=number, trace_id=None, outcome=outcome), T0)
    assert due(joins, T0 + UNNAMED_MS - 1) == []
    assert joins.coverage(T0 + UNNAMED_MS - 1) is None
    assert due(joins, T0 + UNNAMED_MS) == []
    assert joins.coverage(T0 + UNNAMED_MS) == expected


def test_what_has_no_name_is_not_joined_when_its_time_is_over() -> None:
    joins = Joins()
    joins.take([a_record(at=T0 + UNNAMED_MS)], T0)
    joins.turn(a_turn(trace_id=None, started_at=T0 + UNNAMED_MS, emitted_at=T0 + UNNAMED_MS), T0 + UNNAMED_MS)
    assert due(joins, T0 + UNNAMED_MS + SETTLE_MS) == []
    assert due(joins, T0 + UNNAMED_MS + 2 * SETTLE_MS) == []


@pytest.mark.parametrize(
    ("turn", "record", "is_known"),
    [
        ({"reasoning_tokens": 40}, {}, True),
        ({"reasoning_tokens": 0}, {}, False),  # the setting may have been dropped: it is told all the same
        ({}, {"reasoning_tokens": 0}, False),
        ({}, {}, True),
        ({"thinking_match": True}, {}, False),  # the answer itself said it
        ({"thinking_requested_mode": None}, {}, False),
    ],
)
def test_what_is_told_beside_no_thought_says_nothing(
    turn: dict[str, Any], record: dict[str, Any], is_known: bool
) -> None:
    found = learned(a_turn(**{**asked("high"), **turn}), [a_record(applied="high", **record)], T0)
    assert (found is not None) is is_known


def test_it_comes_back_whole() -> None:
    found = learned(a_turn(**asked("high"), mitigation_ids=("m1",)), [a_record(applied="low")], T0)
    assert found is not None
    assert Joined.of(found.emitted_at, found.told()) == found
