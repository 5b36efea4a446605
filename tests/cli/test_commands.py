"""What the reading commands show, against a real control port."""

import dataclasses
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from daemon import cli
from daemon.cli import events, output
from daemon.domain.alert import Severity
from daemon.domain.event import EventIds
from daemon.domain.mitigation import Effect, MitigationState, Mode
from daemon.domain.probe import ProbeOutcome, ProbeResult
from tests.cli.conftest import TOKEN, Control
from tests.fakes.operations import NOW, a_mitigation, a_probe, a_reading, an_alert


@pytest.fixture
def run(control: Control, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*argv: str, code: int = 0) -> str:
        assert cli.main(argv) == code
        captured = capsys.readouterr()
        assert TOKEN not in captured.out + captured.err
        return captured.out + captured.err

    return call


def test_status_says_what_is_going_on(run: Any, control: Control) -> None:
    out = run("status")
    assert "runbookd 0.1.0 on nas (leader)" in out
    assert "2 critical firing, 1 warning firing, 1 pending" in out
    assert "auto, 2 in force" in out
    control.operations.missing = ["rules loaded"]
    control.operations.status_now["store"]["ok"] = False
    out = run("status")
    assert "not yet: rules loaded" in out
    assert "does not answer" in out


def test_status_tells_the_worst_of_an_episode_only(run: Any, control: Control) -> None:
    warning = next(row for row in control.operations.alert_rows if row.is_firing)
    worst = dataclasses.replace(warning, severity=Severity.CRITICAL, fingerprint="worst")
    warning = dataclasses.replace(warning, severity=Severity.WARNING, fingerprint="other")
    control.operations.alert_rows = [warning, worst]
    out = run("status")
    assert "1 critical firing, 1 warning firing" in out
    assert out.count(f"{worst.alert} for") == 1


def test_status_is_one_screen_whatever_happens(run: Any, control: Control) -> None:
    operations = control.operations
    operations.alert_rows = [an_alert(f"Alert{n}", labels={}, summary="long " * 99) for n in range(40)]
    operations.mitigation_rows = [a_mitigation(id=f"m-{n}") for n in range(40)]
    operations.figures = {f"p{n}": {**operations.figures["codex"], "request_count": n} for n in range(40)}
    bad = ProbeResult(probe="models", subject="gpt-5.5", outcome=ProbeOutcome.BAD, emitted_at=NOW)
    operations.probe_rows = [a_probe("models", results=(bad,) * 40)]
    operations.quota_rows = [a_reading(credential=f"c{n}.json", usage_percentage=97.0) for n in range(40)]
    lines = run("status").splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 120


def test_status_tells_of_traffic_probes_and_quotas(run: Any, control: Control) -> None:
    operations = control.operations
    operations.quota_rows = [a_reading(quota_exhausted=True), a_reading(credential="b.json", usage_percentage=90.0)]
    bad = ProbeResult(probe="spark", subject="gpt-5.5", outcome=ProbeOutcome.BAD, emitted_at=NOW)
    operations.probe_rows = [a_probe("spark", results=(bad,)), a_probe("amp", enabled=False, results=(bad,))]
    told = [" ".join(line.split()) for line in run("status").splitlines()]
    assert "upstream http://127.0.0.1:8317 CLIProxyAPI" in told
    assert told[(place := told.index("traffic 2148 requests in 10m")) + 1 : place + 3] == [
        "codex 1240 errors 13.4% 429 12.3% p95 9.1s",
        "claude 812 errors 0.4% 429 0% p95 9.1s",
    ]
    assert "fallback model_alias:gpt-5.3-codex-spark -> gpt-5.3-codex" in told
    assert "probes 1 bad: spark gpt-5.5" in told
    assert "quota codex.json used up, b.json at 90%" in told
    short = {"usage_percentage": 60.0, "empty_in_seconds": 3000.0}
    operations.quota_rows = [a_reading(**short), a_reading(credential="b.json", **short, quota_reset_seconds=600.0)]
    assert "quota codex.json at 60%" in [" ".join(line.split()) for line in run("status").splitlines()]
    operations.quota_rows, operations.probe_rows, operations.figures = [a_reading()], [a_probe()], {}
    told = [" ".join(line.split()) for line in run("status").splitlines()]
    operations.quota_rows = [a_reading(usage_percentage=None)]
    assert "quota nothing is known" in [" ".join(line.split()) for line in run("status").splitlines()]
    assert {"quota enough left", "probes none is bad, 1 on", "traffic none in 10m"} <= set(told)


