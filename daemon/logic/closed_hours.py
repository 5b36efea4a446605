"""Closed hours of made-up days: what rules learn from that ask what is usual."""

from collections.abc import Iterable

from daemon.domain.event import Event
from daemon.domain.rollup import Resolution, Rollup, Series, Sum, Think, series_of, think_of
from daemon.domain.rule_test import History
from daemon.logic.made_up_traffic import a_turn

HOURS_A_DAY = 24


def closed_hours(histories: Iterable[History], until: int) -> list[Rollup]:
    """Of the days before an instant (epoch ms), which begins an hour."""
    return [
        _hour(history, turn, until, ago)
        for history in histories
        for turn in [a_turn(history.set)]
        for ago in range(history.days * HOURS_A_DAY, 0, -1)
    ]


def _hour(history: History, turn: Event, until: int, ago: int) -> Rollup:
    requests = round(history.per_hour)
    thought = history.reasoning_tokens
    return Rollup(
        resolution=Resolution.HOUR,
        bucket=Resolution.HOUR.floor(until) - ago * Resolution.HOUR.ms,
        part=ago,
        series=Series(*series_of(turn)),
        think=Think(*think_of(turn)),
        requests=requests,
        ok=requests,
        tokens={} if thought is None else {"reasoning_tokens": Sum(requests * thought, requests)},
    )
