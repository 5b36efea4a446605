"""Evidence: when a ratio is proven to be too high, in the face of few samples, and of looking every second."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import NamedTuple

from daemon.domain.sample import Band, Counts

SCAN = 8.0
"""Looks at overlapping windows are worth so many looks at windows that do not overlap."""


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


def chance(samples: float, bad: float, normal: float) -> float:
    """How likely at least `bad` of `samples` are bad when each is with the probability `normal`.

    The binomial tail, as its first term and a geometric series that is never below the rest: at most a little too high.
    Counts need not be whole numbers.
    """
    if bad <= samples * normal or normal >= 1:
        return 1.0
    if normal <= 0:
        return 0.0
    good = samples - bad
    first = lgamma(samples + 1) - lgamma(bad + 1) - lgamma(good + 1) + bad * log(normal) + good * log1p(-normal)
    falling = good * normal / ((bad + 1) * (1 - normal))
    return min(1.0, exp(first) / (1 - falling))


def surprise(suffixes: Iterable[Counts], normal: float, clump: float) -> float:
    """The smallest chance of what was counted lately, since whichever instant; 1 when nothing was bad.

    `suffixes` are counts from now back to older and older instants. `clump` bad ones together are one piece of evidence.
    """
    least, seen = 1.0, 0
    for samples, bad in suffixes:
        if bad > seen:  # more good ones alone are no more surprising
            seen = bad
            least = min(least, chance(samples / clump, bad / clump, normal))
    return least


def alpha(window_seconds: float, once_in_seconds: float) -> float:
    """The surprise that comes by chance once in so long, to who looks at such a window all the time."""
    return window_seconds / (once_in_seconds * SCAN)


def clumping(buckets: Iterable[Counts]) -> float:
    """How many bad ones come together, by how unevenly they fell on buckets in the past; 1 when each comes alone."""
    samples = bad = samples_squared = bad_squared = 0
    for n, b in buckets:
        samples, bad = samples + n, bad + b
        samples_squared, bad_squared = samples_squared + n * n, bad_squared + b * b
    if not bad:
        return 1.0
    ratio = bad / samples
    by_chance = 1 - ratio + ratio * samples_squared / samples
    return max(1.0, 1 + bad_squared / bad - by_chance)


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

    def is_streak(self, streak: int) -> bool:
        """The last so many were all bad."""
        return self.in_a_row is not None and streak >= self.in_a_row


class Extremes(NamedTuple):
    """The highest ratio, the highest lower bound and the lowest ratio of all windows; None where nothing was counted."""

    peak: float
    bound: float
    trough: float


def extremes(windows: Iterable[Counts], *, least: Band) -> Extremes | None:
    """Of all windows that hold anything; those that hold too little for `least` have no part in the highest ones."""
    peak, bound, trough = 0.0, 0.0, 1.0
    seen = False
    for samples, bad in windows:
        if samples:
            seen = True
            ratio = bad / samples
            trough = min(trough, ratio)
            if ratio > least.above and samples >= least.samples and bad >= least.bad:
                peak = max(peak, ratio)
                bound = max(bound, lower_bound(Counts(samples, bad), least.z))
    return Extremes(peak, bound, trough) if seen else None
