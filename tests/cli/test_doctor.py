"""`doctor`: one table with verdict, evidence and what to do, with and without a daemon."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon import cli
from daemon.domain.check_up import Finding, Health
from tests.cli.conftest import Control
from tests.cli.test_healthcheck import answering

FRAME = ["settings", "alerts file", "file modes", "proxy", "control plane"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*argv: str, code: int) -> str:
        assert cli.main(("doctor", *argv)) == code
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return call


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Any:
    with answering(200, b"{}") as port:
        monkeypatch.setenv("RUNBOOKD_PROXY_PORT", str(port))
        yield


def test_what_is_well_is_0(run: Any, control: Control, proxy: None) -> None:
    found = json.loads(run("--json", code=0))
    assert found["verdict"] == "ok"
    assert [one["area"] for one in found["findings"]] == [*FRAME, "store"]


@pytest.mark.parametrize(("verdict", "code"), [("warning", 1), ("critical", 2), ("unknown", 3)])
def test_the_exit_code_is_that_of_monitoring_plug_ins(
    run: Any, control: Control, proxy: None, verdict: str, code: int
) -> None:
    control.operations.findings += [
        Finding(area="quota codex", verdict=Health(verdict), evidence="at 96%", advice="add a credential")
    ]
    lines = run(code=code).splitlines()
    assert lines[0].split() == ["VERDICT", "CHECK", "EVIDENCE"]
    assert [verdict, "quota codex", "at 96%"] == [cell.strip() for cell in lines[7].split("  ") if cell.strip()]
    assert lines[-2:] == ["What to do", "  quota codex: add a credential"]
    line = run("--nagios", code=code)
    assert line.startswith(f"RUNBOOKD {verdict.upper()} - quota codex: at 96% | ok=6 ")
    assert line.count("\n") == 1


def test_without_a_daemon_it_says_so_and_looks_at_the_rest(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path / "none"))
    for name in ("PROXY_PORT", "CONTROL_PORT"):
        monkeypatch.setenv(f"RUNBOOKD_{name}", {"PROXY_PORT": "1", "CONTROL_PORT": "2"}[name])
    with answering(200, b'{"message": "CLI Proxy API Server"}', date=True) as port:
        monkeypatch.setenv("RUNBOOKD_UPSTREAM_URL", f"http://127.0.0.1:{port}")
        out = run(code=2)
    assert "it does not run" in out
    assert f"http://127.0.0.1:{port} answers, CLIProxyAPI" in out
    assert "the upstream's and ours agree" in out
    assert "control plane: start it: `runbookd run`" in out


def test_bad_settings_are_told_of_and_nothing_else_is_looked_at(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_PROXY_PORT", "0")
    monkeypatch.setenv("RUNBOOKD_UPSTREEM_URL", "x")
    found = json.loads(run("--json", code=2))["findings"]
    assert [one["area"] for one in found] == ["settings"] * 2
    assert "did you mean 'RUNBOOKD_UPSTREAM_URL'?" in found[0]["evidence"] + found[1]["evidence"]


def test_a_control_plane_that_refuses_us_runs(
    run: Any, control: Control, proxy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOKD_CONTROL_TOKEN", "another")
    assert "it runs, and tells us nothing: the control plane refused the token" in run(code=2)
