"""What the fake upstream tells of its past, out of what it has really answered: counts, statistics, its log."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.adapters.fake import errors
from daemon.adapters.fake.record import Record, Records
from daemon.adapters.fake.scenario import FakeFault
from daemon.ports import Clock

QUEUE_MS = 60_000
BUCKET_MS, BUCKETS = 600_000, 20
NO_TOKENS = dict.fromkeys(("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "total_tokens"), 0)
"""The statistics of an answer that counted nothing, or said nothing of it: they do not tell the two apart."""
WITH_IDS = ("/v1/", "/v1beta/")
"""Paths whose lines in the log carry the id of their request."""
NOTICED = frozenset({FakeFault.IN_BAND_ERROR, FakeFault.TRUNCATE, FakeFault.CLEAN_CUT, FakeFault.CONNECT_DROP})
"""Failures that an answer with status 200 hides from the log, but not from the counts."""


Choices = Callable[[str | None], str | None]


class Past:
    """`zone_minutes`: how far the clock of this upstream is ahead of UTC, as its log and its buckets tell time."""

    def __init__(self, records: Records, clock: Clock, zone_minutes: int = 0) -> None:
        self._records = records
        self._clock = clock
        self._zone_ms = zone_minutes * 60_000

    def counts(self, auth_index: str) -> dict[str, Any]:
        """What `auth-files` says of one credential: since the start, and in the last 200 minutes."""
        calls = [(record.at, _has_failed(record)) for record in self._calls() if record.auth_index == auth_index]
        newest = self._clock.now() // BUCKET_MS
        rows = [self._bucket(index, calls) for index in range(newest - BUCKETS + 1, newest + 1)]
        failed = sum(has_failed for _, has_failed in calls)
        return {"success": len(calls) - failed, "failed": failed, "recent_requests": rows}

    def usage(self) -> dict[str, Any]:
        """The statistics of older versions."""
        models: dict[str, list[Record]] = {}
        for record in self._calls():
            models.setdefault(str(record.model), []).append(record)
        calls = [record for those in models.values() for record in those]
        failed = sum(map(_has_failed, calls))
        told = {model: {**_totals(those), "details": list(map(_detail, those))} for model, those in models.items()}
        figures = {**_totals(calls), "success_count": len(calls) - failed, "failure_count": failed}
        return {"usage": {**figures, "apis": {"client": {**_totals(calls), "models": told}}}, "failed_requests": failed}

    def pop(self, count: int) -> list[dict[str, Any]]:
        """The oldest records of the usage queue, which has them no more then; those of the last minute are there."""
        oldest = self._clock.now() - QUEUE_MS
        found = [one for one in self._calls() if not one.is_popped and _ended_at(one) >= oldest][:count]
        for record in found:
            record.is_popped = True
        return [_usage_record(record) for record in found]

    def log(self, after: int, limit: int, choices: Choices = lambda _: None) -> dict[str, Any]:
        """The newest lines whose second is later than `after` (Unix seconds); `choices` say what is told of the choice
        of a credential, by its index."""
        chosen = [record for record in self._ended() if _ended_at(record) // 1000 > after]
        return self._told(chosen, limit, after, choices)

    def log_on(self, cursor: int | None, limit: int, choices: Choices = lambda _: None) -> dict[str, Any]:
        """What was written since that place, or all where it is none of this log; and the place to go on from."""
        ended, gone = self._ended(), self._records.total - len(self._records.requests)
        is_lost = cursor is not None and cursor > gone + len(ended)
        chosen = ended if cursor is None or is_lost else ended[max(0, cursor - gone) :]
        told = {**self._told(chosen, limit, 0, choices), "next-cursor": str(gone + len(ended))}
        return {**told, "cursor-reset": True} if is_lost else told

    def _ended(self) -> list[Record]:
        return sorted((record for record in self._records.requests if record.ended), key=_ended_at)

    def _told(self, chosen: list[Record], limit: int, after: int, choices: Choices) -> dict[str, Any]:
        latest = _ended_at(chosen[-1]) // 1000 if chosen else after
        lines = [line for record in chosen for line in self._lines(record, choices(record.auth_index))][-limit:]
        return {"lines": lines, "line-count": len(lines), "latest-timestamp": latest}

    def _calls(self) -> Iterator[Record]:
        """What reached a credential."""
        return (one for one in self._records.requests if one.auth_index and one.ended and one.fault not in errors.LOCAL)

    def _bucket(self, index: int, calls: list[tuple[int, bool]]) -> dict[str, Any]:
        those = [has_failed for at, has_failed in calls if at // BUCKET_MS == index]
        begin, end = (f"{_instant(self._local(place * BUCKET_MS)):%H:%M}" for place in (index, index + 1))
        return {"time": f"{begin}-{end}", "success": len(those) - sum(those), "failed": sum(those)}

    def _lines(self, record: Record, choice: str | None) -> Iterator[str]:
        status = record.status or 502
        level = "error" if status >= 500 else "warn" if status >= 400 else "info"
        request = f"{record.number:08x}" if record.path.startswith(WITH_IDS) else "--------"
        stamp = f"{_instant(self._local(_ended_at(record))):%Y-%m-%d %H:%M:%S}"
        latency = f"{(record.duration_ms or 0) / 1000:.3f}s"
        if choice is not None:
            yield f"[{stamp}] [{request}] [debug] [conductor.go:812] {choice} for model {record.model}"
        yield (
            f"[{stamp}] [{request}] [{level:<5}] [gin_logger.go:94] {status:>3} | {latency:>13} | {'127.0.0.1':>15} | "
            f'{record.method:<7} "{record.path}"'
        )

    def _local(self, at: int) -> int:
        return at + self._zone_ms


def _has_failed(record: Record) -> bool:
    return (record.status or 502) >= 400 or record.fault in NOTICED


def _detail(record: Record) -> dict[str, Any]:
    return {
        "timestamp": f"{_instant(record.at):%Y-%m-%dT%H:%M:%S.%fZ}",
        "source": record.auth_index,
        "auth_index": record.auth_index,
        "tokens": {**NO_TOKENS, **record.tokens},
        "failed": _has_failed(record),
    }


def _usage_record(record: Record) -> dict[str, Any]:
    """With everything in it that must not be kept."""
    failed, status = _has_failed(record), record.status or 502
    return {
        **_detail(record),
        "latency_ms": record.duration_ms,
        "source": "somebody@example.org",
        "client_ip": "127.0.0.1",
        "user_agent": record.headers.get("user-agent", ""),
        "generate": True,
        "fail": {"status_code": status if failed else 200, "body": ""},
        "provider": record.provider or "unknown",
        "model": record.model,
        "alias": record.model,
        "endpoint": f"{record.method} {record.path}",
        "auth_type": "oauth",
        "api_key": "the-clients-own-key",
        "request_id": f"{record.number:08x}",
        "reasoning_effort": record.applied or "",
    }


def _totals(records: list[Record]) -> dict[str, int]:
    return {"total_requests": len(records), "total_tokens": sum(one.tokens.get("total_tokens", 0) for one in records)}


def _ended_at(record: Record) -> int:
    return record.at + (record.duration_ms or 0)


def _instant(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
