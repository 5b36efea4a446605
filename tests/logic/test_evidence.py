"""When a ratio is proven, against the published values of the Wilson score and the guards one by one."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.sample import Counts, Row
from daemon.logic.evidence import (
    Guards,
    alpha,
    burst_seconds,
    chance,
    lower_bound,
    pieces,
    quantile,
    surprise,
)

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
    assert not off.is_row(Row(bad=10_000))


@pytest.mark.parametrize(
    ("counts", "decided"),
    [(Counts(20, 1), True), (Counts(19, 0), False), (Counts(50, 6), False), (Counts(600, 72), True)],
)
def test_a_window_is_decided_when_a_longer_one_could_not_say_it_better(counts: Counts, decided: bool) -> None:
    assert SHIPPED.is_decided(counts, above=0.10, clears_below=0.06) is decided


@pytest.mark.parametrize(("streak", "raises"), [(3, False), (4, True), (40, True)])
def test_so_many_in_a_row_are_a_row(streak: int, raises: bool) -> None:
    assert SHIPPED.is_row(Row(bad=streak)) is raises


# ---- chance ---------------------------------------------------------------------------------------------------------

DAY = 86_400.0
RARE = alpha(600, 400 * DAY)


def exactly(samples: int, bad: int, normal: Fraction) -> float:
    terms = (comb(samples, k) * normal**k * (1 - normal) ** (samples - k) for k in range(bad, samples + 1))
    return float(sum(terms, Fraction(0)))


@pytest.mark.parametrize("normal", [Fraction(2, 100), Fraction(8, 1000), Fraction(20, 100)])
@pytest.mark.parametrize(("samples", "bad"), [(4, 4), (15, 6), (20, 5), (100, 40), (300, 21), (300, 36), (500, 130)])
def test_chance_is_the_binomial_tail_or_a_little_more(samples: int, bad: int, normal: Fraction) -> None:
    exact = exactly(samples, bad, normal)
    if bad > samples * normal:
        assert exact * (1 - 1e-9) <= chance(samples, bad, float(normal)) <= min(1.0, exact * 2)


@pytest.mark.parametrize(
    ("samples", "bad", "normal", "tail"), [(0, 0, 0.02, 1), (100, 2, 0.02, 1), (9, 1, 0, 0), (9, 9, 1, 1)]
)
def test_at_the_edges_chance_is_certain_or_none(samples: int, bad: int, normal: float, tail: float) -> None:
    assert chance(samples, bad, normal) == tail


def suffixes(*buckets: tuple[int, int]) -> Sequence[Counts]:
    """Samples and bad ones, the newest first."""
    return list(accumulate((Counts(*bucket) for bucket in buckets), lambda a, b: Counts(a[0] + b[0], a[1] + b[1])))


def test_a_sudden_failing_is_not_diluted_by_the_good_ones_before_it() -> None:
    fresh, calm = (15, 7), (600, 6)
    assert surprise(suffixes(fresh, calm), 0.02) == chance(15, 7, 0.02) < RARE < chance(615, 13, 0.02)


def test_a_slow_failing_is_seen_in_all_that_was_counted() -> None:
    assert surprise(suffixes(*[(20, 2)] * 15), 0.02) == chance(300, 30, 0.02) < RARE < chance(20, 2, 0.02)


@pytest.mark.parametrize(("samples", "bad", "is_proven"), [(300, 36, True), (300, 21, True), (300, 6, False)])
def test_a_storm_of_three_seconds_in_a_short_window_is_proven(samples: int, bad: int, is_proven: bool) -> None:
    thirds = [(float(age), Counts(samples // 3, bad // 3)) for age in (1, 2, 3)]
    found = surprise(pieces(thirds, burst_seconds(20)), 0.02)
    assert (found <= alpha(20, 400 * DAY)) is is_proven


def test_the_rarer_the_stricter_and_a_longer_window_is_looked_at_less_often() -> None:
    assert alpha(600, 4000 * DAY) == pytest.approx(RARE / 10)
    assert alpha(6000, 400 * DAY) == pytest.approx(RARE * 10)
    assert alpha(20, 400 * DAY) == RARE


# ---- bursts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "burst"), [(20, 0), (60, 2), (600, 20), (3600, 20)])
def test_a_burst_is_a_thirtieth_of_the_window_and_at_most_twenty_seconds(window: float, burst: float) -> None:
    assert burst_seconds(window) == burst


def test_bad_ones_of_one_burst_are_one_piece_and_its_good_ones_count_in_proportion() -> None:
    buckets = [(10.0, Counts(4, 3)), (20.0, Counts(5, 2)), (30.0, Counts(3, 1)), (90.0, Counts(8, 0))]
    assert list(pieces(buckets, 20)) == [(1 + 4 / 5, 1), (2 + 4 / 5 + 2, 2)]


def test_on_much_traffic_steady_failures_are_proven_though_each_burst_is_one_piece() -> None:
    """Two turns a second: there are bad ones in every burst, and their share is that of the whole."""
    steady = [(age * 10.0, Counts(20, 2)) for age in range(1, 31)]
    calm = [(300 + age * 10.0, Counts(20, 0)) for age in range(1, 61)]
    assert surprise(pieces([*steady, *calm], 20), 0.02) < RARE


def test_without_bursts_each_bad_one_is_a_piece() -> None:
    assert list(pieces([(1.0, Counts(4, 3)), (2.0, Counts(5, 2))], 0)) == [(4, 3), (9, 5)]


def test_a_blip_with_clients_that_try_again_is_no_evidence_but_a_failing_that_lasts_is() -> None:
    blip = [(10.0, Counts(9, 8)), (20.0, Counts(8, 7)), (60.0, Counts(30, 0))]
    lasting = [(age, Counts(2, 1)) for age in (10.0, 60.0, 120.0, 180.0, 240.0, 300.0)]
    assert surprise(pieces(blip, 20), 0.02) > RARE > surprise(pieces(lasting, 20), 0.02)
    assert surprise(pieces(blip, 0), 0.02) < RARE


# ---- in a row -------------------------------------------------------------------------------------------------------


def a_row(*seconds: float) -> Row:
    row = Row()
    for at in seconds:
        row = row.then(round(at * 1000), bad=True)
    return row


@pytest.mark.parametrize(
    ("seconds", "raises"),
    [
        ((0, 30, 60, 90), True),  # four over a minute and a half
        ((0, 30, 60), False),  # three
        ((0, 10, 20, 59), False),  # not yet a minute
        ((0, 1, 3, 7), False),  # one client that tries again
        ((0, 1, 3, 7, 61), False),  # and one more
        ((0, 1, 3, 7, 40, 61), True),
    ],
)
def test_a_row_must_last_and_be_more_than_one_client_that_tries_again(seconds: Sequence[float], raises: bool) -> None:
    assert SHIPPED.is_lasting_row(a_row(*seconds), 60) is raises


def test_a_good_one_ends_the_row() -> None:
    assert a_row(0, 30, 60).then(61_000, bad=False) == Row()


def test_without_in_a_row_no_row_is_proven() -> None:
    off = Guards(min_samples=0, min_bad=0, z=None, in_a_row=None)
    assert not off.is_lasting_row(a_row(*range(0, 300, 20)), 60)
