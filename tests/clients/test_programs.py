"""Codex, Claude Code, Gemini CLI, opencode, aider and llm through a real proxy, where they are installed."""

from pathlib import Path
from typing import Any

import pytest

from daemon.app.rig import CLIENT_KEY
from daemon.domain.event import Event, Outcome
from tests.clients.conftest import ASKS_FOR_A_STREAM, Front, attempts
from tests.clients.programs import PROGRAMS, Program

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "All systems are nominal."
RATE_LIMITED = {"fault": "429", "first": 1, "retry_after": "1s"}
IS_CUT = {"fault": "truncate"}

ROWS: list[tuple[str, dict[str, Any], list[str]]] = [
    # who, the fault, and what is noted of the turn; whose last request goes well has answered its user
    ("codex", {}, ["ok 0"]),
    ("codex", RATE_LIMITED, ["provider_rate_limited 0", "ok 1"]),
    ("codex", {"fault": "500", "first": 1}, ["provider_error 0", "ok 1"]),
    ("codex", {**IS_CUT, "first": 1}, ["truncated 0", "ok 1"]),
    ("codex", {"fault": "in_band_error", "first": 1}, ["error_in_stream 0", "ok 1"]),
    ("codex_websocket", {}, ["ok 0"]),
    ("claude", {}, ["ok 0"]),
    ("claude", RATE_LIMITED, ["provider_rate_limited 0", "ok 1"]),
    ("claude", {"fault": "529", "first": 1}, ["overloaded 0", "ok 1"]),
    ("claude", {**IS_CUT, "first": 1}, ["truncated 0", "ok 1"]),
    ("gemini", {}, ["ok 0"]),
    ("gemini", IS_CUT, ["truncated 0"]),
    ("opencode", {}, ["ok 0"]),
    ("opencode", RATE_LIMITED, ["provider_rate_limited 0", "ok 1"]),
    ("aider", {}, ["ok 0"]),
    ("aider", {"fault": "500", "first": 1}, ["provider_error 0", "ok 1"]),
    ("llm", {}, ["ok 0"]),
    ("llm", RATE_LIMITED, ["provider_rate_limited 0", "ok 1"]),
    ("llm", IS_CUT, ["truncated 0"]),
]
IDS = [f"{name}-{rule.get('fault', 'healthy')}" for name, rule, _ in ROWS]


@pytest.mark.parametrize(("name", "rule", "noted"), ROWS, ids=IDS)
async def test_a_program_gets_its_answer_or_knows_that_it_has_none_and_its_events_tell_of_it(
    front: Front, tmp_path: Path, name: str, rule: dict[str, Any], noted: list[str]
) -> None:
    program = PROGRAMS[name]
    program.need()
    await front.play(*([{**rule, "match": {"model": program.model}}] if rule else []))
    ended = await program.run(tmp_path, front.url, CLIENT_KEY)
    seen = await front.events()
    turn = [event for event in seen if (event.wire, event.model_id) == (program.wire, program.model)]
    assert attempts(turn) == noted, ended
    answered = turn[-1].outcome is Outcome.OK
    assert (ended.code == 0, TEXT in ended.out) == (answered, answered), ended
    _check(program, turn)
    assert {f"{event.method} {event.outcome}" for event in seen if event not in turn} == program.beside


def _check(program: Program, turn: list[Event]) -> None:
    assert {event.client for event in turn} == {program.family}
    assert len({event.client_key_id for event in turn} - {None}) == 1
    assert len({event.turn_key for event in turn} - {None}) == program.names_its_turns
    assert turn[0].stream
    for event in turn:
        if event.outcome is Outcome.OK:
            assert (event.status, event.response_model, event.usage) == (200, program.model, "counted")
            assert event.input_tokens is not None
            assert 0 <= event.request_bytes // 4 - event.input_tokens <= ASKS_FOR_A_STREAM
        elif event.status == 429:
            assert event.retry_after_seconds == 1.0
            assert all(after.started_at - event.started_at >= 1000 for after in turn[1:])
