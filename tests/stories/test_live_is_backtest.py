"""Story: an hour with a storm and a kill in it, and records of the upstream, on real files; backtested, every alert
moves as it did.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from daemon.adapters.clock import HandClock
from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.adapters.memory.notifier import MemoryNotifier
from daemon.adapters.memory.routes import MemoryRoutes
from daemon.adapters.memory.upstream import MemoryUpstream
from daemon.adapters.spool import writer as spool_writer
from daemon.adapters.spool.files import file_of
from daemon.adapters.spool.reader import SpoolReader
from daemon.adapters.spool.writer import SpoolWriter
from daemon.adapters.store import Store, open_store, upgrade
from daemon.app import shelf
from daemon.app.backtesting import Rules, open_for_reading, state_log
from daemon.app.shelf import scan
from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.backtest import Span
from daemon.domain.event import Event, EventIds, Fault, Outcome
from daemon.domain.joined import UsageRecord
from daemon.domain.mitigation import Mode
from daemon.domain.notification import Channel
from daemon.domain.thinking import ThinkingSetting
from daemon.engine.core import Core, Surroundings
from daemon.engine.evaluate import GRACE_MS
from daemon.engine.ingest import Arrival, Ingest
from daemon.engine.looking import Looking
from daemon.logic.joining import Joins, learned
from tests.logic.playing import T0, an_event

SPARK, CODEX = "gpt-5.3-codex-spark", "gpt-5.3-codex"
MINUTE = 60
DRIFT, RECORDED_MS = range(40 * MINUTE, 55 * MINUTE), 3000
STORM, KILLED_AT, DEAD_SECONDS = range(18 * MINUTE, 34 * MINUTE), 24 * MINUTE, 75
SECONDS = 60 * MINUTE
LIMITED = {"outcome": Outcome.FAILED, "fault": Fault.PROVIDER_RATE_LIMITED, "status": 429}


class Hour:
    """Two workers spool into one directory; a control plane lives on it, dies, and is followed by another."""

    def __init__(self, directory: Path, config: AlertsConfig, threads: ThreadPoolExecutor) -> None:
        self.directory, self.config, self.threads = directory, config, threads
        self.clock = HandClock(T0)
        self.random = Random(7)
        self.url = f"sqlite:///{directory / 'events.db'}"
        upgrade(self.url, packaged("migrations"))
        self.store: Store = open_store(self.url)
        self.routes = MemoryRoutes()
        self.notifier = MemoryNotifier(self.clock)
        self.upstream = MemoryUpstream(
            {"quota-exceeded/switch-project": False, "quota-exceeded/switch-preview-model": False},
            [SPARK, CODEX, "claude-sonnet-4-6"],
            lambda _: (self.clock.instant - T0) // 1000 not in STORM,
        )
        self.workers = [self._worker(number) for number in range(2)]
        self.ids = [EventIds(0, number) for number in range(2)]
        self.gathered: list[list[Event]] = [[], []]
        self.offered = 0
        self.looking = Looking(shelf.looks())
        self.joins = Joins()
        """What the upstream writes down comes some seconds after its turn."""
        self.records: list[UsageRecord] = []
        self.core: Core | None = None
        self.ingest: Ingest | None = None

    def _worker(self, number: int) -> SpoolWriter:
        path = file_of(self.directory / "spool", number)
        path.parent.mkdir(exist_ok=True)
        writer = SpoolWriter(path, clock=self.clock, max_bytes=16 << 20, acknowledged=self.directory / "spool.ack")
        writer.start()
        return writer

    # ---- the control plane ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """As the control plane does."""
        ledger, events, now = self.store.ledger, self.store.events, self.clock.now()
        around = Surroundings(
            clock=self.clock,
            ledger=ledger,
            events=events,
            routes=self.routes,
            management=self.upstream,
            probes=self.upstream,
            notifier=self.notifier,
            ceiling=Mode.AUTO,
            public_url="http://127.0.0.1:8319",
        )
        self.core = core = Core(around, lambda: (self.config, ()))
        self.ingest = Ingest(
            spool=SpoolReader(self.directory / "spool", self.directory / "spool.ack"),
            store=events,
            clock=self.clock,
            reader=self.threads,
            label=core.attribution.attribute,
            arrived=self._arrived,
        )
        core.evaluate.remember(await ledger.alerts(), await ledger.mitigations())
        core.attribution.configure(self.config.providers)
        core.silences.configure(self.config)
        core.dispatch.configure(self.config, {one.name: (Channel(url=one.name),) for one in self.config.receivers})
        core.mitigate.configure(self.config)
        await core.dispatch.load()
        await core.mitigate.load()
        await self._look(core)
        book, last_alive = core.evaluate.open(self.config), await events.last_alive()
        warmed = set()
        for event in events.replay(now - 3_600_000):
            book.warm(event)
            warmed.add(event.event_id)
        core.evaluate.use(book, downtime_ms=0 if last_alive is None else now - last_alive, warmed=warmed)

    async def _look(self, core: Core) -> None:
        await core.inventory.refresh()
        for result in self.looking.judge(core.inventory.sight(), self.config):
            core.evaluate.observe(result)

    def _arrived(self, arrival: Arrival) -> None:
        assert self.core is not None
        for event in arrival.events:
            self.core.mitigate.observe(event)
            self.joins.turn(event, self.clock.now())
        self.core.evaluate.arrived(arrival)

    async def second(self, at: int) -> None:
        """Whatever is in the spool is read, the second that has ended is judged, and what is due is done."""
        core, ingest = self.core, self.ingest
        if core is None or ingest is None:
            return
        await ingest.catch_up()
        now = self.clock.now()
        due, self.records = (
            [one for one in self.records if one.at + RECORDED_MS <= now],
            [one for one in self.records if one.at + RECORDED_MS > now],
        )
        self.joins.take(due, now)
        for event, records in self.joins.due(now):
            if (joined := learned(event, records, now)) is not None:
                core.evaluate.observe(joined)
        if at % MINUTE == 0:
            await self._look(core)
        await core.evaluate.step(self.clock.now())
        if core.mitigate.is_busy:
            await core.mitigate.carry_out()
        await core.dispatch.send_due()

    # ---- traffic -------------------------------------------------------------------------------------------------

    def turn(self, at: int) -> None:
        """One of three seconds has a turn, half of them of Spark, half of which fail in the storm."""
        if at % 3:
            return
        model = (SPARK, "claude-sonnet-4-6")[at // 3 % 2]
        worker = self.random.randrange(2)
        instant = T0 + at * 1000 + self.random.randrange(1000)
        facts: dict[str, Any] = {"requested_model": model, "model_id": model, "provider_key": model.partition("-")[0]}
        route = next((one for one in self.routes.table.routes if one.from_model == model), None)
        if route is not None:
            facts |= {"model_id": CODEX, "mitigation_ids": (route.mitigation_id,)}
        elif at in STORM and model == SPARK and self.random.random() < 0.5:
            facts |= LIMITED
        elif model != SPARK:
            facts |= {"thinking_requested_mode": "level", "thinking_requested_level": "high"}
            self._write_down(instant, "low" if at in DRIFT else "high")
            facts["trace_id"] = f"20261124100000-c0de00000000c0de-{self.records[-1].request_id}"
        self.gathered[worker].append(an_event(instant, event_id=self.ids[worker].next(instant), **facts))

    def _write_down(self, at: int, level: str) -> None:
        thinking = ThinkingSetting(mode="level", level=level)
        request_id = f"{at & 0xFFFFFFFF:08x}"
        self.records.append(UsageRecord(request_id=request_id, at=at, provider_key="claude", thinking=thinking))

    def deliver(self, worker: int) -> None:
        """To the spool's file, and there they are when this returns."""
        events, self.gathered[worker] = self.gathered[worker], []
        for event in events:
            self.workers[worker].offer(event)
        self.offered += len(events)
        reader = SpoolReader(self.directory / "spool", self.directory / "spool.ack")
        end = time.monotonic() + 10
        while sum(batch.sequence for batch in _last_batches(reader)) < self.offered:
            assert time.monotonic() < end, "the spool was not written"
            time.sleep(0.001)

    async def live(self) -> None:
        for at in range(SECONDS):
            self.clock.instant = T0 + at * 1000 + GRACE_MS
            if at == KILLED_AT:
                self.core = self.ingest = None
            if at in (0, KILLED_AT + DEAD_SECONDS):
                await self.start()
            for worker in range(2):
                if self.gathered[worker] and self.random.random() < 0.3:
                    self.deliver(worker)
            await self.second(at)
            self.turn(at)

    async def end(self) -> Sequence[Alert]:
        """Stops as the control plane does; every row that an alert has had."""
        assert self.core is not None
        assert self.ingest is not None
        await self.ingest.store()
        await self.core.evaluate.flush()
        rows = await self.store.ledger.story(T0, self.clock.now())
        await self.store.close()
        for worker in self.workers:
            worker.close()
        return rows


def _last_batches(reader: SpoolReader) -> Iterator[Any]:
    last = {batch.spool_id: batch for batch in reader.read({}, 10_000)}
    return iter(last.values())


def lines(rows: Sequence[Alert]) -> bytes:
    return b"\n".join(msgspec.json.encode(asdict(row)) for row in rows)


async def test_an_hour_is_backtested_as_it_was_lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_writer, "GATHER_SECONDS", 0.0)
    shelves = scan()
    config = load(packaged("alerts.yaml"), shelves).config
    with ThreadPoolExecutor(2) as threads:
        hour = Hour(tmp_path, config, threads)
        await hour.live()
        lived = await hour.end()
    names = {row.alert for row in lived if row.is_firing}
    assert {"SparkErrorRatio", "ProviderRateLimited", "ThinkingMismatch"} <= names
    assert any(sent.message.title.startswith("[resolved]") for sent in hour.notifier.sent)

    store = open_for_reading(hour.url)
    again = await state_log(store, Rules(config=config), Span(since=T0, until=hour.clock.now()))
    mitigations = await store.ledger.mitigations()
    await store.close()
    assert lines(again) == lines(lived)
    assert [row.target for row in mitigations if row.soft] == [f"model_alias:{SPARK}"]
