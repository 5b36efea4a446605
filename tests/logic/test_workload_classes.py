"""Which class of traffic a request is of."""

from typing import Any

import pytest

from daemon.domain.soft_routing import WorkloadClass
from daemon.logic.workload_classes import class_of, may_be_of


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({"model": "iflow/glm-4.6"}, True),
        ({"model": "*glm*"}, True),
        ({"model": "glm*"}, False),
        ({"prefix": "iflow"}, True),
        ({"prefix": "if*"}, True),
        ({"prefix": "iflow/*"}, False),
        ({"client": "0f"}, True),
        ({"client": "0e"}, False),
        ({"headers": {"x-app": "batch-*"}}, True),
        ({"headers": {"x-app": "batch"}}, False),
        ({"headers": {"x-app": "*", "x-other": "*"}}, False),
        ({"client": "0f", "headers": {"x-app": "ide-*"}}, False),
    ],
)
def test_all_that_a_class_says_must_hold(said: dict[str, Any], fits: bool) -> None:
    one = WorkloadClass(name="one", **said)
    assert class_of([one], "iflow/glm-4.6", "0f", {b"x-app": b"batch-7"}) == (one if fits else None)


def test_the_first_that_fits() -> None:
    narrow, wide = WorkloadClass(name="narrow", model="glm*"), WorkloadClass(name="wide", headers={"x-app": "*"})
    assert class_of([narrow, wide], "glm-4.6", None, {b"x-app": b"a"}) == narrow
    assert class_of([wide, narrow], "glm-4.6", None, {b"x-app": b"a"}) == wide
    assert class_of([narrow, wide], "gpt", None, {}) is None


def test_without_a_model_only_what_does_not_ask_for_one_fits_and_the_rest_may() -> None:
    classes = [WorkloadClass(name="a", model="x"), WorkloadClass(name="b", client="0f"), WorkloadClass(name="c")]
    assert class_of(classes[:2], None, "0f", {}) == classes[1]
    assert [one.name for one in may_be_of(classes, None, {})] == ["a", "c"]
    assert class_of([WorkloadClass(name="p", prefix="*")], "glm", None, {}) is None
