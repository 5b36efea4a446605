"""A sparse histogram answers quantiles within 3 %, merges in any order, and survives being written."""

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
    with pytest.raises(ValueError, match="zip|number"):
        Histogram.decode(encoded)
