"""How calm and how quick the shipped rules are on simulated traffic, beside plain thresholds.

python -m bench.thresholds [--days 30] [--runs 15] [--rates 30,120,600,3000] [--all-rate-limited]
"""

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from statistics import median

from bench.healthy import HOUR_MS, Turn, failing, healthy
from bench.plain import VARIANTS, Plain
from daemon.adapters.config.alerts_file import load
from daemon.app.shelf import scan
from daemon.domain.alert import EpisodeChange, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.event import Event, Fault, Outcome, Wire, id_floor
from daemon.logic.judging import Book

ROOT = Path(__file__).parents[1]
T0 = 1_795_514_400_000
DAY_MS = 24 * HOUR_MS
SHARES = (0.08, 0.15, 0.4, 1.0)
HORIZON_HOURS = 6
TOLD = {EpisodeChange.OPENED, EpisodeChange.ESCALATED}
OURS = "the shipped file"


@cache
def shipped() -> AlertsConfig:
    shelves = scan()
    return load(ROOT / "alerts.yaml", shelves).config


class Ours:
    """The real engine with the shipped file; what it tells and what it would do."""

    def __init__(self) -> None:
        config = shipped()
        self._book = Book(config)
        self._acts = {
            (rule.alert, severity)
            for rule in config.rules
            for severity in rule.levels
            if rule.levels[severity].mitigate
        }
        self._acted: frozenset[str] = frozenset()
        self._second = T0
        self._is_new = False
        self._number = 0
        self.messages = self.actions = 0
        self.critical_at: int | None = None

    def observe(self, turn: Turn) -> None:
        at = T0 + turn.at
        self._until(at)
        self._number += 1
        self._book.observe(_event(turn, at, self._number))
        self._is_new = True

    def _until(self, at: int) -> None:
        """Judges what could change anything before an instant."""
        while self._second + 1000 <= at:
            if not (self._is_new or self._book.is_active):
                self._second = max(
                    self._second, min(at // 1000 * 1000, self._second // 10_000 * 10_000 + 10_000) - 1000
                )
            self._second += 1000
            self._judge()

    def _judge(self) -> None:
        judgement = self._book.judge(self._second)
        self._is_new = False
        for name, error in judgement.errors:
            raise RuntimeError(name) from error
        for step in judgement.steps:
            self.messages += step.change in TOLD
            if step.change in TOLD and step.alert.severity is Severity.CRITICAL:
                self.critical_at = self._second - T0
        if self._acted or judgement.changed:
            self._act()

    def _act(self) -> None:
        firing = self._book.firing()
        now = self._book.acting()
        started = {one.fingerprint for one in firing if (one.alert, one.severity) in self._acts} & now
        self.actions += len(started - self._acted)
        self._acted = (self._acted | started) & {one.fingerprint for one in firing}


def _event(turn: Turn, at: int, number: int) -> Event:
    fault = None if not turn.bad else Fault.PROVIDER_RATE_LIMITED if turn.rate_limited else Fault.PROVIDER_ERROR
    return Event(
        event_id=id_floor(at) + number % 4096,
        emitted_at=at,
        started_at=at - 100,
        duration_ms=100,
        method="POST",
        endpoint="/v1/chat/completions",
        wire=Wire.OPENAI_CHAT,
        status=200 if fault is None else 429 if turn.rate_limited else 500,
        outcome=Outcome.OK if fault is None else Outcome.FAILED,
        fault=fault,
        requested_model=turn.model,
        provider_key=turn.provider,
    )


def contestants() -> dict[str, Ours | Plain]:
    return {**{variant.name: Plain(variant) for variant in VARIANTS}, OURS: Ours()}


def calm(rate: int, days: int, all_rate_limited: bool) -> dict[str, str]:
    """False messages in 30 days and actions in 400 days."""
    them = contestants()
    told = 0
    for turn in healthy(Random(rate), rate, days, all_rate_limited=all_rate_limited):
        for one in them.values():
            one.observe(turn)
        if turn.at // DAY_MS > told:
            told = turn.at // DAY_MS
            _progress(f"calm, {rate}/h: day {told} of {days}")
    return {name: f"{one.messages * 30 / days:.1f}; {one.actions * 400 / days:.0f}" for name, one in them.items()}


def quick(rate: int, share: float, runs: int, *, warm: bool) -> dict[str, str]:
    """Medians of failed turns and minutes until critical."""
    found: dict[str, list[tuple[float, float]]] = {}
    for run in range(runs):
        _progress(f"quick, {rate}/h, {share:.0%}, {'warm' if warm else 'cold'}: run {run + 1} of {runs}")
        for name, result in _race(Random(run), rate, share, warm).items():
            found.setdefault(name, []).append(result)
    return {name: _said(results) for name, results in found.items()}


def _race(random: Random, rate: int, share: float, warm: bool) -> dict[str, tuple[float, float]]:
    them, done, failed = contestants(), dict[str, tuple[float, float]](), 0
    start = 2 * HOUR_MS if warm else 0
    for turn in failing(random, rate, share, start, start + HORIZON_HOURS * HOUR_MS):
        for name, one in them.items():
            if name not in done:
                one.observe(turn)
                if turn.at < start:
                    one.critical_at = None
                elif one.critical_at is not None:
                    done[name] = failed, (one.critical_at - start) / 60_000
        failed += turn.bad and turn.at >= start
        if len(done) == len(them):
            break
    return {name: done.get(name, (float("inf"), float("inf"))) for name in them}


def _said(results: list[tuple[float, float]]) -> str:
    turns, minutes = (median(values) for values in zip(*results, strict=True))
    return "never" if turns == float("inf") else f"{turns:.0f} / {minutes:.1f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--days", type=int, default=30, help="of healthy traffic; 400 for the record")
    options.add_argument("--runs", type=int, default=15, help="of each failing; 0 leaves it out")
    options.add_argument("--rates", default="30,120,600,3000", help="requests per hour")
    options.add_argument("--all-rate-limited", action="store_true", help="the worst case: one kind of failure")
    given = options.parse_args()
    rates = [int(rate) for rate in given.rates.split(",")]
    print(f"\n### False messages in 30 days; actions in 400 days ({given.days} healthy days)\n")
    _table({f"{rate}/h": calm(rate, given.days, given.all_rate_limited) for rate in rates})
    for warm in (True, False) if given.runs else ():
        for share in SHARES:
            print(f"\n### Failed turns / minutes until critical, {share:.0%} failing, {'warm' if warm else 'cold'}\n")
            _table({f"{rate}/h": quick(rate, share, given.runs, warm=warm) for rate in rates})


def _table(columns: dict[str, dict[str, str]]) -> None:
    for line in _lines(columns):
        print(line, flush=True)


def _lines(columns: dict[str, dict[str, str]]) -> Iterator[str]:
    yield f"| | {' | '.join(columns)} |"
    yield f"| --- {'| ---: ' * len(columns)}|"
    for name in next(iter(columns.values())):
        yield f"| {name} | {' | '.join(column[name] for column in columns.values())} |"


def _progress(text: str) -> None:
    print(text, end="\x1b[K\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
