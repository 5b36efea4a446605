"""The upstream's past: what it can still tell of the requests that it answered before anybody watched."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daemon.domain.alert import Severity
from daemon.domain.event import Event
from daemon.domain.labels import Labels


class PastSource(StrEnum):
    """What tells of the past; the best comes first."""

    LOG = "request log"
    USAGE = "usage statistics"
    COUNTS = "ten-minute counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """What the upstream answered, decoded; None where it does not serve it. `missing` says why, in words."""

    asked_at: int
    """Epoch ms."""
    auth_files: Any = None
    api_keys: Any = None
    usage: Any = None
    logs: Any = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A credential whose requests are counted; without a name where only its key would be one."""

    provider_key: str
    auth_index: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many requests of one credential went well and failed between two instants (epoch ms)."""

    since: int
    until: int
    holder: Holder
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one source tells of a span of time (epoch ms): events, oldest first.

    Of the event's `fields` what is None is absent; of all others it is not known.
    """

    source: PastSource
    since: int
    until: int
    events: tuple[Event, ...]
    fields: frozenset[str]
    notes: tuple[str, ...] = ()
    """What is only nearly so, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One alert that would have fired; instants are epoch ms, `until` is None while it still fires."""

    severity: Severity
    labels: Labels
    since: int
    until: int | None
    summary: str
    acts: tuple[str, ...] = ()
    """What would have been done: `fallback of gpt-5.4`."""
    left: tuple[str, ...] = ()
    """What was asked for and would not have been done, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What would have become of one rule, had it been in force; with `lacks` nothing can be said of it."""

    alert: str
    is_about_traffic: bool = True
    lacks: tuple[str, ...] = ()
    since: int | None = None
    """From when on it could be judged (epoch ms)."""
    sources: tuple[PastSource, ...] = ()
    samples: int = 0
    """Turns that it was played on."""
    firings: tuple[Firing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """All rules over all that is known of the past."""

    asked_at: int
    accounts: tuple[Account, ...]
    missing: tuple[str, ...]
    rules: tuple[Rehearsed, ...]

    @property
    def has_fired(self) -> bool:
        return any(rule.firings for rule in self.rules)
