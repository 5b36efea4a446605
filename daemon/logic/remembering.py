"""What rules about readings remember of them: the value of a field, and the reason that came with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from daemon.domain.sample import Reading

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Said:
    """Two are equal when their values are, whatever the reasons were."""

    value: Any
    reason: str = field(default="", compare=False)


def said(name: str) -> Callable[[Any], Said | None]:
    """Reads a field of a reading; None where it is not known."""

    def measure(item: Any) -> Said | None:
        value = getattr(item, name)
        return None if value is None else Said(value, getattr(item, "reason", ""))

    return measure


def word_of(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def seconds(stale_after: float | Literal["none"]) -> float:
    """How long a reading says something."""
    return NEVER if stale_after == "none" else stale_after


def is_stale(reading: Reading, stale_after: float) -> bool:
    """Nothing was read for so long that what was read says nothing any more."""
    return reading.last_at is None or reading.at - reading.last_at > stale_after * 1000
