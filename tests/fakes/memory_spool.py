"""A spool in memory: what workers wrote, and what was acknowledged."""

from collections.abc import Mapping, Sequence

from daemon.domain.event import Event
from daemon.ports import SpoolBatch, Watermark

NOTHING = Watermark(batch_id=0, sequence=0)


class MemorySpool:
    def __init__(self) -> None:
        self.batches: list[SpoolBatch] = []
        self.acknowledged: Mapping[str, Watermark] = {}

    def write(self, *events: Event, spool_id: str = "s0", lost: int = 0) -> None:
        """One batch, before which so many events were dropped."""
        own = [batch for batch in self.batches if batch.spool_id == spool_id]
        batch_id, sequence = (own[-1].batch_id, own[-1].sequence) if own else (0, 0)
        self.batches.append(
            SpoolBatch(spool_id=spool_id, batch_id=batch_id + 1, sequence=sequence + lost + len(events), events=events)
        )

    def read(self, after: Mapping[str, Watermark], limit: int) -> Sequence[SpoolBatch]:
        return [batch for batch in self.batches if batch.batch_id > after.get(batch.spool_id, NOTHING).batch_id][:limit]

    def acknowledge(self, applied: Mapping[str, Watermark]) -> None:
        self.acknowledged = dict(applied)

    def depth(self, applied: Mapping[str, Watermark]) -> int:
        return sum(len(batch.events) for batch in self.read(applied, len(self.batches)))
