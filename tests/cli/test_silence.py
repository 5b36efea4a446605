"""`ack` and `silence`, against a real control port."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from daemon import cli
from tests.cli.conftest import Control
from tests.fakes.operations import NOW, an_alert


@pytest.fixture
def run(control: Control, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOGNAME", "alice")

    def call(*argv: str, code: int = 0) -> str:
        assert cli.main(argv) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    return call


def test_what_fires_is_acknowledged(run: Any, control: Control) -> None:
    assert run("ack", "ProviderRateLimited").splitlines() == [
        "ProviderRateLimited  warning provider_key=codex: acknowledged by alice",
        "ProviderRateLimited  critical provider_key=codex: acknowledged by alice",
    ]
    assert json.loads(run("ack", "SparkErrorRatio", "--by", "jo", "--json"))["alerts"][0]["acknowledged_by"] == "jo"
    assert [done[1:] for done in control.operations.acted] == [("ack", "human:alice"), ("ack", "human:jo")]


def test_one_that_does_not_fire_keeps_no_other_waiting(run: Any) -> None:
    lines = run("ack", "Nothing", "SparkErrorRatio", code=1).splitlines()
    assert lines == [
        "SparkErrorRatio  critical: acknowledged by alice",
        "runbookd: no alert fires that is called Nothing",
    ]


def test_alerts_say_why_they_are_silent(run: Any, control: Control) -> None:
    control.operations.alert_rows = [an_alert(silenced=True, muted_by="quiet hours: night", acknowledged_by="jo")]
    assert run("alerts").splitlines()[-3:] == [
        "ProviderRateLimited",
        "  quiet hours: night",
        "  acknowledged by jo",
    ]


def test_a_silence_is_added_listed_and_expired(run: Any, control: Control) -> None:
    out = run("silence", "add", "alert=Provider*", "provider_key=codex", "--for", "2h", "--comment", "planned")
    assert re.match(r"s-\w+  alert=Provider\* provider_key=codex: .*ends in ", out)
    (row,) = control.operations.silence_rows
    assert (row.author, row.comment, row.ends_at - row.starts_at) == ("alice", "planned", 7_200_000)
    lines = run("silence", "list").splitlines()
    assert lines[0].split() == ["ID", "MATCHERS", "WHEN", "BY", "COMMENT"]
    assert lines[1].startswith(f"{row.id}  alert=Provider* provider_key=codex")
    assert lines[1].split()[-2:] == ["alice", "planned"]
    assert [one["id"] for one in json.loads(run("silence", "list", "--json"))["silences"]] == [row.id]
    assert run("silence", "expire", row.id) == f"{row.id}  alert=Provider* provider_key=codex: expired\n"
    assert run("silence", "list") == "No silences.\n"


def test_all_are_expired_at_once(run: Any, control: Control) -> None:
    for name in "AB":
        assert "matchers" in json.loads(run("silence", "add", f"alert={name}", "--for", "1h", "--json"))
    assert len(json.loads(run("silence", "expire", "--all", "--json"))["silences"]) == 2
    assert control.operations.silence_rows == []


def test_a_window_is_told_by_instants_of_this_machine_or_from_now(run: Any, control: Control) -> None:
    run("silence", "add", "alert=A", "--from", "2027-01-02T22:00+01:00", "--until", "2027-01-03T02:00", "--by", "jo")
    (row,) = control.operations.silence_rows
    assert row.starts_at == datetime(2027, 1, 2, 21, tzinfo=UTC).timestamp() * 1000
    assert row.ends_at == datetime(2027, 1, 3, 2).timestamp() * 1000  # noqa: DTZ001
    assert row.author == "jo"
    run("silence", "expire", row.id)
    run("silence", "add", "alert=A", "--from", "+30m", "--for", "1h")
    (row,) = control.operations.silence_rows
    assert row.ends_at - row.starts_at == 3_600_000
    assert row.starts_at != NOW


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("add", "--for", "2h"), "say what to silence"),
        (("add", "provder_key=x", "--for", "2h"), "did you mean 'provider_key'?"),
        (("add", "alert=A"), "say when it ends"),
        (("add", "alert=A", "--for", "2h", "--until", "+3h"), "say when it ends"),
        (("add", "alert=A", "--until", "2020-01-01T00:00Z"), "it would end before it begins"),
        (("add", "alert=A", "--for", "2 hours"), "'2 hours' is not a duration"),
        (("add", "alert=A", "--until", "tomorrow"), "'tomorrow' is no instant"),
        (("add", "alert=A", "--from", "+soon", "--for", "1h"), "'+soon' is no instant"),
        (("add", "alert", "--for", "2h"), "'alert' is no matcher"),
        (("add", "=x", "--for", "2h"), "'' is no matcher"),
        (("add", "alert=A", "alert=B", "--for", "2h"), "a label can be matched once"),
        (("add", "alert=A", "--for", "2h", "--by", "j o"), "author: must be 1 to 64"),
        (("expire",), "name silences, or say --all"),
        (("expire", "s-1", "--all"), "name silences, or say --all"),
    ],
)
def test_a_mistake_is_2_and_one_clear_line(run: Any, control: Control, argv: tuple[str, ...], said: str) -> None:
    lines = run("silence", *argv, code=2).splitlines()
    assert said in lines[-1]
    assert control.operations.silence_rows == []
    assert len(lines) == 1 or argv[0] == "expire"


def test_what_has_ended_already_is_1(run: Any) -> None:
    assert run("silence", "expire", "s-0", code=1) == "runbookd: there is no silence s-0 that has not ended\n"
