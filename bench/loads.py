"""A load: JSON in a closed loop or at a rate, or streams; and what the candidate used meanwhile."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import instruments
from bench.candidate import PATH, Candidate
from bench.instruments import Upstream
from bench.meter import Reading

WARM_UP_SHARE = 0.2
NOISE_CORES = 0.12
END_SECONDS = 0.05
"""The last reading comes so long before the client ends."""


@dataclass(frozen=True)
class Load:
    """A closed loop, unless it has a rate; with chunks it is of streams."""

    name: str
    says: str
    connections: int
    seconds: float = 3.0
    rate: int = 0
    chunks: int = 0
    gap_ms: int = 0
    body_bytes: int = 1000

    def measure(self, candidate: Candidate, pid: int | None, upstream: Upstream, directory: Path) -> dict[str, Any]:
        """What the client says, and what was used in the window that it counts."""
        upstream.tell(chunks=self.chunks, gap_us=self.gap_ms * 1000, hold_us=0)
        with instruments.client(directory, self.arguments(candidate)) as client:
            time.sleep(self.seconds * WARM_UP_SHARE)
            before = Reading.take(pid, (client.pid, upstream.pid))
            time.sleep(self.seconds * (1 - WARM_UP_SHARE) - END_SECONDS)
            after = Reading.take(pid, (client.pid, upstream.pid))
            return {**(said := instruments.report(client)), **self._used(said, before, after)}

    def _used(self, said: dict[str, Any], before: Reading, after: Reading) -> dict[str, Any]:
        used = before.until(after)
        rate = said["chunks_per_second" if self.chunks else "rps"]
        return {
            "cores": used.cores,
            "cpu_us": used.cores / rate * 1e6 if used.cores is not None and rate else None,
            "rss_mib": used.rss_mib,
            "foreign_cores": used.foreign_cores,
            "noisy": used.foreign_cores > NOISE_CORES,
        }

    def arguments(self, candidate: Candidate) -> list[str]:
        """Of the client."""
        flags = {
            "-p": candidate.port,
            "-u": PATH,
            "-c": self.connections,
            "-s": self.seconds,
            "-w": self.seconds * WARM_UP_SHARE,
            "-r": self.rate,
            "-n": self.chunks,
            "-b": self.body_bytes,
        }
        headers = [("-H", f"{name}: {value}") for name, value in candidate.headers.items()]
        return [str(word) for pair in (*flags.items(), *headers) for word in pair]


WARM_UP = Load("warm-up", "", connections=8, seconds=1.0)
