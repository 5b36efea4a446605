"""The rollup: what the finished model calls of one series were in one bucket of time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from daemon.domain.event import Event, Fault, Source, Wire

OTHER = "other"
"""Stands for every name that came after there were too many."""
TOKENS = (
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "total_tokens",
)


class Resolution(StrEnum):
    """The length of a bucket, the finest first."""

    TEN_SECONDS = "10s"
    MINUTE = "1m"
    HOUR = "1h"

    @property
    def ms(self) -> int:
        """The length in milliseconds."""
        return _MS[self]

    def floor(self, instant: int) -> int:
        """The start of the bucket that an instant (epoch ms) lies in."""
        return instant - instant % _MS[self]


_MS = {Resolution.TEN_SECONDS: 10_000, Resolution.MINUTE: 60_000, Resolution.HOUR: 3_600_000}


class Series(NamedTuple):
    """Who was asked, by whom, and how: event fields."""

    node_id: str
    method: str
    endpoint: str
    wire: Wire
    stream: bool
    requested_model: str | None
    model_id: str | None
    prefix: str | None
    provider_key: str
    provider_evidence: str | None
    workload: str | None
    source: Source

    def crowded(self) -> "Series":
        """The same without what a caller may invent."""
        return self._replace(
            method=OTHER,
            endpoint=OTHER,
            requested_model=OTHER,
            model_id=OTHER,
            prefix=OTHER,
            provider_key=OTHER,
            provider_evidence=None,
            workload=OTHER,
        )


class Think(NamedTuple):
    """The thinking that was asked for and the thinking that was applied: event fields."""

    thinking_requested_mode: str | None
    thinking_requested_level: str | None
    thinking_requested_budget: int | None
    thinking_processed_mode: str | None
    thinking_processed_level: str | None
    thinking_processed_budget: int | None
    thinking_match: bool | None
    thinking_evidence: str | None

    def crowded(self) -> "Think":
        """The same without what a caller may invent."""
        return self._replace(
            thinking_requested_mode=OTHER,
            thinking_requested_level=OTHER,
            thinking_requested_budget=None,
            thinking_processed_mode=OTHER,
            thinking_processed_level=OTHER,
            thinking_processed_budget=None,
        )


series_of = attrgetter(*Series._fields)
think_of = attrgetter(*Think._fields)


class Sum(NamedTuple):
    """A counter summed up over the events that had it."""

    total: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """One bucket of one series, or a part of it: what came late is a part of its own. All that is counted adds up.

    Judged events are in everything; of those that their caller spoilt only the fault is counted, of others nothing.
    """

    resolution: Resolution
    bucket: int
    """Its start (epoch ms)."""
    part: int
    """The newest event id in it, which no other part of the bucket has."""
    series: Series
    think: Think
    requests: int = 0
    ok: int = 0
    failed: int = 0
    retries: int = 0
    """Requests with `attempt` above 0."""
    faults: Mapping[Fault, int] = field(default_factory=dict)
    tokens: Mapping[str, Sum] = field(default_factory=dict)
    """By the event's field; what no event had is absent. A total that was not said is what went in and out."""
    duration_ms: bytes = b""
    """A histogram, as it encodes itself."""
    ttft_ms: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Complete rows of one node. With them, every event that the node stored is in a row of each resolution whose
    bucket ended by `until` (epoch ms), and in no other."""

    node_id: str
    """Empty where the store is this node's alone."""
    until: int
    rows: tuple[Rollup, ...] = ()


def tokens_of(event: Event) -> int | None:
    """All tokens of an event: the total, else what went in and out; None when nothing was counted."""
    if event.total_tokens is not None:
        return event.total_tokens
    if event.input_tokens is None and event.output_tokens is None:
        return None
    return (event.input_tokens or 0) + (event.output_tokens or 0)
