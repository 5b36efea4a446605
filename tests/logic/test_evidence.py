"""When a ratio is proven, against the published values of the Wilson score and the guards one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.sample import Counts
from daemon.logic.evidence import Guards, lower_bound, quantile

SHIPPED = Guards(min_samples=20, min_bad=5, z=quantile(0.975), in_a_row=4)


@pytest.mark.parametrize(
    ("bad", "samples", "bound"),
    [(0, 10, 0.0), (1, 10, 0.0179), (5, 10, 0.2366), (10, 10, 0.7225), (81, 263, 0.2553), (0, 0, 0.0)],
)
def test_the_lower_bound_is_that_of_the_textbook(bad: int, samples: int, bound: float) -> None:
    assert lower_bound(Counts(samples, bad), 1.96) == pytest.approx(bound, abs=5e-5)


@given(samples=st.integers(1, 5000), data=st.data())
def test_the_lower_bound_is_never_above_the_value(samples: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, samples))
    assert 0.0 <= lower_bound(Counts(samples, bad), quantile(0.975)) <= bad / samples + 1e-12


@pytest.mark.parametrize(
    ("counts", "proven"),
    [
        (Counts(600, 72), True),  # 12 % of 600
        (Counts(600, 42), False),  # 7 %, with `above` at 10 %
        (Counts(3, 2), False),  # two of three
        (Counts(19, 19), False),  # not enough samples
        (Counts(20, 4), False),  # not enough bad ones
        (Counts(20, 5), True),
        (Counts(50, 6), False),  # 12 % of few: the lower bound is below the middle
        (Counts(0, 0), False),
    ],
)
def test_a_ratio_is_proven_by_enough_samples_enough_bad_ones_and_the_bound(counts: Counts, proven: bool) -> None:
    assert SHIPPED.is_proven(counts, above=0.10, clears_below=0.06) is proven


def test_a_guard_that_is_off_asks_for_nothing() -> None:
    off = Guards(min_samples=0, min_bad=0, z=None, in_a_row=None)
    assert off.is_proven(Counts(1, 1), above=0.1, clears_below=0.06)
    assert not off.is_proven(Counts(0, 0), above=0.1, clears_below=0.06)
    assert not off.is_streak(10_000)


@pytest.mark.parametrize(
    ("counts", "decided"),
    [(Counts(20, 1), True), (Counts(19, 0), False), (Counts(50, 6), False), (Counts(600, 72), True)],
)
def test_a_window_is_decided_when_a_longer_one_could_not_say_it_better(counts: Counts, decided: bool) -> None:
    assert SHIPPED.is_decided(counts, above=0.10, clears_below=0.06) is decided


@pytest.mark.parametrize(("streak", "raises"), [(3, False), (4, True), (40, True)])
def test_so_many_in_a_row_raise_without_any_other_evidence(streak: int, raises: bool) -> None:
    assert SHIPPED.is_streak(streak) is raises
