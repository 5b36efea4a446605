"""Onset: since when turns fail; what went well before that tells nothing of why they fail now."""

from bisect import bisect_left
from collections.abc import Sequence
from math import inf, log

STRAY = 3
"""At most one failure in so many is older than the trouble: there are failures on good days too."""
RISES = 2
"""Before it, the share of failed turns is at most one in so many of what it is then."""


def began_at(failed: Sequence[int], good: Sequence[int]) -> int:
    """The instant of one of the first failures: the one that parts the turns into the most different shares of failed
    ones. Instants are epoch ms, in any order; at least one turn failed."""
    failed, good = sorted(failed), sorted(good)

    def likelihood(older: int) -> float:
        """Of what was seen, if the trouble began behind so many older failures."""
        before = bisect_left(good, failed[older])
        younger, after = len(failed) - older, len(good) - before
        if RISES * older * (younger + after) > younger * (older + before):
            return -inf
        return _likelihood(older, before) + _likelihood(younger, after)

    return failed[max(range(1 + len(failed) // STRAY), key=likelihood)]


def _likelihood(bad: int, good: int) -> float:
    """The logarithm of how likely so many bad ones are, at the share that makes them the likeliest."""
    whole = bad + good
    return sum(some * log(some / whole) for some in (bad, good) if some)
