"""Plain thresholds, looked at every 15 s as other alerting does: what the shipped rules are compared with."""

from bisect import bisect_left
from dataclasses import dataclass

from bench.healthy import Turn
from daemon.domain.sample import Counts
from daemon.logic.evidence import lower_bound, quantile

EVERY_MS = 15_000
WINDOW_MS, STRETCHED_MS = 600_000, 3_600_000
LEVELS = ((0.05, 0.03), (0.10, 0.06))
"""Raises above, clears below: warning, critical."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    samples: int = 1
    stretches: bool = False
    z: float | None = None
    waits_ms: int = 0
    holds_ms: int = 0


VARIANTS = (
    Variant(name="> 5 % over 10 min"),
    Variant(name="+ at least 50 samples", samples=50),
    Variant(name="+ clear at 3 %, for 2 min, hold 5 min", samples=50, waits_ms=120_000, holds_ms=300_000),
    Variant(name="stretches to 60 min, 30 samples, 95 % bound over 3 %", samples=30, stretches=True, z=quantile(0.95)),
    Variant(name="same with 20 samples, 97.5 % bound", samples=20, stretches=True, z=quantile(0.975)),
)


class Plain:
    """One variant on the rate limits of each provider."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._series: dict[str, _Series] = {}
        self._next = EVERY_MS
        self.messages = self.actions = 0
        self.critical_at: int | None = None

    def observe(self, turn: Turn) -> None:
        while self._next <= turn.at:
            for series in self._series.values():
                self._look(series)
            self._next += EVERY_MS
        series = self._series.setdefault(turn.provider, _Series())
        series.add(turn.at, turn.bad and turn.rate_limited)

    def _look(self, series: "_Series") -> None:
        for level, raised in enumerate(series.look(self._next, self._variant)):
            if raised:
                self.messages += 1
                self.actions += level
                if level:
                    self.critical_at = self._next


class _Series:
    def __init__(self) -> None:
        self._times: list[int] = []
        self._bad = [0]
        self._firing = [False, False]
        self._since: list[int | None] = [None, None]

    def add(self, at: int, bad: bool) -> None:
        self._times.append(at)
        self._bad.append(self._bad[-1] + bad)
        if len(self._times) > 20_000:
            keep = bisect_left(self._times, at - STRETCHED_MS)
            self._times, self._bad = self._times[keep:], self._bad[keep:]

    def look(self, now: int, variant: Variant) -> list[bool]:
        """Which levels began to fire at this look."""
        counts = self._counts(now, variant)
        return [self._step(level, now, counts, variant) for level in range(2)]

    def _counts(self, now: int, variant: Variant) -> Counts:
        start = bisect_left(self._times, now - WINDOW_MS)
        if variant.stretches:
            start = max(bisect_left(self._times, now - STRETCHED_MS), min(start, len(self._times) - variant.samples))
        return Counts(len(self._times) - start, self._bad[-1] - self._bad[start])

    def _step(self, level: int, now: int, counts: Counts, variant: Variant) -> bool:
        above, below = LEVELS[level]
        value = counts.bad / counts.samples if counts.samples else 0.0
        is_proven = variant.z is None or (value > above and lower_bound(counts, variant.z) > below)
        raises = counts.samples >= variant.samples and value > above and is_proven
        calms = value < below if variant.holds_ms else not raises
        firing = self._firing[level]
        if not (calms if firing else raises):
            self._since[level] = None
            return False
        began = self._since[level] = now if (since := self._since[level]) is None else since
        if now - began < (variant.holds_ms if firing else variant.waits_ms):
            return False
        self._firing[level], self._since[level] = not firing, None
        return not firing
