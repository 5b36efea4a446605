"""Side by side: several sets of rules on the same recorded traffic, in as many processes as there are cores for."""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from typing import Any

from daemon.app.backtesting import Progress, Rules, backtest, open_for_reading
from daemon.domain.backtest import Played, Span

LOOK_SECONDS = 0.2
"""Between two looks at how far they are."""

_reached: Any = None
"""In a process of its own: how far each has come (epoch ms)."""


def play_all(database_url: str, several: Sequence[Rules], span: Span, progress: Progress) -> list[Played]:
    """In their order. `progress` is told how far they have come on average (epoch ms). Raises `StoreFailure` and
    `CannotStart`."""
    if len(several) == 1:
        return [asyncio.run(_play(database_url, several[0], span, progress))]
    context = multiprocessing.get_context("spawn")
    reached = context.Array("q", [span.since] * len(several))
    workers = min(len(several), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(reached,)) as pool:
        futures = [pool.submit(_in_process, database_url, one, span, place) for place, one in enumerate(several)]
        for _ in _until_done(futures):
            progress(sum(reached[:]) // len(several))
        return [future.result() for future in futures]


def _until_done(futures: Sequence["Future[Played]"]) -> Iterator[None]:
    """Again and again; it ends when all are done, or one has failed."""
    while not all(future.done() for future in futures):
        if any(future.done() and future.exception() for future in futures):
            for future in futures:
                future.cancel()
            return
        wait([future for future in futures if not future.done()], timeout=LOOK_SECONDS)
        yield


def _begin(reached: Any) -> None:
    global _reached
    _reached = reached


def _in_process(database_url: str, rules: Rules, span: Span, place: int) -> Played:
    def note(at: int) -> None:
        _reached[place] = at

    return asyncio.run(_play(database_url, rules, span, note))


async def _play(database_url: str, rules: Rules, span: Span, progress: Progress) -> Played:
    store = open_for_reading(database_url)
    try:
        return await backtest(store, rules, span, progress)
    finally:
        await store.close()
