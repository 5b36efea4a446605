"""`runbookd notify test`: real messages to a real sink, and what is said about each channel."""

import json
from pathlib import Path

import pytest

from daemon import cli
from daemon.app.sink import Sink

TOKEN = "token-canary-4711"


@pytest.fixture(autouse=True)
def _house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.yaml"
    alerts.write_text(
        """\
version: 1
receivers:
  - {name: operators, urls: ["secret:notify_urls"]}
  - {name: boss, urls: ["env:BOSS_URL"]}
"""
    )
    monkeypatch.setenv("RUNBOOKD_ALERTS_FILE", str(alerts))
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("RUNBOOKD_NODE_ID", "nas")


def test_every_receiver_is_sent_a_message(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNBOOKD_NOTIFY_URLS", f"{sink.apprise_url}{TOKEN}")
    monkeypatch.setenv("BOSS_URL", f"{sink.apprise_url}{TOKEN}")
    assert cli.main(["notify", "test"]) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["operators", "json://127.0.0.1", "delivered", "-"],
        ["boss", "json://127.0.0.1", "delivered", "-"],
    ]
    assert TOKEN not in out
    assert [message["title"] for message in sink.messages] == ["[test] runbookd"] * 2
    assert sink.messages[0]["message"] == "Messages of runbookd on nas arrive here."


def test_what_failed_is_1_and_says_which(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sink.refuses = True
    monkeypatch.setenv("RUNBOOKD_NOTIFY_URLS", f"{sink.apprise_url}{TOKEN}")
    assert cli.main(["notify", "test", "--json"]) == 1
    out = capsys.readouterr().out
    assert TOKEN not in out
    refused, deaf = json.loads(out)["channels"]
    assert (refused["receiver"], refused["ok"]) == ("operators", False)
    assert refused["error"] == "json: the channel refused the message or could not be reached"
    assert (deaf["receiver"], deaf["channel"], deaf["ok"]) == ("boss", None, False)
    assert "has no URLs" in deaf["error"]


@pytest.mark.parametrize(("boss", "code"), [("ntfy://127.0.0.1:1/topic", 0), (f"tgram://{TOKEN}", 1)])
def test_a_dry_run_sends_nothing(
    boss: str, code: int, sink: Sink, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNBOOKD_NOTIFY_URLS", f"{sink.apprise_url}{TOKEN}")
    monkeypatch.setenv("BOSS_URL", boss)
    assert cli.main(["notify", "test", "--dry-run"]) == code
    out = capsys.readouterr().out
    assert "operators" in out
    assert "taken" in out
    assert TOKEN not in out
    assert sink.messages == []


def test_a_bad_file_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "alerts.yaml").write_text("version: 1\nreceivers: 7\n")
    assert cli.main(["notify", "test"]) == 2
    assert "receivers" in capsys.readouterr().err
