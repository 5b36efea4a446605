"""When a quota will be empty, and when nobody can say."""

from itertools import pairwise

import pytest

from daemon.logic.quota_forecast import Point, empty_in, grown

NOON = 1_795_521_600_000
MINUTE = 60_000
WOBBLE = 2.0


def path(*used: float, every: int = 5) -> tuple[Point, ...]:
    """The last one is now."""
    first = NOON - (len(used) - 1) * every * MINUTE
    return tuple(Point(first + place * every * MINUTE, one) for place, one in enumerate(used))


@pytest.mark.parametrize(
    ("points", "minutes"),
    [
        (path(80, 82, 84, 86, 88), 30.0),
        (path(70, 75, 80), 20.0),
        (path(90, 95, 100), 0.0),
        (path(50, 50, 50), None),
        (path(50, 49, 48.5), None),
        (path(80, 90), None),
        (path(80, 85, 90, every=1), None),
        (path(1, 1.001, 1.002, 1.003), None),
        ((), None),
    ],
    ids=["steady", "steep", "full", "idle", "less", "two points", "two minutes", "in years", "nothing"],
)
def test_it_goes_on_as_it_went(points: tuple[Point, ...], minutes: float | None) -> None:
    found = empty_in(points, NOON)
    assert found == (None if minutes is None else pytest.approx(minutes * 60))


def test_time_that_passed_since_the_last_look_is_counted_until_nobody_knows() -> None:
    points = path(70, 75, 80)
    assert empty_in(points, NOON + 10 * MINUTE) == pytest.approx(600)
    assert empty_in(points, NOON + 25 * MINUTE) == 0.0
    assert empty_in(points, NOON + 31 * MINUTE) is None


def test_a_fall_begins_a_new_window() -> None:
    points = path(80, 90)
    assert grown(points, Point(NOON + MINUTE, 89), WOBBLE)[:1] == points[:1]
    assert grown(points, Point(NOON + MINUTE, 4), WOBBLE) == (Point(NOON + MINUTE, 4),)


def test_points_are_a_minute_apart_and_three_hours_old_at_most() -> None:
    points: tuple[Point, ...] = ()
    for second in range(0, 14_400, 10):
        points = grown(points, Point(NOON + second * 1000, 10 + second / 1000), WOBBLE)
    assert len(points) <= 182
    assert points[-1].at - points[0].at <= 3 * 60 * MINUTE
    assert min(after.at - before.at for before, after in pairwise(points[:-1])) >= MINUTE


def test_the_same_look_is_one_point() -> None:
    points = path(80, 90)
    assert grown(points, Point(NOON, 95), WOBBLE) == points
