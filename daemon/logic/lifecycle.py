"""The life of an alert: one table of what happens in each state, for each thing that a verdict can say.

    state       RAISES              SUSPECTS   BETWEEN     CLEARS               NO_DATA    EXPIRED
    ---------   -----------------   --------   ---------   ------------------   --------   --------------------
    inactive    pending or firing   pending    –           –                    –          –
    pending     firing after `for`  –          inactive    inactive             inactive   inactive
    firing      –                   –          –           clearing, resolved   –          resolved (no_data)
    clearing    firing              firing     firing      resolved after keep  –          resolved (no_data)
    resolved    pending or firing   pending    –           –                    –          –

RAISES: the evidence is there. SUSPECTS: it looks like it, but chance is not ruled out: the time of `for` is served, and
nothing fires. CLEARS: below `clear_below`. BETWEEN: neither. NO_DATA: nothing was counted, and that is never 0 %.
EXPIRED: nothing was counted for so long that holding on makes no sense. `clearing` is left for `resolved` when it has
lasted `keep_firing_for`. Time comes in as an argument.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from daemon.domain.alert import Alert, AlertState, ResolvedBecause


class Signal(Enum):
    """What a verdict amounts to for the table."""

    RAISES = auto()
    SUSPECTS = auto()
    BETWEEN = auto()
    CLEARS = auto()
    NO_DATA = auto()
    EXPIRED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a state must last before the next one, in seconds."""

    for_seconds: float
    keep_seconds: float
    raised_at: int | None = None
    """When what raises began, where that is known (epoch ms): `for` is served from then."""


Step = Callable[[Alert, int, Timing], Alert]


def advance(alert: Alert, signal: Signal, at: int, timing: Timing) -> Alert:
    """The alert after one look at it at an instant (epoch ms); the same object when nothing changed."""
    step = _TABLE.get((alert.state, signal))
    return alert if step is None else step(alert, at, timing)


def end(alert: Alert, at: int, because: ResolvedBecause) -> Alert:
    """Ends it from outside the table: what fires is resolved, what is pending never was."""
    return _resolve(alert, at, because) if alert.is_firing else replace(alert, state=AlertState.INACTIVE, since=at)


def _resolve(alert: Alert, at: int, because: ResolvedBecause) -> Alert:
    return replace(alert, state=AlertState.RESOLVED, since=at, resolved_at=at, resolved_because=because)


def _suspect(alert: Alert, at: int, timing: Timing) -> Alert:
    return replace(
        alert,
        state=AlertState.PENDING,
        since=at,
        fired_at=None,
        resolved_at=None,
        resolved_because=None,
        acknowledged_by=None,
    )


def _raise(alert: Alert, at: int, timing: Timing) -> Alert:
    return _ripen(_suspect(alert, at, timing), at, timing)


def _ripen(alert: Alert, at: int, timing: Timing) -> Alert:
    began = alert.since if timing.raised_at is None else min(alert.since, timing.raised_at)
    if at - began < timing.for_seconds * 1000:
        return alert
    return replace(alert, state=AlertState.FIRING, since=at, fired_at=at)


def _drop(alert: Alert, at: int, timing: Timing) -> Alert:
    return replace(alert, state=AlertState.INACTIVE, since=at)


def _calm(alert: Alert, at: int, timing: Timing) -> Alert:
    return _settle(replace(alert, state=AlertState.CLEARING, since=at), at, timing)


def _settle(alert: Alert, at: int, timing: Timing) -> Alert:
    if at - alert.since < timing.keep_seconds * 1000:
        return alert
    return _resolve(alert, at, ResolvedBecause.CLEARED)


def _return(alert: Alert, at: int, timing: Timing) -> Alert:
    return replace(alert, state=AlertState.FIRING, since=at)


def _expire(alert: Alert, at: int, timing: Timing) -> Alert:
    return _resolve(alert, at, ResolvedBecause.NO_DATA)


_TABLE: Mapping[tuple[AlertState, Signal], Step] = {
    (AlertState.INACTIVE, Signal.RAISES): _raise,
    (AlertState.RESOLVED, Signal.RAISES): _raise,
    (AlertState.INACTIVE, Signal.SUSPECTS): _suspect,
    (AlertState.RESOLVED, Signal.SUSPECTS): _suspect,
    (AlertState.PENDING, Signal.RAISES): _ripen,
    (AlertState.PENDING, Signal.BETWEEN): _drop,
    (AlertState.PENDING, Signal.CLEARS): _drop,
    (AlertState.PENDING, Signal.NO_DATA): _drop,
    (AlertState.PENDING, Signal.EXPIRED): _drop,
    (AlertState.FIRING, Signal.CLEARS): _calm,
    (AlertState.FIRING, Signal.EXPIRED): _expire,
    (AlertState.CLEARING, Signal.RAISES): _return,
    (AlertState.CLEARING, Signal.SUSPECTS): _return,
    (AlertState.CLEARING, Signal.BETWEEN): _return,
    (AlertState.CLEARING, Signal.CLEARS): _settle,
    (AlertState.CLEARING, Signal.EXPIRED): _expire,
}
