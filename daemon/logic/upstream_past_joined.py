"""Lines of the upstream's log joined with the details of its usage statistics: the same turns, each known better."""

import dataclasses
from collections import deque
from collections.abc import Iterable

from msgspec.structs import replace

from daemon.domain.event import CALLER_FAULTS, Event, Outcome
from daemon.domain.upstream_past import Account
from daemon.logic.upstream_past_usage import TOKENS

APART_MS = 2000
"""The log tells whole seconds, and a detail is stamped a little after its request came in."""
MATCHED_SHARE = 0.9
"""Of the turns must have a detail, or the two are not about the same."""
TAKEN = (
    "requested_model",
    "model_id",
    "provider_key",
    "provider_evidence",
    "auth_index",
    "credential",
    "usage_present",
    *TOKENS,
)
JOINED = "lines of the log and details of the usage statistics are joined by their time and by whether they failed"


def joined(logged: Account, used: Account) -> Account | None:
    """The turns of the log from the first detail on; None where too few of them have one.

    A detail serves one line only. What was tried several times has several details: the one that ended as the line did
    is taken.
    """
    since = max(logged.since, used.since - APART_MS)
    within = [event for event in logged.events if event.emitted_at >= since]
    details = {outcome: deque(_of(used.events, outcome)) for outcome in Outcome}
    events = {id(line): _with(line, details[line.outcome]) for line in sorted(within, key=lambda one: one.started_at)}
    theirs = [line for line in within if line.fault not in CALLER_FAULTS]
    matched = sum(events[id(line)] is not line for line in theirs)
    if not theirs or matched < MATCHED_SHARE * len(theirs):
        return None
    return dataclasses.replace(
        logged,
        since=since,
        events=tuple(events[id(line)] for line in within),
        fields=logged.fields | used.fields,
        notes=(*logged.notes, JOINED),
    )


def _of(events: Iterable[Event], outcome: Outcome) -> Iterable[Event]:
    return (event for event in events if event.outcome is outcome)


def _with(line: Event, details: deque[Event]) -> Event:
    """The line with what its detail says; the line itself where there is none. Lines come as they began."""
    while details and details[0].emitted_at < line.started_at - APART_MS:
        details.popleft()
    if not details or details[0].emitted_at > line.emitted_at + APART_MS:
        return line
    detail = details.popleft()
    return replace(line, **{name: getattr(detail, name) for name in TAKEN})
