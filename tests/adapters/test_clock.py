"""The machine's clocks, as the daemon reads them."""

import pytest

from daemon.adapters.clock import LONGEST_BACK_MS, SystemClock

NOON = 1_790_000_000_000


@pytest.mark.parametrize(
    ("wall", "passed", "reads"),
    [
        (NOON + 1000, 1.0, NOON + 1000),
        (NOON + 990, 1.0, NOON + 990),  # the wall clock is adjusted all the time: that is not going back
        (NOON - 7_200_000, 1.0, NOON + 900),
        (NOON - 1, 0.0, NOON),
        (NOON + 315_360_000_000, 1.0, NOON + 315_360_000_000),
        (NOON - LONGEST_BACK_MS, 1.0, NOON - LONGEST_BACK_MS),
    ],
    ids=["as it goes", "adjusted", "set back 2 h", "set back a little", "ten years ahead", "it was wrong before"],
)
def test_time_goes_on_when_the_clock_is_set_back_and_follows_it_when_it_jumps_ahead(
    wall: int, passed: float, reads: int
) -> None:
    walls, seconds = iter([NOON, wall]), iter([0.0, 0.0, passed])
    clock = SystemClock(lambda: next(walls) * 1_000_000, lambda: next(seconds))
    assert (clock.now(), clock.now()) == (NOON, reads)


def test_a_clock_that_was_set_back_has_caught_up_in_ten_times_as_long() -> None:
    moments = [(NOON, 0.0), *((NOON - 60_000 + second * 1000, float(second)) for second in range(1, 660))]
    walls, seconds = iter([wall for wall, _ in moments]), iter([0.0, *(at for _, at in moments)])
    clock = SystemClock(lambda: next(walls) * 1_000_000, lambda: next(seconds))
    read = [clock.now() for _ in moments]
    assert read == sorted(read)
    assert [now - wall for now, (wall, _) in zip(read, moments, strict=True)][-1] == 0


def test_a_process_that_starts_after_the_clock_was_set_back_goes_on_where_the_last_one_was() -> None:
    walls, seconds = iter([NOON - 7_200_000]), iter([0.0, 5.0, 6.0])
    clock = SystemClock(lambda: next(walls) * 1_000_000, lambda: next(seconds))
    clock.resume(NOON)
    assert clock.now() == NOON + 900
