"""What a person sees of a backtest, with a real store of recorded events."""

import asyncio
import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.adapters.config.packaged import packaged
from daemon.adapters.store import open_store, upgrade
from daemon.cli import rules_backtest
from daemon.domain.errors import ConfigError, Misuse
from tests.logic.playing import T0, an_event

RULES = """
version: 1
rules:
  - alert: RateLimited
    kind: ratio
    bad: {fault: [provider_rate_limited]}
    by: [provider_key]
    levels: {warning: {above: %s}, critical: {above: 40%%, mitigate: [fallback]}}
"""
FALLBACKS = "fallbacks: {gpt-5.4: [gpt-5.3-codex]}\n"
FROM = f"{datetime.fromtimestamp(T0 / 1000, UTC).isoformat()}"
TO = f"{datetime.fromtimestamp(T0 / 1000 + 3600, UTC).isoformat()}"


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour; from the 20th to the 30th minute half of the turns fail."""
    url = f"sqlite:///{tmp_path / 'runbookd.db'}"
    upgrade(url, packaged("migrations"))
    events = [
        an_event(T0 + second * 1000, bad=1200 <= second < 1800 and second % 4 == 0) for second in range(0, 3600, 2)
    ]

    async def fill() -> None:
        store = open_store(url)
        await store.events.append(events, {}, T0 + 3_600_000)
        await store.close()

    asyncio.run(fill())
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("RUNBOOKD_TEST_POSTGRES", raising=False)
    monkeypatch.setenv("RUNBOOKD_DATABASE_URL", url)
    (tmp_path / "ours.yaml").write_text(RULES % "5%" + FALLBACKS)
    (tmp_path / "deaf.yaml").write_text(RULES % "90%" + FALLBACKS)
    monkeypatch.setenv("RUNBOOKD_ALERTS_FILE", str(tmp_path / "ours.yaml"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*argv: str, code: int = 0, since: str = FROM) -> Any:
        parser = ArgumentParser()
        rules_backtest.configure(parser)
        args = parser.parse_args(["--from", since, "--to", TO, *argv], Namespace(config=None))
        assert rules_backtest.run(args) == code
        out, err = capsys.readouterr()
        return json.loads(out) if "--json" in argv else out + err

    return call


def test_what_would_have_fired_and_what_would_have_been_done(run: Any) -> None:
    said = run()
    assert "1,800 events in 1h" in said
    assert "Would have fired" in said
    assert "RateLimited  1" in said
    assert "Would have acted" in said
    assert "not about requests, and without an alert: EventsDropped" in said


def test_json_is_one_object(run: Any) -> None:
    told = run("--json")
    (rule,) = [one for one in told["rules"] if one["alert"] == "RateLimited"]
    assert (told["events"], rule["episodes"], rule["mitigations"]) == (1800, 1, 1)
    assert rule["led_away"] > 0
    assert told["from"] == FROM


def test_only_one_rule_is_shown_where_it_is_named(run: Any) -> None:
    assert "EventsDropped" not in run("--alert", "RateLimited")
    with pytest.raises(Misuse, match="there is no rule 'Nobody' in force"):
        run("--alert", "Nobody")


def test_two_files_are_compared_on_the_same_events(run: Any) -> None:
    said = run("--against", "deaf.yaml", "--rules", "ours.yaml")
    assert "What differs" in said
    assert said == run("--against", "deaf.yaml")
    told = run("--against", "deaf.yaml", "--json")
    assert told["differing"] == ["RateLimited"]
    assert "Nothing differs." in run("--against", "ours.yaml")


def test_a_sweep_tells_messages_against_missed_incidents(run: Any, tmp_path: Path) -> None:
    (tmp_path / "incidents.yaml").write_text(f"incidents: [{{from: '{FROM}', to: '{TO}', provider_key: codex}}]")
    said = run("--sweep", "above=5%..90%/85%", "--alert", "RateLimited", "--label", "incidents.yaml")
    lines = [line.split() for line in said.splitlines()]
    assert ["ABOVE", "EPISODES"] in [line[:2] for line in lines]
    assert [line[:2] for line in lines if line and line[0] in ("5%", "90%")] == [["5%", "1"], ["90%", "-"]]
    assert "1 of 1" in next(line for line in said.splitlines() if line.startswith("90%"))
    told = run("--sweep", "RateLimited.above=5%..90%/85%", "--json")
    assert [one["value"] for one in told["values"]] == ["5%", "90%"]


def test_a_missed_incident_is_a_failed_expectation(run: Any, tmp_path: Path) -> None:
    (tmp_path / "incidents.yaml").write_text(f"incidents: [{{from: '{FROM}', to: '{TO}', provider_key: claude}}]")
    assert "missed: " in run("--label", "incidents.yaml", code=1)
    (tmp_path / "incidents.yaml").write_text(f"incidents: [{{from: '{FROM}', to: '{TO}'}}]")
    assert "100%" in run("--label", "incidents.yaml")


def test_incidents_of_other_days_are_not_missed(run: Any, tmp_path: Path) -> None:
    (tmp_path / "incidents.yaml").write_text("incidents: [{from: 2020-01-01, to: 2020-01-02}]")
    assert "missed" not in run("--label", "incidents.yaml")


@pytest.mark.parametrize(("minute", "decision"), [(10, "quiet"), (25, "firing")])
def test_a_decision_is_explained(run: Any, minute: int, decision: str) -> None:
    at = datetime.fromtimestamp(T0 / 1000 + 60 * minute, UTC).isoformat()
    assert run("--explain", f"RateLimited@{at}").splitlines()[0].endswith(decision)
    assert run("--explain", f"RateLimited@{at}", "--json")["decision"] == decision


def test_a_span_without_events_says_so(run: Any) -> None:
    args = Namespace(config=None)
    parser = ArgumentParser()
    rules_backtest.configure(parser)
    assert rules_backtest.run(parser.parse_args(["--from", "2020-01-01", "--to", "2020-01-02"], args)) == 1


def test_progress_is_shown_only_where_it_is_asked_for(run: Any) -> None:
    assert "[" not in run()
    assert rules_backtest.EVERY_SECONDS > 0


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--against", "deaf.yaml", "--sweep", "A.above=1%..2%"], "three questions"),
        (["--sweep", "above=1%..2%"], "which rule"),
        (["--explain", "A@soon"], "is no instant"),
        (["--to", "2020-01-01"], "--from must be before --to"),
    ],
)
def test_what_makes_no_sense_is_said(run: Any, argv: list[str], complaint: str) -> None:
    with pytest.raises(Misuse, match=complaint):
        run(*argv)


def test_a_file_with_mistakes_is_not_tried(run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("version: 1\nrules: 3\n")
    with pytest.raises(ConfigError):
        run("--rules", "broken.yaml")


def test_instants_may_be_spans_before_now() -> None:
    assert rules_backtest._instant("7d")(T0) == rules_backtest._instant("-7d")(T0) == T0 - 7 * 86_400_000


def test_a_bar_shows_how_far_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from daemon.domain.backtest import Span

    monkeypatch.setattr(rules_backtest, "EVERY_SECONDS", 0.0)
    for wanted, said in ((False, ""), (True, " 50%")):
        bar = rules_backtest._Bar(Span(since=0, until=100), wanted)
        bar.show(50)
        bar.clear()
        assert said in capsys.readouterr().err
        assert not said or wanted
