"""How fast recorded events are judged again, beside a plain read of the same rows: `python -m bench.backtest`."""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.adapters.store import open_store, upgrade
from daemon.app.backtesting import Rules, open_for_reading
from daemon.app.shelf import scan
from daemon.app.side_by_side import play_all
from daemon.domain.backtest import Played, Span
from daemon.domain.event import Event, EventIds, Fault, Outcome, Wire

T0 = 1_795_514_400_000
WEEK_EVENTS = 7 * 86_400 * 10
"""Seven days at 10 requests a second."""
BATCH = 2000
SOURCES = (
    ("codex", Wire.OPENAI_RESPONSES, ("gpt-5.4", "gpt-5.3-codex", "gpt-5.3-codex-spark"), 50),
    ("claude", Wire.ANTHROPIC_MESSAGES, ("claude-sonnet-4-6", "claude-opus-4-6"), 30),
    ("gemini", Wire.GEMINI_GENERATE_CONTENT, ("gemini-3-pro", "gemini-3-flash"), 10),
    ("iflow", Wire.OPENAI_CHAT, ("glm-5",), 6),
    ("antigravity", Wire.OPENAI_CHAT, ("antigravity/claude",), 4),
)
"""Provider, wire, models, weight."""
FAILING = 0.01
INCIDENT = 0.25
"""Of the turns of codex, in half an hour of every twelve."""


def traffic(hours: float, rate: int) -> Iterator[Event]:
    """Turns of five providers; 6 credentials each, 8 client keys, 3 workloads."""
    dice, ids, gap = Random(1), EventIds(0, 0), 1000 // rate
    for number in range(round(hours * 3600 * rate)):
        at = T0 + number * gap + dice.randrange(gap)
        yield _event(dice, ids.next(at), at)


def _event(dice: Random, event_id: int, at: int) -> Event:
    ((provider, wire, models, _),) = dice.choices(SOURCES, [source[3] for source in SOURCES])
    is_incident = provider == "codex" and 3.0 <= (at - T0) / 3_600_000 % 12 < 3.5
    fails, duration = dice.random() < FAILING + INCIDENT * is_incident, int(dice.lognormvariate(8.5, 0.8))
    written, model = None if fails else int(dice.lognormvariate(6, 1)), dice.choice(models)
    return Event(
        event_id=event_id,
        emitted_at=at,
        started_at=at - duration,
        duration_ms=duration,
        ttfb_ms=duration // 5,
        ttft_ms=None if fails else duration // 4,
        largest_gap_ms=duration // 20,
        node_id="node-a",
        method="POST",
        endpoint="/v1/responses",
        wire=wire,
        stream=dice.random() < 0.8,
        status=429 if fails else 200,
        outcome=Outcome.FAILED if fails else Outcome.OK,
        fault=Fault.PROVIDER_RATE_LIMITED if fails else None,
        requested_model=model,
        model_id=model,
        provider_key=provider,
        credential=f"credential-{dice.randrange(6)}",
        workload=f"workload-{dice.randrange(3)}",
        client_key_id=f"{dice.randrange(8):016x}",
        client="codex-cli",
        input_tokens=None if fails else int(dice.lognormvariate(9, 1)),
        output_tokens=written,
        reasoning_tokens=None if written is None else written // 3,
        total_tokens=None if written is None else written * 9,
        usage_present=not fails,
        request_bytes=int(dice.lognormvariate(10, 1)),
        response_bytes=int(dice.lognormvariate(9, 1)),
    )


async def record(database_url: str, hours: float, rate: int) -> None:
    """Through the store that the daemon uses."""
    upgrade(database_url, packaged("migrations"))
    store, batch = open_store(database_url), list[Event]()
    for event in traffic(hours, rate):
        batch.append(event)
        if len(batch) == BATCH:
            await store.events.append(batch, {}, event.emitted_at)
            batch = []
    await store.events.append(batch, {}, T0)
    await store.close()


def plain_read(path: Path) -> float:
    """Seconds in which SQLite gives the rows as tuples."""
    connection, began = sqlite3.connect(path), time.perf_counter()
    for _ in connection.execute("SELECT * FROM event ORDER BY id"):
        pass
    return time.perf_counter() - began


def replayed(database_url: str) -> float:
    """Seconds in which the store gives events."""
    store, began = open_for_reading(database_url), time.perf_counter()
    for _ in store.events.replay(T0):
        pass
    seconds = time.perf_counter() - began
    asyncio.run(store.close())
    return seconds


def judged(database_url: str, several: list[Rules], span: Span) -> tuple[float, list[Played]]:
    """Seconds in which sets of rules judge them all, and what they did."""
    began = time.perf_counter()
    played = play_all(database_url, several, span, _progress(span))
    return time.perf_counter() - began, played


def _progress(span: Span) -> Callable[[int], None]:
    def show(at: int) -> None:
        print(f"{(at - span.since) / (span.until - span.since):.0%}", end="\x1b[K\r", file=sys.stderr, flush=True)

    return show


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=float, default=6, help="of traffic; 168 for the record")
    options.add_argument("--rate", type=int, default=10, help="requests a second")
    given = options.parse_args()
    shelves = scan()
    loaded = load(packaged("alerts.yaml"), shelves)
    rules = Rules(config=loaded.config, off=loaded.off)
    span = Span(since=T0, until=T0 + round(given.hours * 3_600_000))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.db"
        url = f"sqlite:///{path}"
        asyncio.run(record(url, given.hours, given.rate))
        plain, read = plain_read(path), replayed(url)
        alone, (played,) = judged(url, [rules], span)
        both, _ = judged(url, [rules, rules], span)
    _print(played, plain, read, alone, both)


def _print(played: Played, plain: float, read: float, alone: float, both: float) -> None:
    print(f"{played.events:,} events, {len(played.transitions)} transitions\n")
    print("| | events/s | as a multiple of the plain read | 7 days at 10 a second |")
    print("| --- | ---: | ---: | ---: |")
    for name, seconds, events in (
        ("rows out of SQLite, as tuples", plain, played.events),
        ("events out of the store", read, played.events),
        ("judged, one process", alone, played.events),
        ("judged by two sets of rules, two processes", both, 2 * played.events),
    ):
        rate = events / seconds
        print(f"| {name} | {rate:,.0f} | {plain * rate / played.events:.3f} | {WEEK_EVENTS / rate:,.0f} s |")


if __name__ == "__main__":
    main()
