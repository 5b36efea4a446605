"""Both ends of a spool in one directory, and events to put into it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.adapters.clock import SystemClock
from daemon.adapters.spool.files import file_of
from daemon.adapters.spool.reader import SpoolReader
from daemon.adapters.spool.writer import SpoolWriter
from daemon.domain.event import Event, EventIds, Outcome, Wire, emitted_at_of
from daemon.ports import SpoolBatch, Watermark

IDS = EventIds(0, 0)
PATIENCE_SECONDS = 15.0


def event(**more: Any) -> Event:
    event_id = IDS.next(SystemClock().now())
    what = {"method": "POST", "endpoint": "/v1/chat/completions", "wire": Wire.OPENAI_CHAT, "outcome": Outcome.OK}
    at = emitted_at_of(event_id)
    return Event(**{"event_id": event_id, "emitted_at": at, "started_at": at, "duration_ms": 1, **what, **more})


def until(check: Callable[[], Any]) -> Any:
    """Asks until the answer is true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (answer := check()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.005)
    return answer


class SpoolHouse:
    """A directory with a spool."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "spool"
        self.acknowledged = directory / "spool.ack"
        self.reader = SpoolReader(self.directory, self.acknowledged)

    @contextmanager
    def writer(self, worker: int = 0, max_bytes: int = 16 << 20, **more: Any) -> Iterator[SpoolWriter]:
        writer = SpoolWriter(
            file_of(self.directory, worker),
            clock=SystemClock(),
            max_bytes=max_bytes,
            acknowledged=self.acknowledged,
            **more,
        )
        writer.start()
        try:
            yield writer
        finally:
            writer.close()

    def batches(self, after: Mapping[str, Watermark] | None = None) -> list[SpoolBatch]:
        return list(self.reader.read(after or {}, 10_000))

    def ids(self, after: Mapping[str, Watermark] | None = None) -> list[int]:
        return [one.event_id for batch in self.batches(after) for one in batch.events]

    def size(self) -> int:
        return sum(file.stat().st_size for file in self.directory.iterdir())


def watermarks(batches: list[SpoolBatch]) -> dict[str, Watermark]:
    """How far these batches go."""
    return {batch.spool_id: Watermark(batch_id=batch.batch_id, sequence=batch.sequence) for batch in batches}
