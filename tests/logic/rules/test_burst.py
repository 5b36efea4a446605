"""A burst raises on bad events in a row, however few or many there are beside it, and ends with good ones in a row."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.alert import ResolvedBecause, Severity
from daemon.domain.event import Fault
from daemon.logic.rules.burst import BurstRule
from tests.logic.playing import Play, an_event

WARNING = Severity.WARNING


def a_burst(**changes: Any) -> BurstRule:
    facts: dict[str, Any] = {
        "alert": "RateLimitBurst",
        "kind": "burst",
        "bad": {"status": 429},
        "by": ["provider_key"],
        "levels": {"warning": {"at_least": 5}, "critical": {"at_least": 20}},
    }
    return BurstRule.model_validate(facts | changes)


def turns(play: Play, row: str, *, every: int = 1, **changes: Any) -> None:
    """One turn every so many seconds: `x` is a bad one, `.` a good one."""
    for turn in row:
        play.book.observe(an_event(play.now, bad=turn == "x", **changes))
        play.silence(every)


@pytest.mark.parametrize(
    ("row", "firing"),
    [
        ("xxxx", []),
        ("xxxxx", ["warning"]),
        (".....xxxxx", ["warning"]),
        ("xxxx.xxxx", []),
        ("xx.xx.xx.xx.xx.xx.xx.xx.xx.xx", []),
        ("x" * 19, ["warning"]),
        ("x" * 20, ["critical", "warning"]),
        ("." * 60, []),
        ("", []),
    ],
)
def test_so_many_in_a_row_raise(row: str, firing: list[str]) -> None:
    play = Play.of(a_burst())
    turns(play, row)
    assert play.severities == firing


@given(st.lists(st.booleans(), max_size=40))
def test_it_raises_exactly_when_the_last_so_many_were_all_bad(outcomes: list[bool]) -> None:
    play = Play.of(a_burst(levels={"warning": {"at_least": 3}}))
    raised = False
    for place, bad in enumerate(outcomes):
        turns(play, "x" if bad else ".")
        raised = raised or (place >= 2 and all(outcomes[place - 2 : place + 1]))
        assert (play.firing != set()) is raised


@pytest.mark.parametrize(("window", "firing"), [("10m", ["warning"]), ("60s", [])])
def test_only_what_the_window_holds_is_in_the_row(window: str, firing: list[str]) -> None:
    play = Play.of(a_burst(window=window))
    turns(play, "x" * 8, every=20)
    assert play.severities == firing


@pytest.mark.parametrize(
    ("row", "is_over"),
    [("...", True), (".", False), ("..", False), ("..x", False), ("..x..", False), ("..x...", True)],
)
def test_so_many_good_ones_in_a_row_end_it(row: str, is_over: bool) -> None:
    play = Play.of(a_burst(keep_firing_for="0s"))
    turns(play, "xxxxx" + row)
    assert (play.severities == []) is is_over


def test_a_bad_one_while_it_is_clearing_keeps_it_firing() -> None:
    play = Play.of(a_burst(keep_firing_for="1m"))
    turns(play, "xxxxx...x")
    play.silence(120)
    assert play.severities == ["warning"]
    turns(play, "...")
    play.silence(60)
    assert play.severities == []


def test_good_ones_end_it_when_they_are_all_that_the_window_holds() -> None:
    play = Play.of(a_burst(window="1m", keep_firing_for="0s", clear_after=100))
    turns(play, "xxxxx.")
    assert play.severities == ["warning"]
    play.silence(50)
    turns(play, ".")
    play.silence(10)
    assert play.severities == []
    assert play.alert(WARNING).resolved_because is ResolvedBecause.CLEARED


def test_it_ends_for_want_of_data_when_the_window_is_empty() -> None:
    play = Play.of(a_burst(window="1m"))
    turns(play, "xxxxx")
    play.silence(50)
    assert play.severities == ["warning"]
    play.silence(15)
    assert play.changed[-1][1].resolved_because is ResolvedBecause.NO_DATA


def test_a_row_that_goes_on_after_such_an_end_raises_again() -> None:
    play = Play.of(a_burst(window="1m"))
    turns(play, "xxxxx")
    while play.firing:
        play.silence(1)
    turns(play, "xxxx")
    assert play.severities == []
    turns(play, "x")
    assert play.severities == ["warning"]


def test_for_is_served_from_the_first_of_the_row() -> None:
    play = Play.of(a_burst(**{"for": "50s"}))
    turns(play, "xxxxx", every=10)
    assert play.severities == ["warning"]
    short = Play.of(a_burst(**{"for": "51s"}))
    turns(short, "xxxxx", every=10)
    assert short.severities == []


def test_what_the_window_has_lost_serves_no_time() -> None:
    play = Play.of(a_burst(window="1m", **{"for": "70s"}))
    turns(play, "xxxx", every=20)
    turns(play, "xxx")
    assert play.severities == []


def test_each_label_set_has_a_row_of_its_own() -> None:
    play = Play.of(a_burst())
    for provider in ("codex", "kiro") * 4:
        turns(play, "x", provider_key=provider)
    assert play.severities == []


@pytest.mark.parametrize(("retries", "firing"), [("exclude", []), ("include", ["warning"])])
def test_a_marked_retry_belongs_to_its_first_attempt(retries: str, firing: list[str]) -> None:
    play = Play.of(a_burst(retries=retries))
    for attempt in range(5):
        turns(play, "x", attempt=attempt)
    assert play.severities == firing


def test_refusals_that_are_the_callers_fault_count_where_their_status_is_named() -> None:
    refused = {"status": 401, "fault": Fault.CLIENT_UNAUTHORIZED}
    named, unnamed = Play.of(a_burst(bad={"status": [401, 403]})), Play.of(a_burst(bad={"outcome": "failed"}))
    for play in (named, unnamed):
        turns(play, "xxxxx", **refused)
    assert named.severities == ["warning"]
    assert unnamed.severities == []


def test_its_figures_are_said_as_people_read_them() -> None:
    play = Play.of(a_burst())
    turns(play, "..xxxxxx")
    alert = play.alert(WARNING)
    assert (alert.value, alert.bad, alert.samples) == (6.0, 6, 8)
    assert alert.summary == "RateLimitBurst: 6 in a row; 6 of 8 in 10m"


def test_rows_are_counted_apart_by_rules_that_ask_differently() -> None:
    keys = {rule.query({}).key for rule in (a_burst(), a_burst(window="5m"), a_burst(of={"stream": True}))}
    assert len(keys) == 3
    assert a_burst(clear_after=9).query({}).key in keys
