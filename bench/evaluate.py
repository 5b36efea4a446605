"""Judging: how long a second takes with 1000 rules, beside ever more stored events and beside Prometheus.

python -m bench.evaluate [--only judge,series,warm,react,prometheus] [--stored 10000,100000,1000000,10000000]
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import median

from sqlalchemy import Connection, text

from bench import prometheus
from daemon.adapters.clock import SystemClock
from daemon.adapters.spool.reader import SpoolReader
from daemon.adapters.spool.writer import SpoolWriter
from daemon.adapters.store import Store, open_store, upgrade
from daemon.adapters.wake import WakeListener, Waker
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.decision import Decision
from daemon.domain.event import Event, EventIds, Fault, Outcome, Wire
from daemon.engine.desk import Desk
from daemon.engine.evaluate import Evaluate
from daemon.engine.ingest import Ingest
from daemon.logic.judging import Book
from daemon.logic.rules.ratio import RatioRule
from daemon.ports import Watermark

MIGRATIONS = Path(__file__).parents[1] / "migrations"
RULES, SERIES, SECONDS = 1000, 200, 60
FILLING = 1000
"""Seconds of traffic before the measured ones: the windows are full, and what was to be raised or resolved has been."""
START = 1_790_000_000_000
STORED_MINUTES = 100
SHARES = (0.0, 0.01, 0.02, 0.3)
"""Of the turns of a series that fail: about a quarter of all pairs of rule and series fire."""


def rules(number: int = RULES, **options: object) -> list[Rule]:
    """As many ratios of the same turns, each with a threshold of its own between 1 and 61 %."""
    facts: dict[str, object] = {
        "kind": "ratio",
        "bad": {"outcome": "failed"},
        "by": ["requested_model"],
        "window": "10m",
        "stretch_to": "10m",
        "max_series": 10_000,
    }
    return [
        RatioRule.model_validate(
            {**facts, "alert": f"R{n}", "levels": {"warning": {"above": f"{1 + 60 * n / number:.2f}%"}}, **options}
        )
        for n in range(number)
    ]


def turn(ids: EventIds, at: int, model: int, *, fails: bool) -> Event:
    """One finished turn."""
    return Event(
        event_id=ids.next(at),
        emitted_at=at,
        started_at=at - 100,
        duration_ms=100,
        method="POST",
        endpoint="/v1/responses",
        wire=Wire.OPENAI_RESPONSES,
        status=429 if fails else 200,
        outcome=Outcome.FAILED if fails else Outcome.OK,
        fault=Fault.PROVIDER_RATE_LIMITED if fails else None,
        requested_model=f"model-{model}",
        provider_key="codex",
    )


def traffic(dice: Random, start: int, seconds: int, per_second: int, series: int) -> Iterator[Sequence[Event]]:
    """Second by second."""
    ids = EventIds(1, 1)
    for second in range(seconds):
        at = start + second * 1000
        yield [
            turn(ids, at + 1000 * n // per_second, model := dice.randrange(series), fails=_fails(dice, model))
            for n in range(per_second)
        ]


def _fails(dice: Random, model: int) -> bool:
    return dice.random() < SHARES[model % len(SHARES)]


# ---- a second, beside ever more stored events ------------------------------------------------------------------------


async def judge(stored: Sequence[int], directory: Path) -> float:
    """The median of the largest pile of events, in ms."""
    print(f"\n{RULES} rules x {SERIES} series, every series counted in every second; ms per judged second")
    print(f"{'stored':>10} {'p50':>7} {'p99':>7} {'warmed from':>12} {'pairs firing':>13} {'to the first':>13}")
    first = last = 0.0
    for number in stored:
        store = await _filled(directory / f"{number}.db", number)
        book = Book(AlertsConfig(rules=tuple(rules())))
        warmed = _warm(store, book, START)
        times = _judged(book, traffic(Random(2), START, FILLING + SECONDS, 1000, SERIES))
        await store.close()
        last = median(times)
        first = first or last
        worst = sorted(times)[int(len(times) * 0.99)]
        firing = len(book.firing())
        print(f"{number:>10} {last:>7.2f} {worst:>7.2f} {warmed:>12} {firing:>13} {last / first:>12.2f}x", flush=True)
    return last


def _judged(book: Book, seconds: Iterator[Sequence[Event]]) -> list[float]:
    """Milliseconds of each of the last seconds that are judged; counting is measured apart."""
    times = []
    gc.collect()
    gc.freeze()
    for events in seconds:
        for event in events:
            book.observe(event)
        at = (events[-1].emitted_at // 1000 + 1) * 1000
        book._count_before(at)
        began = time.perf_counter()
        book.judge(at)
        times.append((time.perf_counter() - began) * 1000)
    return times[-SECONDS:]


def _warm(store: Store, book: Book, at: int) -> int:
    number = 0
    for event in store.events.replay(at - round(book.longest_window_seconds * 1000)):
        book.warm(event)
        number += 1
    return number


async def _filled(path: Path, number: int) -> Store:
    """A store with so many events over the last minutes: 10,000 that were appended, and copies of them."""
    url = f"sqlite:///{path}"
    upgrade(url, MIGRATIONS)
    store = open_store(url)
    ids, pattern = EventIds(0, 0), min(number, 10_000)
    span, owed = STORED_MINUTES * 60_000, dict.fromkeys(range(SERIES), 0.5)
    events = []
    for n in range(pattern):  # spread evenly: a thousand copies of luck would be a trend
        model = n % SERIES
        owed[model] += SHARES[model % len(SHARES)]
        fails, owed[model] = owed[model] >= 1, owed[model] % 1
        events.append(turn(ids, START - span + span * n // pattern, model, fails=fails))
    for place in range(0, pattern, 1000):
        await store.events.append(events[place : place + 1000], {"s": Watermark(batch_id=place, sequence=place)}, START)
    copies = number // pattern
    if copies > 1:
        await store.database.write(lambda one: one.execute(text("CREATE TABLE pattern AS SELECT * FROM event")))
    for copy in range(1, copies):
        await store.database.write(_copier(shift=(span // pattern) * copy // copies, copy=copy))
    return store


def _copier(*, shift: int, copy: int) -> Callable[[Connection], None]:
    """Copies the first events, so many ms later; their ids are told apart by the sequence."""

    def work(connection: Connection) -> None:
        columns = [row[1] for row in connection.execute(text("PRAGMA table_info(event)"))]
        values = ", ".join(f"id + {(shift << 22) + copy % 4096}" if name == "id" else name for name in columns)
        connection.execute(text(f"INSERT INTO event ({', '.join(columns)}) SELECT {values} FROM pattern"))

    return work


# ---- more series, and a start in the middle of the day ---------------------------------------------------------------


def series() -> None:
    """A second with 2,000 series."""
    book = Book(AlertsConfig(rules=tuple(rules())))
    times = _judged(book, traffic(Random(3), START, FILLING + SECONDS, 2000, 2000))
    print(
        f"\n{RULES} rules x 2000 series, 2000 turns a second: {median(times):.1f} ms p50, {max(times):.1f} ms at most"
    )


async def warm(directory: Path) -> None:
    """The windows of an hour and 2,000 series, from stored events, with the rules that are shipped."""
    from daemon.adapters.config.alerts_file import load
    from daemon.adapters.config.packaged import packaged
    from daemon.app.shelf import scan

    shelves = scan()
    loaded = load(packaged("alerts.yaml"), shelves)
    url = f"sqlite:///{directory / 'warm.db'}"
    upgrade(url, MIGRATIONS)
    store = open_store(url)
    mark = Watermark(batch_id=1, sequence=1)
    for events in traffic(Random(4), START - 3_600_000, 3600, 25, 2000):
        await store.events.append(events, {"s": mark}, START)
    more = rules(5, stretch_to="60m")
    book = Book(loaded.config.model_copy(update={"rules": (*loaded.config.rules, *more)}))
    began = time.perf_counter()
    number = sum(1 for _ in map(book.warm, store.events.replay(START - 3_600_000)))
    took = time.perf_counter() - began
    await store.close()
    shipped = len(loaded.config.rules)
    print(
        f"\nwarm start: an hour of 2000 series, {number} events, {shipped} shipped rules and 5 by model: {took:.2f} s, "
        f"{took / number * 1e6:.1f} us an event"
    )


# ---- from a response to the state change -----------------------------------------------------------------------------


def react(seconds: int, directory: Path) -> None:
    """500 events a second through a real spool, the engine and a real store; one series after another breaks down."""
    asyncio.run(_react(seconds, directory))


class _Seen:
    """A `Ledger` that notes when each alert was committed."""

    def __init__(self, store: Store) -> None:
        self._ledger = store.ledger
        self.fired: dict[str, int] = {}

    async def commit(self, decision: Decision) -> None:
        await self._ledger.commit(decision)
        for alert in decision.alerts:
            if alert.is_firing:
                self.fired.setdefault(dict(alert.labels)["requested_model"], time.time_ns() // 1_000_000)


async def _react(seconds: int, directory: Path) -> None:
    url, clock = f"sqlite:///{directory / 'react.db'}", SystemClock()
    upgrade(url, MIGRATIONS)
    store = open_store(url)
    seen = _Seen(store)
    evaluate = Evaluate(
        desk=Desk(seen),  # type: ignore[arg-type]  # of the ledger only commit is asked
        clock=clock,
        plan_messages=lambda _, __: (),
        plan_mitigations=lambda _, __, ___: Decision(),
    )
    evaluate.use(evaluate.open(AlertsConfig(rules=tuple(rules(20, in_a_row=4)))))
    ingest = Ingest(
        spool=SpoolReader(directory, directory / "spool.ack"),
        store=store.events,
        clock=clock,
        reader=ThreadPoolExecutor(1),
        label=lambda event: event,
        arrived=evaluate.arrived,
    )
    bell = WakeListener(directory / "bell", ingest.wake)
    bell.start()
    told = multiprocessing.get_context("spawn").SimpleQueue()
    feeder = multiprocessing.get_context("spawn").Process(target=_feed, args=(directory, seconds, told))
    feeder.start()
    lags: list[float] = []
    tasks = [asyncio.create_task(work) for work in (ingest.run(), evaluate.run(), _tick(lags))]
    await asyncio.to_thread(feeder.join)
    await asyncio.sleep(3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    bell.close()
    await store.close()
    decided: dict[str, int] = told.get()
    late = sorted(seen.fired[name] - at for name, at in decided.items() if name in seen.fired)
    lags.sort()
    print(
        f"\nfrom the deciding event to the committed state change, 500 events/s, {len(late)} of {len(decided)} seen: "
        f"p50 {late[len(late) // 2]} ms, p99 {late[int(len(late) * 0.99)]} ms; "
        f"loop lag p50 {lags[len(lags) // 2]:.2f} ms, p99 {lags[int(len(lags) * 0.99)]:.2f} ms"
    )


async def _tick(lags: list[float]) -> None:
    while True:
        due = time.perf_counter() + 0.002
        await asyncio.sleep(0.002)
        lags.append(max(0.0, time.perf_counter() - due) * 1000)


def _feed(directory: Path, seconds: int, told: "multiprocessing.SimpleQueue[dict[str, int]]") -> None:
    """Healthy turns of 200 models; twice a second one of them fails for good. Tells when its fourth failure was."""
    spool = SpoolWriter(
        directory / "worker-1.db",
        clock=SystemClock(),
        max_bytes=1 << 28,
        acknowledged=directory / "spool.ack",
        wake=Waker(directory / "bell").wake,
    )
    spool.start()
    ids, dice, failures, decided = EventIds(0, 0), Random(5), dict[int, int](), dict[str, int]()
    began = time.monotonic()
    for n in range(seconds * 500):
        time.sleep(max(0.0, began + n / 500 - time.monotonic()))
        at, model = time.time_ns() // 1_000_000, dice.randrange(SERIES)
        fails = model < n // 250
        if fails:
            failures[model] = failures.get(model, 0) + 1
            if failures[model] == 4:
                decided[f"model-{model}"] = at
        spool.offer(turn(ids, at, model, fails=fails))
    spool.close()
    told.put(decided)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", default="judge,series,warm,react,prometheus")
    options.add_argument("--stored", default="10000,100000,1000000,10000000")
    options.add_argument("--seconds", type=int, default=60, help="of the reaction")
    chosen = options.parse_args()
    wanted = chosen.only.split(",")
    directory = Path(tempfile.mkdtemp(prefix="evaluate"))
    try:
        ours = 0.0
        if "judge" in wanted:
            ours = asyncio.run(judge([int(one) for one in chosen.stored.split(",")], directory))
        if "series" in wanted:
            series()
        if "warm" in wanted:
            asyncio.run(warm(directory))
        if "react" in wanted:
            react(chosen.seconds, directory)
        if "prometheus" in wanted:
            prometheus.compare(directory, ours, rules=RULES, series=SERIES, shares=SHARES)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
