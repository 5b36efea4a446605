"""Onset: where the share of failures changes is when the trouble began."""

import pytest

from daemon.logic.onset import began_at


@pytest.mark.parametrize(
    ("failed", "good", "began"),
    [
        ([50, 51, 52, 53], range(50), 50),
        ([50], [], 50),
        ([7, 50, 51, 52, 53], range(50), 50),
        ([7, 23, 50, 51, 52, 53], range(50), 50),
        (range(0, 60, 3), range(60), 0),
        (range(50, 70), range(50, 70), 50),
        ([53, 51, 50, 52], [*range(49, 0, -1)], 50),
    ],
)
def test_it_began_with_the_first_failure_that_was_not_alone(failed: list[int], good: list[int], began: int) -> None:
    assert began_at(failed, good) == began


def test_no_more_than_a_third_is_older() -> None:
    assert began_at([1, 2, 3, 4, 90, 91], range(5, 90)) in (1, 2, 3)
