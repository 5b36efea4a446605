"""What happened in an example: all that an expectation can be about. Instants are epoch ms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from daemon.domain.alert import Alert
from daemon.domain.audit import AuditEntry
from daemon.domain.explanation import Explanation
from daemon.domain.mitigation import Mitigation
from daemon.domain.units import say_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message that a receiver got; `alerts` are the names that it is about."""

    at: int
    receiver: str
    title: str
    body: str
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Rows stand in the order in which they were committed."""

    begins_at: int
    settles_ms: int = 0
    """So long after a second all that follows from it has happened."""
    transitions: Sequence[Alert] = ()
    mitigations: Sequence[tuple[int, Mitigation]] = ()
    """Rows with the instants at which they were so."""
    received: Sequence[Received] = ()
    audit: Sequence[AuditEntry] = ()
    settings: Mapping[float, Mapping[str, Any]] = field(default_factory=dict)
    """Of the upstream, by dotted name, at some seconds of the example."""
    explained: Mapping[tuple[float, str], Explanation | None] = field(default_factory=dict)
    """By second and alert; None where nothing ran that could explain."""
    targets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What each mitigation can change, by its name."""

    def instant(self, seconds: float) -> float:
        """What followed from the judgement of that second belongs to it."""
        return self.begins_at + seconds * 1000 + self.settles_ms

    def span(self, first: float | None, last: float | None) -> tuple[float, float]:
        """From a second, or from the beginning, to another, or for ever."""
        return self.begins_at + (first or 0.0) * 1000, inf if last is None else self.instant(last)

    def after(self, at: float) -> str:
        """How long after the beginning an instant was, in words."""
        return say_duration(max(0, round((at - self.begins_at) / 1000)))
