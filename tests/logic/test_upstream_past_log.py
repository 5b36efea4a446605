"""The upstream's log: which lines are turns, what each of them says, and what time it is there."""

from typing import Any

import pytest

from daemon.domain.event import Event, Fault, Outcome, Wire
from daemon.logic.upstream_past_log import NO_ZONE, account, zone_of
from tests.logic.past import MINUTE, NOW, WIRES, access, logs, said


def events(*lines: str, zone: int | None = 0) -> tuple[Event, ...]:
    told = account(logs(*lines), WIRES, zone, NOW + MINUTE)
    return () if told is None else told.events


def test_a_line_says_when_how_long_and_how() -> None:
    (event,) = events(access(NOW, latency="1m3.5s"))
    assert (event.emitted_at, event.started_at, event.duration_ms) == (NOW, NOW - 63_500, 63_500)
    assert (event.method, event.endpoint, event.wire, event.status) == (
        "POST",
        "/v1/chat/completions",
        Wire.OPENAI_CHAT,
        200,
    )
    assert (event.outcome, event.requested_model, event.provider_key) == (Outcome.OK, None, "unknown")


@pytest.mark.parametrize(
    ("latency", "milliseconds"), [("412ms", 412), ("350µs", 0), ("2m0s", 120_000), ("1h0m2s", 3_602_000)]
)
def test_latencies_as_go_writes_them(latency: str, milliseconds: int) -> None:
    assert events(access(NOW, latency=latency))[0].duration_ms == milliseconds


@pytest.mark.parametrize(
    ("status", "outcome", "fault"),
    [
        (200, Outcome.OK, None),
        (429, Outcome.FAILED, Fault.PROVIDER_RATE_LIMITED),
        (500, Outcome.FAILED, Fault.PROVIDER_ERROR),
        (401, Outcome.FAILED, Fault.PROVIDER_AUTH),
        (400, Outcome.FAILED, Fault.CLIENT_ERROR),
        (499, Outcome.CLIENT_ABORT, None),
    ],
)
def test_a_status_is_judged_as_when_nothing_else_was_seen(status: int, outcome: Outcome, fault: Fault | None) -> None:
    (event,) = events(access(NOW, status))
    assert (event.outcome, event.fault) == (outcome, fault)


@pytest.mark.parametrize(
    "line",
    [
        access(NOW, path="/v1/models", method="GET"),
        access(NOW, path="/v0/management/auth-files", method="GET"),
        said(NOW, "thinking: processed config to apply | provider=codex"),
        "goroutine 12 [running]:",
        "",
    ],
)
def test_what_calls_no_model_is_no_turn(line: str) -> None:
    assert events(access(NOW), line) == events(access(NOW))


def test_a_path_may_name_the_model_and_a_query_is_not_kept() -> None:
    (event,) = events(access(NOW, path="/v1beta/models/gemini-2.5-pro:generateContent?key=***"))
    assert event.requested_model == "gemini-2.5-pro"
    assert "?" not in event.endpoint


def test_a_log_that_tells_the_choice_of_a_credential_tells_whose_turn_it_was() -> None:
    chosen = "Use OAuth provider=codex auth_file=codex-a.json for model gpt-5.4"
    first, *others = events(said(NOW, chosen), access(NOW), access(NOW, request="ffffffff"), access(NOW))
    assert (first.provider_key, first.credential, first.requested_model) == ("codex", "codex-a.json", "gpt-5.4")
    assert [(one.provider_key, one.requested_model) for one in others] == [("unknown", None)] * 2


def test_of_an_api_key_nothing_is_kept() -> None:
    (event,) = events(said(NOW, "Use API key sk-canary-4711 for model gpt-5.4"), access(NOW))
    assert event.requested_model == "gpt-5.4"
    assert "4711" not in repr(event)


@pytest.mark.parametrize("minutes", [0, 480, -210])
def test_the_log_is_put_back_into_our_time(minutes: int) -> None:
    lines = [access(at, zone_minutes=minutes) for at in (NOW - MINUTE, NOW)]
    zone = zone_of(logs(*lines, latest=NOW))
    assert zone == minutes
    assert [event.emitted_at for event in events(*lines, zone=zone)] == [NOW - MINUTE, NOW]


@pytest.mark.parametrize("reply", [logs(access(NOW), latest=NOW + 1000), logs(latest=NOW), {"lines": None}, None])
def test_a_zone_that_is_not_said(reply: Any) -> None:
    assert zone_of(reply) is None


def test_a_log_without_a_zone_is_said_to_have_none() -> None:
    told = account(logs(access(NOW)), WIRES, None, NOW)
    assert told is not None
    assert NO_ZONE in told.notes


def test_a_log_without_requests_is_no_account() -> None:
    assert account(logs(said(NOW, "server started")), WIRES, 0, NOW) is None


def test_a_log_with_requests_alone_that_call_no_model_tells_of_a_quiet_time() -> None:
    told = account(logs(access(NOW - MINUTE, path="/v1/models", method="GET")), WIRES, 0, NOW)
    assert told is not None
    assert (told.since, told.until, told.events) == (NOW - MINUTE, NOW, ())
