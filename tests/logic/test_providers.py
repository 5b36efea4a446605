"""The figures of `/providers`, against the plain definition."""

import pytest

from daemon.domain.event import Fault, Outcome, Source, Wire
from daemon.logic.providers import ProviderFigures
from tests.logic.playing import T0, an_event


def test_the_figures_are_those_of_the_contract() -> None:
    figures = ProviderFigures()
    for number in range(100):
        figures.observe(an_event(T0 + number * 10, duration_ms=number * 10 + 10, ttft_ms=50, total_tokens=7))
    for _ in range(20):
        figures.observe(an_event(T0, bad=True, duration_ms=5))
    for _ in range(5):
        figures.observe(an_event(T0, outcome=Outcome.FAILED, fault=Fault.UPSTREAM_CONNECT))
    row = figures.figures(T0 + 5000, 600.0)["codex"]
    assert (row["request_count"], row["success_count"], row["failure_count"]) == (125, 100, 25)
    assert row["success_rate"] == pytest.approx(0.8)
    assert row["error_ratio"] == pytest.approx(20 / 125)  # a broken way is not the provider's fault
    assert row["rate_limited_ratio"] == pytest.approx(20 / 125)
    assert row["total_tokens"] == 700
    assert row["latency_p50_ms"] == pytest.approx(400, rel=0.1)
    assert row["latency_p95_ms"] == pytest.approx(940, rel=0.06)
    assert row["ttft_p95_ms"] == pytest.approx(50, rel=0.06)


@pytest.mark.parametrize(
    "changes",
    [
        {"wire": Wire.OTHER},
        {"outcome": Outcome.CLIENT_ABORT},
        {"outcome": Outcome.FAILED, "fault": Fault.CLIENT_ERROR},
        {"source": Source.CANARY},
    ],
)
def test_what_is_not_judged_is_in_no_figure(changes: dict[str, object]) -> None:
    figures = ProviderFigures()
    figures.observe(an_event(T0, **changes))
    assert figures.figures(T0 + 1000, 600.0) == {}


def test_a_window_forgets_and_the_hour_is_the_longest() -> None:
    figures = ProviderFigures()
    figures.observe(an_event(T0))
    assert figures.figures(T0 + 9000, 10.0)
    assert figures.figures(T0 + 20_000, 10.0) == {}
    figures.observe(an_event(T0 + 7_200_000))
    assert len(figures._buckets["codex"]) == 1


def test_tokens_that_are_not_summed_up_are_summed_here_and_absent_latency_is_null() -> None:
    figures = ProviderFigures()
    figures.observe(an_event(T0, input_tokens=10, output_tokens=4))
    row = figures.figures(T0 + 1000, 60.0)["codex"]
    assert (row["total_tokens"], row["ttft_p95_ms"]) == (14, None)
