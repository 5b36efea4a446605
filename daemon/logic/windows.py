"""Sliding windows: a sparse ring of buckets of event time, cheap to add to and cheap to read."""

from collections.abc import Iterator

from daemon.domain.sample import Counts

FINEST_MS, COARSEST_MS = 1000, 10_000


def bucket_ms(window_seconds: float) -> int:
    """The width of a bucket: a thirtieth of the window, in whole seconds between 1 and 10."""
    return min(max(round(window_seconds / 30) * 1000, FINEST_MS), COARSEST_MS)


class Ring:
    """Counts per bucket, as far back as `span_seconds`. Instants are epoch ms; late events find their own bucket."""

    __slots__ = ("_buckets", "_span", "_width")

    def __init__(self, width_ms: int, span_seconds: float) -> None:
        self._width = width_ms
        self._span = -(-round(span_seconds * 1000) // width_ms)
        self._buckets: dict[int, Counts] = {}

    def add(self, at: int, samples: int, bad: int) -> None:
        """Counts at an instant."""
        index = at // self._width
        before = self._buckets.get(index)
        if before is None:
            self._forget(index - self._span)
            before = Counts(0, 0)
        self._buckets[index] = Counts(before.samples + samples, before.bad + bad)

    def counts(self, at: int, window_seconds: float) -> Counts:
        """What was counted in the window that ends just before an instant."""
        newest = (at - 1) // self._width
        samples = bad = 0
        for index in range(newest - self._length(window_seconds) + 1, newest + 1):
            if (bucket := self._buckets.get(index)) is not None:
                samples += bucket.samples
                bad += bucket.bad
        return Counts(samples, bad)

    def stretches(self, at: int, window_seconds: float) -> Iterator[tuple[float, Counts]]:
        """The window and its counts, then longer ones, each by the next older bucket that holds anything."""
        samples, bad = counts = self.counts(at, window_seconds)
        yield window_seconds, counts
        newest = (at - 1) // self._width
        oldest = newest - self._length(window_seconds)
        for index in sorted((i for i in self._buckets if newest - self._span < i <= oldest), reverse=True):
            samples += self._buckets[index].samples
            bad += self._buckets[index].bad
            yield (newest - index + 1) * self._width / 1000, Counts(samples, bad)

    def forget_before(self, at: int) -> None:
        """What was counted before an instant is counted no more."""
        self._forget(at // self._width)

    def _forget(self, oldest: int) -> None:
        for index in [index for index in self._buckets if index < oldest]:
            del self._buckets[index]

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def _length(self, window_seconds: float) -> int:
        return -(-round(window_seconds * 1000) // self._width)
