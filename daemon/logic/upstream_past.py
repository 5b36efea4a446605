"""What the upstream's replies tell of its past: the accounts of its sources, and one line of events out of several."""

import dataclasses
from collections.abc import Iterable, Sequence
from heapq import merge

from msgspec.structs import replace

from daemon.domain.event import CALLER_FAULTS, Event, EventIds, Fault
from daemon.domain.upstream_past import Account, PastSource, Replies
from daemon.logic import upstream_past_counts as counts
from daemon.logic import upstream_past_log as log
from daemon.logic import upstream_past_usage as usage
from daemon.logic.upstream_past_holders import is_nobodys, with_holders
from daemon.logic.upstream_past_joined import joined
from daemon.logic.wire import WireProtocol

MOST_TURNS = 20_000
"""Of one account, the newest: playing more of them takes minutes."""
KNOWN_SHARE = 0.9
"""Of its turns must say a field, or an account does not tell it."""
SAID_BY_SOME = ("requested_model", "model_id", "provider_key", "auth_index", "credential")
"""Fields that sources tell of some turns only."""
WORDS = {
    "requested_model": "models",
    "fault": "why a turn failed (a 429 cannot be told from a 500)",
    "stream": "which turns were streams",
    "duration_ms": "how long a turn took",
    "ttft_ms": "the time to the first word",
    "usage": "token usage",
    "thinking_match": "thinking",
    "client": "which client asked",
    "attempt": "which turns were retries",
}
"""What people would like to know, by a field that tells it."""
UNKNOWN = (None, "unknown")
_BEST_FIRST = tuple(PastSource)


def accounts(replies: Replies, wires: Sequence[WireProtocol]) -> tuple[Account, ...]:
    """What each source tells, the best first. The log tells more where counts say whose turns they were."""
    now = replies.asked_at
    if (zone := log.zone_of(replies.logs)) is None:
        zone = counts.zone_said(replies.auth_files, now)
    tallied = counts.tallies(replies.auth_files, replies.api_keys, now, zone)
    used = usage.account(replies.usage, counts.holders(replies.auth_files), now)
    logged = log.account(replies.logs, wires, zone, now)
    whose = None if logged is None else with_holders(logged, tallied or (usage.tallies(used) if used else ()))
    both = joined(logged, used) if logged and used else None
    found = (both, whose and _refined(whose), logged, used, counts.account(tallied, now))
    return tuple(_measured(_newest(account)) for account in found if account is not None and account.events)


def merged(told: Iterable[Account]) -> tuple[Event, ...]:
    """The best source of each span of time, so that no turn is counted twice; oldest first, with ids of their own."""
    covered: list[Account] = []
    parts: list[list[Event]] = []
    for account in sorted(told, key=lambda one: _BEST_FIRST.index(one.source)):
        parts.append([event for event in account.events if not any(_covers(one, event) for one in covered)])
        covered.append(account)
    ids = EventIds(0, 0)
    ordered = merge(*parts, key=lambda event: event.emitted_at)
    return tuple(replace(event, event_id=ids.next(event.emitted_at)) for event in ordered)


def not_told(account: Account) -> tuple[str, ...]:
    """What an account leaves open of what people would like to know."""
    return tuple(words for field, words in WORDS.items() if field not in account.fields)


def _covers(account: Account, event: Event) -> bool:
    return account.since <= event.emitted_at < account.until


def _newest(account: Account) -> Account:
    events = account.events[-MOST_TURNS:]
    is_whole = len(events) == len(account.events)
    return account if is_whole else dataclasses.replace(account, events=events, since=events[0].emitted_at)


def _measured(account: Account) -> Account:
    """With the fields that most of its turns say, and without those that they do not. Callers' own faults, which no
    credential sees, do not count."""
    those = [event for event in account.events if event.fault not in CALLER_FAULTS]
    said = {name for name in SAID_BY_SOME if those and _share(those, name) >= KNOWN_SHARE}
    return dataclasses.replace(account, fields=account.fields - set(SAID_BY_SOME) | said)


def _share(events: Sequence[Event], name: str) -> float:
    return sum(getattr(event, name) not in UNKNOWN for event in events) / len(events)


def _refined(account: Account) -> Account:
    """A refused key that no credential was refused with is the client's own."""
    events = (_as_the_clients(event) if is_nobodys(event) else event for event in account.events)
    return dataclasses.replace(account, events=tuple(events))


def _as_the_clients(event: Event) -> Event:
    return replace(event, fault=Fault.CLIENT_UNAUTHORIZED)
