"""Values are written so that they can be read again, and mean the same."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from daemon.app.written import flow, plain
from daemon.domain.alerts_config import Strict
from daemon.domain.threshold import Threshold
from daemon.domain.units import Duration, Ratio


class Every(Strict):
    """A field of each type that rules have."""

    for_: Duration = Field(0.0, alias="for")
    patience: Duration | Literal["none"] | None = None
    share: Ratio = 0.0
    limit: Threshold = 0.0
    names: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"for": "90s"}, {"for": "1m30s"}),
        ({"for": "1h30m10s"}, {"for": "5410s"}),
        ({"patience": "none"}, {"patience": "none"}),
        ({"patience": "7d"}, {"patience": "7d"}),
        ({"share": "0.05%"}, {"share": "0.05%"}),
        ({"share": "7%"}, {"share": "7%"}),
        ({"limit": "10%"}, {"limit": "10%"}),
        ({"limit": 90}, {"limit": 90}),
        ({"limit": 2.5}, {"limit": 2.5}),
        ({"names": ["a", "b"]}, {"names": ["a", "b"]}),
    ],
)
def test_a_value_is_written_as_a_person_would(given: dict[str, Any], shown: dict[str, Any]) -> None:
    assert {name: plain(Every.model_validate(given))[name] for name in shown} == shown


@given(st.floats(0, 1e7), st.integers(0, 10_000))
def test_what_is_written_reads_as_the_same(seconds: float, per_mille: int) -> None:
    one = Every.model_validate({"for": f"{seconds:.3f}s", "share": f"{per_mille / 100}%"})
    again = Every.model_validate(plain(one))
    assert (again.for_, again.share) == (pytest.approx(one.for_, rel=1e-9, abs=1e-9), pytest.approx(one.share))


@pytest.mark.parametrize(
    ("value", "line"),
    [("10m", "10m"), ("5%", "5%"), (True, "true"), ("true", "'true'"), ([], "[]"), ({"a": ["x", 1]}, "{a: [x, 1]}")],
)
def test_a_line_is_yaml_without_its_frills(value: Any, line: str) -> None:
    assert flow(value) == line
