"""Heard: what reached the judging beside events in their time; with a day's events the day can be judged again."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from daemon.domain.event import Event
from daemon.domain.joined import Joined
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.domain.quota import QuotaReading
from daemon.domain.self_reading import Condition, SelfReading
from daemon.domain.sources import Read

PLACE = 0x3FF << 12
"""The bits of an event id that say which worker of which node emitted it."""


class HeardKind(StrEnum):
    STARTED = "started"
    """A process took up what the one before had left: `downtime_ms`."""
    JUDGED = "judged"
    """Something was committed: `shown` are the last ids of each worker that were known by then. What a process knew and
    did after its last commit has left no trace."""
    PAUSED = "paused"
    """Nothing was judged until `until` (epoch ms): the machine slept, or there was too much to do."""
    LATE = "late"
    """Events whose second was judged before they came: `ids`, as first and last id of each worker."""
    LOST = "lost"
    """So many events never came: `lost`, at `at` (epoch ms)."""
    READING = "reading"
    """What was learned of the daemon or the upstream: the `reading`, and the `times` at which it said so, as pairs of
    when it was read and the last second that was judged by then."""
    ANEW = "anew"
    """Windows of alerts that began anew, for a mitigation was released: `fingerprints`, at `at` (epoch ms)."""
    ACKNOWLEDGED = "acknowledged"
    """Who looks after which alert: `names`, by fingerprint."""
    LEARNED = "learned"
    """What is usual, from the hours until `until` (epoch ms)."""
    RULES = "rules"
    """Other rules were put in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One of these. Instants are epoch ms."""

    at: int
    after: int
    """The last second that was judged by then."""
    kind: HeardKind
    what: Mapping[str, Any] = field(default_factory=dict)


def is_shown(event: Event, shown: Iterable[int]) -> bool:
    """Whether a worker's last known id is not before this event of it."""
    place = event.event_id & PLACE
    return any(event.event_id <= last for last in shown if last & PLACE == place)


def late_ids(events: Iterable[Event]) -> list[list[int]]:
    """First and last id of each worker; a worker's events come in the order of their ids."""
    found: dict[int, list[int]] = {}
    for event in events:
        ends = found.setdefault(event.event_id & PLACE, [event.event_id, event.event_id])
        ends[0], ends[1] = min(ends[0], event.event_id), max(ends[1], event.event_id)
    return list(found.values())


def is_among(event: Event, ids: Iterable[list[int]]) -> bool:
    """Whether an event is one of those."""
    place = event.event_id & PLACE
    return any(first <= event.event_id <= last and first & PLACE == place for first, last in ids)


def told(reading: Read) -> tuple[int, Mapping[str, Any]]:
    """When something was read (epoch ms), and all else of it as data."""
    if isinstance(reading, Joined):
        return reading.emitted_at, reading.told()
    what = asdict(reading)
    return what.pop("observed_at" if isinstance(reading, QuotaReading) else "emitted_at"), what


def reading_of(at: int, what: Mapping[str, Any]) -> Read:
    """The reading of which `told` gave these."""
    if "event" in what:
        return Joined.of(at, what)
    if "source" in what:
        return QuotaReading(observed_at=at, **what)
    what = {**what, "emitted_at": at}
    if "condition" in what:
        return SelfReading(**{**what, "condition": Condition(what["condition"])})
    return ProbeResult(**{**what, "outcome": ProbeOutcome(what["outcome"])})
