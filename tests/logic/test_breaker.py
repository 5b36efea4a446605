"""The breaker of a receiver."""

import pytest

from daemon.domain.notification import Delivery
from daemon.logic.breaker import Breaker, wait_seconds

GOOD, BAD = Delivery(delivered=True), Delivery(delivered=False)


def after(*deliveries: Delivery) -> Breaker:
    """One delivery a second."""
    breaker = Breaker()
    for second, delivery in enumerate(deliveries):
        breaker = breaker.after(delivery, second * 1000)
    return breaker


@pytest.mark.parametrize(
    ("deliveries", "is_open", "rests_until"),
    [
        ((), False, 0),
        ((BAD, BAD), False, 1000),
        ((BAD, BAD, BAD), True, 182_000),
        ((BAD, BAD, GOOD, BAD), False, 3000),
        ((BAD, BAD, BAD, BAD), True, 183_000),
        ((BAD, BAD, BAD, GOOD), False, 0),
        ((Delivery(delivered=False, retry_after_seconds=30.0),), False, 30_000),
        ((BAD, BAD, Delivery(delivered=False, retry_after_seconds=600.0)), True, 602_000),
    ],
)
def test_three_in_a_row_open_it(deliveries: tuple[Delivery, ...], is_open: bool, rests_until: int) -> None:
    breaker = after(*deliveries)
    assert (breaker.is_open, breaker.rests_until) == (is_open, rests_until)


@pytest.mark.parametrize(("asked", "waited"), [(None, 0.0), (30.0, 30.0), (86_400.0, 3600.0)])
def test_nobody_is_left_alone_for_longer_than_an_hour(asked: float | None, waited: float) -> None:
    assert wait_seconds(Delivery(delivered=False, retry_after_seconds=asked)) == waited
