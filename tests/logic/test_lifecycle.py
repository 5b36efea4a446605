"""The alert table, row by row."""

import pytest

from daemon.domain.alert import Alert, AlertState, ResolvedBecause, Severity
from daemon.logic.lifecycle import Signal, Timing, advance, end

T0 = 1_795_514_400_000
SLOW = Timing(for_seconds=60.0, keep_seconds=300.0)
QUICK = Timing(for_seconds=0.0, keep_seconds=0.0)

I, P, F, C, R = (  # noqa: E741
    AlertState.INACTIVE,
    AlertState.PENDING,
    AlertState.FIRING,
    AlertState.CLEARING,
    AlertState.RESOLVED,
)


def an_alert(state: AlertState) -> Alert:
    return Alert(
        fingerprint="f",
        episode="e",
        alert="A",
        severity=Severity.WARNING,
        labels=(),
        state=state,
        since=T0,
        fired_at=T0,
        last_data_at=T0,
    )


@pytest.mark.parametrize(
    ("state", "signal", "after_seconds", "timing", "next_state"),
    [
        (I, Signal.RAISES, 1, SLOW, P),
        (I, Signal.RAISES, 1, QUICK, F),
        (I, Signal.BETWEEN, 1, QUICK, I),
        (I, Signal.CLEARS, 1, QUICK, I),
        (I, Signal.NO_DATA, 1, QUICK, I),
        (I, Signal.EXPIRED, 1, QUICK, I),
        (R, Signal.RAISES, 1, SLOW, P),
        (R, Signal.CLEARS, 1, QUICK, R),
        (P, Signal.RAISES, 59, SLOW, P),
        (P, Signal.RAISES, 60, SLOW, F),
        (P, Signal.BETWEEN, 59, SLOW, I),
        (P, Signal.CLEARS, 59, SLOW, I),
        (P, Signal.NO_DATA, 59, SLOW, I),
        (P, Signal.EXPIRED, 59, SLOW, I),
        (F, Signal.RAISES, 9, SLOW, F),
        (F, Signal.BETWEEN, 9999, SLOW, F),
        (F, Signal.CLEARS, 9, SLOW, C),
        (F, Signal.CLEARS, 9, QUICK, R),
        (F, Signal.NO_DATA, 9999, SLOW, F),
        (F, Signal.EXPIRED, 9999, SLOW, R),
        (C, Signal.CLEARS, 299, SLOW, C),
        (C, Signal.CLEARS, 300, SLOW, R),
        (C, Signal.BETWEEN, 299, SLOW, F),
        (C, Signal.RAISES, 299, SLOW, F),
        (C, Signal.NO_DATA, 9999, SLOW, C),
        (C, Signal.EXPIRED, 9999, SLOW, R),
    ],
)
def test_each_row_of_the_table(
    state: AlertState, signal: Signal, after_seconds: int, timing: Timing, next_state: AlertState
) -> None:
    before = an_alert(state)
    after = advance(before, signal, T0 + after_seconds * 1000, timing)
    assert after.state is next_state
    if next_state is state:
        assert after is before
    else:
        assert after.since == T0 + after_seconds * 1000


def test_an_end_says_why() -> None:
    cleared = advance(an_alert(C), Signal.CLEARS, T0 + 300_000, SLOW)
    assert (cleared.resolved_at, cleared.resolved_because) == (T0 + 300_000, ResolvedBecause.CLEARED)
    assert advance(an_alert(F), Signal.EXPIRED, T0, SLOW).resolved_because is ResolvedBecause.NO_DATA
    assert end(an_alert(F), T0, ResolvedBecause.RULE_REMOVED).resolved_because is ResolvedBecause.RULE_REMOVED
    assert end(an_alert(P), T0, ResolvedBecause.RULE_REMOVED).state is I


def test_a_return_from_clearing_is_the_same_incident() -> None:
    assert advance(an_alert(C), Signal.BETWEEN, T0 + 9000, SLOW).fired_at == T0


def test_a_new_incident_begins_without_the_marks_of_the_last() -> None:
    old = end(an_alert(F), T0, ResolvedBecause.CLEARED)
    new = advance(old, Signal.RAISES, T0 + 1000, SLOW)
    assert (new.fired_at, new.resolved_at, new.resolved_because) == (None, None, None)