@pytest.mark.parametrize(
    ("argv", "key"),
    [(("status",), "version"), (("alerts",), "alerts"), (("mitigations", "list"), "mitigations")],
)
def test_json_is_the_api_object(run: Any, argv: tuple[str, ...], key: str) -> None:
    assert key in json.loads(run(*argv, "--json"))


def test_alerts_are_a_table_with_the_worst_first(run: Any) -> None:
    lines = run("alerts").splitlines()
    assert lines[0].split() == ["STATE", "SEVERITY", "ALERT", "LABELS", "VALUE", "BAD", "FOR", "MITIGATIONS"]
    assert lines[1].split()[:6] == [
        "firing",
        "critical",
        "ProviderRateLimited",
        "provider_key=codex",
        "12.3%",
        "153/1240",
    ]
    assert [line.split()[0] for line in lines[1:6]] == ["firing", "firing", "firing", "pending", "resolved"]
    assert "SparkErrorRatio: 10 of 50 Spark turns failed (20%)" in lines


@pytest.mark.parametrize(
    ("figures", "cells"),
    [
        ({"value": 25.0, "value_text": "25 in a row", "bad": 25, "samples": 55}, "25 in a row 25/55"),
        ({"value": 5400.0, "value_text": "1h30m", "bad": 0, "samples": 0}, "1h30m -"),
        ({"value": None, "value_text": "", "bad": 0, "samples": 0}, "- -"),
    ],
)
def test_a_value_is_printed_in_the_words_of_its_rule(
    control: Control, run: Any, figures: dict[str, Any], cells: str
) -> None:
    control.operations.alert_rows = [an_alert("Any", labels={}, **figures)]
    assert run("alerts").splitlines()[1].split()[:-2] == ["firing", "critical", "Any", "-", *cells.split()]


def test_alerts_can_be_narrowed(run: Any) -> None:
    assert len(json.loads(run("alerts", "--state", "pending", "--json"))["alerts"]) == 1
    assert len(json.loads(run("alerts", "--alert", "SparkErrorRatio", "--json"))["alerts"]) == 1
    assert run("alerts", "--alert", "None") == "No alerts.\n"


def test_mitigations_list_shows_targets_changes_and_ends(run: Any) -> None:
    out = run("mitigations", "list")
    assert "m-0002  quota-fallback  upstream:quota-exceeded.switch-project  applied" in out
    assert "false -> true" in out
    assert "held by bob" in out


def test_an_action_is_done_in_the_users_name(run: Any, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "al ice")
    assert (
        run("mitigations", "hold", "quota-fallback")
        == "quota-fallback  upstream:quota-exceeded.switch-project: applied\n"
    )
    assert control.operations.acted == [("quota-fallback", "hold", "human:al_ice")]


def test_an_action_says_how_long_why_and_for_whom(run: Any, control: Control) -> None:
    run("mitigations", "hold", "m-0001", "--for", "2h", "--comment", "night shift", "--by", "jo")
    run("mitigations", "revert", "m-0002", "--comment", "wrong model")
    assert control.operations.acted[0] == ("m-0001", "hold", "human:jo")
    assert control.operations.asked_for == [(7200.0, "night shift"), (None, "wrong model")]


@pytest.mark.parametrize("argv", [("hold", "m-0001", "--for", "soon"), ("revert", "m-0001", "--for", "2h")])
def test_a_time_that_makes_no_sense_is_2(run: Any, control: Control, argv: tuple[str, ...]) -> None:
    run("mitigations", *argv, code=2)
    assert control.operations.acted == []


def test_mitigations_list_says_whether_it_helped(run: Any, control: Control) -> None:
    control.operations.mitigation_rows = [
        a_mitigation(proof="before 34 of 80 failed (42 %), after 2 of 75 (3 %)", note="look"),
        a_mitigation(id="m-3", state=MitigationState.FAILED, ended_at=NOW, outcome="no: 3 of 4", proof="3 of 4"),
        a_mitigation(id="m-4", state=MitigationState.RESTORED, ended_at=NOW, saved_turns=73),
        a_mitigation(id="m-5", effect=Effect.NO_EFFECT_KNOWN, held_by="jo", hold_expires_at=NOW * 2),
        a_mitigation(id="m-6", mode=Mode.ASK, state=MitigationState.NOT_NEEDED, ended_at=NOW, approve_until=NOW * 2),
    ]
    header, helped, failed, saved, held, asked = run("mitigations", "list").splitlines()
    assert header.split()[-1] == "EFFECT"
    assert helped.endswith("  before 34 of 80 failed (42 %), after 2 of 75 (3 %); look")
    assert failed.count("3 of 4") == 1
    assert saved.endswith("  73 turns saved")
    assert "held by jo for " in held
    assert held.endswith("  no effect known")
    assert "can be approved for " in asked


