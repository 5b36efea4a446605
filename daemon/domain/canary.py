"""What came of one canary that a person asked for."""

from dataclasses import dataclass

from daemon.domain.event import Fault, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReport:
    """`outcome` is None where nobody knows: the upstream itself did not answer."""

    outcome: Outcome | None
    fault: Fault | None = None
    reason: str = ""
    """What went wrong, in words for people."""
    duration_ms: int = 0
    tokens: int = 0
    """What it cost, as far as the upstream says it."""
    usage_present: bool = False
