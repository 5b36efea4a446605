"""Mitigations: one row of the journal. States and columns are final; see the mitigation table in `logic/journal`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class MitigationState(StrEnum):
    PLANNED = "planned"
    WRITING = "writing"
    APPLIED = "applied"
    RESTORING = "restoring"
    RESTORED = "restored"
    NOT_NEEDED = "not_needed"
    ABANDONED = "abandoned"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_open(self) -> bool:
        """Open rows own their target; at most one per target."""
        return self in _OPEN


_OPEN = frozenset(
    {MitigationState.PLANNED, MitigationState.WRITING, MitigationState.APPLIED, MitigationState.RESTORING}
)


class Mode(StrEnum):
    """How far we may go by ourselves; ordered, the lower of two wins."""

    SHADOW = "shadow"
    ASK = "ask"
    AUTO = "auto"

    @property
    def rank(self) -> int:
        return (Mode.SHADOW, Mode.ASK, Mode.AUTO).index(self)


ALARMING = ("critical: ", "frozen: ")
"""What the words begin with of which people hear as of a critical alert."""


class Effect(StrEnum):
    """What is known about a lever on this upstream."""

    EXPECTED = "expected"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"
    NO_EFFECT_KNOWN = "no effect known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitigation:
    """One change of one target, from the plan to its end. Instants are epoch ms, spans are seconds."""

    id: str
    name: str
    """The name in the alerts file: `fallback`, `quota-fallback`, …"""
    kind: str
    target: str
    """What is changed: `model_alias:gpt-5.3-codex-spark`, `upstream:quota-exceeded.switch-project`, …"""
    state: MitigationState
    mode: Mode
    soft: bool
    """Lives in our own proxy and lapses by itself; otherwise it is written to the upstream."""
    owners: tuple[str, ...]
    """Fingerprints of the firing alerts that want it."""
    value_before: Any = None
    value_wanted: Any = None
    epoch: int = 0
    planned_at: int
    applied_at: int | None = None
    hold_until: int | None = None
    expires_at: int | None = None
    ended_at: int | None = None
    held_by: str | None = None
    """A human who said `hold`: nothing changes until `release`, or until `hold_expires_at`."""
    hold_expires_at: int | None = None
    """When a human's hold ends by itself; None: not before `release`."""
    approve_until: int | None = None
    """Until when a human may approve what was only asked for."""
    hold: float = 300.0
    cool_off: float = 900.0
    max_hold: float = 1800.0
    release: Mapping[str, Any] = field(default_factory=dict)
    verify: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    passes: int = 0
    """Consecutive good answers on the original path since it was applied."""
    effect: Effect = Effect.EXPECTED
    config_fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the upstream's other top-level config keys before our write."""
    outcome: str | None = None
    evidence: str = ""
    proof: str = ""
    """What it was like before and is like after, in words: `before 34 of 80 failed (42 %), after 2 of 75 (3 %)`."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """What the proof counts: `before_samples`, `before_bad`, `after_samples`, `after_bad`."""
    saved_turns: int | None = None
    """Turns that went through it and were good; known at its end."""
    note: str = ""
    """What people should know beside: two rules that disagree, a restore that fails again and again."""

    @property
    def is_alarming(self) -> bool:
        """Somebody has to look at it now."""
        return bool(self.outcome and self.outcome.startswith(ALARMING)) or (
            self.state.is_open and self.note.startswith(ALARMING)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One writing call of the management API: `PATCH /v0/management/{path}` with a JSON body."""

    method: str
    path: str
    body: Any = None
