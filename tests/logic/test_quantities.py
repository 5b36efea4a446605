"""Quantities as vendors write them; what makes no sense is not known."""

import time
from typing import Any

import pytest

from daemon.logic.quantities import instant, number, percentage, span, until, yes_or_no

NOON = 1_795_521_600_000


@pytest.mark.parametrize(
    ("value", "is_read_as"),
    [(3, 3.0), ("12.5", 12.5), (True, None), (-1, None), ("nan", None), ("inf", None), ("many", None), ([1], None)],
)
def test_a_number_is_finite_and_not_negative(value: Any, is_read_as: float | None) -> None:
    assert number(value) == is_read_as


@pytest.mark.parametrize(
    ("value", "of", "is_read_as"), [(40, 100.0, 40.0), ("0.4", 1.0, 40.0), (1.2, 1.0, 100.0), (1, 0.0, None)]
)
def test_a_percentage_is_never_above_all(value: Any, of: float, is_read_as: float | None) -> None:
    assert percentage(value, of) == is_read_as


@pytest.mark.parametrize(
    ("value", "is_read_as"),
    [("6m0s", 360.0), ("1.5s", 1.5), ("20ms", 0.02), (90, 90.0), ("soon", None), (40 * 86_400, None), ("99999d", None)],
)
def test_a_span_is_one_of_a_month_at_most(value: Any, is_read_as: float | None) -> None:
    assert span(value) == is_read_as


@pytest.mark.parametrize(
    "value",
    [
        NOON // 1000,
        str(NOON // 1000),
        NOON,
        "2026-11-24T12:00:00Z",
        "2026-11-24T12:00:00",
        "2026-11-24T14:00:00.000+02:00",
        "Tue, 24 Nov 2026 12:00:00 GMT",
    ],
)
def test_an_instant_may_be_written_in_many_ways(value: Any) -> None:
    assert instant(value) == NOON
    assert until(value, NOON - 60_000) == 60.0


def test_an_instant_without_a_zone_is_in_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        found = instant("2026-11-24T12:00:00")
    time.tzset()
    assert found == NOON


@pytest.mark.parametrize("value", ["tomorrow", "", None, [], -5, "9" * 400])
def test_what_is_no_instant_is_none(value: Any) -> None:
    assert instant(value) is None


def test_what_has_passed_is_not_waited_for() -> None:
    assert until(NOON, NOON) is None


@pytest.mark.parametrize(
    ("value", "is_read_as"), [("True", True), ("0", False), (True, True), ("perhaps", None), (1, None)]
)
def test_yes_or_no(value: Any, is_read_as: bool | None) -> None:
    assert yes_or_no(value) == is_read_as