def test_a_conflict_is_1_and_keeps_nobody_else_waiting(run: Any, control: Control) -> None:
    out = run("mitigations", "revert", "m-0000", "m-0001", code=1)
    assert "m-0000: fallback has ended: there is nothing to revert" in out
    assert "fallback  model_alias:gpt-5.3-codex-spark: restoring" in out


def test_revert_all_takes_the_open_ones(run: Any, control: Control) -> None:
    rows = json.loads(run("mitigations", "revert", "--all", "--json"))["mitigations"]
    assert [row["id"] for row in rows] == ["m-0001", "m-0002"]
    assert [done[:2] for done in control.operations.acted] == [("m-0001", "revert"), ("m-0002", "revert")]


def test_the_stop_hook_works_on_the_journal_when_nothing_runs(
    run: Any, monkeypatch: pytest.MonkeyPatch, control: Control
) -> None:
    control_app = ModuleType("daemon.app.control_app")
    vars(control_app)["restore_owned"] = lambda settings: [a_mitigation("quota-fallback", target="upstream:x")]
    monkeypatch.setitem(sys.modules, "daemon.app.control_app", control_app)
    monkeypatch.setenv("RUNBOOKD_CONTROL_PORT", "1")
    assert run("mitigations", "revert", "--all", "--if-owned") == "quota-fallback  upstream:x: applied\n"


def test_events_tail_is_oldest_first(run: Any) -> None:
    lines = run("events", "tail", "-n", "3").splitlines()
    assert len(lines) == 4
    assert lines[1].split()[0] < lines[3].split()[0]
    assert "provider_rate_limited" in lines[3]


def test_events_tail_json_is_an_object_a_line(run: Any) -> None:
    events_shown = [json.loads(line) for line in run("events", "tail", "--json", "provider_key=claude").splitlines()]
    assert {event["provider_key"] for event in events_shown} == {"claude"}
    assert len(events_shown) == 20


@pytest.mark.parametrize("argv", [("provider=codex",), ("outcome=bad",), ("-n", "5000")])
def test_events_tail_passes_on_what_the_api_refuses(run: Any, argv: tuple[str, ...]) -> None:
    assert run("events", "tail", *argv, code=2).splitlines()[-1].startswith("runbookd: ")


def test_following_shows_each_new_event_once(
    control: Control, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operations, ids, naps = control.operations, EventIds(node=1, worker=0), 0

    def sleep(_: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 4:
            raise KeyboardInterrupt
        fresh = [replace(operations.event_rows[0], event_id=ids.next(NOW)) for _ in range(4 if naps == 2 else 0)]
        operations.event_rows = fresh[::-1] + operations.event_rows

    monkeypatch.setattr(events, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(events, "PAGE", 3)
    assert cli.main(["events", "tail", "-n", "2", "--follow", "--json"]) == 130
    shown = [int(json.loads(line)["event_id"]) for line in capsys.readouterr().out.splitlines()]
    assert len(shown) == len(set(shown)) == 6
    assert shown == sorted(shown)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RUNBOOKD_CONTROL_PORT", "1", "runbookd: the control plane does not answer at 127.0.0.1:1"),
        ("RUNBOOKD_CONTROL_TOKEN", "another", "runbookd: the control plane refused the token"),
    ],
)
def test_a_control_plane_out_of_reach_is_one_line(
    run: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    out = run("status", code=1)
    assert out.startswith(says)
    assert out.count("\n") == 1


def test_the_token_is_read_from_the_state_directory(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("RUNBOOKD_CONTROL_TOKEN")
    assert "there is no token in" in run("status", code=1)
    (tmp_path / "control.token").write_text(TOKEN + "\n")
    assert "on nas" in run("status")


def test_a_store_that_is_down_is_said_without_its_insides(run: Any, control: Control) -> None:
    control.operations.down = True
    assert run("alerts", code=1) == "runbookd: The store does not answer; try again soon.\n"


def test_names_from_clients_cannot_steer_the_terminal(run: Any, control: Control) -> None:
    control.operations.event_rows[0] = replace(control.operations.event_rows[0], requested_model="\x1b]0;x\x07gpt")
    assert "\x1b" not in run("events", "tail", "-n", "1")


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.colour("x", "red") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.colour("x", "red") == "x"
