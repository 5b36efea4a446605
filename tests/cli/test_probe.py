"""`probe`, against a real control port: what there is, and what a look now says."""

import json
from typing import Any

import pytest

from daemon import cli
from daemon.domain.probe import ProbeOutcome, ProbeResult, ProbeState
from tests.cli.conftest import Control
from tests.fakes.operations import NOW, a_probe

OK, BAD, UNKNOWN = ProbeOutcome.OK, ProbeOutcome.BAD, ProbeOutcome.UNKNOWN


@pytest.fixture
def run(control: Control, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*argv: str, code: int = 0) -> str:
        assert cli.main(("probe", *argv)) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    return call


def a_result(probe: str, outcome: ProbeOutcome, subject: str = "", **more: Any) -> ProbeResult:
    return ProbeResult(probe=probe, subject=subject, outcome=outcome, emitted_at=NOW, **more)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_every_probe_is_a_row(run: Any, control: Control) -> None:
    control.operations.probe_rows = [
        a_probe("models", results=(a_result("models", OK, "a"), a_result("models", BAD, "b"))),
        a_probe(
            "spark",
            enabled=False,
            costs=True,
            every_seconds=600.0,
            state=ProbeState(probe="spark", requests=3, tokens=120),
            results=(),
        ),
    ]
    header, models, spark = map(cells, run("list").splitlines())
    assert header == ["PROBE", "ON", "COSTS", "EVERY", "LAST RUN", "VERDICT", "TODAY"]
    assert [*models[:4], *models[5:]] == ["models", "on", "nothing", "1m", "1 of 2 bad", "-"]
    assert models[4].endswith(" ago")
    today = "3/300 requests, 120/150000 tokens"
    assert spark == ["spark", "off", "tokens", "10m", "-", "-", today]
    assert [row["probe"] for row in json.loads(run("list", "--json"))["probes"]] == ["models", "spark"]


def test_a_run_tells_each_verdict_with_its_reason_and_what_is_bad_first(run: Any, control: Control) -> None:
    results = (a_result("spark", OK, "a", value=12.0), a_result("spark", BAD, "b", reason="404 model_not_found"))
    control.operations.probe_rows = [a_probe("spark", results=results)]
    header, bad, good = map(cells, run("run", "spark", code=1).splitlines())
    assert header == ["PROBE", "SUBJECT", "VERDICT", "VALUE", "REASON"]
    assert (bad, good) == (["spark", "b", "bad", "-", "404 model_not_found"], ["spark", "a", "ok", "12", "-"])
    assert len(json.loads(run("run", "spark", "--json", code=1))["results"]) == 2


@pytest.mark.parametrize(
    ("outcomes", "code", "gate"),
    [((OK, OK), 0, 0), ((OK, BAD), 1, 1), ((OK, UNKNOWN), 0, 1), ((UNKNOWN,), 0, 1), ((), 0, 1)],
)
def test_a_gate_that_could_not_look_does_not_open(
    run: Any, control: Control, outcomes: tuple[ProbeOutcome, ...], code: int, gate: int
) -> None:
    results = tuple(a_result("amp", outcome, str(n)) for n, outcome in enumerate(outcomes))
    control.operations.probe_rows = [a_probe("models"), a_probe("amp", results=results)]
    run("run", "models", "amp", code=code)
    run("run", "models", "amp", "--gate", code=gate)


def test_without_a_name_all_that_are_on_are_run(run: Any, control: Control) -> None:
    control.operations.probe_rows = [
        a_probe("models"),
        a_probe("amp"),
        a_probe("spark", enabled=False, results=(a_result("spark", BAD),)),
    ]
    assert [cells(line)[0] for line in run("run", "--gate").splitlines()] == ["PROBE", "models", "amp"]


def test_nothing_to_look_at_is_said(run: Any, control: Control) -> None:
    control.operations.probe_rows = [a_probe("amp", results=())]
    assert "there was nothing to look at" in run("run", "amp")


def test_an_unknown_name_is_2(run: Any) -> None:
    assert run("run", "spork", code=2) == "runbookd: there is no probe 'spork'\n"


def test_without_a_control_plane_it_says_what_to_start(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_CONTROL_PORT", "1")
    assert "start it with `runbookd run`" in run("run", "models", code=1)
