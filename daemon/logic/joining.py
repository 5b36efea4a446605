"""Joining: brings the upstream's records and our events together, by the id of the request.

A request that the upstream tried several times has several records. Where an event has no trace id, as from builds
that send none, a record is taken for its only where model, route and time fit just one of each; two that fit are left.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from daemon.domain.event import Event, Outcome
from daemon.domain.joined import Joined, UsageRecord
from daemon.domain.thinking import MUST_THINK, ThinkingSetting, thinking_match
from daemon.logic.thinking_reading import split_suffix

SETTLE_MS = 2000
"""A record may come a moment after its answer, and after another of the same request."""
WAIT_MS = 120_000
"""What has found nobody by then is given up."""
UNNAMED_MS = 20_000
"""And what has no name, by then: each is held against each."""
COVERAGE_MS = 600_000
NEAR_MS = 1500
MOST = 20_000
ENOUGH = 20
"""So many turns tell how many of them have a record."""


@dataclass(slots=True)
class _Waiting:
    event: Event | None = None
    records: list[UsageRecord] = field(default_factory=list)
    since: int = 0

    @property
    def is_alone(self) -> bool:
        """One record, and nobody that it is of."""
        return self.event is None and len(self.records) == 1


class Joins:
    """What waits for its other half. Instants are epoch ms."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._unnamed: deque[Event] = deque(maxlen=MOST)
        self._seen: deque[tuple[int, bool]] = deque(maxlen=MOST)
        """Turns that the upstream should have a record of: when it was clear, and whether it had one."""
        self.records = self.hidden_attempts = 0

    def turn(self, event: Event, now: int) -> None:
        """A turn ended that reached the upstream."""
        if not event.is_model_call or event.outcome not in (Outcome.OK, Outcome.FAILED):
            return
        if event.trace_id is None:
            self._unnamed.append(event)
            return
        waiting = self._of(event.trace_id[-8:], now)
        waiting.event, waiting.since = event, now

    def take(self, records: Iterable[UsageRecord], now: int) -> None:
        """What the upstream wrote down."""
        for record in records:
            self.records += 1
            waiting = self._of(record.request_id, now)
            waiting.records.append(record)
            waiting.since = now

    def due(self, now: int) -> Iterator[tuple[Event, list[UsageRecord]]]:
        """What is together, each once, its records in the order of their attempts; gives up what waits too long."""
        self._name_the_unnamed(now)
        for request_id, waiting in list(self._waiting.items()):
            is_over = now - waiting.since >= WAIT_MS
            is_whole = waiting.event is not None and waiting.records and now - waiting.since >= SETTLE_MS
            if not (is_over or is_whole):
                continue
            del self._waiting[request_id]
            if waiting.event is not None:
                self._seen.append((now, bool(waiting.records)))
            if waiting.event is not None and waiting.records:
                event, known = waiting.event, sorted(waiting.records, key=lambda record: record.at)
                records = [record for record in known if _is_of(record, event)]
                self.hidden_attempts += max(0, len(records) - 1)
                yield event, records

    def coverage(self, now: int) -> float | None:
        """Of the turns of the last ten minutes, the share that has a record; None where there were too few."""
        late = [one.event for one in self._waiting.values() if one.event and now - one.since > 10 * SETTLE_MS]
        seen = [had for at, had in self._seen if now - at < COVERAGE_MS] + [False] * len(late)
        return sum(seen) / len(seen) if len(seen) >= ENOUGH else None

    def _of(self, request_id: str, now: int) -> _Waiting:
        if len(self._waiting) >= MOST and request_id not in self._waiting:
            del self._waiting[next(iter(self._waiting))]
        return self._waiting.setdefault(request_id, _Waiting(since=now))

    def _name_the_unnamed(self, now: int) -> None:
        while self._unnamed and now - self._unnamed[0].emitted_at >= UNNAMED_MS:
            if self._unnamed.popleft().outcome is Outcome.OK:  # what failed may have been tried by nobody
                self._seen.append((now, False))
        alone = [one for one in self._waiting.values() if one.is_alone and now - one.since < UNNAMED_MS]
        for waiting in alone if self._unnamed else ():
            fitting = [event for event in self._unnamed if _fits(waiting.records[0], event)]
            if len(fitting) == 1 and sum(_fits(one.records[0], fitting[0]) for one in alone) == 1:
                waiting.event, waiting.since = fitting[0], now
                self._unnamed.remove(fitting[0])


def learned(event: Event, records: list[UsageRecord], now: int) -> Joined | None:
    """What the attempt that served it says of the thinking that was applied, where the turn itself says nothing of it.

    A level that the model may not have instead is no drift, and an effort that is told beside no thought at all says
    nothing: where a build drops the setting, it tells the one that was asked for.
    """
    served = next((record for record in reversed(records) if not record.failed), None)
    if served is None or event.thinking_match is not None:
        return None
    asked, applied = _requested(event), served.thinking
    if asked is None or applied is None or _is_clamped(asked, applied):
        return None
    match = thinking_match(asked, applied)
    thought = served.reasoning_tokens if event.reasoning_tokens is None else event.reasoning_tokens
    is_idle = thought == 0 and asked.canonical in MUST_THINK
    if match is None or (match and is_idle):
        return None
    return Joined(event=event, processed=applied, match=match, emitted_at=now)


def _requested(event: Event) -> ThinkingSetting | None:
    if event.thinking_requested_mode is None:
        return None
    return ThinkingSetting(
        mode=event.thinking_requested_mode,
        level=event.thinking_requested_level,
        budget=event.thinking_requested_budget,
    )


_CLAMPS = frozenset({("none", "minimal"), ("none", "low"), ("minimal", "low"), ("xhigh", "high"), ("max", "high")})
"""To the nearest level that a model has, at either end."""


def _is_clamped(asked: ThinkingSetting, applied: ThinkingSetting) -> bool:
    return (asked.canonical, applied.canonical) in _CLAMPS


def _is_of(record: UsageRecord, event: Event) -> bool:
    """Not of an auxiliary model, whose records have the same id."""
    sent = {_plain(name) for name in (event.model_id, event.requested_model) if name}
    return record.requested_model is None or _plain(record.requested_model) in sent


def _plain(model: str) -> str:
    """Without a prefix of the operator's, and without a suffix."""
    return split_suffix(model)[0].rpartition("/")[2]


def _fits(record: UsageRecord, event: Event) -> bool:
    route = f"{event.method} {event.endpoint}"
    return (
        record.requested_model == event.requested_model
        and record.endpoint in ("", route)
        and event.started_at - NEAR_MS <= record.at <= event.emitted_at + NEAR_MS
    )
