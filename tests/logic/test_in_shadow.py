"""The sum of a time in shadow: what would have been done, and whether it was needed."""

from dataclasses import replace
from typing import Any

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.audit import AuditEntry
from daemon.domain.in_shadow import Left
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.logic.in_shadow import sum_up
from tests.logic.past import MINUTE, NOW

BEGAN = NOW - 6 * 24 * 60 * MINUTE
FIRED = Alert(
    fingerprint="f1",
    episode="e1",
    alert="SparkErrorRatio",
    severity=Severity.CRITICAL,
    labels=(),
    state=AlertState.FIRING,
    since=NOW - 60 * MINUTE,
    fired_at=NOW - 60 * MINUTE,
    last_data_at=NOW,
)


def resolved(minutes: int) -> Alert:
    """So long after it fired."""
    at = FIRED.since + minutes * MINUTE
    return replace(FIRED, state=AlertState.RESOLVED, since=at, resolved_at=at)


def a_row(**changes: Any) -> Mitigation:
    facts: dict[str, Any] = {
        "id": "m1",
        "name": "fallback",
        "kind": "model_alias",
        "target": "model_alias:spark",
        "state": MitigationState.NOT_NEEDED,
        "mode": Mode.SHADOW,
        "soft": True,
        "owners": ("f1",),
        "planned_at": FIRED.since,
        "outcome": "would answer spark with gpt",
    }
    return Mitigation(**facts | changes)


def test_what_would_have_been_done_and_how_long_the_alert_lasted_all_the_same() -> None:
    found = sum_up(BEGAN, NOW, [a_row()], [FIRED, resolved(4)], [])
    (act,) = found.acts
    assert (act.alert, act.name, act.target, act.alone_seconds) == (
        "SparkErrorRatio",
        "fallback",
        "model_alias:spark",
        240,
    )
    assert (found.since, found.warnings, found.criticals) == (BEGAN, 0, 1)


def test_an_alert_that_fires_still_was_not_resolved_by_itself() -> None:
    assert sum_up(BEGAN, NOW, [a_row()], [FIRED], []).acts[0].alone_seconds is None


def test_the_end_of_an_earlier_episode_is_not_that_of_this_one() -> None:
    before = replace(resolved(4), since=FIRED.since - MINUTE)
    assert sum_up(BEGAN, NOW, [a_row()], [before, FIRED, resolved(9)], []).acts[0].alone_seconds == 540


def test_the_rows_of_one_alert_fire_once() -> None:
    again = replace(FIRED, state=AlertState.CLEARING, since=FIRED.since + MINUTE)
    assert sum_up(BEGAN, NOW, [], [FIRED, again, FIRED], []).criticals == 1


def test_what_was_really_done_ends_the_time_in_shadow_before_it() -> None:
    real = a_row(id="m2", mode=Mode.AUTO, planned_at=NOW - 30 * MINUTE, state=MitigationState.RESTORED)
    found = sum_up(BEGAN, NOW, [a_row(), real], [FIRED], [])
    assert (found.since, found.acts, found.criticals) == (real.planned_at, (), 0)


def test_what_could_not_have_been_done_is_told_once_and_counted() -> None:
    inert = "noted, not written, for this upstream ignores it: would set it"
    rows = [a_row(id=f"m{number}", outcome=inert, name="quota-fallback", target="upstream:x") for number in (1, 2)]
    said = AuditEntry(id="a", at=NOW - 1, actor="rule:A", subject="model_alias:m", action="noted", outcome="no line")
    others = [replace(said, id="b", action="planned"), replace(said, id="c", at=BEGAN - 1)]
    found = sum_up(BEGAN, NOW, rows, [FIRED], [said, *others])
    assert found.acts == ()
    assert set(found.left) == {
        Left(alert="SparkErrorRatio", subject="upstream:x", reason=inert, times=2),
        Left(alert="A", subject="model_alias:m", reason="no line", times=1),
    }
