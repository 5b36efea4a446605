"""Silences: who does not want to hear of what, from when until when, and why."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from daemon.domain.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Instants are epoch ms. One that begins later is a maintenance window; one that is expired has ended early."""

    id: str
    matchers: Labels
    """Labels and globs that all have to match; `alert` and `severity` are labels too."""
    starts_at: int
    ends_at: int
    author: str
    comment: str = ""
    created_at: int

    def is_active(self, at: int) -> bool:
        """It has begun and not ended."""
        return self.starts_at <= at < self.ends_at

    def matches(self, labels: Labels) -> bool:
        """A label that is not there is empty."""
        known = dict(labels)
        return all(fnmatchcase(known.get(name, ""), wanted) for name, wanted in self.matchers)
