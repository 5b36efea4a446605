"""Evidence: when a ratio is proven to be too high, in the face of few samples, and of looking every second."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import NamedTuple

from daemon.domain.sample import Band, Counts, Row

SCAN = 8.0
"""Looks at overlapping windows are worth so many looks at windows that do not overlap."""
LEAST_SECONDS = 600.0
"""A shorter window is looked at no more strictly: looking back reaches further than it anyway."""
PIECES_IN_A_ROW = 3
MOST_BURST_SECONDS = 20.0
"""A client that tries four times is done after 7 s, and most blips of a provider are."""


def quantile(confidence: float) -> float:
    """The z of a one-sided confidence: 1.96 for 97.5 %."""
    return NormalDist().inv_cdf(min(max(confidence, 0.5), 1 - 1e-9))


def lower_bound(counts: Counts, z: float) -> float:
    """The Wilson score's lower bound of the true ratio (E. B. Wilson, 1927); 0 without samples."""
    n, bad = counts
    if not n:
        return 0.0
    ratio, z2 = bad / n, z * z
    centre = ratio + z2 / (2 * n)
    spread = z * sqrt(ratio * (1 - ratio) / n + z2 / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z2 / n))


def chance(samples: float, bad: int, normal: float) -> float:
    """How likely at least `bad` of `samples` are bad when each is with the probability `normal`.

    The binomial tail, as its first term and a geometric series that is never below the rest: at most a little too high.
    """
    if bad <= samples * normal or normal >= 1:
        return 1.0
    if normal <= 0:
        return 0.0
    good = samples - bad
    first = lgamma(samples + 1) - lgamma(bad + 1) - lgamma(good + 1) + bad * log(normal) + good * log1p(-normal)
    falling = good * normal / ((bad + 1) * (1 - normal))
    return min(1.0, exp(first) / (1 - falling))


def burst_seconds(window_seconds: float) -> float:
    """Bad ones that are no further apart are one piece of evidence; 0 in windows too short to tell them apart."""
    burst = min(window_seconds / 30, MOST_BURST_SECONDS)
    return burst if burst >= 1 else 0.0


class Pieces(NamedTuple):
    """Turns and bad ones among them, as far as they are evidence: a burst counts as one bad one, and its good ones in
    the same proportion."""

    samples: float
    bad: int


def pieces(buckets: Iterable[tuple[float, Counts]], burst: float) -> Iterator[Pieces]:
    """What was counted since the beginning of each bucket that holds bad ones, a burst of them counted as one.

    `buckets` are ages (seconds) and counts, the newest first; `burst` is in seconds, 0 counts each bad one by itself.
    """
    good, bad = 0.0, 0
    for samples, failed in bursts(buckets, burst):
        weight = failed if burst and failed else 1
        good += (samples - failed) / weight
        bad += failed // weight
        if failed:
            yield Pieces(good + bad, bad)


def bursts(buckets: Iterable[tuple[float, Counts]], burst: float) -> Iterator[Counts]:
    """The buckets, those within so many seconds of one that holds bad ones put together with it."""
    began, samples, failed = 0.0, 0, 0
    for age, (more, worse) in buckets:
        if failed and age - began >= burst:
            yield Counts(samples, failed)
            samples = failed = 0
        if not failed:
            if not worse:
                yield Counts(more, 0)
                continue
            began = age
        samples, failed = samples + more, failed + worse
    if failed:
        yield Counts(samples, failed)


def surprise(suffixes: Iterable[tuple[float, int]], normal: float) -> float:
    """The smallest chance of what was counted lately, since whichever instant; 1 when nothing was bad.

    `suffixes` are counts from now back to older and older instants.
    """
    least, seen = 1.0, 0
    for samples, bad in suffixes:
        if bad > seen:  # more good ones alone are no more surprising
            seen = bad
            least = min(least, chance(samples, bad, normal))
    return least


def alpha(window_seconds: float, once_in_seconds: float) -> float:
    """The surprise that comes by chance once in so long, to who looks all the time."""
    return max(window_seconds, LEAST_SECONDS) / (once_in_seconds * SCAN)


def comes_once_in(window_seconds: float, likely: float) -> float:
    """The other way round: so many seconds there are between two surprises that are that likely."""
    return max(window_seconds, LEAST_SECONDS) / (SCAN * likely) if likely > 0 else inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What must be there before a ratio raises; a guard that is off is 0, or None."""

    min_samples: int
    min_bad: int
    z: float | None
    in_a_row: int | None

    def is_proven(self, counts: Counts, *, above: float, clears_below: float) -> bool:
        """The value is above `above`, and the lower bound above the middle of both thresholds."""
        n, bad = counts
        if not n or n < self.min_samples or bad < self.min_bad or bad / n <= above:
            return False
        return self.z is None or lower_bound(counts, self.z) > (clears_below + above) / 2

    def is_decided(self, counts: Counts, *, above: float, clears_below: float) -> bool:
        """Whether a longer window could not say it better: proven, or enough samples that are not above."""
        n, bad = counts
        if n and n >= self.min_samples and bad / n <= above:
            return True
        return self.is_proven(counts, above=above, clears_below=clears_below)

    def is_row(self, row: Row) -> bool:
        """The last so many were all bad."""
        return self.in_a_row is not None and row.bad >= self.in_a_row

    def is_lasting_row(self, row: Row, seconds: float) -> bool:
        """And they lasted so long, and were not one client that tried again."""
        lasted = row.latest - row.since >= seconds * 1000
        return self.is_row(row) and lasted and row.pieces >= min(PIECES_IN_A_ROW, self.in_a_row or 0)


class Extremes(NamedTuple):
    """The highest ratio, the highest lower bound and the lowest ratio of all windows."""

    peak: float
    bound: float
    trough: float


def extremes(windows: Iterable[tuple[int, int]], least: Band) -> Extremes | None:
    """Of all windows (samples and bad ones) that hold anything, None where none does; the highest ones only of those
    that hold enough for `least`."""
    peak = bound = 0.0
    trough = 2.0
    for samples, bad in windows:
        if samples:
            ratio = bad / samples
            if ratio < trough:
                trough = ratio
            if ratio > least.above and samples >= least.samples and bad >= least.bad:
                peak = max(peak, ratio)
                bound = max(bound, lower_bound(Counts(samples, bad), least.z))
    return None if trough > 1 else Extremes(peak, bound, trough)
