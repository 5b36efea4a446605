"""The audit: who did what to what, why, and what came of it. Append-only."""

from dataclasses import dataclass
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
