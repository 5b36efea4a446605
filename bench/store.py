"""The store's speed and size, as ratios to the bare `sqlite3` module in the same run: `python -m bench.store`."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, TypeVar

from daemon.adapters.store import open_store, upgrade
from daemon.adapters.store.tables import event as table
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.event import Event, EventIds, Fault, Outcome, Wire, emitted_at_of
from daemon.domain.rollup import Closed
from daemon.engine.ingest import LATE_MS
from daemon.logic.rollups import Rollups
from daemon.ports import Watermark

MIGRATIONS = Path(__file__).parents[1] / "migrations"
BATCH, BATCHES, ROUNDS, DECISIONS = 250, 80, 5, 200
ROLLED, ROLLED_BATCH = 200_000, 1250
START = 1_790_000_000_000
WIRES = tuple(wire for wire in Wire if wire is not Wire.OTHER)


def events(number: int = BATCH * BATCHES) -> list[Event]:
    """Requests at 1000 a second: 5 providers, 40 models, 5 workloads, 50 clients, 20 credentials; 5 % fail."""
    dice, ids = Random(1), EventIds(0, 0)
    return [_event(dice, ids.next(START + ms)) for ms in range(number)]


def _event(dice: Random, event_id: int) -> Event:
    model, fails = int(40 * dice.random() ** 2), dice.random() < 0.05
    emitted_at, duration = emitted_at_of(event_id), int(dice.lognormvariate(8, 1))
    written = None if fails else int(dice.lognormvariate(6, 1))
    return Event(
        event_id=event_id,
        emitted_at=emitted_at,
        started_at=emitted_at - duration,
        duration_ms=duration,
        ttfb_ms=duration // 5,
        ttft_ms=duration // 4,
        largest_gap_ms=duration // 20,
        node_id="node-a",
        method="POST",
        endpoint="/v1/responses",
        wire=WIRES[model % 4],
        stream=dice.random() < 0.8,
        status=429 if fails else 200,
        outcome=Outcome.FAILED if fails else Outcome.OK,
        fault=Fault.PROVIDER_RATE_LIMITED if fails else None,
        requested_model=f"model-{model}",
        model_id=f"model-{model}",
        response_model=None if fails else f"model-{model}",
        provider_key=f"provider-{model % 5}",
        provider_evidence="trace",
        credential=f"credential-{dice.randrange(20)}@example.org",
        auth_index=f"{model % 20:016x}",
        workload=f"workload-{dice.randrange(5)}",
        client_key_id=f"{dice.randrange(50):016x}",
        client="codex-cli",
        input_tokens=None if fails else int(dice.lognormvariate(9, 1)),
        output_tokens=written,
        reasoning_tokens=None if written is None else written // 3,
        total_tokens=None if written is None else written * 9,
        usage_present=not fails,
        finish_reason=None if fails else "stop",
        request_bytes=int(dice.lognormvariate(10, 1)),
        response_bytes=int(dice.lognormvariate(9, 1)),
    )


T = TypeVar("T")


def batches(rows: Sequence[T], size: int = BATCH) -> list[Sequence[T]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def bare(path: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], synchronous: str) -> float:
    """Seconds for the same batches with nothing but `executemany`."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}")
    connection.execute(f"CREATE TABLE event ({columns[0]} INTEGER PRIMARY KEY, {', '.join(columns[1:])})")
    statement = f"INSERT INTO event VALUES ({', '.join('?' * len(columns))})"
    started = time.perf_counter()
    for batch in batches(rows):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, batch)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


async def adapter(path: Path, rows: Sequence[Event]) -> tuple[float, float]:
    """Seconds for the batches through the adapter, and for one decision."""
    url = f"sqlite:///{path}"
    upgrade(url, MIGRATIONS)
    store = open_store(url)
    await store.events.watermarks()
    started = time.perf_counter()
    for number, batch in enumerate(batches(rows)):
        await store.events.append(batch, {"node-a/0": Watermark(batch_id=number, sequence=number)}, START)
    appended = time.perf_counter()
    for number in range(DECISIONS):
        entry = AuditEntry(id=f"a{number}", at=START, actor="daemon", subject="m1", action="planned")
        await store.ledger.commit(Decision(audit=(entry,)))
    decided = time.perf_counter()
    await store.close()
    return appended - started, (decided - appended) / DECISIONS


