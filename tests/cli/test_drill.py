"""`drill`, against a real control port: each step as it comes, and what all of it says."""

import json
from dataclasses import replace
from typing import Any

import pytest

from daemon import cli
from daemon.cli import drill
from daemon.domain.drill import DrillReport, StepState
from tests.cli.conftest import Control


@pytest.fixture
def run(control: Control, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOGNAME", "alice")
    monkeypatch.setattr(drill, "POLL_SECONDS", 0.0)

    def call(*argv: str, code: int = 0) -> str:
        assert cli.main(("drill", *argv)) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    return call


def test_each_step_is_told_with_its_time(run: Any, control: Control) -> None:
    assert run().splitlines() == [
        "DRILL drill-1",
        "  ok          1.2s  the alert fires            10 of 10 made-up turns failed",
        "  ok          5.2s  the message is out         [critical] DRILL",
        "All 2 steps were seen within 6s.",
    ]
    assert control.operations.acted == [("drill", "start", "human:alice")]


def test_what_was_missed_is_1(run: Any, control: Control) -> None:
    alert, message = control.operations.drill_steps
    control.operations.drill_steps = [alert, replace(message, state=StepState.MISSED, words="receiver has no URLs")]
    lines = run(code=1).splitlines()
    assert " ".join(lines[-2].split()) == "MISSED 5.2s the message is out receiver has no URLs"
    assert lines[-1] == "1 of 2 steps were not seen: the message is out."


def test_what_was_never_reached_is_1_too(run: Any, control: Control) -> None:
    control.operations.drill_steps = [replace(control.operations.drill_steps[0], state=StepState.MISSED)]
    assert run(code=1).splitlines()[-1] == "2 of 2 steps were not seen: the alert fires, the message is out."


def test_what_the_mode_does_not_allow_is_said_and_is_0(run: Any, control: Control) -> None:
    alert, message = control.operations.drill_steps
    control.operations.drill_steps = [alert, replace(message, state=StepState.NOT_DONE, words="mode is shadow")]
    lines = run().splitlines()
    assert " ".join(lines[-2].split()) == "not done 5.2s the message is out mode is shadow"
    assert lines[-1] == "All 2 steps were seen within 6s, but for what the mode does not allow: the message is out."


def test_json_is_the_report_at_its_end(run: Any) -> None:
    report = json.loads(run("--json", "--by", "jo"))["drill"]
    assert (report["id"], report["is_over"], report["went_well"]) == ("drill-1", True, True)
    assert [step["state"] for step in report["steps"]] == ["seen", "seen"]


def test_one_at_a_time(run: Any, control: Control) -> None:
    control.operations.drill_report = DrillReport(id="drill-0", started_at=0, names=("the alert fires",))
    assert run(code=1) == "runbookd: a drill is going on already\n"
