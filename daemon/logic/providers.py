"""Providers at a glance: figures per provider_key over a sliding window, from judged events."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.domain.event import Event, Fault, Outcome, Source

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

_GROWTH = 1.1
_BOUNDS = sorted({round(_GROWTH**n) for n in range(170)})
"""Upper bounds (ms) of the latency histogram: a quantile is right within 5 %."""


@dataclass(slots=True)
class _Bucket:
    requests: int = 0
    successes: int = 0
    faults: int = 0
    rate_limited: int = 0
    tokens: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    ttft: Counter[int] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        self.requests += 1
        self.successes += event.outcome is Outcome.OK
        self.faults += event.fault in PROVIDER_FAULTS
        self.rate_limited += event.fault in RATE_LIMITED
        self.tokens += _tokens(event)
        self.latency[bisect_left(_BOUNDS, event.duration_ms)] += 1
        if event.ttft_ms is not None:
            self.ttft[bisect_left(_BOUNDS, event.ttft_ms)] += 1

    def merge(self, other: "_Bucket") -> None:
        self.requests += other.requests
        self.successes += other.successes
        self.faults += other.faults
        self.rate_limited += other.rate_limited
        self.tokens += other.tokens
        self.latency.update(other.latency)
        self.ttft.update(other.ttft)


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


def _tokens(event: Event) -> int:
    if event.total_tokens is not None:
        return event.total_tokens
    return (event.input_tokens or 0) + (event.output_tokens or 0)


def _quantile(histogram: Counter[int], share: float) -> float | None:
    """The middle of the bucket that the quantile falls into, in ms."""
    rank, seen = share * histogram.total(), 0
    for index in sorted(histogram):
        seen += histogram[index]
        if seen >= rank:
            upper = _BOUNDS[min(index, len(_BOUNDS) - 1)]
            return round(upper / _GROWTH**0.5, 1) if index else float(upper)
    return None
