"""Explanations: why an alert fired or not, was sent or not, acted or not, and what its rule says at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from daemon.domain.alert import Severity
from daemon.domain.labels import Labels
from daemon.domain.sample import Verdict


class Decided(StrEnum):
    """What was decided about an alert, by the worst of its label sets."""

    FIRING = "firing"
    CLEARING = "clearing"
    PENDING = "pending"
    RESOLVED = "resolved"
    QUIET = "quiet"
    """It did not fire."""
    UNKNOWN = "unknown"
    """There is no such rule, and nothing is stored of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one level of a rule says about one label set at this moment."""

    labels: Labels
    severity: Severity
    verdict: Verdict | None
    """None when it could not be judged."""
    row: int
    """So many of the latest were bad, one after another."""
    coverage: float
    """Which share of what was emitted arrived."""
    why: tuple[str, ...]
    """In words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer to `explain`; `at` is epoch ms."""

    alert: str
    at: int
    decision: Decided
    because: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    not_notified_because: str | None = None
    """None when it was sent."""
    not_acted_because: str | None = None
    """None when something is done about it."""
