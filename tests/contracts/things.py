"""Things to store: with every field set, and with nothing set that may be absent."""

from collections.abc import Mapping
from dataclasses import fields
from itertools import count
from typing import Any

from daemon.domain.alert import Alert, AlertState, ResolvedBecause, Severity
from daemon.domain.audit import AuditEntry
from daemon.domain.event import EVENT_FIELDS, Event, Fault, Outcome, Source, Wire, id_floor
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.notification import Notification, NotificationReason, NotificationStatus
from daemon.domain.rollup import TOKENS, Resolution, Rollup, Series, Sum, Think
from daemon.domain.silence import Silence
from daemon.logic.histogram import Histogram

NOON = 1_790_000_000_000

sequence = count()


def bare(at: int = NOON, **changes: Any) -> Event:
    """An event that knows nothing but what it must."""
    facts: dict[str, Any] = {
        "event_id": id_floor(at) + next(sequence),
        "emitted_at": at,
        "started_at": at - 120,
        "duration_ms": 120,
        "method": "POST",
        "endpoint": "/v1/chat/completions",
        "outcome": Outcome.OK,
    }
    return Event(**facts | changes)


FULL: Mapping[str, Any] = {
    "ttfb_ms": 40,
    "ttft_ms": 55,
    "largest_gap_ms": 12,
    "node_id": "node-a",
    "wire": Wire.OPENAI_RESPONSES,
    "stream": True,
    "status": 429,
    "outcome": Outcome.FAILED,
    "fault": Fault.PROVIDER_RATE_LIMITED,
    "requested_model": "team/gpt-5.3-codex-spark",
    "model_id": "gpt-5.3-codex",
    "response_model": "gpt-5.3-codex-2026-02",
    "prefix": "team",
    "provider_key": "codex",
    "auth_index": "a1b2",
    "credential": "codex-user@example.org",
    "workload": "nightly",
    "client_key_id": "9f3c22d1",
    "turn_key": "77aa01",
    "attempt": 2,
    "client": "codex-cli",
    "source": Source.CANARY,
    "provider_evidence": "trace",
    "input_tokens": 1200,
    "output_tokens": 340,
    "reasoning_tokens": 128,
    "cache_read_tokens": 0,
    "cache_write_tokens": 7,
    "total_tokens": 1540,
    "usage_present": True,
    "thinking_requested_mode": "level",
    "thinking_requested_level": "high",
    "thinking_requested_budget": 24_576,
    "thinking_processed_mode": "budget",
    "thinking_processed_level": "low",
    "thinking_processed_budget": 1_024,
    "thinking_match": False,
    "thinking_evidence": "usage_queue",
    "finish_reason": "length",
    "empty_payload": False,
    "has_tool_result_image": True,
    "has_tool_use": False,
    "retry_after_seconds": 30.5,
    "quota_reset_seconds": 3600.25,
    "trace_id": "trace-0001",
    "mitigation_ids": ("m-1", "m-2"),
    "request_bytes": 5_000_000_000,
    "response_bytes": 12,
}


def full(at: int = NOON, **changes: Any) -> Event:
    """An event with every field set."""
    return bare(at, **{**FULL, **changes})


SERIES = Series(
    node_id="node-a",
    method="POST",
    endpoint="/v1/responses",
    wire=Wire.OPENAI_RESPONSES,
    stream=True,
    requested_model="team/gpt-5.3-codex-spark",
    model_id=None,
    prefix="team",
    provider_key="codex",
    provider_evidence="trace",
    workload=None,
    source=Source.CLIENT,
)
THINK = Think("level", "high", 24_576, "budget", None, None, False, "usage_queue")


def a_rollup(**changes: Any) -> Rollup:
    """A rollup that has counted nothing."""
    facts: dict[str, Any] = {
        "resolution": Resolution.TEN_SECONDS,
        "bucket": NOON,
        "part": 1,
        "series": SERIES,
        "think": THINK,
    }
    return Rollup(**facts | changes)


def full_rollup() -> Rollup:
    durations = Histogram()
    durations.add(0)
    durations.add(1234.5, 300)
    return a_rollup(
        requests=12,
        ok=9,
        failed=3,
        retries=2,
        faults={Fault.PROVIDER_QUOTA: 3, Fault.CLIENT_ERROR: 1},
        tokens={name: Sum(10**12 + place, 5 + place) for place, name in enumerate(TOKENS)},
        duration_ms=durations.encode(),
        ttft_ms=Histogram().encode(),
    )