async def writing(path: Path, rows: Sequence[Event], rolling: bool) -> float:
    """CPU microseconds of this process per event, with rollups and without."""
    url = f"sqlite:///{path}"
    upgrade(url, MIGRATIONS)
    store, rollups = open_store(url), Rollups()
    started = time.process_time()
    for number, batch in enumerate(batches(rows, ROLLED_BATCH)):
        closed = None
        if rolling:
            for one in batch:
                rollups.add(one)
            ended = rollups.close(rollups.newest - LATE_MS)
            closed = Closed(node_id="", until=rollups.until, rows=tuple(ended))
        await store.events.append(batch, {"node-a/0": Watermark(batch_id=number, sequence=number)}, START, closed)
    seconds = time.process_time() - started
    await store.close()
    return seconds / len(rows) * 1e6


def rolled(directory: Path) -> None:
    """What rollups add to the writer."""
    rows, spent = events(ROLLED), {False: list[float](), True: list[float]()}
    for round_ in range(3):
        for rolling, taken in spent.items():
            path = directory / f"rolled-{rolling}-{round_}.db"
            taken.append(asyncio.run(writing(path, rows, rolling)))
    connection = sqlite3.connect(path)
    sizes = connection.execute("SELECT name, sum(pgsize) FROM dbstat WHERE name IN ('r10', 'm1', 'h1') GROUP BY 1")
    tables = ", ".join(
        f"{name} {connection.execute(f'SELECT count(*) FROM {name}').fetchone()[0]} rows of {size} bytes in all"
        for name, size in sizes.fetchall()
    )
    connection.close()
    raw, both = median(spent[False]), median(spent[True])
    print(f"{ROLLED} events: {raw:.1f} us of CPU per event, with rollups {both:.1f}; with / without: {both / raw:.2f}")
    print(f"  {tables}")


def stored(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT * FROM event ORDER BY id").fetchall()
    connection.close()
    return rows


def bytes_per_event(path: Path) -> float:
    return path.stat().st_size / (BATCH * BATCHES)


def run(directory: Path) -> None:
    written = events()
    plain = [tuple(None if value == () else value for value in astuple(one)) for one in written]
    names, columns = [field.name for field in fields(Event)], table.columns.keys()
    seconds: dict[str, list[float]] = {}

    def timed(name: str, round_: int, work: Callable[[Path], float]) -> Path:
        path = directory / f"{name.replace(' ', '-')}-{round_}.db"
        seconds.setdefault(name, []).append(work(path))
        return path

    decisions: list[float] = []

    def through_the_adapter(path: Path) -> float:
        taken, decision = asyncio.run(adapter(path, written))
        decisions.append(decision)
        return taken

    for round_ in range(ROUNDS):
        ours = timed("adapter FULL", round_, through_the_adapter)
        rows = stored(ours)
        compact = timed("same rows FULL", round_, lambda path, rows=rows: bare(path, columns, rows, "FULL"))
        timed("same rows NORMAL", round_, lambda path, rows=rows: bare(path, columns, rows, "NORMAL"))
        text = timed("every field FULL", round_, lambda path: bare(path, names, plain, "FULL"))
    ours_seconds = median(seconds["adapter FULL"])
    print(f"{BATCH * BATCHES} events in batches of {BATCH}, medians of {ROUNDS} rounds")
    for name, taken in seconds.items():
        rate = BATCH * BATCHES / median(taken)
        print(f"  {name:<18} {rate:>9,.0f} events/s   adapter / this: {median(taken) / ours_seconds:.2f}")
    synced = median(seconds["same rows FULL"]) / median(seconds["same rows NORMAL"])
    print(f"  FULL / NORMAL time of the same rows: {synced:.2f}; one decision: {median(decisions) * 1000:.2f} ms")
    print(
        f"  bytes per event: adapter {bytes_per_event(ours):.1f}, its rows alone {bytes_per_event(compact):.1f}, "
        f"every field {bytes_per_event(text):.1f}; adapter / every field: "
        f"{bytes_per_event(ours) / bytes_per_event(text):.2f}"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-store-") as directory:
        run(Path(directory))
        rolled(Path(directory))
