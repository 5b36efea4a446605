"""The watch of an onboarding: which events count, and which figures are good enough."""

from typing import Any

import pytest

from daemon.logic.onboarding_watch import Watched, watch_step, watched


def an_event(**changes: Any) -> dict[str, Any]:
    facts = {"outcome": "ok", "fault": None, "status": 200, "source": "canary", "duration_ms": 100}
    return {**facts, "usage_present": True, **changes}


def test_figures_are_of_what_a_provider_answers_for() -> None:
    failed = {"outcome": "failed", "fault": "provider_rate_limited", "status": 429}
    seen = watched(
        [
            *(an_event(duration_ms=span, source="client") for span in range(100, 2000, 100)),
            an_event(**failed),
            an_event(outcome="client_abort"),
            an_event(outcome="failed", fault="client_error", status=400),
            an_event(source="drill"),
            an_event(usage_present=None),
        ]
    )
    assert seen == Watched(
        requests=21,
        errors=1,
        rate_limited=1,
        good=20,
        with_usage=19,
        canaries=2,
        latency_p50_ms=900,
        latency_p95_ms=1800,
        faults={"provider_rate_limited": 1},
    )
    assert watched([]) == Watched()


GOOD = Watched(requests=100, errors=2, good=98, with_usage=98, canaries=10, latency_p95_ms=1200)


@pytest.mark.parametrize(
    ("seen", "ok", "said"),
    [
        (GOOD, True, "100 requests in 10m, 2 failed, 95% within 1200 ms"),
        (
            Watched(requests=100, errors=3, good=97, with_usage=97, canaries=10, faults={"truncated": 3}),
            False,
            "3% failed (3 truncated), and 2% may",
        ),
        (Watched(requests=20, good=20, with_usage=18, canaries=10), False, "2 of 20 good answers do not say"),
        (Watched(requests=9, good=9, with_usage=9, canaries=9), False, "of 10 canaries only 9"),
    ],
)
def test_the_watch_is_judged_by_its_figures(seen: Watched, ok: bool, said: str) -> None:
    step = watch_step(seen, sent=10, seconds=600.0)
    assert step.ok is ok
    assert said in step.said


def test_one_request_is_too_few_to_tell() -> None:
    lone = Watched(requests=1, good=1, with_usage=1, canaries=1)
    assert "too few" in watch_step(lone, sent=1, seconds=1.0).said
