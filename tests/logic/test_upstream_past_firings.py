"""What came of a rule that was played: its firings, what each did, and what was left undone."""

from dataclasses import replace
from typing import Any

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.audit import AuditEntry
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.logic.upstream_past_firings import NO_MODEL, firings
from tests.logic.past import MINUTE, NOW

FIRED = Alert(
    fingerprint="f1",
    episode="e1",
    alert="SparkErrorRatio",
    severity=Severity.CRITICAL,
    labels=(),
    state=AlertState.FIRING,
    since=NOW,
    fired_at=NOW,
    last_data_at=NOW,
    bad=5,
    summary="5 failed",
    models=("spark",),
    mitigate=("fallback",),
)
ENDED = replace(FIRED, state=AlertState.RESOLVED, since=NOW + 9 * MINUTE, resolved_at=NOW + 9 * MINUTE)


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
        "planned_at": NOW,
        "outcome": "would answer spark with gpt",
    }
    return Mitigation(**facts | changes)


def test_an_episode_is_told_from_its_beginning_to_its_end_by_its_worst_moment() -> None:
    worse = replace(FIRED, state=AlertState.CLEARING, since=NOW + MINUTE, bad=9, summary="9 failed")
    better = replace(FIRED, since=NOW + 2 * MINUTE, bad=2, summary="2 failed")
    (found,) = firings("SparkErrorRatio", [FIRED, worse, better, ENDED], [], [])
    assert (found.since, found.until, found.summary) == (NOW, NOW + 9 * MINUTE, "9 failed")


def test_what_fires_still_has_no_end_and_what_fires_again_is_another_one() -> None:
    again = replace(FIRED, since=NOW + 20 * MINUTE, fired_at=NOW + 20 * MINUTE)
    found = firings("SparkErrorRatio", [FIRED, ENDED, again], [], [])
    assert [one.until for one in found] == [NOW + 9 * MINUTE, None]


def test_alerts_of_other_rules_and_those_that_never_fired_are_left_out() -> None:
    pending = replace(FIRED, state=AlertState.PENDING, fired_at=None)
    assert firings("SparkErrorRatio", [pending, replace(FIRED, alert="Other")], [], []) == ()


def test_what_it_would_have_done_is_its_own_and_of_its_time() -> None:
    others = a_row(id="m2", owners=("f2",), target="model_alias:of another alert")
    later = a_row(id="m3", planned_at=NOW + 20 * MINUTE, target="model_alias:of another episode")
    (found,) = firings("SparkErrorRatio", [FIRED, ENDED], [a_row(), others, later], [])
    assert (found.acts, found.left) == (("fallback of spark",), ())


def test_what_would_not_have_been_done_says_why() -> None:
    inert = a_row(name="quota-fallback", target="upstream:switch", outcome="noted, not written")
    said = AuditEntry(
        id="a", at=NOW, actor="rule:SparkErrorRatio", subject="model_alias:m", action="noted", outcome="no line"
    )
    others = [replace(said, id="b", actor="rule:Other"), replace(said, id="c", action="planned")]
    (found,) = firings("SparkErrorRatio", [FIRED, ENDED], [inert], [said, *others])
    assert found.acts == ()
    assert found.left == ("quota-fallback of switch: noted, not written", "model_alias:m: no line")


def test_a_fallback_of_nobody_knows_what_is_said() -> None:
    (found,) = firings("SparkErrorRatio", [replace(FIRED, models=())], [], [])
    assert found.left == (NO_MODEL,)
