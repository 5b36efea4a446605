"""What a probe's verdicts say of the original path of a soft mitigation."""

from typing import Any

import pytest

from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.domain.soft_routing import SoftRoute
from daemon.logic.releasing import works_again


def results(**outcomes: str) -> list[ProbeResult]:
    return [ProbeResult(probe="p", subject=s, outcome=ProbeOutcome(o), emitted_at=0) for s, o in outcomes.items()]


@pytest.mark.parametrize(
    ("route", "outcomes", "expected"),
    [
        ({"from_model": "spark"}, {"spark": "ok", "other": "bad"}, "ok"),
        ({"from_model": "spark"}, {"spark": "bad", "other": "ok"}, "bad"),
        ({"from_model": "spark"}, {"spark": "unknown", "other": "ok"}, "unknown"),
        ({"from_model": "spark"}, {"a": "ok", "b": "ok"}, None),
        ({"from_model": "spark"}, {"": "ok"}, "ok"),
        ({"from_model": "spark"}, {"another": "bad"}, "bad"),
        ({"from_model": "spark"}, {"spark suffix": "ok", "spark(high) budget": "bad"}, "bad"),
        ({"from_model": "spark"}, {"spark suffix": "ok", "sparkling": "bad"}, "ok"),
        ({"from_model": "spark"}, {"spark suffix": "ok", "spark budget": "unknown"}, "ok"),
        ({"from_prefix": "iflow"}, {"iflow/glm": "ok", "iflow/qwen": "ok", "gpt": "bad"}, "ok"),
        ({"from_prefix": "iflow"}, {"iflow/glm": "ok", "iflow/qwen": "bad"}, "bad"),
        ({"workload": "nightly", "client": "c1"}, {"a": "ok", "b": "ok"}, "ok"),
        ({"from_model": "spark"}, {}, None),
    ],
)
def test_the_verdicts_about_its_models_decide(
    route: dict[str, Any], outcomes: dict[str, str], expected: str | None
) -> None:
    assert works_again(SoftRoute(mitigation_id="m", **route), results(**outcomes)) == expected