def an_alert(fingerprint: str = "f1", **changes: Any) -> Alert:
    facts: dict[str, Any] = {
        "fingerprint": fingerprint,
        "episode": "e1",
        "alert": "ProviderRateLimited",
        "severity": Severity.CRITICAL,
        "labels": (("model_id", "gpt"), ("provider_key", "codex")),
        "since": NOON,
        "last_data_at": NOON,
    }
    return Alert(**facts | changes)


def full_alert() -> Alert:
    return an_alert(
        "f2",
        state=AlertState.RESOLVED,
        fired_at=NOON + 1,
        resolved_at=NOON + 2,
        resolved_because=ResolvedBecause.NO_DATA,
        value=0.1234567890123,
        value_text="12.3 %",
        samples=1240,
        bad=153,
        lower_bound=0.1,
        window_seconds=600.5,
        expression="5e1ec7",
        summary="12.3 % of 1,240 turns: 429 — “codex”",
        runbook="https://example.org/runbook",
        models=("a", "b"),
        mitigate=("fallback",),
        degraded=True,
        acknowledged_by="human:jo",
        silenced=True,
        source="alertmanager",
    )


def a_silence(name: str = "s1", **changes: Any) -> Silence:
    facts: dict[str, Any] = {
        "id": name,
        "matchers": (("alert", "Provider*"), ("provider_key", "codex")),
        "starts_at": NOON,
        "ends_at": NOON + 3_600_000,
        "author": "human:jo",
        "comment": "night shift — “all is known”",
        "created_at": NOON,
    }
    return Silence(**facts | changes)


def a_notification(name: str = "n1", **changes: Any) -> Notification:
    facts: dict[str, Any] = {
        "id": name,
        "receiver": "default",
        "group_key": "ProviderRateLimited/codex",
        "reason": NotificationReason.OPENED,
        "severity": "warning",
        "created_at": NOON,
        "not_before": NOON + 5,
    }
    return Notification(**facts | changes)


def full_notification() -> Notification:
    return a_notification(
        "n2",
        episodes=("e1", "e2"),
        status=NotificationStatus.DELIVERED,
        attempts=3,
        title="Firing",
        body="line one\nline two",
        created_at=NOON + 1,
        delivered_at=NOON + 9,
        error="json: timed out",
    )


def a_mitigation(name: str = "m1", **changes: Any) -> Mitigation:
    facts: dict[str, Any] = {
        "id": name,
        "name": "fallback",
        "kind": "model_alias",
        "target": "model_alias:spark",
        "state": MitigationState.PLANNED,
        "mode": Mode.AUTO,
        "soft": True,
        "owners": ("f1",),
        "planned_at": NOON,
    }
    return Mitigation(**facts | changes)


def full_mitigation() -> Mitigation:
    return a_mitigation(
        "m2",
        state=MitigationState.RESTORED,
        mode=Mode.ASK,
        soft=False,
        owners=(),
        value_before=False,
        value_wanted={"nested": [1, 2.5, None, "x"]},
        epoch=4,
        planned_at=NOON + 1,
        applied_at=NOON + 2,
        hold_until=NOON + 3,
        expires_at=NOON + 4,
        ended_at=NOON + 5,
        held_by="human:jo",
        hold_expires_at=NOON + 6,
        approve_until=NOON + 7,
        hold=0.5,
        cool_off=1.5,
        max_hold=2.5,
        release={"kind": "ping", "passes": 3},
        verify={"within": 300.0},
        attempts=2,
        passes=1,
        effect=Effect.NO_EFFECT_KNOWN,
        config_fingerprints={"routing": "abc"},
        outcome="restored",
        evidence="20 % of 50 turns failed",
        proof="before 34 of 80 failed (42 %), after 2 of 75 (3 %)",
        figures={"before_samples": 80, "before_bad": 34},
        saved_turns=73,
        note="debug and quota disagree about it",
    )


def an_entry(name: str = "a1", **changes: Any) -> AuditEntry:
    facts: dict[str, Any] = {"id": name, "at": NOON, "actor": "daemon", "subject": "m1", "action": "planned"}
    return AuditEntry(**facts | changes)


def full_entry() -> AuditEntry:
    return an_entry("a2", before=False, after={"value": ["x", 1]}, reason="rule text", outcome="applied")


def absent(thing: Any) -> set[str]:
    """Names of the fields that are not set, so that a `full` thing can be seen to be full."""
    names = EVENT_FIELDS if isinstance(thing, Event) else [field.name for field in fields(thing)]
    return {name for name in names if getattr(thing, name) in (None, "", ())}
