"""Rollups count every judged event once in each resolution, whenever it comes and whoever dies in between."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.domain.event import Event, Fault, Outcome, Source, Wire
from daemon.domain.rollup import OTHER, Resolution, Rollup, Sum
from daemon.logic.histogram import Histogram
from daemon.logic.providers import ProviderFigures, RolledFigures
from daemon.logic.rollups import MOST_SERIES, Rollups, coarsest, missing_in, pieces
from tests.logic.playing import T0, an_event

NOON = Resolution.HOUR.floor(T0)
TEN, MINUTE, HOUR = Resolution


def rolled(*events: Event) -> Rollup:
    """The one row of 10 seconds that these make."""
    rollups = Rollups()
    for event in events:
        rollups.add(event)
    (row,) = rollups.close(NOON + 10_000)
    return row


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, {"requests": 1, "ok": 1}),
        ({"bad": True}, {"requests": 1, "failed": 1, "faults": {Fault.PROVIDER_RATE_LIMITED: 1}}),
        ({"attempt": 2}, {"requests": 1, "ok": 1, "retries": 1}),
        ({"outcome": Outcome.FAILED, "fault": Fault.TRANSLATION}, {"faults": {Fault.TRANSLATION: 1}}),
        ({"total_tokens": 7}, {"requests": 1, "ok": 1, "tokens": {"total_tokens": Sum(7, 1)}}),
        ({"reasoning_tokens": 0}, {"requests": 1, "ok": 1, "tokens": {"reasoning_tokens": Sum(0, 1)}}),
        (
            {"input_tokens": 5, "output_tokens": 2},
            {
                "requests": 1,
                "ok": 1,
                "tokens": {"input_tokens": Sum(5, 1), "output_tokens": Sum(2, 1), "total_tokens": Sum(7, 1)},
            },
        ),
    ],
)
def test_one_event_counts_as_what_it_was(changes: dict[str, Any], counts: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {"requests": 0, "ok": 0, "failed": 0, "retries": 0, "faults": {}, "tokens": {}}
    row = rolled(an_event(NOON, **changes))
    assert {name: getattr(row, name) for name in nothing} == nothing | counts


@pytest.mark.parametrize(
    "changes",
    [
        {"wire": Wire.OTHER},
        {"outcome": Outcome.CLIENT_ABORT, "fault": Fault.PROVIDER_ERROR},
        {"outcome": Outcome.DENIED},
        {"outcome": Outcome.CUT_BY_DRAIN},
    ],
)
def test_what_was_not_finished_and_what_calls_no_model_is_in_no_row(changes: dict[str, Any]) -> None:
    rollups = Rollups()
    rollups.add(an_event(NOON, **changes))
    assert rollups.close(NOON + 7_200_000) == []


def test_a_row_adds_up_its_events_and_knows_how_long_they_took() -> None:
    events = [an_event(NOON + ms, duration_ms=ms + 1, reasoning_tokens=ms) for ms in range(0, 1000, 10)]
    row = rolled(*events, an_event(NOON, ttft_ms=40))
    durations, firsts = Histogram.decode(row.duration_ms), Histogram.decode(row.ttft_ms)
    assert (row.requests, row.part) == (101, events[-1].event_id)
    assert row.tokens["reasoning_tokens"] == Sum(sum(range(0, 1000, 10)), 100)
    assert (durations.count, firsts.count) == (101, 1)
    assert durations.quantile(0.5) == pytest.approx(491, rel=0.03)
    assert firsts.quantile(0.5) == pytest.approx(40, rel=0.03)


@pytest.mark.parametrize(
    "changes",
    [
        {"provider_key": "kiro"},
        {"source": Source.CANARY},
        {"workload": "nightly"},
        {"thinking_processed_level": "low"},
        {"emitted_at": NOON + 10_000},
    ],
)
def test_what_differs_in_a_label_or_a_bucket_has_a_row_of_its_own(changes: dict[str, Any]) -> None:
    rollups = Rollups()
    rollups.add(an_event(NOON))
    rollups.add(replace(an_event(NOON), **changes))
    assert [row.requests for row in rollups.close(NOON + 20_000)] == [1, 1]


def test_a_bucket_is_given_away_once_and_not_before_it_ends() -> None:
    rollups = Rollups()
    rollups.add(an_event(NOON + 9_999))
    ends = [rollups.close(NOON + at) for at in (9_999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000, 9_000_000)]
    assert [[row.resolution for row in rows] for rows in ends] == [[], [TEN], [], [MINUTE], [], [HOUR], []]
    assert {row.bucket for rows in ends for row in rows} == {NOON}


def test_what_comes_late_is_a_part_of_its_own() -> None:
    rollups = Rollups()
    rollups.add(an_event(NOON))
    (first,) = rollups.close(NOON + 30_000)
    rollups.add(an_event(NOON + 1))
    (second,) = rollups.close(0)
    assert (second.bucket, second.requests) == (first.bucket, 1)
    assert second.part > first.part
    (minute,) = rollups.close(NOON + 60_000)
    assert (minute.requests, minute.part) == (2, second.part)


STEPS = st.lists(
    st.one_of(
        st.builds(
            lambda at, bad, model: an_event(NOON + at, bad=bad, requested_model=model),
            st.integers(0, 8_000_000),
            st.booleans(),
            st.sampled_from("ab"),
        ),
        st.integers(NOON, NOON + 8_000_000),
    ),
    max_size=40,
)


def counted(rows: Iterable[Rollup]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for row in rows:
        key = (row.resolution, row.bucket, row.series.requested_model)
        found += Counter({(*key, True): row.ok, (*key, False): row.failed})
        assert Histogram.decode(row.duration_ms).count == row.requests
    return found


def expected(events: Iterable[Event]) -> Counter[Any]:
    return Counter(
        (resolution, resolution.floor(event.emitted_at), event.requested_model, event.outcome is Outcome.OK)
        for event in events
        for resolution in Resolution
    )


@given(STEPS, st.data())
def test_every_event_is_in_one_row_of_each_resolution_whoever_dies_in_between(
    steps: list[Event | int], data: st.DataObject
) -> None:
    rollups, events, rows = Rollups(), [], []
    for step in steps:
        if isinstance(step, Event):
            events.append(step)
            rollups.add(step)
            continue
        rows += rollups.close(step)
        if data.draw(st.booleans()):
            rollups = begun_again(rollups.until, events, rows)
    rows += rollups.close(NOON + 90_000_000)
    assert counted(rows) == expected(events)
    assert len({(row.resolution, row.bucket, row.series, row.part) for row in rows}) == len(rows)


def begun_again(until: int, events: list[Event], rows: list[Rollup]) -> Rollups:
    rollups = Rollups()
    for resolution, since, end in missing_in(until):
        rollups.recall(until, [row for row in rows if row.resolution is resolution and since <= row.bucket < end])
    for event in events:
        if event.emitted_at >= TEN.floor(until):
            rollups.add(event)
    return rollups


@given(STEPS)
def test_written_and_unwritten_are_everything(steps: list[Event | int]) -> None:
    rollups, rows, events = Rollups(), [], 0
    for step in steps:
        if isinstance(step, Event):
            rollups.add(step)
            events += 1
        else:
            rows += rollups.close(step)
    for resolution in Resolution:
        written = [row for row in rows if row.resolution is resolution]
        assert sum(row.requests for row in [*written, *rollups.unwritten(resolution)]) == events


def test_a_flood_of_invented_names_is_counted_together() -> None:
    rollups = Rollups()
    for number in range(10_000):
        rollups.add(an_event(NOON + number, requested_model=f"invented-{number}", prefix=f"p{number}"))
    rollups.add(an_event(NOON, requested_model="invented-0", prefix="p0"))
    rows = rollups.close(NOON + 3_600_000)
    for resolution in Resolution:
        mine = [row for row in rows if row.resolution is resolution]
        assert len(mine) == MOST_SERIES + 1
        assert sum(row.requests for row in mine) == 10_001
        known = {row.series.requested_model: row for row in mine}
        assert known["invented-0"].requests == 2
        assert known[OTHER].series.prefix == OTHER


@pytest.mark.parametrize(
    ("seconds", "resolution"),
    [(1, TEN), (119, TEN), (120, MINUTE), (7199, MINUTE), (7200, HOUR), (34_560_000, HOUR)],
)
def test_a_window_is_drawn_in_the_longest_buckets_that_fit(seconds: float, resolution: Resolution) -> None:
    assert coarsest(seconds) is resolution


def test_a_window_begins_in_finer_buckets() -> None:
    since, until = NOON + 60_001, NOON + 86_460_001
    assert list(pieces(since, until)) == [
        (HOUR, NOON + 3_600_000, until),
        (MINUTE, NOON + 120_000, NOON + 3_600_000),
        (TEN, NOON + 70_000, NOON + 120_000),
    ]
    assert [piece[0] for piece in pieces(NOON, NOON + 7_199_999)] == [MINUTE, TEN]


def test_the_figures_of_rollups_are_those_of_their_events() -> None:
    events = [an_event(NOON + ms, bad=ms % 7 == 0, duration_ms=ms + 1, ttft_ms=5) for ms in range(0, 5000, 10)]
    events += [an_event(NOON, input_tokens=10, output_tokens=4, provider_key="kiro"), an_event(NOON, total_tokens=3)]
    events += [an_event(NOON, source=Source.CANARY), an_event(NOON, outcome=Outcome.FAILED, fault=Fault.CLIENT_ERROR)]
    figures, rollups = ProviderFigures(), Rollups()
    for event in events:
        figures.observe(event)
        rollups.add(event)
    rolled_figures = RolledFigures()
    for row in rollups.close(NOON + 10_000):
        rolled_figures.add([row])
    assert rolled_figures.figures() == figures.figures(NOON + 5000, 600.0)
