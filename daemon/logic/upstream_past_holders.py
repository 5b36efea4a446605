"""Whose turn a line of the upstream's log was: told by the counts of its credentials in the same ten minutes."""

import dataclasses
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec.structs import replace

from daemon.domain.event import Event, Fault, Outcome
from daemon.domain.upstream_past import Account, Holder, Tally

APPORTIONED = (
    "which provider a line of the log is of is told by the counts of its ten minutes: where several were in use, "
    "it is a share, not a fact"
)


class _Sharing:
    """Gives out the turns of one bucket in proportion, so that at any time nobody is more than one turn off."""

    def __init__(self, counts: Iterable[tuple[Holder, int]]) -> None:
        self._counts = [(holder, count) for holder, count in counts if count]
        self._whole = sum(count for _, count in self._counts)
        self._given = [0] * len(self._counts)
        self.is_certain = len(self._counts) == 1
        self.providers = {holder.provider_key for holder, _ in self._counts}

    def next(self) -> Holder | None:
        if not self._counts:
            return None
        turn = sum(self._given) + 1
        owed = [count * turn / self._whole - given for (_, count), given in zip(self._counts, self._given, strict=True)]
        place = owed.index(max(owed))
        self._given[place] += 1
        return self._counts[place][0]


def with_holders(told: Account, tallies: Sequence[Tally]) -> Account | None:
    """What the log tells of the time in which there are counts, with the providers of its turns; None without such.

    A failure in a bucket in which no credential failed is nobody's, unless one provider alone was in use.
    """
    if not tallies:
        return None
    since = max(told.since, min(tally.since for tally in tallies))
    within = [event for event in told.events if event.emitted_at >= since]
    if not within:
        return None
    begins = sorted({tally.since for tally in tallies})
    events: list[Event] = []
    for place, those in groupby(within, key=lambda event: bisect_right(begins, event.emitted_at)):
        begin = begins[place - 1] if place else None
        events += _shared(those, [tally for tally in tallies if tally.since == begin])
    return dataclasses.replace(told, since=since, events=tuple(events), notes=(*told.notes, APPORTIONED))


def _shared(events: Iterable[Event], bucket: Sequence[Tally]) -> Iterable[Event]:
    good = _Sharing((tally.holder, tally.succeeded) for tally in bucket)
    bad = _Sharing((tally.holder, tally.failed) for tally in bucket)
    everything = _Sharing((tally.holder, tally.succeeded + tally.failed) for tally in bucket)
    until = max((tally.until for tally in bucket), default=0)
    for event in events:
        sharing = good if event.outcome is Outcome.OK else bad
        if not sharing.providers and len(everything.providers) == 1:
            sharing = everything
        holder = sharing.next() if event.emitted_at < until and event.provider_key == "unknown" else None
        yield event if holder is None else _of(event, holder, is_certain=everything.is_certain)


def _of(event: Event, holder: Holder, *, is_certain: bool) -> Event:
    return replace(
        event,
        provider_key=holder.provider_key,
        auth_index=holder.auth_index if is_certain else None,
        credential=holder.name if is_certain else None,
    )


def is_nobodys(event: Event) -> bool:
    """Whether a key was refused, and no credential was refused with it."""
    return event.fault is Fault.PROVIDER_AUTH and event.status == 401 and event.provider_key == "unknown"
