"""`runbookd check`: what it says about settings and alerts files, and its exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from daemon import cli
from daemon.adapters.config.packaged import packaged

Check = Callable[..., tuple[int, str, str]]
GOOD = "version: 1\nextends: runbook\n"
BAD = "version: 1\nmode: {soft: atuo}\nrules: [{alert: A, kind: ratoi}]\n"
SAID = [
    "alerts.yaml:2:8: mode.soft: should be 'shadow', 'ask' or 'auto', not 'atuo'; did you mean 'auto'?",
    "alerts.yaml:3:9: rules[0].bad: is needed",
    "alerts.yaml:3:9: rules[0].levels: is needed",
    "alerts.yaml:3:20: rules[0].kind: 'ratoi' is not a rule kind; did you mean 'ratio'?",
]
RULES = sum(rule.get("enabled", True) for rule in yaml.safe_load(packaged("alerts.yaml").read_text())["rules"])
SHIPPED = f"alerts.yaml: good: {RULES} rules, 1 receiver, 2 mitigations"
AWAY = (
    "to act for IflowErrorRatio and IflowCanary, `mitigations:` needs a line such as "
    "iflow-away: {kind: reroute, prefix: iflow, to_prefix: …}"
)
DEAF = "receivers[0].urls[0]: secret:notify_urls resolves to nothing; receiver 'operators' is switched off"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    monkeypatch.chdir(tmp_path)
    for name in ("RUNBOOKD_TEST_POSTGRES", "CONFIGURATION_DIRECTORY", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("RUNBOOKD_NOTIFY_URLS", "json://host/hunter2")

    def call(*argv: str, alerts: str | None = None) -> tuple[int, str, str]:
        if alerts is not None:
            Path("alerts.yaml").write_text(alerts)
        code = cli.main(["check", *argv])
        captured = capsys.readouterr()
        assert "hunter2" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


def test_without_a_file_it_is_that_of_the_settings(check: Check, tmp_path: Path) -> None:
    code, out, err = check()
    assert (code, err) == (0, "")
    assert out.splitlines()[0].endswith(SHIPPED)
    (tmp_path / "config" / "runbookd").mkdir(parents=True)
    (tmp_path / "config" / "runbookd" / "alerts.yaml").write_text("version: 1\n")
    assert check() == (0, f"{tmp_path}/config/runbookd/alerts.yaml: good: 0 rules, 1 receiver, 0 mitigations\n", "")


def test_a_file_that_does_not_load_is_2_and_every_mistake_a_line(check: Check) -> None:
    code, out, err = check("alerts.yaml", alerts=BAD)
    assert (code, out) == (2, "")
    assert sorted(err.splitlines()) == sorted(SAID)


def test_warnings_are_printed_and_strict_makes_them_1(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNBOOKD_NOTIFY_URLS")
    for argv, code in (((), 0), (("--strict",), 1)):
        got, out, err = check("alerts.yaml", *argv, alerts=GOOD)
        assert (got, out.splitlines()[0]) == (code, SHIPPED)
        assert err.startswith("warning: ")
        assert err.endswith(f": {DEAF}\n")
    monkeypatch.setenv("RUNBOOKD_NOTIFY_URLS", "json://host/hunter2")
    assert check("alerts.yaml", "--strict")[0] == 0


def test_mistakes_in_the_settings_do_not_hide_those_of_the_file(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_PROXY_PORT", "0")
    said = "environment: RUNBOOKD_PROXY_PORT: should be at least 1"
    assert check() == (2, "", f"{said}\n")
    code, out, err = check("alerts.yaml", alerts=BAD)
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == said
    assert sorted(err.splitlines()[1:]) == sorted(SAID)


def test_the_settings_may_stand_in_a_file(check: Check, tmp_path: Path) -> None:
    (tmp_path / "runbookd.toml").write_text('alerts_file = "mine.yaml"\n')
    (tmp_path / "mine.yaml").write_text(GOOD)
    assert check("--config", "runbookd.toml")[1].startswith(f"{tmp_path}/mine.yaml: good")


def test_json_is_one_object(check: Check) -> None:
    code, out, _ = check("alerts.yaml", "--json", alerts=GOOD)
    found = json.loads(out)
    assert (code, found["ok"], found["file"], found["mistakes"], found["warnings"]) == (0, True, "alerts.yaml", [], [])
    assert (found["rules"], found["receivers"], found["mitigations"]) == (RULES, 1, 2)
    assert AWAY in found["hints"]


def test_what_only_an_operator_can_say_is_a_hint_and_no_warning(check: Check) -> None:
    code, out, err = check("alerts.yaml", "--strict", alerts=GOOD)
    assert (code, err, f"  {AWAY}" in out.splitlines()) == (0, "", True)
    said = "mitigations: {iflow-away: {kind: reroute, prefix: iflow, to_prefix: openrouter}}\n"
    assert "iflow-away" not in check("alerts.yaml", alerts=GOOD + said)[1]
    code, out, err = check("alerts.yaml", "--json", alerts=BAD)
    found = json.loads(out)
    assert (code, found["ok"], err) == (2, False, "")
    assert found["mistakes"][0] == {
        "source": "alerts.yaml",
        "line": 2,
        "column": 8,
        "path": "mode.soft",
        "message": "should be 'shadow', 'ask' or 'auto', not 'atuo'; did you mean 'auto'?",
        "warning": False,
    }


def test_the_schema_is_printed_whatever_the_settings_are(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_PROXY_PORT", "0")
    code, out, err = check("--schema")
    assert (code, err) == (0, "")
    assert "RatioRule" in json.loads(out)["$defs"]
