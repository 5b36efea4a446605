"""Rollups in the making: counts events into the buckets that are still open, and gives away those that are complete.

An event is counted once, in its 10 seconds. Buckets that close are counted into their minute, minutes into their hour;
so what is open is always a short tail of events, and what was written serves to begin again after a death.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from daemon.domain.event import CALLER_FAULTS, Event, Fault, Outcome
from daemon.domain.rollup import TOKENS, Resolution, Rollup, Series, Sum, Think, series_of, think_of, tokens_of
from daemon.logic.histogram import Histogram

MOST_SERIES = 2000
"""In one bucket, about 3 MB; those that come after are counted together."""
COARSER = {Resolution.TEN_SECONDS: Resolution.MINUTE, Resolution.MINUTE: Resolution.HOUR}
FINISHED = frozenset({Outcome.OK, Outcome.FAILED})

Key = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The values of a `Series` and of a `Think`."""


def coarsest(window_seconds: float) -> Resolution:
    """The longest buckets of which two or more are in a window."""
    fitting = [one for one in Resolution if 2 * one.ms <= window_seconds * 1000]
    return fitting[-1] if fitting else Resolution.TEN_SECONDS


def pieces(since: int, until: int) -> Sequence[tuple[Resolution, int, int]]:
    """What to read of which resolution for a window: from (inclusive) and to (exclusive) epoch ms. Its beginning is
    read in finer buckets, so that it is right within 10 seconds where these are still kept."""
    found, longest = [], coarsest((until - since) / 1000)
    for resolution in reversed(Resolution):
        if resolution.ms <= longest.ms:
            begin = resolution.floor(since + resolution.ms - 1)
            found.append((resolution, begin, until))
            until = begin
    return found


class Rollups:
    """One node's. Instants are epoch ms."""

    def __init__(self) -> None:
        self._open: dict[Resolution, dict[int, dict[Key, _Cell]]] = {resolution: {} for resolution in Resolution}
        self.newest = 0
        """When the newest event was emitted."""
        self.until = 0
        """Buckets that ended by then are closed; what comes for them is closed with the next ones, as a part."""

    def add(self, event: Event) -> None:
        """Counts an event. Whoever stores it must store what the next `close` gives with it, or before it."""
        self.newest = max(self.newest, event.emitted_at)
        if event.outcome in FINISHED and event.is_model_call:
            bucket = event.emitted_at - event.emitted_at % 10_000
            cells = self._open[Resolution.TEN_SECONDS].setdefault(bucket, {})
            _cell(cells, (series_of(event), think_of(event))).add(event)

    def close(self, before: int) -> list[Rollup]:
        """Takes out every bucket that ended by then, or by an earlier `close`."""
        self.until = max(self.until, before)
        rows: list[Rollup] = []
        for resolution, buckets in self._open.items():
            for bucket in sorted(buckets):
                if bucket + resolution.ms <= self.until:
                    rows += self._close(resolution, bucket)
        return rows

    def recall(self, until: int, written: Iterable[Rollup]) -> None:
        """Begins where an earlier process ended: with the instant of its last `close` that was stored, and the rows
        of `missing_in`. Events of buckets that were not closed by then are to be added after it."""
        self.until = until
        for row in written:
            _cell(self._at(COARSER[row.resolution], row.bucket), (row.series, row.think)).recall(row)

    def unwritten(self, resolution: Resolution) -> Iterator[Rollup]:
        """What no row of this resolution holds yet, in buckets that may be finer."""
        for finer, buckets in self._open.items():
            for bucket, cells in buckets.items():
                yield from (cell.row(finer, bucket, key) for key, cell in cells.items())
            if finer is resolution:
                return

    def _close(self, resolution: Resolution, bucket: int) -> Iterator[Rollup]:
        cells = self._open[resolution].pop(bucket)
        if resolution in COARSER:
            above = self._at(COARSER[resolution], bucket)
            for key, cell in cells.items():
                _cell(above, key).merge(cell)
        return (cell.row(resolution, bucket, key) for key, cell in cells.items())

    def _at(self, resolution: Resolution, instant: int) -> "dict[Key, _Cell]":
        return self._open[resolution].setdefault(resolution.floor(instant), {})


