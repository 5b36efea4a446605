"""Shapes: what the API shows of alerts, events, mitigations, messages and the audit. Others may rely on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from daemon.domain.alert import Alert, AlertState
from daemon.domain.audit import AuditEntry
from daemon.domain.check_up import Finding
from daemon.domain.drill import DrillReport
from daemon.domain.event import EVENT_FIELDS, Event
from daemon.domain.explanation import Explanation
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification
from daemon.domain.probe import ProbeResult, ProbeRow
from daemon.domain.quota import QuotaReading
from daemon.domain.rule_figures import RuleFigures
from daemon.domain.silence import Silence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(milliseconds: int | None) -> str | None:
    """Epoch ms as RFC 3339 in UTC: `2026-11-24T10:00:00.000Z`."""
    if milliseconds is None:
        return None
    at = EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(status: Mapping[str, Any]) -> dict[str, Any]:
    """The status as it stands: instants (`…_at`) written out, and no user name or password in the upstream's URL."""
    shown: dict[str, Any] = _instants_written(status)
    upstream = shown.get("upstream")
    if isinstance(upstream, dict) and isinstance(upstream.get("url"), str):
        upstream["url"] = _without_userinfo(upstream["url"])
    return shown


def _instants_written(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _instants_written(inner, key) for key, inner in value.items()}
    if isinstance(value, int) and name.endswith("_at"):
        return instant(value)
    return value


def _without_userinfo(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_shown(alert: Alert) -> bool:
    """An inactive alert is not worth a row."""
    return alert.state is not AlertState.INACTIVE


def since(alert: Alert) -> int:
    """When the state that others see began (epoch ms): clearing does not begin anew."""
    return alert.fired_at if alert.is_firing and alert.fired_at is not None else alert.since


def wanted_by(alert: Alert, mitigations: Iterable[Mitigation]) -> list[Mitigation]:
    """The open mitigations that this alert owns."""
    return [row for row in mitigations if row.state.is_open and alert.fingerprint in row.owners]


def alert(alert: Alert, mitigations: Sequence[Mitigation]) -> dict[str, Any]:
    """One row of `/alerts`; `mitigations` are names, each once."""
    return {
        "fingerprint": alert.fingerprint,
        "alert": alert.alert,
        "severity": alert.severity,
        "state": alert.state.shown,
        "labels": dict(alert.labels),
        "value": alert.value,
        "value_text": alert.value_text,
        "samples": alert.samples,
        "bad": alert.bad,
        "lower_bound": alert.lower_bound,
        "window_seconds": alert.window_seconds,
        "since": instant(since(alert)),
        "fired_at": instant(alert.fired_at),
        "resolved_at": instant(alert.resolved_at),
        "resolved_because": alert.resolved_because,
        "summary": alert.summary,
        "runbook": alert.runbook,
        "models": alert.models,
        "mitigations": list(dict.fromkeys(row.name for row in wanted_by(alert, mitigations))),
        "degraded": alert.degraded,
        "acknowledged_by": alert.acknowledged_by,
        "silenced": alert.silenced,
        "muted_by": alert.muted_by,
    }


def rule(rule: RuleFigures) -> dict[str, Any]:
    """One row of `/rules`."""
    return {
        "alert": rule.alert,
        "kind": rule.kind,
        "levels": rule.levels,
        "series": rule.series,
        "pending": rule.pending,
        "firing": rule.firing,
        "displaced": rule.displaced,
        "error": rule.error,
        "degraded": rule.degraded,
    }


def explanation(told: Explanation) -> dict[str, Any]:
    """The answer to `/explain`."""
    return {
        "alert": told.alert,
        "at": instant(told.at),
        "decision": told.decision,
        "because": told.because,
        "figures": _instants_written(told.figures),
        "not_notified_because": told.not_notified_because,
        "not_acted_because": told.not_acted_because,
    }


def event(event: Event) -> dict[str, Any]:
    """Every field; the id is a string, as 63 bits do not fit a JavaScript number."""
    row = {name: getattr(event, name) for name in EVENT_FIELDS}
    row["event_id"] = str(event.event_id)
    row["emitted_at"] = instant(event.emitted_at)
    row["started_at"] = instant(event.started_at)
    return row


def mitigation(row: Mitigation) -> dict[str, Any]:
    """One row of the journal."""
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "target": row.target,
        "state": row.state,
        "mode": row.mode,
        "soft": row.soft,
        "owners": row.owners,
        "value_before": row.value_before,
        "value_wanted": row.value_wanted,
        "planned_at": instant(row.planned_at),
        "applied_at": instant(row.applied_at),
        "hold_until": instant(row.hold_until),
        "expires_at": instant(row.expires_at),
        "ended_at": instant(row.ended_at),
        "held_by": row.held_by,
        "hold_expires_at": instant(row.hold_expires_at),
        "approve_until": instant(row.approve_until),
        "attempts": row.attempts,
        "effect": row.effect,
        "outcome": row.outcome,
        "evidence": row.evidence,
        "proof": row.proof,
        "saved_turns": row.saved_turns,
        "note": row.note,
    }


