"""The audit: who did what to what, why, and what came of it. Append-only."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`actor` is `rule:<alert>`, `human:<name>`, `start-up` or `daemon`; `at` is epoch ms."""

    id: str
    at: int
    actor: str
    subject: str
    action: str
    before: Any = None
    after: Any = None
    reason: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are wanted. `actor` and `subject` may be globs; `since` is epoch ms."""

    actor: str | None = None
    subject: str | None = None
    since: int | None = None
    before: str | None = None
    """Only what was written before the entry of this id."""

    def fits(self, entry: AuditEntry) -> bool:
        """All but `before`: what an entry says of itself."""
        return (
            (self.since is None or entry.at >= self.since)
            and (self.actor is None or fnmatchcase(entry.actor, self.actor))
            and (self.subject is None or fnmatchcase(entry.subject, self.subject))
        )


EVERYTHING = AuditFilter()
