"""`audit`, against a real control port."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from daemon import cli
from daemon.cli import audit
from tests.cli.conftest import Control
from tests.contracts.things import an_entry
from tests.fakes.operations import NOW


@pytest.fixture
def run(control: Control, capsys: pytest.CaptureFixture[str]) -> Any:
    control.operations.audit_rows = [
        an_entry("a3", at=NOW, actor="human:jo", subject="upstream:debug", action="hold", reason="planned\x1b[31m"),
        an_entry("a2", at=NOW - 60_000, actor="daemon", subject="upstream:debug", action="restored", before=True),
        an_entry(
            "a1",
            at=NOW - 3_600_000,
            actor="rule:SparkErrorRatio",
            subject="model_alias:spark",
            action="applied",
            before=None,
            after={"model": "codex", "on": True},
            outcome="applied",
        ),
    ]

    def call(*argv: str, code: int = 0) -> str:
        assert cli.main(("audit", *argv)) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    return call


def test_it_is_a_table_and_the_newest_stands_last(run: Any) -> None:
    lines = [" ".join(line.split()) for line in run().splitlines()]
    assert lines[0] == "TIME ACTOR SUBJECT ACTION BEFORE -> AFTER OUTCOME WHY"
    assert lines[1].endswith(" rule:SparkErrorRatio model_alias:spark applied - -> model=codex on=true applied -")
    assert lines[2].endswith(" daemon upstream:debug restored true -> - - -")
    assert lines[3] == "2026-11-24 10:00:00 human:jo upstream:debug hold - - planned\N{REPLACEMENT CHARACTER}[31m"


def test_columns_are_aligned(run: Any) -> None:
    header, *rows = run().splitlines()
    place = header.index("SUBJECT")
    assert {row[place - 1] for row in rows} == {" "}
    assert all(row[place] != " " for row in rows)


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (("--actor", "human:*"), ["a3"]),
        (("--subject", "upstream:debug"), ["a2", "a3"]),
        (("--subject", "upstream:debug", "--actor", "daemon"), ["a2"]),
        (("-n", "1"), ["a3"]),
        (("--since", "2026-11-24T09:59:00Z"), ["a2", "a3"]),
        (("--since", "2026-11-24T09:59:00"), ["a2", "a3"]),
    ],
)
def test_it_is_narrowed(run: Any, argv: tuple[str, ...], found: list[str]) -> None:
    assert [entry["id"] for entry in json.loads(run("--json", *argv))["audit"]] == found


def test_since_is_a_time_back_from_now(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(datetime(2026, 11, 24, 10, 0, 30, tzinfo=UTC).timestamp() * 1000)
    monkeypatch.setattr(audit.SystemClock, "now", lambda self: now)
    assert [entry["id"] for entry in json.loads(run("--json", "--since", "1m30s"))["audit"]] == ["a2", "a3"]


def test_all_pages_are_read(run: Any, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    control.operations.audit_rows = [an_entry(f"a{n}", at=NOW - n) for n in range(7)]
    assert len(json.loads(run("--json", "--since", "2026-11-24T09:00Z"))["audit"]) == 7
    assert len(json.loads(run("--json", "-n", "5"))["audit"]) == 5


def test_nothing_is_said_so(run: Any) -> None:
    assert run("--actor", "nobody") == "No entries.\n"


@pytest.mark.parametrize("since", ["soon", "7", "2026-11-24T99:00Z"])
def test_a_mistake_is_2(run: Any, since: str) -> None:
    assert f"'{since}' is neither a time such as 7d nor an instant" in run("--since", since, code=2)


class Enough(Exception):
    pass


@pytest.mark.parametrize("as_json", [False, True])
def test_it_goes_on_as_entries_come(
    run: Any, control: Control, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    coming = [[an_entry("a5", at=NOW, subject="late"), an_entry("a4", at=NOW, subject="early")], []]

    def pause(_: float) -> None:
        if not coming:
            raise Enough
        control.operations.audit_rows[:0] = coming.pop(0)

    monkeypatch.setattr(audit.time, "sleep", pause)
    with pytest.raises(Enough):
        run("-f", "-n", "1", *(["--json"] if as_json else []))
    lines = capsys.readouterr().out.splitlines()
    if as_json:
        assert [json.loads(line)["id"] for line in lines] == ["a3", "a4", "a5"]
    else:
        assert [line.split()[3] for line in lines[1:]] == ["upstream:debug", "early", "late"]
