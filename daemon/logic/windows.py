"""Sliding windows: sparse rings of buckets of event time, cheap to add to and cheap to read."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from daemon.domain.sample import Counts
from daemon.logic.histogram import Histogram

T = TypeVar("T")

FINEST_MS, COARSEST_MS = 1000, 10_000
_NOTHING = (-1, 0.0, 0), Counts(0, 0)


def bucket_ms(window_seconds: float) -> int:
    """The width of a bucket: a thirtieth of the window, in whole seconds between 1 and 10."""
    return min(max(round(window_seconds / 30) * 1000, FINEST_MS), COARSEST_MS)


class _Buckets(Generic[T]):
    """Buckets of one width, as far back as `span_seconds`. Instants are epoch ms; late ones find their own bucket."""

    __slots__ = ("_buckets", "_oldest", "_span", "_width")

    def __init__(self, width_ms: int, span_seconds: float) -> None:
        self._width = width_ms
        self._span = -(-round(span_seconds * 1000) // width_ms)
        self._buckets: dict[int, T] = {}
        self._oldest = 0
        """No bucket is older."""

    def forget_before(self, at: int) -> None:
        """What was kept from before an instant is known no more."""
        self._forget(at // self._width)

    def _open(self, index: int, bucket: T) -> T:
        """A new bucket; what it leaves too far behind is forgotten."""
        self._forget(index - self._span)
        self._oldest = min(self._oldest, index)
        self._buckets[index] = bucket
        return bucket

    def _forget(self, oldest: int) -> None:
        if oldest <= self._oldest:
            return
        gone = range(self._oldest, oldest)
        for index in gone if len(gone) <= len(self._buckets) else list(self._buckets):
            if index < oldest:
                self._buckets.pop(index, None)
        self._oldest = oldest

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def _length(self, window_seconds: float) -> int:
        return -(-round(window_seconds * 1000) // self._width)

    def _reach(self, at: int, window_seconds: float, floor: int) -> tuple[int, int]:
        """The oldest and the newest bucket of the window that ends just before an instant."""
        newest = (at - 1) // self._width
        return max(newest - self._length(window_seconds) + 1, floor // self._width), newest


class Ring(_Buckets[list[int]]):
    """Counts per bucket: samples, and bad ones."""

    __slots__ = ("_older",)

    def __init__(self, width_ms: int, span_seconds: float) -> None:
        super().__init__(width_ms, span_seconds)
        self._older: tuple[tuple[int, float, int], Counts] = _NOTHING
        """The sum of a window but for its newest bucket, the only one that still fills."""

    def add(self, at: int, samples: int, bad: int) -> None:
        """Counts at an instant."""
        index = at // self._width
        bucket = self._buckets.get(index)
        if bucket is None:
            bucket = self._open(index, [0, 0])
        bucket[0] += samples
        bucket[1] += bad
        if index < self._older[0][0]:
            self._older = _NOTHING

    def counts(self, at: int, window_seconds: float, floor: int = 0) -> Counts:
        """What was counted in the window that ends just before an instant; nothing from before `floor`."""
        newest = (at - 1) // self._width
        asked = newest, window_seconds, floor
        if self._older[0] != asked:  # many rules ask the same, second after second
            self._older = asked, self._sum(at, window_seconds, floor)
        older, bucket = self._older[1], self._buckets.get(newest)
        if bucket is None or floor // self._width > newest:
            return older
        return Counts(older[0] + bucket[0], older[1] + bucket[1])

    def _sum(self, at: int, window_seconds: float, floor: int) -> Counts:
        samples = bad = 0
        oldest, newest = self._reach(at, window_seconds, floor)
        buckets = self._buckets
        indices = buckets if len(buckets) < newest - oldest else range(oldest, newest)
        for index in indices:
            if oldest <= index < newest and (bucket := buckets.get(index)) is not None:
                samples += bucket[0]
                bad += bucket[1]
        return Counts(samples, bad)

    def stretches(self, at: int, window_seconds: float, floor: int = 0) -> Iterator[tuple[float, Counts]]:
        """The window and its counts, then longer ones, each by the next older bucket that holds anything."""
        samples, bad = counts = self.counts(at, window_seconds, floor)
        yield window_seconds, counts
        newest = (at - 1) // self._width
        length = self._length(window_seconds)
        for index, bucket in self._newest_first(at, floor):
            if index <= newest - length:
                samples += bucket[0]
                bad += bucket[1]
                yield (newest - index + 1) * self._width / 1000, Counts(samples, bad)

    def sums(self, at: int, window_seconds: float) -> Iterator[tuple[int, int]]:
        """Samples and bad ones of the same windows, for who looks at all of them."""
        samples, bad = self.counts(at, window_seconds)
        yield samples, bad
        newest, buckets = (at - 1) // self._width, self._buckets
        oldest, first = newest - self._span, newest - self._length(window_seconds)
        for index in sorted([index for index in buckets if oldest < index <= first], reverse=True):
            more, worse = buckets[index]
            samples += more
            bad += worse
            yield samples, bad

    def buckets(self, at: int, floor: int = 0) -> Iterator[tuple[float, Counts]]:
        """The age (seconds) at which each bucket begins, and what it holds; the newest first."""
        newest = (at - 1) // self._width
        for index, bucket in self._newest_first(at, floor):
            yield (newest - index + 1) * self._width / 1000, bucket

    def _newest_first(self, at: int, floor: int) -> Iterator[tuple[int, Counts]]:
        newest = (at - 1) // self._width
        oldest = max(newest - self._span + 1, floor // self._width)
        for index in sorted((index for index in self._buckets if oldest <= index <= newest), reverse=True):
            yield index, Counts(*self._buckets[index])

    def _forget(self, oldest: int) -> None:
        self._older = _NOTHING
        super()._forget(oldest)


class HistogramRing(_Buckets[Histogram]):
    """Measured numbers per bucket, as far back as `span_seconds`."""

    __slots__ = ()

    def add(self, at: int, value: float) -> None:
        """A number measured at an instant (epoch ms)."""
        index = at // self._width
        bucket = self._buckets.get(index)
        if bucket is None:
            bucket = self._open(index, Histogram())
        bucket.add(value)

    def histogram(self, at: int, window_seconds: float, floor: int = 0) -> Histogram:
        """All numbers of the window that ends just before an instant; nothing from before `floor`."""
        oldest, newest = self._reach(at, window_seconds, floor)
        whole = Histogram()
        for index, bucket in self._buckets.items():
            if oldest <= index <= newest:
                whole.merge(bucket)
        return whole
