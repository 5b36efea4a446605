"""Forecast: when a quota will be empty if it goes on as it went; unknown where too little was seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression

LOOK_BACK_SECONDS = 3 * 3600.0
LEAST_POINTS = 3
LEAST_SECONDS = 600.0
"""What was seen for a shorter time has no slope."""
QUIET_SECONDS = 1800.0
"""Nothing was read of it for so long: whether it is still being used is not known."""
APART_SECONDS = 60.0
"""Of points that are closer together the later one is kept."""
MOST_SECONDS = 32 * 86_400.0
"""Whoever is empty later than any window ends is not becoming empty."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was used at an instant."""

    at: int
    """Epoch ms."""
    used: float
    """From 0 to 100."""


def grown(points: Sequence[Point], point: Point, wobble: float) -> tuple[Point, ...]:
    """The points with one more. A fall by more than `wobble` begins a new window, of which those before say nothing."""
    if points and point.at <= points[-1].at:
        return tuple(points)
    if points and point.used < points[-1].used - wobble:
        return (point,)
    oldest = point.at - LOOK_BACK_SECONDS * 1000
    kept = [one for one in points if one.at >= oldest]
    if len(kept) > 1 and kept[-1].at - kept[-2].at < APART_SECONDS * 1000:
        kept.pop()
    return (*kept, point)


def empty_in(points: Sequence[Point], now: int) -> float | None:
    """Seconds from `now` (epoch ms) until all is used; None where nobody can say, or where nothing is being used."""
    if len(points) < LEAST_POINTS or points[-1].at - points[0].at < LEAST_SECONDS * 1000:
        return None
    if now - points[-1].at > QUIET_SECONDS * 1000:
        return None
    since = [(one.at - points[0].at) / 1000 for one in points]
    a_second = linear_regression(since, [one.used for one in points]).slope
    if a_second <= 0:
        return None
    left = (100 - points[-1].used) / a_second - (now - points[-1].at) / 1000
    return max(0.0, left) if left <= MOST_SECONDS else None
