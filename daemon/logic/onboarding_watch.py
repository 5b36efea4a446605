"""The watch of an onboarding: what the events of a prefix come to, and whether that is good enough."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.domain.event import Fault, Outcome, Source
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.onboarding import Step

MOST_ERRORS = 0.02
LEAST_USAGE = 0.95
"""Of good turns, which have to say what they used."""
LEAST_REQUESTS = 2
COUNTED = frozenset({Source.CLIENT.value, Source.CANARY.value})
NOT_THEIRS = frozenset({Fault.CLIENT_ERROR.value, Fault.CLIENT_UNAUTHORIZED.value})
"""Faults of whoever asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The turns of a prefix in the time of the watch, those of clients and our own canaries."""

    requests: int = 0
    errors: int = 0
    rate_limited: int = 0
    good: int = 0
    with_usage: int = 0
    """Of the good ones."""
    canaries: int = 0
    latency_p50_ms: int | None = None
    latency_p95_ms: int | None = None
    faults: Mapping[str, int] = field(default_factory=dict)


def watched(events: Iterable[Mapping[str, Any]]) -> Watched:
    """Of the API's events; what is in no provider's ratio is not counted."""
    judged = [one for one in events if _is_judged(one)]
    good = [one for one in judged if one["outcome"] == Outcome.OK.value]
    faults = [str(one["fault"] or one["outcome"]) for one in judged if one["outcome"] != Outcome.OK.value]
    spans = sorted(one["duration_ms"] for one in judged)
    return Watched(
        requests=len(judged),
        errors=len(judged) - len(good),
        rate_limited=sum(one["status"] == 429 for one in judged),
        good=len(good),
        with_usage=sum(bool(one["usage_present"]) for one in good),
        canaries=sum(one["source"] == Source.CANARY.value for one in judged),
        latency_p50_ms=_at(spans, 0.5),
        latency_p95_ms=_at(spans, 0.95),
        faults={fault: faults.count(fault) for fault in sorted(set(faults))},
    )


def _is_judged(event: Mapping[str, Any]) -> bool:
    if event["source"] not in COUNTED or event["fault"] in NOT_THEIRS:
        return False
    return event["outcome"] in (Outcome.OK.value, Outcome.FAILED.value)


def _at(spans: Sequence[int], share: float) -> int | None:
    return spans[min(len(spans) - 1, int(share * len(spans)))] if spans else None


def watch_step(seen: Watched, *, sent: int, seconds: float) -> Step:
    """Whether the time of the watch went well; `sent` canaries were sent in it."""
    troubles = list(_of_watch(seen, sent))
    latency = "" if seen.latency_p95_ms is None else f", 95% within {seen.latency_p95_ms} ms"
    figures = f"{seen.requests} requests in {say_duration(seconds)}, {seen.errors} failed{latency}"
    return Step(name="watch", ok=not troubles, said="; ".join([figures, *troubles]))


def _of_watch(seen: Watched, sent: int) -> Iterator[str]:
    if seen.canaries < sent:
        yield f"of {sent} canaries only {seen.canaries} are among the events"
    if seen.requests < LEAST_REQUESTS:
        yield "that is too few to tell"
    if seen.requests and seen.errors / seen.requests > MOST_ERRORS:
        faults = ", ".join(f"{count} {fault}" for fault, count in seen.faults.items())
        yield f"{say_ratio(seen.errors / seen.requests)} failed ({faults}), and {say_ratio(MOST_ERRORS)} may"
    if seen.good and seen.with_usage / seen.good < LEAST_USAGE:
        yield f"{seen.good - seen.with_usage} of {seen.good} good answers do not say their usage"
