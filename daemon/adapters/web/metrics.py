"""Metrics in the Prometheus text format: our own counters, and sums over what the doors list. No keys."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.domain.alert import Alert
from daemon.domain.errors import StoreFailure
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.domain.notification import Notification
from daemon.domain.quota import QuotaReading
from daemon.domain.rule_figures import RuleFigures
from daemon.ports import Operations

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WINDOW_SECONDS = 600.0
PREFIX = "runbookd_"

HELP = {
    "alerts_firing": "Firing alerts, by name and severity.",
    "alerts_pending": "Pending alerts, by name and severity.",
    "build_info": "Always 1; the version is a label.",
    "evaluation_lag_seconds": "How far the evaluation is behind the events.",
    "events_dropped_total": "Events lost between the proxy and the store.",
    "events_total": "Events taken in from the spool.",
    "mitigations_applied": "Mitigations in force, by name and kind.",
    "mitigations_open": "Open rows of the journal, by state.",
    "notifications_queued": "Messages that wait to be sent.",
    "notifications_total": "Messages, by what became of them.",
    "provider_error_ratio": "Provider faults / judged requests of the last 10 minutes.",
    "provider_latency_seconds": "Latency of the last 10 minutes, by quantile.",
    "provider_rate_limited_ratio": "Rate limited / judged requests of the last 10 minutes.",
    "provider_requests": "Judged requests of the last 10 minutes.",
    "provider_tokens": "Tokens of the last 10 minutes.",
    "provider_ttft_seconds": "Time to the first content in the last 10 minutes, by quantile.",
    "quota_empty_in_seconds": "When nothing will be left of a credential; absent where it lasts, or nobody knows.",
    "quota_exhausted": "Whether nothing is left of a credential, or of one model of it.",
    "quota_remaining": "What is left of a credential, in the units of its provider.",
    "quota_reset_seconds": "When the window of a credential's quota ends.",
    "quota_usage_percentage": "What is used of a credential, from 0 to 100, in its tightest window.",
    "ready": "Whether /readyz says so.",
    "rule_series_displaced_total": "Label sets that had to make room for others, by rule.",
    "spool_depth": "Events in the spool that are not in the store yet.",
    "store_up": "Whether the store answered while these metrics were made.",
}

Labels = Mapping[str, str]

_PROVIDER: tuple[tuple[str, str, float, Labels], ...] = (
    ("request_count", "provider_requests", 1.0, {}),
    ("error_ratio", "provider_error_ratio", 1.0, {}),
    ("rate_limited_ratio", "provider_rate_limited_ratio", 1.0, {}),
    ("total_tokens", "provider_tokens", 1.0, {}),
    ("latency_p50_ms", "provider_latency_seconds", 0.001, {"quantile": "0.5"}),
    ("latency_p95_ms", "provider_latency_seconds", 0.001, {"quantile": "0.95"}),
    ("ttft_p95_ms", "provider_ttft_seconds", 0.001, {"quantile": "0.95"}),
)

_QUOTA = ("quota_exhausted", "quota_remaining", "quota_reset_seconds", "usage_percentage", "empty_in_seconds")


@dataclass(slots=True)
class Exposition:
    """Collects samples by family, so that each family is written once, in order, with its help and type."""

    families: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, name: str, value: float, labels: Labels | None = None) -> None:
        """The first value of a series stands."""
        series = ",".join(f'{label}="{_escaped(text)}"' for label, text in sorted((labels or {}).items()))
        self.families.setdefault(PREFIX + name, {}).setdefault(f"{{{series}}}" if series else "", value)

    def text(self) -> str:
        lines = []
        for family, samples in sorted(self.families.items()):
            short = family.removeprefix(PREFIX)
            lines.append(f"# HELP {family} {HELP.get(short, short.replace('_', ' ').capitalize() + '.')}")
            lines.append(f"# TYPE {family} {'counter' if family.endswith('_total') else 'gauge'}")
            lines += [f"{family}{labels} {_number(value)}" for labels, value in sorted(samples.items())]
        return "\n".join(lines) + "\n"


async def render(operations: Operations, version: str) -> str:
    """Everything that can be had now; a store that is down takes only its own series away."""
    out = Exposition()
    out.add("build_info", 1, {"version": version})
    _add_counters(out, operations.counters())
    store_up = True
    for read, add in _listings(operations, out):
        try:
            add(await read())
        except StoreFailure:
            store_up = False
    out.add("store_up", store_up)
    return out.text()


def _listings(operations: Operations, out: Exposition) -> Iterable[tuple[Callable[[], Any], Callable[[Any], None]]]:
    yield operations.ready, lambda missing: out.add("ready", not missing)
    yield operations.alerts, lambda rows: _add_alerts(out, rows)
    yield operations.rules, lambda rows: _add_rules(out, rows)
    yield operations.mitigations, lambda rows: _add_mitigations(out, rows)
    yield operations.notifications, lambda rows: _add_notifications(out, rows)
    yield operations.quota, lambda rows: _add_quota(out, rows)
    yield lambda: operations.providers(WINDOW_SECONDS), lambda providers: _add_providers(out, providers)


def _add_counters(out: Exposition, counters: Mapping[str, float]) -> None:
    """A key is a metric's name, with or without our prefix, and may carry labels: `events_total{wire="other"}`."""
    for key, value in counters.items():
        name, _, labels = key.removeprefix(PREFIX).partition("{")
        out.add(name, value, dict(re.findall(r'(\w+)="([^"]*)"', labels)))


def _add_alerts(out: Exposition, alerts: Iterable[Alert]) -> None:
    for state in ("firing", "pending"):
        counts = Counter((row.alert, str(row.severity)) for row in alerts if row.state.shown == state)
        for (name, severity), count in counts.items():
            out.add(f"alerts_{state}", count, {"alert": name, "severity": severity})


def _add_rules(out: Exposition, rows: Iterable[RuleFigures]) -> None:
    for row in rows:
        out.add("rule_series_displaced_total", row.displaced, {"alert": row.alert})


def _add_mitigations(out: Exposition, rows: Iterable[Mitigation]) -> None:
    applied = Counter((row.name, row.kind) for row in rows if row.state is MitigationState.APPLIED)
    for (name, kind), count in applied.items():
        out.add("mitigations_applied", count, {"name": name, "kind": kind})
    for state in MitigationState:
        if state.is_open:
            out.add("mitigations_open", sum(row.state is state for row in rows), {"state": state})


def _add_notifications(out: Exposition, rows: Iterable[Notification]) -> None:
    out.add("notifications_queued", sum(row.status == "queued" for row in rows))


def _add_providers(out: Exposition, providers: Mapping[str, Mapping[str, Any]]) -> None:
    for provider_key, figures in providers.items():
        for source, name, factor, labels in _PROVIDER:
            if figures.get(source) is not None:
                out.add(name, figures[source] * factor, {"provider_key": provider_key, **labels})


def _add_quota(out: Exposition, readings: Iterable[QuotaReading]) -> None:
    """By index: the names of credentials may be those of people."""
    for one in readings:
        labels = {"provider_key": one.provider_key, "auth_index": one.auth_index or "", "model_id": one.model_id or ""}
        for name in _QUOTA:
            if (value := getattr(one, name)) is not None:
                out.add(name if name.startswith("quota_") else f"quota_{name}", value, labels)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
