"""What probes found, in memory, with every promise of the port."""

from collections.abc import Sequence

from daemon.domain.probe import ProbeResult, ProbeState
from daemon.domain.quota import QuotaReading


class MemoryProbes:
    """A `ProbeStore` that is gone with its process."""

    def __init__(self) -> None:
        self.state_rows: dict[str, ProbeState] = {}
        self.result_rows: list[ProbeResult] = []
        self.quota_rows: list[QuotaReading] = []

    async def states(self) -> Sequence[ProbeState]:
        return list(self.state_rows.values())

    async def note(self, state: ProbeState, results: Sequence[ProbeResult], quota: Sequence[QuotaReading]) -> None:
        self.state_rows[state.probe] = state
        self.result_rows += results
        self.quota_rows += quota

    async def results(self, limit: int = 200, probe: str | None = None) -> Sequence[ProbeResult]:
        return [row for row in self.result_rows[::-1] if probe in (None, row.probe)][:limit]

    async def readings(self, limit: int = 1000) -> Sequence[QuotaReading]:
        return self.quota_rows[::-1][:limit]

    async def prune(self, before: int, limit: int) -> int:
        old = [row for row in self.result_rows if row.emitted_at < before][:limit]
        read = [row for row in self.quota_rows if row.observed_at < before][:limit]
        self.result_rows = [row for row in self.result_rows if row not in old]
        self.quota_rows = [row for row in self.quota_rows if row not in read]
        return max(len(old), len(read))
