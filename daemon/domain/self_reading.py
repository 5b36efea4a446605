"""Self readings: what the daemon knows of its own health."""

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """What the daemon watches of itself."""

    EVENTS_DROPPED = "events_dropped"
    NOTIFIER_FAILING = "notifier_failing"
    CONFIG_RELOAD_FAILED = "config_reload_failed"
    STORE_FAILING = "store_failing"
    EVALUATION_LATE = "evaluation_late"
    EVALUATION_FAILING = "evaluation_failing"
    DISK_FREE = "disk_free"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfReading:
    """One look at one condition: whether it holds, or a number."""

    condition: Condition
    holds: bool | None = None
    value: float | None = None
    """Seconds late, events lost, or the share of the disk that is free."""
    reason: str = ""
    """In words, for people."""
    emitted_at: int
    """Epoch ms."""
