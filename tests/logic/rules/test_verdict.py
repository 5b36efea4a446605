"""A verdict raises on so many bad ones among the last, and ends with good ones in a row; unknown ones are neither."""

from typing import Any

import pytest

from daemon.domain.alert import AlertState, ResolvedBecause, Severity
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.logic.rules.verdict import VerdictRule
from tests.logic.playing import Play

WARNING = Severity.WARNING
DAY = 86_400
OUTCOMES = {".": ProbeOutcome.OK, "x": ProbeOutcome.BAD, "?": ProbeOutcome.UNKNOWN}


def a_verdict(**changes: Any) -> VerdictRule:
    level = {key: changes.pop(key) for key in ("bad", "of_last", "clear_after") if key in changes}
    facts: dict[str, Any] = {
        "alert": "ModelMissing",
        "kind": "verdict",
        "probe": "models",
        "keep_firing_for": "0s",
        "levels": {"warning": level},
    }
    return VerdictRule.model_validate(facts | changes)


def probe(play: Play, row: str, *, every: int = 1, **changes: Any) -> None:
    """One verdict every so many seconds: `x` is bad, `.` good, `?` unknown."""
    for place, one in enumerate(row):
        facts = {"probe": "models", "subject": "spark", "reason": f"reason {place}"}
        play.book.observe(ProbeResult(outcome=OUTCOMES[one], emitted_at=play.now, **facts | changes))
        play.silence(every)


def later(play: Play, seconds: int) -> None:
    """Nothing happens for so long."""
    play.second += seconds - 1
    play.judge()


@pytest.mark.parametrize(
    ("rule", "row", "fires"),
    [
        (a_verdict(), "", False),
        (a_verdict(), "x", False),
        (a_verdict(), "xx", True),
        (a_verdict(), "x.x", False),
        (a_verdict(), "xx.", True),
        (a_verdict(), "xx..", False),
        (a_verdict(), "xx.x.", True),
        (a_verdict(bad=2, of_last=3), "x.x", True),
        (a_verdict(bad=2, of_last=3), "x..x", False),
        (a_verdict(bad=2, of_last=5), "xx..", False),
        (a_verdict(bad=1), "x", True),
        (a_verdict(bad=1, clear_after=3), "x..", True),
        (a_verdict(bad=1, clear_after=3), "x...", False),
        (a_verdict(bad=3), "xx", False),
        # what could not be looked at counts neither way
        (a_verdict(), "????", False),
        (a_verdict(), "x?x", True),
        (a_verdict(), "x??", False),
        (a_verdict(), "xx.?", True),
        (a_verdict(), "xx.?.", False),
        (a_verdict(bad=2, of_last=3), "x???x", True),
    ],
)
def test_so_many_bad_ones_among_the_last_raise(rule: VerdictRule, row: str, fires: bool) -> None:
    play = Play.of(rule)
    probe(play, row)
    assert bool(play.firing) is fires


def test_only_the_probe_that_is_named_is_judged_and_by_what_it_looked_at() -> None:
    play = Play.of(a_verdict(of={"subject": "s*"}))
    probe(play, "xx", probe="health")
    probe(play, "xx", subject="other")
    probe(play, "x", subject="spark")
    probe(play, "x", subject="sol")
    assert not play.firing
    probe(play, "x", subject="spark")
    assert [alert.labels for alert in play.book.firing()] == [(("subject", "spark"),)]


def test_each_level_looks_back_as_far_as_it_says() -> None:
    play = Play.of(
        a_verdict(levels={"warning": {"bad": 1, "clear_after": 1}, "critical": {"bad": 4, "clear_after": 1}})
    )
    probe(play, "xxxx")
    probe(play, ".")
    assert play.told == ["opened", "escalated", "closed"]


def test_the_message_says_how_many_were_bad_and_why_the_latest_was() -> None:
    play = Play.of(a_verdict(bad=2, of_last=3))
    probe(play, "xx.")
    alert = play.alert(WARNING)
    assert (alert.samples, alert.bad, alert.value) == (3, 2, pytest.approx(2 / 3))
    assert alert.summary == "ModelMissing: 2 of the last 3 were bad: reason 1"


@pytest.mark.parametrize(
    ("changes", "seconds", "fires"),
    [({}, DAY - 20, True), ({}, DAY + 20, False), ({"stale_after": "10m"}, 620, False)],
)
def test_a_probe_that_runs_no_more_says_nothing(changes: dict[str, Any], seconds: int, fires: bool) -> None:
    play = Play.of(a_verdict(**changes))
    probe(play, "xx")
    later(play, seconds)
    assert bool(play.firing) is fires
    assert play.alert(WARNING).resolved_because is (None if fires else ResolvedBecause.NO_DATA)


@pytest.mark.parametrize(("row", "fires"), [("", True), ("?", True), (".", True), ("..", False), ("x", True)])
def test_after_a_restart_it_holds_until_enough_is_good(row: str, fires: bool) -> None:
    before = Play.of(a_verdict())
    probe(before, "xx")
    after = Play.of(a_verdict())
    after.second = before.second
    after.book.restore(before.book.alerts())
    after.silence(600)
    probe(after, row)
    assert [alert.state for alert in after.book.alerts()] == [AlertState.FIRING if fires else AlertState.RESOLVED]
    assert after.told == ([] if fires else ["closed"])


@pytest.mark.parametrize("level", [{"bad": 3, "of_last": 2}, {"bad": 0}, {"of_last": 0}, {"clear_after": 0}])
def test_a_level_can_be_reached(level: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"of_last|greater"):
        a_verdict(**level)
