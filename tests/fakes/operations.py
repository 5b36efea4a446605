"""Operations with a rich, fixed day behind them: an incident with everything in it that a door must show."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from daemon.domain.alert import Alert, AlertState, ResolvedBecause, Severity
from daemon.domain.audit import AuditEntry, AuditFilter
from daemon.domain.canary import CanaryReport
from daemon.domain.check_up import Finding
from daemon.domain.drill import DrillReport, DrillStep, StepState
from daemon.domain.errors import Conflict, Misuse, StoreFailure
from daemon.domain.event import Event, EventIds, Fault, Outcome, Source, Wire
from daemon.domain.explanation import Decided, Explanation
from daemon.domain.foreign import Told
from daemon.domain.inventory import Lists, ModelEntry
from daemon.domain.labels import fingerprint, labels_of
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.notification import Notification, NotificationReason, NotificationStatus
from daemon.domain.probe import ProbeOutcome, ProbeResult, ProbeRow, ProbeState
from daemon.domain.quota import QuotaReading
from daemon.domain.rule_figures import RuleFigures
from daemon.domain.silence import Silence
from daemon.domain.upstream_past import Tally
from daemon.logic.silencing import known_labels, mistake_in, new_silence
from daemon.ports import EventQuery

NOW = 1_795_514_400_000  # 2026-11-24T10:00:00Z


def an_alert(name: str = "ProviderRateLimited", severity: Severity = Severity.CRITICAL, **changes: Any) -> Alert:
    labels = labels_of(changes.pop("labels", {"provider_key": "codex"}))
    facts: dict[str, Any] = {
        "fingerprint": fingerprint(name, labels, severity),
        "episode": fingerprint(name, labels),
        "alert": name,
        "severity": severity,
        "labels": labels,
        "state": AlertState.FIRING,
        "since": NOW - 250_000,
        "fired_at": NOW - 250_000,
        "last_data_at": NOW,
        "value": 0.1234,
        "value_text": "12.3%",
        "samples": 1240,
        "bad": 153,
        "lower_bound": 0.106,
        "window_seconds": 600.0,
    }
    return Alert(**facts | changes)


def a_mitigation(name: str = "fallback", **changes: Any) -> Mitigation:
    facts: dict[str, Any] = {
        "id": "m-0001",
        "name": name,
        "kind": "model_alias",
        "target": "model_alias:gpt-5.3-codex-spark",
        "state": MitigationState.APPLIED,
        "mode": Mode.AUTO,
        "soft": True,
        "owners": (an_alert("SparkErrorRatio", labels={}).fingerprint,),
        "value_before": "gpt-5.3-codex-spark",
        "value_wanted": "gpt-5.3-codex",
        "planned_at": NOW - 190_000,
        "applied_at": NOW - 189_000,
        "expires_at": NOW + 1_611_000,
        "evidence": "20% of 50 turns failed",
    }
    return Mitigation(**facts | changes)


def a_probe(name: str = "models", **changes: Any) -> ProbeRow:
    result = ProbeResult(probe=name, outcome=ProbeOutcome.OK, value=12.0, emitted_at=NOW - 60_000)
    facts: dict[str, Any] = {
        "probe": name,
        "enabled": True,
        "costs": False,
        "every_seconds": 60.0,
        "state": ProbeState(probe=name, ran_at=NOW - 60_000),
        "budget_requests": 300,
        "budget_tokens": 150_000,
        "results": (result,),
    }
    return ProbeRow(**facts | changes)


def a_reading(**changes: Any) -> QuotaReading:
    facts: dict[str, Any] = {
        "provider_key": "codex",
        "auth_index": "c0de00000000c0de",
        "credential": "codex.json",
        "usage_percentage": 41.0,
        "quota_reset_seconds": 7200.0,
        "observed_at": NOW - 30_000,
        "source": "usage_queue",
    }
    return QuotaReading(**facts | changes)


def some_figures(name: str = "ProviderRateLimited", **changes: Any) -> RuleFigures:
    facts: dict[str, Any] = {
        "alert": name,
        "kind": "ratio",
        "levels": (Severity.WARNING, Severity.CRITICAL),
        "series": 0,
        "pending": 0,
        "firing": 0,
        "displaced": 0,
        "error": None,
        "degraded": False,
    }
    return RuleFigures(**facts | changes)


def an_explanation(**changes: Any) -> Explanation:
    facts: dict[str, Any] = {
        "alert": "SparkErrorRatio",
        "at": NOW,
        "decision": Decided.FIRING,
        "because": ("critical fired at 09:56:50 UTC with 10 of 50 in 10m (20%, at least 11.2%)",),
        "figures": {"fired_at": NOW - 190_000, "samples": 50, "bad": 10, "series": []},
        "not_notified_because": "silenced by jo until 11:00: <planned>",
    }
    return Explanation(**facts | changes)


def events(count: int = 60) -> list[Event]:
    ids = EventIds(node=1, worker=0)
    rows = []
    for n in range(count):
        at = NOW - (count - n) * 1700
        rows.append(_event(n, ids.next(at), at))
    return rows[::-1]


def _event(n: int, event_id: int, at: int) -> Event:
    spark, limited, claude = n % 5 == 0, n % 8 == 3, n % 3 == 1
    event = Event(
        event_id=event_id,
        emitted_at=at,
        started_at=at - 2400 - n * 13,
        duration_ms=2400 + n * 13,
        ttft_ms=310 + n * 3,
        node_id="nas",
        method="POST",
        endpoint="/v1/messages" if claude else "/v1/chat/completions",
        wire=Wire.ANTHROPIC_MESSAGES if claude else Wire.OPENAI_CHAT,
        stream=n % 2 == 0,
        status=200,
        outcome=Outcome.OK,
        requested_model="claude-sonnet-5" if claude else "gpt-5.5",
        model_id="claude-sonnet-5" if claude else "gpt-5.5",
        provider_key="claude" if claude else "codex",
        client_key_id="5f2c9a01d4e8b377",
        input_tokens=1800 + n,
        output_tokens=420,
        total_tokens=2220 + n,
        usage_present=True,
        thinking_match=True,
    )
    if limited:
        return msgspec.structs.replace(
            event,
            status=429,
            outcome=Outcome.FAILED,
            fault=Fault.PROVIDER_RATE_LIMITED,
            ttft_ms=None,
            total_tokens=None,
            usage_present=None,
        )
    if spark and not claude:
        return msgspec.structs.replace(
            event,
            requested_model="gpt-5.3-codex-spark",
            model_id="gpt-5.3-codex",
            mitigation_ids=("m-0001",),
            source=Source.CANARY if n % 10 == 0 else Source.CLIENT,
        )
    if n % 17 == 0:
        return msgspec.structs.replace(event, status=None, outcome=Outcome.CLIENT_ABORT)
    return event


class FakeOperations:
    """Answers from lists that a test may change; `down` makes the store refuse."""

    def __init__(self) -> None:
        self.probe_rows = [a_probe()]
        self.quota_rows = [a_reading()]
        self.canaries: list[tuple[str, Wire, bool]] = []
        self.most_canaries = 2
        self.listed: Lists | None = {"default": [ModelEntry(model_id="gpt-5.4", owned_by="openai")]}
        self.findings = [Finding.ok("store", "it answers")]
        self.past_rows: list[Tally] = []
        self.down = False
        self.missing: list[str] = []
        self.standing_still: str | None = None
        self.acted: list[tuple[str, str, str]] = []
        self.asked_for: list[tuple[float | None, str]] = []
        """How long it shall last, and why, of each act on a mitigation."""
        self.drill_report: DrillReport | None = None
        self.drill_steps = [
            DrillStep(name="the alert fires", state=StepState.SEEN, words="10 of 10 made-up turns failed", seconds=1.2),
            DrillStep(name="the message is out", state=StepState.SEEN, words="[critical] DRILL", seconds=5.25),
        ]
        self.explained: list[tuple[str, int | None]] = []
        self.explanation = an_explanation()
        self.heard: list[Told] = []
        self.queries: list[EventQuery] = []
        self.windows: list[float] = []
        self.event_rows = events()
        self.alert_rows = [
            an_alert(severity=Severity.WARNING, since=NOW - 400_000, fired_at=NOW - 400_000),
            an_alert(
                summary="codex: 153 of 1240 turns were rate limited (12.3%, at least 10.6%)",
                runbook="docs/runbook.md#repeated-429",
            ),
            an_alert(
                "SparkErrorRatio",
                labels={},
                state=AlertState.CLEARING,
                since=NOW - 20_000,
                fired_at=NOW - 190_000,
                value=0.2,
                value_text="20%",
                samples=50,
                bad=10,
                lower_bound=0.112,
                summary="10 of 50 Spark turns failed (20%)",
                acknowledged_by="alice",
            ),
            an_alert(
                "ThinkingMismatch",
                Severity.WARNING,
                labels={"model_id": "gemini-3-pro"},
                fired_at=None,
                state=AlertState.PENDING,
                since=NOW - 30_000,
                value=0.031,
                value_text="3.1%",
                samples=96,
                bad=3,
                lower_bound=0.02,
                summary="gemini-3-pro: 3 of 96 turns thought otherwise than asked",
            ),
            an_alert(
                "ZeroUsageUnderLoad",
                Severity.WARNING,
                labels={"provider_key": "iflow"},
                state=AlertState.RESOLVED,
                since=NOW - 3_000_000,
                fired_at=NOW - 4_200_000,
                resolved_at=NOW - 3_000_000,
                resolved_because=ResolvedBecause.CLEARED,
            ),
            an_alert("ProviderErrorRatio", Severity.WARNING, state=AlertState.INACTIVE, fired_at=None),
        ]
        self.rule_rows = [
            some_figures(series=3, firing=2),
            some_figures("SparkErrorRatio", series=1, firing=1),
            some_figures("ThinkingMismatch", series=1000, pending=1, displaced=17, degraded=True),
            some_figures("ZeroUsageUnderLoad", error="ZeroDivisionError: division by zero"),
        ]
        self.mitigation_rows = [
            a_mitigation(),
            a_mitigation(
                "quota-fallback",
                id="m-0002",
                kind="upstream_toggle",
                soft=False,
                target="upstream:quota-exceeded.switch-project",
                value_before=False,
                value_wanted=True,
                owners=(self.alert_rows[1].fingerprint,),
                effect=Effect.NO_EFFECT_KNOWN,
                held_by="bob",
            ),
            a_mitigation(
                "fallback",
                id="m-0000",
                state=MitigationState.RESTORED,
                ended_at=NOW - 5_400_000,
                expires_at=None,
                owners=(),
                outcome="lifted",
            ),
        ]
        self.notification_rows = [
            _notification(
                "n-3",
                NotificationReason.ESCALATED,
                NotificationStatus.QUEUED,
                2,
                None,
                "ProviderRateLimited critical: codex",
                error="ntfy: timed out",
            ),
            _notification(
                "n-2",
                NotificationReason.OPENED,
                NotificationStatus.DELIVERED,
                1,
                NOW - 184_000,
                "SparkErrorRatio critical",
            ),
            _notification(
                "n-1",
                NotificationReason.OPENED,
                NotificationStatus.DELIVERED,
                1,
                NOW - 394_000,
                "ProviderRateLimited warning: codex",
            ),
        ]
        self.silence_rows: list[Silence] = []
        self.audit_rows = [
            AuditEntry(
                id="a-1",
                at=NOW - 189_000,
                actor="rule:SparkErrorRatio",
                subject="model_alias:spark",
                action="apply",
                before=None,
                after="gpt-5.3-codex",
                reason="20% of 50",
                outcome="applied",
            )
        ]
        self.status_now: dict[str, Any] = {
            "version": "0.1.0",
            "node_id": "nas",
            "leader": True,
            "upstream": {
                "url": "http://127.0.0.1:8317",
                "reachable": True,
                "flavour": "CLIProxyAPI",
                "capabilities": {},
            },
            "spool": {"depth": 3, "dropped_total": 0},
            "store": {"ok": True, "url_masked": "sqlite:////var/lib/runbookd/runbookd.db"},
            "config": {"ok": True, "loaded_at": NOW - 7_200_000, "errors": []},
            "mitigation_mode": "auto",
        }
        self.figures: dict[str, dict[str, Any]] = {
            "codex": _figures(1240, 0.134, 0.123, 2_480_000),
            "claude": _figures(812, 0.0037, 0.0, 1_904_220),
            "gemini": _figures(96, 0.0, 0.0, 88_140),
        }

    async def status(self) -> Mapping[str, Any]:
        return self.status_now

    def stalled(self) -> str | None:
        return self.standing_still

    async def ready(self) -> Sequence[str]:
        return self.missing

    async def alerts(self) -> Sequence[Alert]:
        return self._stored(self.alert_rows)

    async def rules(self) -> Sequence[RuleFigures]:
        return self.rule_rows

    async def providers(self, window_seconds: float) -> Mapping[str, Mapping[str, Any]]:
        self.windows.append(window_seconds)
        return self.figures

    async def events(self, query: EventQuery) -> Sequence[Event]:
        self.queries.append(query)
        rows = [row for row in self._stored(self.event_rows) if query.before is None or row.event_id < query.before]
        return [row for row in rows if all(_text(getattr(row, k)) == v for k, v in query.where.items())][: query.limit]

    async def probes(self) -> Sequence[ProbeRow]:
        return self.probe_rows

    async def run_probe(self, name: str) -> Sequence[ProbeResult]:
        found = [row for row in self.probe_rows if row.probe == name]
        if not found:
            raise Misuse(f"there is no probe '{name}'")
        return found[0].results

    async def canary(self, model: str, wire: Wire, *, stream: bool) -> CanaryReport:
        if len(self.canaries) >= self.most_canaries:
            raise Conflict("too many canaries were sent within an hour")
        self.canaries.append((model, wire, stream))
        return CanaryReport(outcome=Outcome.OK, duration_ms=120, tokens=9, usage_present=True)

    async def models(self) -> Lists | None:
        return self.listed

    async def quota(self) -> Sequence[QuotaReading]:
        return self.quota_rows

    async def doctor(self) -> Sequence[Finding]:
        return self.findings

    async def past(self) -> Sequence[Tally]:
        return self.past_rows

    async def mitigations(self) -> Sequence[Mitigation]:
        return self._stored(self.mitigation_rows)

    async def notifications(self) -> Sequence[Notification]:
        return self._stored(self.notification_rows)

    async def audit(self, limit: int, wanted: AuditFilter) -> Sequence[AuditEntry]:
        rows = self._stored(self.audit_rows)
        if wanted.before is not None:
            rows = rows[[row.id for row in rows].index(wanted.before) + 1 :]
        return [row for row in rows if wanted.fits(row)][:limit]

    async def explain(self, alert: str, at: int | None) -> Explanation:
        self._stored(())
        self.explained.append((alert, at))
        return replace(self.explanation, alert=alert, at=NOW if at is None else at)

    async def hear(self, told: Sequence[Told]) -> int:
        self._stored(())
        self.heard += told
        return len(told)

    async def acknowledge(self, alert: str, actor: str) -> Sequence[Alert]:
        rows = [row for row in self.alert_rows if row.is_firing and alert in (row.fingerprint, row.alert)]
        if not rows:
            raise Conflict(f"no alert fires that is called {alert}")
        self.acted.append((alert, "ack", actor))
        return [replace(row, acknowledged_by=actor.removeprefix("human:")) for row in rows]

    async def silences(self) -> Sequence[Silence]:
        return self._stored(self.silence_rows)

    async def silence(
        self,
        matchers: Mapping[str, str],
        *,
        starts_at: int | None = None,
        ends_at: int | None = None,
        seconds: float | None = None,
        actor: str,
        comment: str = "",
    ) -> Silence:
        begin = NOW if starts_at is None else starts_at
        end = ends_at if seconds is None else begin + round(seconds * 1000)
        if end is None or (seconds is not None and ends_at is not None):
            raise Misuse("say when it ends, either by `for`, such as 2h, or by `ends_at`")
        author = actor.removeprefix("human:")
        row = new_silence(matchers, starts_at=begin, ends_at=end, author=author, comment=comment, at=NOW)
        if mistake := mistake_in(row, known_labels((), self.alert_rows), NOW):
            raise Misuse(mistake)
        self.silence_rows.append(row)
        return row

    async def expire_silence(self, silence: str, actor: str) -> Silence:
        for row in self.silence_rows:
            if row.id == silence:
                self.silence_rows.remove(row)
                self.acted.append((silence, "expire", actor))
                return replace(row, ends_at=NOW)
        raise Conflict(f"there is no silence {silence} that has not ended")

    async def act(
        self, mitigation: str, action: str, actor: str, seconds: float | None = None, comment: str = ""
    ) -> Mitigation:
        for row in self.mitigation_rows:
            if mitigation in (row.id, row.name):
                if not row.state.is_open:
                    raise Conflict(f"{row.name} has ended: there is nothing to {action}")
                self.acted.append((mitigation, action, actor))
                self.asked_for.append((seconds, comment))
                return replace(row, state=MitigationState.RESTORING) if action == "revert" else row
        raise Conflict(f"there is no mitigation {mitigation}")

    async def start_drill(self, actor: str) -> DrillReport:
        if self.drill_report is not None and not self.drill_report.is_over:
            raise Conflict("a drill is going on already")
        self.acted.append(("drill", "start", actor))
        self.drill_report = DrillReport(id="drill-1", started_at=NOW, names=("the alert fires", "the message is out"))
        return self.drill_report

    def drill(self) -> DrillReport | None:
        """One step further each time it is asked."""
        self._stored(())
        report = self.drill_report
        if report is not None and not report.is_over:
            self.drill_report = replace(
                report,
                steps=(*report.steps, self.drill_steps[len(report.steps)]),
                is_over=len(report.steps) + 1 == len(self.drill_steps),
            )
        return report

    def counters(self) -> Mapping[str, float]:
        return {
            "runbookd_events_total": 2148.0,
            "runbookd_events_dropped_total": 0.0,
            "runbookd_spool_depth": 3.0,
            "runbookd_evaluation_lag_seconds": 0.041,
            'runbookd_notifications_total{status="delivered"}': 2.0,
        }

    def _stored(self, rows: Sequence[Any]) -> Sequence[Any]:
        if self.down:
            raise StoreFailure("database disk image is malformed: /var/lib/runbookd/runbookd.db")
        return rows


def _notification(
    id_: str,
    reason: NotificationReason,
    status: NotificationStatus,
    attempts: int,
    delivered_at: int | None,
    title: str,
    error: str | None = None,
) -> Notification:
    return Notification(
        id=id_,
        receiver="operators",
        group_key="g",
        reason=reason,
        severity="critical",
        status=status,
        attempts=attempts,
        title=title,
        body=f"{title}\nsince 09:53",
        created_at=(delivered_at or NOW - 2000) - 900,
        not_before=NOW,
        delivered_at=delivered_at,
        error=error,
    )


def _figures(requests: int, error_ratio: float, limited: float, tokens: int) -> dict[str, Any]:
    failures = round(requests * error_ratio)
    return {
        "request_count": requests,
        "success_count": requests - failures,
        "failure_count": failures,
        "success_rate": 1 - error_ratio,
        "error_ratio": error_ratio,
        "rate_limited_ratio": limited,
        "total_tokens": tokens,
        "latency_p50_ms": 2210.0,
        "latency_p95_ms": 9120.5,
        "ttft_p95_ms": 640.0 if requests > 100 else None,
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
