"""A client that goes away, in a stream and before its head: how long until the upstream is let go."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.candidate import PATH, Candidate
from bench.instruments import Upstream

TRIES = 5
NEVER_SECONDS = 5.0
HOLD_SECONDS = 6.0
SETTLE_SECONDS = 0.1


@dataclass(frozen=True)
class Leaving:
    """Never is told as 5,000 ms."""

    name: str = "gone"
    says: str = "the client goes away: until the upstream is let go (5,000: never)"

    def measure(self, candidate: Candidate, pid: int | None, upstream: Upstream, directory: Path) -> dict[str, Any]:
        in_stream = [_leave(candidate, upstream, held=False) for _ in range(TRIES)]
        before_head = [_leave(candidate, upstream, held=True) for _ in range(TRIES)]
        return {
            "in_stream_ms": median(in_stream),
            "in_stream_worst_ms": max(in_stream),
            "before_head_ms": median(before_head),
            "before_head_worst_ms": max(before_head),
            "noisy": False,
        }


def _leave(candidate: Candidate, upstream: Upstream, held: bool) -> float:
    """Milliseconds."""
    _end_streams(upstream)
    before = upstream.tell(chunks=10_000, gap_us=20_000, hold_us=int(HOLD_SECONDS * 1e6) if held else 0)
    with socket.create_connection(("127.0.0.1", candidate.port)) as client:
        client.sendall(_request(candidate))
        _until(lambda: upstream.tell()["requests"] > before["requests"])
        if not held:
            client.recv(65536)
        time.sleep(SETTLE_SECONDS)
        left = time.monotonic_ns()
    if not _until(lambda: upstream.tell()["aborted"] > before["aborted"]):
        return NEVER_SECONDS * 1e3
    return max(0.0, (upstream.tell()["aborted_at_ns"] - left) / 1e6)


def _end_streams(upstream: Upstream) -> None:
    """Those which a candidate has kept from an earlier try: they end with their next chunk."""
    upstream.tell(chunks=0)
    _until(lambda: upstream.tell()["streaming"] == 0, HOLD_SECONDS)


def _request(candidate: Candidate) -> bytes:
    body, headers = candidate.request(stream=True)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + body


def _until(is_so: Callable[[], bool], seconds: float = NEVER_SECONDS) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.005)
    return False
