"""The upstream's own log, told as turns: its lines say when, how long, with which status, and now and then of whom."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from daemon.domain.event import Event
from daemon.domain.upstream_past import Account, Holder, PastSource
from daemon.logic.faults import classify
from daemon.logic.upstream_past_counts import MINUTE_MS, QUARTER
from daemon.logic.upstream_past_turns import a_turn, of
from daemon.logic.wire import WireProtocol

FARTHEST_MINUTES = 14 * 60
FIELDS = frozenset(
    {"emitted_at", "started_at", "duration_ms", "method", "endpoint", "wire", "status", "outcome", "fault", "source"}
)
NOTES = (
    "a 429 may be a rate limit, a used-up quota or the upstream's own cooldown: it is taken for a rate limit",
    "a 401 may be a client's own wrong key: it is taken for a credential that the provider rejects",
    "what failed inside a stream that had begun well is taken for a success",
)
NO_ZONE = "the log does not say its time zone: it is taken for UTC"

_LINE = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] \[([^\]]*)\] \[[^\]]*\] \[[^\]]*\] (.*)", re.DOTALL)
_ACCESS = re.compile(r"(\d{3}) \|\s+(\S+) \|\s+\S+ \| ([A-Z]+)\s+\"([^\"?]*)")
_CHOSEN = re.compile(r"Use (?:OAuth provider=(\S+) auth_file=(\S+)|API key \S+) for model (\S+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)")
_MILLISECONDS = {"h": 3_600_000.0, "m": 60_000.0, "s": 1000.0, "ms": 1.0, "µs": 0.001, "us": 0.001, "ns": 0.000001}


def account(logs: Any, wires: Sequence[WireProtocol], zone_minutes: int | None, now: int) -> Account | None:
    """The model calls of the log's lines; None where it has no line about any request. `now` is epoch ms."""
    lines = lines_of(logs)
    ahead = (zone_minutes or 0) * MINUTE_MS
    stamps = (stamp for line in lines if (stamp := _access_stamp(line)) is not None)
    if (first := next(stamps, None)) is None:
        return None
    return Account(
        source=PastSource.LOG,
        since=min(first - ahead, now),
        until=now,
        events=tuple(sorted(_events(lines, wires, ahead), key=lambda event: event.emitted_at)),  # clocks are set back
        fields=FIELDS,
        notes=NOTES if zone_minutes is not None else (*NOTES, NO_ZONE),
    )


def zone_of(logs: Any) -> int | None:
    """How many minutes the log's clock is ahead of UTC, for it says its newest instant in both; None where not."""
    latest = logs.get("latest-timestamp") if isinstance(logs, dict) else None
    stamps = (stamp for line in reversed(lines_of(logs)) if (stamp := _stamp(line)) is not None)
    newest = next(stamps, None)
    if not isinstance(latest, int) or newest is None:
        return None
    minutes = (newest - latest * 1000) / MINUTE_MS
    return round(minutes) if minutes % QUARTER == 0 and abs(minutes) <= FARTHEST_MINUTES else None


def parts_of(line: str) -> tuple[int, str] | None:
    """When it was written, in epoch ms as if its clock were that of UTC, and what it says; None of what is no line."""
    match = _LINE.match(line)
    return None if match is None else (_epoch_ms(match[1]), match[3])


def lines_of(logs: Any) -> list[str]:
    """As they were written, oldest first."""
    lines = logs.get("lines") if isinstance(logs, dict) else None
    return [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []


def _events(lines: Iterable[str], wires: Sequence[WireProtocol], ahead: int) -> Iterator[Event]:
    chosen: dict[str, dict[str, Any]] = {}
    for line in lines:
        if (match := _LINE.match(line)) is None:
            continue
        stamp, request, said = match.groups()
        if choice := _CHOSEN.search(said):
            chosen[request] = _choice(choice)
        elif access := _ACCESS.match(said):
            event = _event(_epoch_ms(stamp) - ahead, access, wires, chosen.pop(request, {}))
            if event is not None:
                yield event


def _event(at: int, access: re.Match[str], wires: Sequence[WireProtocol], chosen: dict[str, Any]) -> Event | None:
    method, path = access[3], access[4]
    claimed = next(((one, endpoint) for one in wires if (endpoint := one.claims(method, path))), None)
    if claimed is None:
        return None
    (wire, endpoint), status, duration = claimed, int(access[1]), _milliseconds(access[2])
    outcome, fault = classify(status=status, facts=None)
    model = wire.read_request(path, b"").model
    facts = {"requested_model": model, "model_id": model} | chosen
    return a_turn(
        at,
        is_bad=status >= 400,
        started_at=at - duration,
        duration_ms=duration,
        method=method,
        endpoint=endpoint,
        wire=wire.WIRE,
        status=status,
        outcome=outcome,
        fault=fault,
        **facts,
    )


def _choice(choice: re.Match[str]) -> dict[str, Any]:
    """What a line says of the credential that was chosen; of an API key nothing is kept."""
    provider_key, name, model = choice.groups()
    known = of(Holder(provider_key=provider_key, name=name)) if provider_key else {}
    return {**known, "requested_model": model, "model_id": model}


def _access_stamp(line: str) -> int | None:
    match = _LINE.match(line)
    return _epoch_ms(match[1]) if match is not None and _ACCESS.match(match[3]) else None


def _stamp(line: str) -> int | None:
    parts = parts_of(line)
    return None if parts is None else parts[0]


def _epoch_ms(stamp: str) -> int:
    """As if it were UTC."""
    return round(datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 1000


def _milliseconds(latency: str) -> int:
    return round(sum(float(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(latency)))
