"""What the doctor says without a control plane, and beside one."""

from typing import Any

import pytest

from daemon.domain.check_up import Health
from daemon.logic.doctor_ground import survey
from tests.logic.examining import a_knock, ground

OK, WARNING, CRITICAL = Health.OK, Health.WARNING, Health.CRITICAL
SILENT: dict[str, Any] = {"control_trouble": "nobody answers", "control_runs": False}


def test_beside_a_control_plane_only_files_and_doors_are_looked_at() -> None:
    found = survey(ground(deaf=["operators"]))
    assert [one.area for one in found] == ["settings", "alerts file", "file modes", "proxy", "control plane"]
    assert {one.verdict for one in found} == {OK}


@pytest.mark.parametrize(
    ("changes", "area", "verdict", "says"),
    [
        ({"mistakes": ["a.yaml:1: x", "a.yaml:2: y"]}, "alerts file", CRITICAL, "a.yaml:1: x (and 1 more)"),
        ({"warnings": ["a.yaml:1: x"]}, "alerts file", WARNING, "a.yaml:1: x"),
        ({"loose": ["/s/control.token (0644)"]}, "file modes", WARNING, "others may read /s/control.token (0644)"),
        ({"loose": ["a", "b", "c", "d"]}, "file modes", WARNING, "others may read a, b, c and more"),
        ({"has_state": False}, "file modes", OK, "the daemon has not run here"),
        ({"proxy": None}, "proxy", CRITICAL, "nobody answers at 127.0.0.1:8318"),
        ({"proxy": {"spool": {"failure": "disk full"}}}, "proxy", WARNING, "no event is kept: disk full"),
        ({"proxy": {}}, "proxy", OK, "127.0.0.1:8318"),
        (SILENT, "control plane", CRITICAL, "it does not run"),
        ({**SILENT, "control_runs": True}, "control plane", CRITICAL, "it runs, and tells us nothing: nobody answers"),
        ({**SILENT, "deaf": ["operators"]}, "receivers", WARNING, "hears nothing: operators"),
        ({**SILENT, "knock": a_knock()}, "upstream", OK, "answers, CLIProxyAPI"),
        ({**SILENT, "knock": a_knock(status=None, error="no answer")}, "upstream", CRITICAL, "no answer"),
        ({**SILENT, "knock": a_knock(clock=0)}, "clock", WARNING, "behind ours"),
    ],
)
def test_one_thing_is_told_of(changes: dict[str, Any], area: str, verdict: Health, says: str) -> None:
    (one,) = (one for one in survey(ground(**changes)) if one.area == area)
    assert (one.verdict, says in one.evidence) == (verdict, True), one
    assert verdict is OK or one.advice


def test_receivers_of_a_broken_file_are_not_known() -> None:
    assert "receivers" not in {one.area for one in survey(ground(**SILENT, mistakes=["a.yaml:1: x"], receivers=0))}
