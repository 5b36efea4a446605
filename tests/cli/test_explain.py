"""What `explain` and `notify hook` print, and which instants a person may write."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from daemon import cli
from daemon.adapters.web.guard import hook_key
from daemon.cli import explain
from daemon.domain.explanation import Decided
from tests.cli.conftest import TOKEN, Control
from tests.fakes.operations import NOW, an_explanation


@pytest.fixture
def run(control: Control, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*argv: str, code: int = 0) -> str:
        assert cli.main(argv) == code
        captured = capsys.readouterr()
        assert TOKEN not in captured.out + captured.err
        return captured.out + captured.err

    return call


@pytest.fixture(autouse=True)
def _night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "SystemClock", lambda: SimpleNamespace(now=lambda: NOW))


def test_it_is_told_in_lines_that_no_terminal_obeys(run: Any, control: Control) -> None:
    control.operations.explanation = an_explanation(because=("critical fired", "because \x1b[31m of it"))
    assert run("explain", "SparkErrorRatio").splitlines() == [
        "SparkErrorRatio at 2026-11-24 10:00:00 UTC: firing",
        "  - critical fired",
        "  - because \ufffd[31m of it",
        "notified: no, silenced by jo until 11:00: <planned>",
        "acted: something is done about it",
    ]


def test_json_is_the_api_object(run: Any) -> None:
    assert json.loads(run("explain", "A", "--json"))["decision"] == "firing"


def test_an_alert_that_nobody_knows_is_a_failed_expectation(run: Any, control: Control) -> None:
    control.operations.explanation = an_explanation(decision=Decided.UNKNOWN)
    run("explain", "A", code=1)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("03:10", "2026-11-24T03:10:00"),
        ("10:00", "2026-11-24T10:00:00"),
        ("10:01", "2026-11-23T10:01:00"),
        ("09:59:58", "2026-11-24T09:59:58"),
        ("-2h", "2026-11-24T08:00:00"),
        ("-1h30m", "2026-11-24T08:30:00"),
        ("2026-11-24T03:10Z", "2026-11-24T03:10:00"),
        ("2026-11-24T03:10+01:00", "2026-11-24T02:10:00"),
        ("2026-11-24 03:10", "2026-11-24T03:10:00"),
    ],
)
def test_an_instant_may_be_written_as_people_do(run: Any, control: Control, text: str, instant: str) -> None:
    run("explain", "A", "--at", text)
    [(_, at)] = control.operations.explained
    assert at == datetime.fromisoformat(instant).replace(tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize("text", ["yesterday", "25:00", "-2", "3:10", "-99999999999d", ""])
def test_what_is_no_instant_is_misuse(run: Any, text: str) -> None:
    assert "is no instant: write 03:10" in run("explain", "A", "--at", text, code=2)


def test_the_address_of_the_hook_is_printed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_PUBLIC_URL", "https://nas.example/")
    assert run("notify", "hook") == f"https://nas.example/api/v1/hooks/slack/{hook_key(TOKEN)}\n"
