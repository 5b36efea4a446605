"""A sparse histogram answers quantiles within 3 %, merges in any order, and survives being written."""

from math import sqrt
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.logic.histogram import Histogram

VALUES = st.lists(st.integers(0, 10**9), max_size=60)
SHARES = st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0])


def of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def exactly(values: list[int], share: float) -> int:
    """The smallest value that at least this share of the values does not exceed."""
    return next(value for seen, value in enumerate(sorted(values), 1) if seen >= share * len(values))


@given(VALUES.filter(bool), SHARES)
def test_a_quantile_is_right_within_three_percent(values: list[int], share: float) -> None:
    assert of(values).quantile(share) == pytest.approx(exactly(values, share), rel=0.03)


@pytest.mark.parametrize("value", [0, 0.2, 0.99])
def test_what_is_below_one_is_nothing(value: float) -> None:
    histogram = Histogram()
    histogram.add(value)
    assert (histogram.count, histogram.quantile(0.5)) == (1, 0.0)


def test_an_empty_one_has_no_quantile() -> None:
    assert (Histogram().count, Histogram().quantile(0.5)) == (0, None)


@given(VALUES.filter(bool), SHARES.filter(bool))
def test_a_quantile_is_above_a_threshold_exactly_when_enough_values_are(values: list[int], share: float) -> None:
    histogram, threshold = of(values), float(values[0])
    quantile = histogram.quantile(share)
    assert quantile is not None
    assert (quantile > threshold) is (histogram.count - histogram.above(threshold) < share * len(values))


@pytest.mark.parametrize(("threshold", "larger"), [(0, 4), (1.5, 3), (50, 2), (900, 1), (2000, 0)])
def test_how_many_are_above_is_counted(threshold: float, larger: int) -> None:
    assert of([0, 1, 10, 100, 1000]).above(threshold) == larger


@given(VALUES.filter(bool))
def test_mean_and_spread_are_right_within_three_percent(values: list[int]) -> None:
    histogram = of(values)
    assert histogram.mean() == pytest.approx(fmean(values), rel=0.03)
    assert sqrt(histogram.variance()) == pytest.approx(pstdev(values), rel=0.03, abs=0.03 * max(values))


def test_equal_values_have_no_spread() -> None:
    assert of([500] * 9).variance() == pytest.approx(0)


def test_an_empty_one_has_no_mean_and_no_spread() -> None:
    assert (Histogram().mean(), Histogram().variance(), Histogram().above(0)) == (None, 0.0, 0)


def test_a_value_counts_as_often_as_it_is_said_to() -> None:
    histogram = of([10])
    histogram.add(1000, 9)
    assert histogram.count == 10
    assert histogram.quantile(0.1) == pytest.approx(10, rel=0.03)
    assert histogram.quantile(0.11) == pytest.approx(1000, rel=0.03)


@given(VALUES, VALUES)
def test_merging_is_counting_everything_in_one(some: list[int], others: list[int]) -> None:
    one, other = of(some), of(others)
    one.merge(other)
    assert one == of(some + others)
    assert one.count == len(some) + len(others)
    assert other == of(others)


@given(VALUES)
def test_what_is_written_reads_back_equal(values: list[int]) -> None:
    assert Histogram.decode(of(values).encode()) == of(values)
    assert of(values).encode() == of(values[::-1]).encode()


def test_it_is_written_small_and_in_a_form_that_stays() -> None:
    histogram = of([0, 1, 1, 1_000_000])
    histogram.add(5000, 300)
    assert histogram.encode().hex() == "000101029201ac025b01"


@pytest.mark.parametrize("encoded", [b"\x01", b"\x80", b"\x01\x02\x03", b"\x01\x81"])
def test_bytes_that_end_too_early_are_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match=r"zip\(\)|middle of a number"):
        Histogram.decode(encoded)
