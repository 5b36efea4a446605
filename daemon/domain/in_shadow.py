"""In shadow: what would have been done on real traffic, had the mode allowed it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldAct:
    """One thing that would have been done; instants are epoch ms."""

    at: int
    alert: str
    name: str
    """Of the mitigation, in the alerts file."""
    target: str
    outcome: str
    alone_seconds: float | None = None
    """After so long its alert was resolved, though nothing was done; None while it fires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that was asked for and could not have been done, why, and how often."""

    alert: str
    subject: str
    reason: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSum:
    """All of it since an instant (epoch ms). `warnings` and `criticals` count alerts that fired."""

    since: int
    until: int
    warnings: int = 0
    criticals: int = 0
    acts: tuple[WouldAct, ...] = ()
    left: tuple[Left, ...] = ()
