"""Probes: what a look at the upstream came to."""

from dataclasses import dataclass
from enum import StrEnum


class ProbeOutcome(StrEnum):
    """`unknown`: we could not look, which says nothing about what we wanted to see."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One verdict of one probe about one thing."""

    probe: str
    subject: str = ""
    """What was looked at: a model, a credential, a prefix; nothing where the probe has but one."""
    outcome: ProbeOutcome
    value: float | None = None
    """A number that was read, such as how many models there are."""
    reason: str = ""
    """In words, for people."""
    emitted_at: int
    """Epoch ms."""
