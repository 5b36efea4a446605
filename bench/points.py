"""What is measured, by name."""

from dataclasses import replace

from bench.leaving import Leaving
from bench.loads import Load

Point = Load | Leaving

ALL: tuple[Point, ...] = (
    Load("json1", "JSON 2 KB, 1 connection", 1),
    Load("json32", "JSON 2 KB, 32 connections", 32),
    Load("json256", "JSON 2 KB, 256 connections", 256),
    Load("open1000", "JSON 2 KB, 1000 requests/s", 64, rate=1000),
    Load("sse50", "50 streams, a chunk every 20 ms", 50, seconds=5, chunks=100, gap_ms=20),
    Load("sse500", "500 streams, a chunk every 100 ms", 500, seconds=5, chunks=40, gap_ms=100),
    Load("sse500fast", "500 streams, a chunk every 20 ms", 500, seconds=5, chunks=200, gap_ms=20),
    Load("agent", "20 agents: 85 KB bodies, streams of 4 s", 20, 10, chunks=200, gap_ms=20, body_bytes=85_000),
    Leaving(),
)
LONG_AGENT = Load("agent", "20 agents: 85 KB bodies, streams of 60 s", 20, 150, 0, 3000, 20, 85_000)
NAMES = ",".join(point.name for point in ALL)


def chosen(names: list[str], seconds: float | None, is_long: bool) -> list[Point]:
    """The points of these names, or all; `seconds` for each load instead of its own."""
    if unknown := set(names) - set(NAMES.split(",")):
        raise SystemExit(f"no such point: {','.join(sorted(unknown))}; there are {NAMES}")
    points = [LONG_AGENT if is_long and point.name == LONG_AGENT.name else point for point in ALL]
    picked = [point for point in points if not names or point.name in names]
    return [replace(point, seconds=seconds) if seconds and isinstance(point, Load) else point for point in picked]
