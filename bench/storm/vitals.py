"""Descriptors, threads and memory of processes, over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from time import monotonic

PROC = Path("/proc")


@dataclass(frozen=True)
class Sample:
    at: float
    fds: int
    threads: int
    rss_mib: float


def sample(pids: Sequence[int]) -> Sample:
    """Sums over the processes."""
    status = [_status(pid) for pid in pids]
    return Sample(
        at=monotonic(),
        fds=sum(len(list((PROC / str(pid) / "fd").iterdir())) for pid in pids),
        threads=sum(int(one["Threads"]) for one in status),
        rss_mib=sum(int(one["VmRSS"].split()[0]) for one in status) / 1024,
    )


def growth_mib(samples: Sequence[Sample]) -> float:
    """By how much the last third needs more memory than the middle one."""
    third = max(1, len(samples) // 3)
    last, middle = samples[-third:], samples[-2 * third : -third] or samples[:1]
    return mean(one.rss_mib for one in last) - mean(one.rss_mib for one in middle)


def _status(pid: int) -> dict[str, str]:
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