def missing_in(until: int) -> Sequence[tuple[Resolution, int, int]]:
    """What of which resolution was in no coarser row after a `close`: from (inclusive) and to (exclusive) epoch ms."""
    return [(finer, coarser.floor(until), finer.floor(until)) for finer, coarser in COARSER.items()]


def _cell(cells: "dict[Key, _Cell]", key: Key) -> "_Cell":
    found = cells.get(key)
    if found is None:
        if len(cells) >= MOST_SERIES:
            key = (Series(*key[0]).crowded(), Think(*key[1]).crowded())
        found = cells.setdefault(key, _Cell())
    return found


class _Cell:
    """What is counted of one series in one bucket."""

    __slots__ = ("duration", "faults", "having", "ok", "part", "requests", "retries", "totals", "ttft")

    def __init__(self) -> None:
        self.part = self.requests = self.ok = self.retries = 0
        self.faults: dict[Fault, int] = {}
        self.totals = [0] * len(TOKENS)
        self.having = [0] * len(TOKENS)
        self.duration, self.ttft = Histogram(), Histogram()

    def add(self, event: Event) -> None:
        self.part = max(self.part, event.event_id)
        fault = event.fault
        if fault is not None:
            self.faults[fault] = self.faults.get(fault, 0) + 1
            if fault in CALLER_FAULTS:
                return
        self.requests += 1
        self.ok += event.outcome is Outcome.OK
        self.retries += event.attempt > 0
        self.duration.add(event.duration_ms)
        if event.ttft_ms is not None:
            self.ttft.add(event.ttft_ms)
        self._add_tokens(event)

    def _add_tokens(self, event: Event) -> None:
        tokens = (
            event.input_tokens,
            event.output_tokens,
            event.reasoning_tokens,
            event.cache_read_tokens,
            event.cache_write_tokens,
            tokens_of(event),
        )
        for place, value in enumerate(tokens):
            if value is not None:
                self.totals[place] += value
                self.having[place] += 1

    def merge(self, other: "_Cell") -> None:
        self.part = max(self.part, other.part)
        self.requests += other.requests
        self.ok += other.ok
        self.retries += other.retries
        for fault, n in other.faults.items():
            self.faults[fault] = self.faults.get(fault, 0) + n
        self.totals = [mine + its for mine, its in zip(self.totals, other.totals, strict=True)]
        self.having = [mine + its for mine, its in zip(self.having, other.having, strict=True)]
        self.duration.merge(other.duration)
        self.ttft.merge(other.ttft)

    def recall(self, row: Rollup) -> None:
        """Counts what a row holds."""
        its = _Cell()
        its.part, its.requests, its.ok, its.retries = row.part, row.requests, row.ok, row.retries
        its.faults = dict(row.faults)
        sums = [row.tokens.get(name, Sum(0, 0)) for name in TOKENS]
        its.totals, its.having = [one.total for one in sums], [one.events for one in sums]
        its.duration, its.ttft = Histogram.decode(row.duration_ms), Histogram.decode(row.ttft_ms)
        self.merge(its)

    def row(self, resolution: Resolution, bucket: int, key: Key) -> Rollup:
        sums = zip(TOKENS, map(Sum, self.totals, self.having), strict=True)
        return Rollup(
            resolution=resolution,
            bucket=bucket,
            part=self.part,
            series=Series(*key[0]),
            think=Think(*key[1]),
            requests=self.requests,
            ok=self.ok,
            failed=self.requests - self.ok,
            retries=self.retries,
            faults=dict(self.faults),
            tokens={name: one for name, one in sums if one.events},
            duration_ms=self.duration.encode(),
            ttft_ms=self.ttft.encode(),
        )
