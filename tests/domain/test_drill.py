"""When a drill went well."""

import pytest

from daemon.domain.drill import DrillReport, DrillStep, StepState

SEEN, NOT_DONE, MISSED = (DrillStep(name="a", state=state, words="", seconds=0.0) for state in StepState)


@pytest.mark.parametrize(
    ("steps", "is_over", "well"),
    [
        ((SEEN, SEEN), True, True),
        ((SEEN, NOT_DONE), True, True),
        ((SEEN, MISSED), True, False),
        ((SEEN,), True, False),
        ((), True, False),
        ((SEEN, SEEN), False, False),
    ],
)
def test_every_step_has_to_be_seen(steps: tuple[DrillStep, ...], is_over: bool, well: bool) -> None:
    report = DrillReport(id="drill-1", started_at=0, names=("a", "b"), steps=steps, is_over=is_over)
    assert report.went_well is well
