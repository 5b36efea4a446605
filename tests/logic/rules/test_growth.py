"""Growth raises when turns take more than they took in the days before, and says nothing until those days are known."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.domain.alert import ResolvedBecause, Severity
from daemon.domain.event import Source, Wire
from daemon.domain.rollup import TOKENS, Resolution, Rollup, Series, Sum, Think
from daemon.logic.histogram import Histogram
from daemon.logic.rollups import Rollups
from daemon.logic.rules.growth import GrowthRule
from tests.logic.playing import T0, Play, an_event

WARNING = Severity.WARNING
HOUR_MS, WEEK = Resolution.HOUR.ms, 7 * 24
NIGHTLY = (("workload", "nightly"),)


def a_growth(**changes: Any) -> GrowthRule:
    facts: dict[str, Any] = {
        "alert": "ReasoningTokenGrowth",
        "kind": "growth",
        "field": "reasoning_tokens",
        "by": ["workload"],
        "levels": {"warning": {"above": "25%"}},
    }
    return GrowthRule.model_validate(facts | changes)


def an_hour(ago: int, mean: float = 1000, *, samples: int = 10, **changes: Any) -> Rollup:
    """What the nightly workload took in an hour that began so many hours before `T0`."""
    series: dict[str, Any] = dict.fromkeys(Series._fields) | {
        "wire": Wire.OPENAI_CHAT,
        "stream": False,
        "provider_key": "codex",
        "workload": "nightly",
        "source": Source.CLIENT,
    }
    think: dict[str, Any] = dict.fromkeys(Think._fields)
    return Rollup(
        resolution=Resolution.HOUR,
        bucket=T0 - ago * HOUR_MS,
        part=ago,
        series=Series(**{name: changes.get(name, value) for name, value in series.items()}),
        think=Think(**{name: changes.get(name, value) for name, value in think.items()}),
        requests=samples,
        tokens={"reasoning_tokens": Sum(round(mean * samples), samples)},
    )


def a_week(mean: float = 1000, **changes: Any) -> list[Rollup]:
    return [an_hour(ago, mean, **changes) for ago in range(WEEK, 0, -1)]


def played(rule: GrowthRule, *takes: int | None, hours: Sequence[Rollup] = (), **changes: Any) -> Play:
    """Turns of the nightly workload that took so much, after hours that were like those."""
    play = Play.of(rule)
    play.book.learn(hours)
    turns(play, *takes, **changes)
    return play


def turns(play: Play, *takes: int | None, **changes: Any) -> None:
    """One turn a second."""
    for tokens in takes:
        play.book.observe(an_event(play.now, **({"reasoning_tokens": tokens, "workload": "nightly"} | changes)))
        play.silence(1)


def usual(hours: Sequence[Rollup], **changes: Any) -> dict[tuple[tuple[str, str], ...], float]:
    baselines = a_growth(**changes).query({}).baselines
    assert baselines is not None
    return dict(baselines(hours))


# ---- judging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("takes", "firing"),
    [
        ([1000] * 60, []),
        ([1150] * 60, []),
        ([1400] * 19, []),
        ([1400] * 20, ["warning"]),
        ([1400] * 60, ["warning"]),
        ([800] * 60, []),
        ([*[500] * 19, 20_000], []),
        ([0] * 60, []),
        ([None] * 60, []),
        ([], []),
    ],
)
def test_it_raises_when_the_mean_has_surely_outgrown_the_baseline(takes: list[int | None], firing: list[str]) -> None:
    play = played(a_growth(), *takes, hours=a_week())
    assert play.severities == firing
    assert play.errors == []


@given(st.lists(st.integers(900, 1100), min_size=30, max_size=60))
def test_what_sways_around_the_usual_raises_nothing(takes: list[int]) -> None:
    assert played(a_growth(), *takes, hours=a_week()).told == []


@pytest.mark.parametrize(
    ("off", "takes"),
    [({"min_samples": "none"}, [1400] * 3), ({"confidence": "none"}, [*[500] * 19, 20_000])],
    ids=["min_samples", "confidence"],
)
def test_each_guard_can_be_switched_off(off: dict[str, str], takes: list[int]) -> None:
    assert played(a_growth(**off), *takes, hours=a_week()).severities == ["warning"]


def test_growth_may_be_more_than_all_of_it() -> None:
    rule = a_growth(levels={"warning": {"above": "150%"}})
    assert played(rule, *[2300] * 40, hours=a_week()).severities == []
    assert played(rule, *[2700] * 40, hours=a_week()).severities == ["warning"]


def test_without_a_baseline_nothing_is_said() -> None:
    play = played(a_growth(), *[9000] * 60)
    assert (play.told, play.book.alerts(), play.errors) == ([], [], [])


def test_another_label_sets_baseline_is_none() -> None:
    assert played(a_growth(), *[9000] * 60, hours=a_week(workload="daily")).told == []


def test_it_clears_below_its_lower_threshold_and_not_before() -> None:
    rule = a_growth(window="1m", keep_firing_for="30s", levels={"warning": {"above": "25%", "clear_below": "15%"}})
    play = played(rule, *[1500] * 60, *[1210] * 120, hours=a_week())
    assert play.severities == ["warning"]
    turns(play, *[1100] * 95)
    assert play.severities == []
    assert play.alert(WARNING).resolved_because is ResolvedBecause.CLEARED


def test_unless_said_it_clears_at_sixty_percent() -> None:
    play = played(a_growth(window="1m", keep_firing_for="0s"), *[1500] * 60, *[1200] * 70, hours=a_week())
    assert play.severities == ["warning"]
    turns(play, *[1100] * 70)
    assert play.severities == []


def test_no_data_is_no_shrinking() -> None:
    play = played(a_growth(window="1m", keep_firing_for="0s"), *[1500] * 60, hours=a_week())
    turns(play, *[None] * 50)
    assert play.severities == ["warning"]
    turns(play, *[None] * 15)
    assert play.changed[-1][1].resolved_because is ResolvedBecause.NO_DATA


def test_its_figures_are_shares_of_the_baseline() -> None:
    play = played(a_growth(), *[1300, 1700] * 30, hours=a_week())
    alert = play.book.firing()[0]
    assert alert.value == pytest.approx(0.5, abs=0.05)
    assert alert.lower_bound == pytest.approx(0.5 - 1.96 * 0.2 / 60**0.5, abs=0.05)
    assert (alert.samples, alert.window_seconds) == (60, 3600)
    assert alert.summary.endswith("% more than usual, by 60 turns in 1h")


def test_retries_count_as_they_do_in_the_hours_and_canaries_do_not() -> None:
    assert played(a_growth(), *[1500] * 60, hours=a_week(), attempt=1).severities == ["warning"]
    assert played(a_growth(), *[1500] * 60, hours=a_week(), source=Source.CANARY).severities == []


def test_a_total_that_was_not_said_is_what_went_in_and_out() -> None:
    measure = a_growth(field="total_tokens").query({}).measure
    assert measure is not None
    assert measure(an_event(0, input_tokens=3, output_tokens=4)) == 7
    assert measure(an_event(0, total_tokens=9, output_tokens=4)) == 9


# ---- what is usual ---------------------------------------------------------------------------------------------------


def test_what_is_usual_is_the_median_of_the_hourly_means() -> None:
    hours = [*a_week(1000)[:-60], *(an_hour(ago, 5000) for ago in range(60, 0, -1))]
    assert usual(hours) == {NIGHTLY: 1000}


def test_the_parts_and_series_of_an_hour_are_one_hour() -> None:
    hours = [*a_week(900, samples=6), *a_week(1300, samples=2, model_id="other"), *a_week(1300, samples=4)]
    assert usual(hours) == {NIGHTLY: pytest.approx(1100)}


@pytest.mark.parametrize(
    ("hours", "is_known"),
    [
        (a_week(), True),
        (a_week()[1:], False),
        ([an_hour(WEEK), *a_week()[-23:]], True),
        ([an_hour(WEEK), *a_week()[-22:]], False),
        (a_week(samples=4), False),
        (a_week(samples=5), True),
        ([an_hour(WEEK, samples=4), *a_week()[1:]], False),
        ([an_hour(WEEK + 60), *a_week()[10:]], True),
        ([*a_week()[:23], an_hour(1, workload="daily")], False),
        ([*(an_hour(ago) for ago in range(WEEK + 72, WEEK, -1)), *a_week()[-23:]], False),
        (a_week(0), False),
        ([], False),
    ],
)
def test_it_is_known_when_enough_hours_span_the_days(hours: list[Rollup], is_known: bool) -> None:
    assert (NIGHTLY in usual(hours)) is is_known


def test_older_hours_prove_age_but_are_not_usual_any_more() -> None:
    old = [an_hour(ago, 9000) for ago in range(2 * WEEK, WEEK, -1)]
    assert usual([*old, *a_week(1000)[-100:]], baseline={"at_least": 24}) == {NIGHTLY: 1000}


@pytest.mark.parametrize(
    ("changes", "of", "is_counted"),
    [
        ({}, {"workload": "night*"}, True),
        ({}, {"workload": "fixed-*"}, False),
        ({"thinking_match": False}, {"thinking_match": False}, True),
        ({"thinking_match": None}, {"thinking_match": False}, False),
        ({"source": Source.CANARY}, {}, False),
        ({"source": Source.CANARY}, {"source": "canary"}, True),
    ],
)
def test_hours_are_selected_as_events_are(changes: dict[str, Any], of: dict[str, Any], is_counted: bool) -> None:
    event = an_event(0, **({"workload": "nightly", "reasoning_tokens": 9} | changes))
    assert a_growth(of=of).query({}).of(event) is is_counted
    assert bool(usual(a_week(**changes), of=of)) is is_counted


@pytest.mark.parametrize("by", [["thinking_match", "workload"], ["prefix", "stream"], []])
def test_hours_have_the_labels_that_events_have(by: list[str]) -> None:
    play = played(a_growth(by=by), *[1500] * 60, hours=a_week(thinking_match=True), thinking_match=True)
    assert play.severities == ["warning"]


@pytest.mark.parametrize("field", [*TOKENS, "duration_ms", "ttft_ms"])
def test_every_field_is_the_same_in_hours_and_in_events(field: str) -> None:
    facts = dict.fromkeys((*TOKENS, "duration_ms", "ttft_ms"), 100) | {field: 1000}
    rollups = Rollups()
    for ago in range(WEEK, 0, -1):
        for minute in range(6):
            rollups.add(an_event(T0 - ago * HOUR_MS + minute * 60_000, workload="nightly", **facts))
    hours = [row for row in rollups.close(T0) if row.resolution is Resolution.HOUR]
    assert usual(hours, field=field) == {NIGHTLY: pytest.approx(1000, rel=0.03)}


def test_a_mean_of_milliseconds_is_out_of_histograms() -> None:
    quick, slow = Histogram(), Histogram()
    quick.add(1000, 30)
    slow.add(9000, 10)
    hours = [
        *(Rollup(**_as(an_hour(ago), ttft_ms=quick.encode())) for ago in range(WEEK, 0, -1)),
        *(Rollup(**_as(an_hour(ago), ttft_ms=slow.encode())) for ago in range(WEEK, 0, -1)),
    ]
    assert usual(hours, field="ttft_ms") == {NIGHTLY: pytest.approx(3000, rel=0.03)}


def _as(row: Rollup, **changes: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Rollup.__slots__} | changes


# ---- what a file may say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field": "reasoning_token"}, "reasoning_tokens"),
        ({"field": "ttfb_ms"}, "ttft_ms"),
        ({"of": "fixed"}, "should be written in place, not as a name"),
        ({"of": {"outcome": "ok", "stream": True}}, "hours do not keep 'outcome'; choose from: endpoint, .*workload"),
        ({"by": ["workload", "client"]}, "hours do not keep 'client'"),
        ({"levels": {"warning": {"above": "4%"}}}, "above should be at least 5%"),
        ({"levels": {"warning": {"above": 25}}}, "25 is not a growth; write a percentage, such as 25% or 150%"),
        ({"levels": {"warning": {"above": "25%", "clear_below": "30%"}}}, "clear_below must not be above"),
        ({"levels": {}}, "at least 1"),
        ({"baseline": {"over": "1d", "at_least": 25}}, "there are no 25 hours in `over`"),
        ({"baseline": {"at_least": 0}}, "greater than or equal to 1"),
        ({"baseline": {"min_samples": 0}}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        a_growth(**changes)


def test_it_looks_back_further_than_the_days_for_proof_of_age() -> None:
    assert a_growth().history_seconds == 10 * 86_400
    assert a_growth(baseline={"over": "2d"}).history_seconds == 5 * 86_400


def test_numbers_are_shared_only_by_rules_that_ask_for_the_same() -> None:
    others = (
        {"window": "30m"},
        {"field": "output_tokens"},
        {"of": {"stream": True}},
        {"by": []},
        {"baseline": {"over": "3d"}},
    )
    keys = {rule.query({}).key for rule in (a_growth(), *(a_growth(**changes) for changes in others))}
    assert len(keys) == len(others) + 1
    assert a_growth(min_samples=7, confidence="none").query({}).key in keys
