"""Evidence: reads the events of the alerts that a message is about; never an obstacle to the message."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.domain.alert import Alert
from daemon.domain.event import Event, id_floor
from daemon.domain.sample import Query
from daemon.logic.common_cause import NOTHING_SEEN, Evidence, common_cause
from daemon.logic.outbox import Subject
from daemon.logic.tally import label_of
from daemon.ports import EventQuery, EventStore

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 2.0
"""For all alerts of a message; what was read by then is told."""
PAGE = 1000
MOST_PAGES = 10
"""Of one alert: turns are counted up to here."""
COMPARED = 500
"""Failures, and as many good turns: the newest ones."""
EXAMPLES = 3

GatherEvidence = Callable[[Sequence[Subject]], Awaitable[Mapping[str, Evidence]]]


async def nothing_seen(_: Sequence[Subject]) -> Mapping[str, Evidence]:
    """For whoever has no events."""
    return NOTHING_SEEN


class Witness:
    """Tells what events know of alerts. `query_of` gives what an alert's rule counts, None when that is not known."""

    def __init__(self, events: EventStore, query_of: Callable[[Alert], Query | None]) -> None:
        self._events = events
        self._query_of = query_of

    async def gather(self, subjects: Sequence[Subject]) -> Mapping[str, Evidence]:
        """By episode; alerts that are about no events are left out, and so are those that could not be read in time.
        Never raises."""
        notes: dict[str, _Notes] = {}
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                for subject in subjects:
                    await self._read(subject, notes)
        except TimeoutError:
            log.warning("the events of %d alerts were not read in time: a message tells less", len(subjects))
        except Exception as error:
            log.warning("events could not be read, a message tells less: %s: %s", type(error).__name__, error)
        return {episode: noted.evidence() for episode, noted in notes.items() if noted.has_seen_any}

    async def _read(self, subject: Subject, notes: dict[str, "_Notes"]) -> None:
        alert, query = subject.alert, self._query_of(subject.alert)
        if query is None or query.origin is not Event:
            return
        noted = notes[alert.episode] = _Notes(query=query, subject=subject)
        await self._page(_events_of(alert, query), noted.see)
        for row in subject.mitigations:
            went_well = {"mitigation_ids": row.id, "outcome": "ok"}
            since = row.applied_at or row.planned_at
            await self._page(EventQuery(limit=PAGE, since=since, where=went_well), noted.see_saved)
        noted.is_done = True

    async def _page(self, query: EventQuery, see: Callable[[Sequence[Event], bool], None]) -> None:
        """Newest first, page by page."""
        for number in range(1, MOST_PAGES + 1):
            page = await self._events.events(query)
            is_last = len(page) < PAGE
            see(page, not is_last and number == MOST_PAGES)
            if is_last:
                return
            query = EventQuery(limit=PAGE, before=page[-1].event_id, since=query.since, where=query.where)


def _events_of(alert: Alert, query: Query) -> EventQuery:
    """From before the window that raised it until it ended; by those labels that are columns of an event."""
    fired_at = alert.fired_at or alert.since
    window_seconds = max(alert.window_seconds or 0.0, query.window_seconds)
    labels = {name: value for name, value in _labels(alert, query) if value}
    return EventQuery(
        limit=PAGE,
        before=None if alert.resolved_at is None or alert.is_firing else id_floor(alert.resolved_at + 1),
        since=fired_at - round(window_seconds * 1000),
        where=labels,
    )


def _labels(alert: Alert, query: Query) -> list[tuple[str, str]]:
    """Those that tell its series apart."""
    return [(name, value) for name, value in alert.labels if name in query.by]


@dataclass(slots=True, kw_only=True)
class _Notes:
    """What was seen of one alert's events so far."""

    query: Query
    subject: Subject
    is_done: bool = False
    is_cut: bool = False
    """There was more than could be read."""
    failures: list[Event] = field(default_factory=list)
    good: list[Event] = field(default_factory=list)
    lost: int = 0
    saved: set[int] = field(default_factory=set)
    has_seen_any: bool = False

    def see(self, page: Sequence[Event], is_cut: bool) -> None:
        """Turns that an own mitigation sent elsewhere are lost when they fail, but tell nothing of the cause."""
        labels = _labels(self.subject.alert, self.query)
        own = {row.id for row in self.subject.mitigations}
        self._mark(is_cut=is_cut)
        for event in page:
            if not self.query.of(event) or any(label_of(getattr(event, name)) != value for name, value in labels):
                continue
            bad = self.query.bad(event)
            self.lost += bad
            seen = self.failures if bad else self.good
            if len(seen) < COMPARED and own.isdisjoint(event.mitigation_ids):
                seen.append(event)

    def see_saved(self, page: Sequence[Event], is_cut: bool) -> None:
        self._mark(is_cut=is_cut)
        self.saved.update(event.event_id for event in page if self.query.of(event))

    def _mark(self, *, is_cut: bool) -> None:
        self.has_seen_any = True
        self.is_cut = self.is_cut or is_cut

    def evidence(self) -> Evidence:
        wanted: Mapping[str, object] = getattr(self.query.bad, "wanted", {})
        known = {*self.query.by, *(name for name, value in wanted.items() if not _is_choice(value))}
        return Evidence(
            common=common_cause(self.failures, self.good, known),
            examples=tuple(event.event_id for event in self.failures[:EXAMPLES]),
            lost=self.lost,
            saved=len(self.saved),
            is_whole=self.is_done and not self.is_cut,
        )


def _is_choice(wanted: object) -> bool:
    """Several values are bad: which of them it is, the alert does not say."""
    return isinstance(wanted, list | tuple) and len(wanted) > 1
