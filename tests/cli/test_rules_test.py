"""`runbookd rules test`: a line per case, readable failures, and exit codes that a script can go by."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import cli

ROOT = str(Path(__file__).parents[2])
Test = Callable[..., tuple[int, str, str]]
GOOD = """\
only: [ProviderDown]
cases:
  - name: the upstream is gone
    changes: [{at: 3m, reachable: false}]
    expect: [{by: 10m, alert: ProviderDown, state: firing}]
  - name: all is well
    expect: [{to: 10m, never: ProviderDown}]
"""
BAD = """\
only: [ProviderDown]
cases:
  - name: it is told at once
    changes: [{at: 3m, reachable: false}]
    expect: [{at: 4m, alert: ProviderDown, state: firing}, {never: ProviderDown}]
"""
BROKEN = "cases: [{nmae: x, expect: [{never: ProviderDwn}]}]\n"


@pytest.fixture
def test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Test:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("bad", BAD), ("broken", BROKEN)):
        Path(f"{name}.yaml").write_text(text)

    def call(*argv: str) -> tuple[int, str, str]:
        code = cli.main(["rules", "test", *argv])
        return code, *capsys.readouterr()

    return call


def untimed(text: str) -> str:
    return re.sub(r"in \d+\.\d+s", "in Ns", text)


def test_where_all_holds_there_is_a_line_for_each_case(test: Test) -> None:
    code, out, err = test("good.yaml")
    assert (code, err) == (0, "")
    assert untimed(out).splitlines() == [
        "ok     the upstream is gone (10m played in Ns)",
        "ok     all is well (10m played in Ns)",
        "2 cases: all hold",
    ]


def test_a_failure_says_what_was_expected_what_was_instead_and_when(test: Test) -> None:
    code, out, err = test("good.yaml", "bad.yaml")
    assert (code, err) == (1, "")
    lines = untimed(out).splitlines()
    assert lines[2:4] == ["FAILED it is told at once (4m played in Ns)", "  expected: at 4m ProviderDown is firing"]
    assert lines[4] == "  instead: it was inactive all the time"
    assert lines[5] == "    ProviderDown critical:"
    assert lines[6].split() == ["TIME", "SAMPLES", "BAD", "VALUE", "BOUND", "STATE", "WHY"]
    assert lines[-1] == "3 cases: 1 failed"


def test_one_case_can_be_chosen(test: Test) -> None:
    code, out, _ = test("good.yaml", "bad.yaml", "--case", "well")
    assert (code, untimed(out).splitlines()) == (0, ["ok     all is well (10m played in Ns)", "1 case: all hold"])
    code, out, err = test("good.yaml", "--case", "nothing")
    assert (code, out, err) == (2, "", "runbookd: no case has 'nothing' in its name\n")


def test_the_whole_story_can_be_told(test: Test) -> None:
    _, out, _ = test("good.yaml", "--case", "gone", "-v")
    assert "ProviderDown critical firing" in out
    assert "to operators: [critical] ProviderDown" in out


def test_a_file_that_does_not_load_is_told_with_every_mistake_and_nothing_is_played(test: Test) -> None:
    code, out, err = test("good.yaml", "broken.yaml", "nothing.yaml")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "broken.yaml:1:9: cases[0].name: is needed",
        "broken.yaml:1:10: cases[0].nmae: is not known here; did you mean 'name'?",
        "broken.yaml:1:29: cases[0].expect[0].never: there is no alert 'ProviderDwn'; did you mean 'ProviderDown'?",
        "nothing.yaml: cannot be read: No such file or directory",
    ]


def test_programs_get_one_object(test: Test) -> None:
    code, out, _ = test("bad.yaml", "--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (1, False)
    (case,) = told["cases"]
    assert (case["file"], case["case"], case["ok"], round(case["played_seconds"])) == (
        "bad.yaml",
        "it is told at once",
        False,
        240,
    )
    assert [failure["expectation"] for failure in case["failures"]] == ["at 4m ProviderDown is firing"]
    assert case["failures"][0]["timeline"].startswith("ProviderDown critical:")
    code, out, _ = test("broken.yaml", "--json")
    assert (code, len(json.loads(out)["mistakes"])) == (2, 3)


@pytest.mark.usefixtures("test")
def test_the_engine_logs_nothing_beside_it() -> None:
    """Nothing but a process of its own shows what is logged without a handler."""
    command = [sys.executable, "-m", "daemon", "rules", "test", "good.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": ROOT})
    assert done.stderr == ""
