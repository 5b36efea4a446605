"""What a process tree used, and what others used meanwhile, out of /proc."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What happened between two readings; None where nothing is under test."""

    cores: float | None
    rss_mib: float | None
    foreign_cores: float


@dataclass(frozen=True)
class Reading:
    """A reading of one tree under test, of the instruments around it, and of the machine."""

    at: float
    has_tree: bool
    tree_seconds: float
    own_seconds: float
    busy_seconds: float
    rss_mib: float

    @classmethod
    def take(cls, tested: int | None, instruments: Iterable[int]) -> "Reading":
        pids = tree(tested) if tested else []
        seconds = sum(map(_cpu_seconds, pids))
        own = seconds + sum(map(_cpu_seconds, (*instruments, os.getpid())))
        return cls(monotonic(), bool(pids), seconds, own, _busy_seconds(), sum(map(_rss_mib, pids)))

    def until(self, later: "Reading") -> Usage:
        seconds = later.at - self.at
        foreign = later.busy_seconds - self.busy_seconds - (later.own_seconds - self.own_seconds)
        return Usage(
            cores=(later.tree_seconds - self.tree_seconds) / seconds if self.has_tree else None,
            rss_mib=later.rss_mib if self.has_tree else None,
            foreign_cores=max(0.0, foreign / seconds),
        )


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children = [int(child) for file in PROC.glob(f"{pid}/task/*/children") for child in _text(file).split()]
    return [pid, *(one for child in children for one in tree(child))]


def _cpu_seconds(pid: int) -> float:
    """Of all its threads that still live: the kernel counts them in nanoseconds."""
    return sum(int((_text(file) or "0").split()[0]) for file in PROC.glob(f"{pid}/task/*/schedstat")) / 1e9


def _rss_mib(pid: int) -> float:
    lines = _text(PROC / str(pid) / "status").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def _busy_seconds() -> float:
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, _text(PROC / "stat").split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
