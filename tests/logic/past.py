"""Replies of an upstream as the tests of its past make them up: its log, its counts, its statistics."""

from datetime import UTC, datetime
from typing import Any

from daemon.app.shelf import wires

NOW = 1_795_514_400_000  # 2026-11-24 10:00:00 UTC
MINUTE = 60_000
WIRES = wires()


def stamp(at: int, zone_minutes: int = 0) -> str:
    """An instant (epoch ms) as the log writes it."""
    return f"{datetime.fromtimestamp(at // 1000 + zone_minutes * 60, UTC):%Y-%m-%d %H:%M:%S}"


def access(
    at: int,
    status: int = 200,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    latency: str = "2.5s",
    request: str = "a1b2c3d4",
    zone_minutes: int = 0,
) -> str:
    """A line of the log about one request that ended at an instant (epoch ms)."""
    head = f"[{stamp(at, zone_minutes)}] [{request}] [info ] [gin_logger.go:94]"
    return f'{head} {status:>3} | {latency:>13} | {"127.0.0.1":>15} | {method:<7} "{path}"'


def said(at: int, text: str, request: str = "a1b2c3d4") -> str:
    """Any other line."""
    return f"[{stamp(at)}] [{request}] [debug] [conductor.go:12] {text}"


def logs(*lines: str, latest: int | None = None) -> dict[str, Any]:
    """`latest` is epoch ms."""
    return {"lines": list(lines), "line-count": len(lines), "latest-timestamp": (latest or 0) // 1000}


def buckets(*counts: tuple[int, int], zone_minutes: int = 0, now: int = NOW) -> list[dict[str, Any]]:
    """Ten-minute buckets as local clocks tell them, the last with `now` (epoch ms) in it; each is (good, failed)."""
    newest = now // MINUTE // 10 * 10 + zone_minutes
    begins = [newest - 10 * ago for ago in range(len(counts))][::-1]
    return [
        {"time": f"{_clock(begin)}-{_clock(begin + 10)}", "success": good, "failed": failed}
        for begin, (good, failed) in zip(begins, counts, strict=True)
    ]


def auth_files(**providers: list[dict[str, Any]]) -> dict[str, Any]:
    """One credential per provider, with its buckets."""
    files = [
        {"auth_index": f"{provider}-1", "name": f"{provider}.json", "provider": provider, "recent_requests": rows}
        for provider, rows in providers.items()
    ]
    return {"files": files}


def detail(at: int, *, failed: bool = False, auth_index: str = "codex-1", **tokens: int) -> dict[str, Any]:
    """One request in the usage statistics, that began at an instant (epoch ms)."""
    when = datetime.fromtimestamp(at / 1000, UTC).isoformat()
    return {"timestamp": when, "source": "a", "auth_index": auth_index, "tokens": tokens, "failed": failed}


def usage(**models: list[dict[str, Any]]) -> dict[str, Any]:
    """Details by model."""
    return {"usage": {"apis": {"key": {"models": {name: {"details": those} for name, those in models.items()}}}}}


def _clock(minute: int) -> str:
    return f"{minute % 1440 // 60:02d}:{minute % 60:02d}"
