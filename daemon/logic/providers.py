"""Providers at a glance: figures per provider_key over a window, from judged events or from their rollups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.domain.event import Event, Fault, Outcome, Source
from daemon.domain.rollup import Rollup, tokens_of
from daemon.logic.histogram import Histogram

BUCKET_MS = 5000
LONGEST_WINDOW_SECONDS = 3600.0
PROVIDER_FAULTS = frozenset(
    {
        Fault.PROVIDER_RATE_LIMITED,
        Fault.PROVIDER_QUOTA,
        Fault.LOCAL_COOLDOWN,
        Fault.PROVIDER_AUTH,
        Fault.MODEL_NOT_FOUND,
        Fault.NO_CREDENTIAL,
        Fault.PROVIDER_ERROR,
        Fault.ERROR_IN_STREAM,
        Fault.TRUNCATED,
        Fault.OVERLOADED,
    }
)
"""What a provider is to blame for; a broken way to the upstream is not its fault."""
RATE_LIMITED = frozenset({Fault.PROVIDER_RATE_LIMITED, Fault.PROVIDER_QUOTA})


@dataclass(slots=True)
class _Bucket:
    requests: int = 0
    successes: int = 0
    faults: int = 0
    rate_limited: int = 0
    tokens: int = 0
    latency: Histogram = field(default_factory=Histogram)
    ttft: Histogram = field(default_factory=Histogram)

    def add(self, event: Event) -> None:
        self.requests += 1
        self.successes += event.outcome is Outcome.OK
        self.faults += event.fault in PROVIDER_FAULTS
        self.rate_limited += event.fault in RATE_LIMITED
        self.tokens += tokens_of(event) or 0
        self.latency.add(event.duration_ms)
        if event.ttft_ms is not None:
            self.ttft.add(event.ttft_ms)

    def add_rollup(self, rollup: Rollup) -> None:
        self.requests += rollup.requests
        self.successes += rollup.ok
        self.faults += sum(n for fault, n in rollup.faults.items() if fault in PROVIDER_FAULTS)
        self.rate_limited += sum(n for fault, n in rollup.faults.items() if fault in RATE_LIMITED)
        self.tokens += rollup.tokens["total_tokens"].total if "total_tokens" in rollup.tokens else 0
        self.latency.merge(Histogram.decode(rollup.duration_ms))
        self.ttft.merge(Histogram.decode(rollup.ttft_ms))

    def merge(self, other: "_Bucket") -> None:
        self.requests += other.requests
        self.successes += other.successes
        self.faults += other.faults
        self.rate_limited += other.rate_limited
        self.tokens += other.tokens
        self.latency.merge(other.latency)
        self.ttft.merge(other.ttft)


class ProviderFigures:
    """Remembers the last hour. Instants are epoch ms."""

    def __init__(self) -> None:
        self._buckets: dict[str, dict[int, _Bucket]] = {}

    def observe(self, event: Event) -> None:
        """Counts a judged event of a client; any other is no provider's figure."""
        if not event.is_judged or event.source is not Source.CLIENT:
            return
        buckets, index = self._buckets.setdefault(event.provider_key, {}), event.emitted_at // BUCKET_MS
        if index not in buckets:
            oldest = index - round(LONGEST_WINDOW_SECONDS * 1000) // BUCKET_MS
            for old in [known for known in buckets if known < oldest]:
                del buckets[old]
            buckets[index] = _Bucket()
        buckets[index].add(event)

    def figures(self, at: int, window_seconds: float) -> dict[str, Mapping[str, Any]]:
        """Per provider_key, in the fields of `GET /api/v1/providers`; providers without requests are left out."""
        oldest = (at - round(window_seconds * 1000)) // BUCKET_MS
        found = {}
        for provider_key, buckets in sorted(self._buckets.items()):
            whole = _Bucket()
            for index, bucket in buckets.items():
                if index > oldest:
                    whole.merge(bucket)
            if whole.requests:
                found[provider_key] = _said(whole)
        return found


class RolledFigures:
    """The same figures out of rollups."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def add(self, rollups: Iterable[Rollup]) -> None:
        """Counts those of clients."""
        for rollup in rollups:
            if rollup.series.source is Source.CLIENT:
                self._buckets.setdefault(rollup.series.provider_key, _Bucket()).add_rollup(rollup)

    def figures(self) -> dict[str, Mapping[str, Any]]:
        """As those of `ProviderFigures`."""
        return {
            provider_key: _said(bucket) for provider_key, bucket in sorted(self._buckets.items()) if bucket.requests
        }


def _said(bucket: _Bucket) -> Mapping[str, Any]:
    requests = bucket.requests
    return {
        "request_count": requests,
        "success_count": bucket.successes,
        "failure_count": requests - bucket.successes,
        "success_rate": bucket.successes / requests,
        "error_ratio": bucket.faults / requests,
        "rate_limited_ratio": bucket.rate_limited / requests,
        "total_tokens": bucket.tokens,
        "latency_p50_ms": _quantile(bucket.latency, 0.5),
        "latency_p95_ms": _quantile(bucket.latency, 0.95),
        "ttft_p95_ms": _quantile(bucket.ttft, 0.95),
    }


def _quantile(histogram: Histogram, share: float) -> float | None:
    """In ms."""
    value = histogram.quantile(share)
    return None if value is None else round(value, 1)
