"""`init`: from an empty directory to the first request that is seen."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from daemon import cli
from daemon.app import first_steps
from daemon.app.sink import Sink
from daemon.cli import init
from daemon.domain.event import Fault, Outcome
from tests.cli.conftest import Control
from tests.cli.test_healthcheck import answering

ITSELF = b'{"message": "CLI Proxy API Server"}'
KEY = "management-key-canary-0815"


class Terminal:
    """Somebody sits there and gives one answer after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.answers: list[str] = []
        monkeypatch.setattr(init, "getpass", self._ask)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def _ask(self, prompt: str) -> str:
        self.asked.append(prompt.strip())
        return self.answers.pop(0)


@pytest.fixture
def upstream() -> Iterator[str]:
    with answering(200, ITSELF) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing is there, and nobody listens."""
    for name, value in (("XDG_CONFIG_HOME", tmp_path / "config"), ("XDG_STATE_HOME", tmp_path / "state")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("RUNBOOKD_CONTROL_PORT", "1")
    monkeypatch.setattr(first_steps, "USUAL_PORTS", ())
    return tmp_path / "config" / "runbookd"


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*argv: str, code: int = 0) -> str:
        assert cli.main(("init", *argv)) == code
        captured = capsys.readouterr()
        assert KEY not in captured.out + captured.err
        return captured.out + captured.err

    return call


def test_at_most_three_values_are_asked_for_and_enter_skips(
    run: Any, home: Path, upstream: str, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(monkeypatch)
    terminal.answers = [sink.apprise_url, "", f" {KEY} "]
    out = run("--upstream", upstream)
    assert [prompt.split(",")[0].removesuffix(":") for prompt in terminal.asked] == [
        "Apprise URL of whoever shall hear of alerts",
        "client key",
        "management key",
    ]
    assert f"upstream   {upstream}, CLIProxyAPI" in out
    assert {path.name for path in (home / "secrets").iterdir()} == {"notify_urls", "upstream_management_key"}
    assert (home / "secrets" / "upstream_management_key").read_text() == f"{KEY}\n"
    assert f'upstream_url = "{upstream}"' in (home / "runbookd.toml").read_text()
    assert [message["title"] for message in sink.messages] == ["[test] runbookd"]
    assert "next       `runbookd run`, or start its service" in out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "claude-code ANTHROPIC_BASE_URL=http://127.0.0.1:8318" in lines
    assert "codex http://127.0.0.1:8318/v1 as base URL in ~/.codex/config.toml" in lines
    assert "opencode http://127.0.0.1:8318/v1 as base URL in ~/.config/opencode/opencode.json" in lines


def test_a_value_that_cannot_be_one_is_asked_for_again(
    run: Any, home: Path, upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(monkeypatch)
    terminal.answers = ["", "two words", "k-1", ""]
    assert "holds spaces" in run("--upstream", upstream)
    assert (home / "secrets" / "upstream_api_key").read_text() == "k-1\n"


def test_without_a_terminal_values_come_from_the_environment(
    run: Any, home: Path, upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "say --yes" in run("--upstream", upstream, code=2)
    assert not home.exists()
    monkeypatch.setenv("RUNBOOKD_UPSTREAM_MANAGEMENT_KEY", KEY)
    out = run("--yes", "--upstream", upstream)
    assert "nobody will hear of alerts" in out
    assert [path.name for path in (home / "secrets").iterdir()] == ["upstream_management_key"]


def test_a_second_time_nothing_is_overwritten_and_only_what_lacks_is_asked_for(
    run: Any, home: Path, upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(monkeypatch)
    terminal.answers = ["", "k-1", ""]
    run("--upstream", upstream)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    terminal.answers = ["", KEY]
    out = run()
    assert len(terminal.asked) == 5
    assert f"kept       {home / 'runbookd.toml'}, which was there already" in out
    assert f"upstream   {upstream}, CLIProxyAPI" in out
    assert {path: path.read_bytes() for path in before} == before


def test_in_a_directory_of_its_own_it_is_complete(run: Any, home: Path, upstream: str, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "runbookd.toml"
    assert cli.main(["--config", str(file), "init", "--yes", "--upstream", upstream]) == 0
    assert not home.exists()
    assert cli.main(["--config", str(file), "check"]) == 0
    assert f'alerts_file = "{file.parent / "alerts.yaml"}"' in file.read_text()


def test_an_upstream_that_does_not_answer_is_1_and_the_rest_is_done(run: Any, home: Path) -> None:
    assert "does not answer yet" in run("--yes", "--upstream", "http://127.0.0.1:2", code=1)
    assert (home / "runbookd.toml").exists()


def test_a_test_message_that_does_not_arrive_is_1(
    run: Any, upstream: str, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.refuses = True
    monkeypatch.setenv("RUNBOOKD_NOTIFY_URLS", sink.apprise_url)
    assert "failed" in run("--yes", "--upstream", upstream, code=1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client": "codex", "total_tokens": 12_410}, "codex → gpt-5.5, 1.9 s, 12,410 tokens"),
        ({"total_tokens": None}, "a client → gpt-5.5, 1.9 s"),
        (
            {"outcome": Outcome.FAILED, "fault": Fault.PROVIDER_RATE_LIMITED, "total_tokens": None},
            "a client → gpt-5.5, 1.9 s, provider rate limited",
        ),
    ],
)
def test_the_first_request_is_told(
    run: Any, upstream: str, control: Control, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], says: str
) -> None:
    monkeypatch.setenv("RUNBOOKD_CONTROL_PORT", str(control.port))
    old = control.operations.event_rows
    ok = next(row for row in old if row.outcome is Outcome.OK)
    facts = {"requested_model": "gpt-5.5", "duration_ms": 1900, **changes}
    late = [replace(ok, emitted_at=2**42 + n, **facts) for n in (1, 0)]
    listing = replace(ok, emitted_at=2**42, requested_model=None)
    answers = [old, [late[1], listing, *old], [late[0], late[1], *old]]

    def come(_: float) -> None:
        control.operations.event_rows = answers.pop(0)

    monkeypatch.setattr("time.sleep", come)
    assert run("--yes", "--wait", "--upstream", upstream).splitlines()[-1] == f"first request: {says}"
    assert len(answers) == 1


def test_with_yes_alone_nobody_waits(
    run: Any, upstream: str, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOKD_CONTROL_PORT", str(control.port))
    assert "waiting" not in run("--yes", "--upstream", upstream)


def test_nothing_of_the_environment_is_needed(home: Path) -> None:
    assert not [name for name in os.environ if name.startswith("RUNBOOKD_") and name != "RUNBOOKD_CONTROL_PORT"]
