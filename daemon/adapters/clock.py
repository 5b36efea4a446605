"""The one file that reads the time."""

import time
from collections.abc import Callable

SLOWED_DOWN = 0.9
LONGEST_BACK_MS = 86_400_000
"""A clock that is set back further than this was wrong before."""


class SystemClock:
    """The machine's clocks."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic = monotonic
        self._last = 0, monotonic()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._monotonic()

    def resume(self, instant: int) -> None:
        """Goes on from an instant (epoch ms) that a process before us has seen, should the clock be set back since."""
        self._last = instant, self.monotonic()

    def now(self) -> int:
        """UTC epoch milliseconds. They go back by a day or not at all: where the machine's clock was set back by less,
        they go on a tenth slower until it has caught up."""
        wall, at = self._wall_ns() // 1_000_000, self.monotonic()
        last, then = self._last
        if last - LONGEST_BACK_MS < wall < last:
            wall = last + round((at - then) * 1000 * SLOWED_DOWN)
        self._last = wall, at
        return wall


class HandClock:
    """A clock that somebody sets: for time that is played, not lived."""

    def __init__(self, now: int) -> None:
        self.instant = now

    def now(self) -> int:
        """UTC epoch milliseconds."""
        return self.instant

    def monotonic(self) -> float:
        """Seconds that never go back, as long as nobody sets it back."""
        return self.instant / 1000