def notification(row: Notification) -> dict[str, Any]:
    """One row of the outbox."""
    return {
        "id": row.id,
        "receiver": row.receiver,
        "reason": row.reason,
        "severity": row.severity,
        "status": row.status,
        "attempts": row.attempts,
        "title": row.title,
        "body": row.body,
        "created_at": instant(row.created_at),
        "delivered_at": instant(row.delivered_at),
        "error": row.error,
    }


def silence(row: Silence) -> dict[str, Any]:
    """One row of `/silences`."""
    return {
        "id": row.id,
        "matchers": dict(row.matchers),
        "starts_at": instant(row.starts_at),
        "ends_at": instant(row.ends_at),
        "author": row.author,
        "comment": row.comment,
        "created_at": instant(row.created_at),
    }


def drill(report: DrillReport | None) -> dict[str, Any] | None:
    """How a fire drill goes; steps that are not over have no state."""
    if report is None:
        return None
    steps = {step.name: step for step in report.steps}
    return {
        "id": report.id,
        "started_at": instant(report.started_at),
        "steps": [
            {"name": name, "state": step.state, "words": step.words, "seconds": round(step.seconds, 3)}
            if (step := steps.get(name))
            else {"name": name, "state": None, "words": "", "seconds": None}
            for name in report.names
        ],
        "is_over": report.is_over,
        "went_well": report.went_well,
    }


def audit_entry(entry: AuditEntry) -> dict[str, Any]:
    """One line of the audit."""
    return {
        "id": entry.id,
        "at": instant(entry.at),
        "actor": entry.actor,
        "subject": entry.subject,
        "action": entry.action,
        "before": entry.before,
        "after": entry.after,
        "reason": entry.reason,
        "outcome": entry.outcome,
    }


def quota(reading: QuotaReading) -> dict[str, Any]:
    """One row of `/quota`."""
    return {**asdict(reading), "observed_at": instant(reading.observed_at)}


def probe(row: ProbeRow) -> dict[str, Any]:
    """One row of `/probes`."""
    return {
        "probe": row.probe,
        "enabled": row.enabled,
        "costs_tokens": row.costs,
        "every_seconds": row.every_seconds,
        "ran_at": instant(row.state.ran_at or None),
        "today": {"requests": row.state.requests, "tokens": row.state.tokens},
        "budget": {"requests": row.budget_requests, "tokens": row.budget_tokens} if row.costs else None,
        "results": [probe_result(one) for one in row.results],
    }


def probe_result(one: ProbeResult) -> dict[str, Any]:
    """One verdict of a probe."""
    return {**asdict(one), "emitted_at": instant(one.emitted_at)}


def finding(one: Finding) -> dict[str, Any]:
    """One row of `/doctor`."""
    return asdict(one)
