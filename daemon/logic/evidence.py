"""Evidence: when a ratio is proven to be too high, in the face of few samples."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from daemon.domain.sample import Counts


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
