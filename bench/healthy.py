"""Simulated turns: healthy ones, with bursts of failures and clients that try again, and failing ones."""

from collections.abc import Iterator
from heapq import heappop, heappush, merge
from random import Random
from typing import NamedTuple

HOUR_MS = 3_600_000
SPARK = "gpt-5.3-codex-spark"
SOURCES = (
    ("codex", "gpt-5.4", 0.5, 0.02),
    ("codex", SPARK, 0.1, 0.008),
    ("claude", "claude-sonnet-4-6", 0.3, 0.02),
    ("gemini", "gemini-2.5-pro", 0.1, 0.02),
)
"""Provider, model, share of the traffic, share that fails."""
BLIP_MS = 10_000
"""On average; in a blip half of the turns fail, and half of all failures come in blips."""
FAILING_IN_BLIP = 0.5
UNMARKED = 0.3
"""Of the clients try again without saying so, after 1, 2 and 4 s; the others say so, and are not counted."""
PAUSES_MS = (1000, 2000, 4000)


class Turn(NamedTuple):
    """One counted turn; `at` is in ms since the beginning."""

    at: int
    provider: str
    model: str
    bad: bool
    rate_limited: bool


def healthy(random: Random, per_hour: float, days: float, *, all_rate_limited: bool) -> Iterator[Turn]:
    """Turns of all providers, in order."""
    end = round(days * 24 * HOUR_MS)
    kinds = 1.0 if all_rate_limited else 0.5
    seeds = [Random(random.random()) for _ in SOURCES]
    streams = (
        _source(seed, provider, model, per_hour * part, share, kinds, end)
        for seed, (provider, model, part, share) in zip(seeds, SOURCES, strict=True)
    )
    return merge(*streams, key=lambda turn: turn.at)


def failing(random: Random, per_hour: float, share: float, start: int, end: int) -> Iterator[Turn]:
    """One provider: healthy until `start` (ms), then so many of its turns are rate limited; nobody tries again."""
    yield from _source(random, "codex", "gpt-5.4", per_hour, 0.02, 1.0, start)
    at = float(start)
    while (at := at + random.expovariate(per_hour / HOUR_MS)) < end:
        yield Turn(int(at), "codex", "gpt-5.4", random.random() < share, True)


def _source(
    random: Random, provider: str, model: str, per_hour: float, share: float, kinds: float, end: int
) -> Iterator[Turn]:
    alone = share / 2
    blips = _Blips(random, alone / FAILING_IN_BLIP)
    waiting: list[tuple[float, int, bool]] = []  # instant, attempt, and whether the client tries again
    heappush(waiting, (random.expovariate(per_hour / HOUR_MS), 0, random.random() < UNMARKED))
    rate_limited = False
    while waiting and waiting[0][0] < end:
        at, attempt, tries_again = heappop(waiting)
        if attempt == 0:
            heappush(waiting, (at + random.expovariate(per_hour / HOUR_MS), 0, random.random() < UNMARKED))
        chance = FAILING_IN_BLIP if blips.is_at(at) else share if attempt else alone
        bad = random.random() < chance
        rate_limited = random.random() < kinds if attempt == 0 else rate_limited
        if bad and tries_again and attempt < len(PAUSES_MS):
            heappush(waiting, (at + PAUSES_MS[attempt], attempt + 1, True))
        yield Turn(int(at), provider, model, bad, rate_limited)


class _Blips:
    """Short times in which much fails; asked about later and later instants."""

    def __init__(self, random: Random, part: float) -> None:
        self._random, self._pause = random, BLIP_MS * (1 - part) / part
        self._begin = self._end = 0.0

    def is_at(self, at: float) -> bool:
        while at >= self._end:
            self._begin = self._end + self._random.expovariate(1 / self._pause)
            self._end = self._begin + self._random.expovariate(1 / BLIP_MS)
        return at >= self._begin
