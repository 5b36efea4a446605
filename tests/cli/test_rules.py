"""`runbookd rules`: what it tells of the rules of a file and of the kinds, without a running daemon."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon import cli
from daemon.app.rule_catalogue import catalogue
from daemon.app.shelf import scan
from daemon.domain.alerts_config import Rule

Rules = Callable[..., tuple[int, str, str]]
KINDS = scan().rules
MINE = """\
version: 1
extends: runbook
defaults: {for: 2m, min_samples: 30}
rules:
  - {alert: ZeroUsageUnderLoad, enabled: false}
  - {alert: ProviderRateLimited, levels: {critical: {above: 15%}}}
  - {alert: EvaluationLate, enabled: false}
  - {alert: Mine, kind: burst, bad: {status: 4xx}, levels: {warning: {at_least: 3, for: 1h30m}}}
  - {alert: SparkErrorRatio, kind: burst, bad: {status: 5xx}, levels: {warning: {at_least: 3}}}
"""


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Rules:
    monkeypatch.chdir(tmp_path)
    for name in ("RUNBOOKD_TEST_POSTGRES", "CONFIGURATION_DIRECTORY", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def call(*argv: str, mine: str | None = MINE) -> tuple[int, str, str]:
        if mine is not None and argv[0] != "kinds":
            Path("mine.yaml").write_text(mine)
            argv = (*argv, "--file", "mine.yaml")
        code = cli.main(["rules", *argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def listed(rules: Rules, **how: Any) -> dict[str, dict[str, Any]]:
    code, out, err = rules("list", "--json", **how)
    assert (code, err) == (0, "")
    rows = {row["alert"]: row for row in json.loads(out)["rules"]}
    assert len(rows) == len(json.loads(out)["rules"])
    return rows


@pytest.mark.parametrize(
    ("alert", "origin", "changed", "enabled"),
    [
        ("ProviderRateLimited", "shipped", True, True),
        ("ProviderErrorRatio", "shipped", False, True),
        ("ZeroUsageUnderLoad", "shipped", True, False),
        ("DiskAlmostFull", "built-in", False, True),
        ("EvaluationLate", "built-in", True, False),
        ("Mine", "own", False, True),
        ("SparkErrorRatio", "own", False, True),  # of another kind: it has nothing of the shipped one
    ],
)
def test_every_rule_is_listed_with_where_it_comes_from(
    rules: Rules, alert: str, origin: str, changed: bool, enabled: bool
) -> None:
    row = listed(rules)[alert]
    assert (row["origin"], row["changed"], row["enabled"]) == (origin, changed, enabled)


def test_without_extends_there_are_only_the_built_in_rules_and_ones_own(rules: Rules) -> None:
    rows = listed(rules, mine=MINE.replace("extends: runbook\n", "").replace("  - {alert: ProviderRateLimited", "# "))
    assert {row["origin"] for row in rows.values()} == {"built-in", "own"}
    assert {"Mine", "SparkErrorRatio"} == {name for name, row in rows.items() if row["origin"] == "own"}


def test_without_a_file_the_shipped_rules_are_nobodys_own(rules: Rules) -> None:
    rows = listed(rules, mine=None)
    assert {(row["origin"], row["changed"]) for row in rows.values()} == {("built-in", False), ("shipped", False)}
    assert [name for name, row in rows.items() if not row["enabled"]] == ["AmpBypass"]


def test_the_file_of_the_settings_is_the_one_that_is_told(rules: Rules, tmp_path: Path) -> None:
    (tmp_path / "config" / "runbookd").mkdir(parents=True)
    (tmp_path / "config" / "runbookd" / "alerts.yaml").write_text(MINE)
    assert listed(rules, mine=None)["Mine"]["origin"] == "own"


def test_the_table_has_a_line_for_each_with_its_levels_and_what_it_does(rules: Rules) -> None:
    code, out, _ = rules("list")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
    assert code == 0
    assert lines["Mine"] == "burst warning at_least 3, for 1h30m - own"
    assert lines["DiskAlmostFull"] == "state warning below 10%; critical below 3% - built-in"
    assert lines["ZeroUsageUnderLoad"] == "ratio off (warning above 50%) - shipped, changed"
    assert lines["ProviderRateLimited"].startswith(
        "ratio warning above 5%; critical above 15%, once_in 200d, for 1m critical: fallback"
    )


def test_a_rule_is_shown_with_what_it_has_from_defaults_and_from_the_kind(rules: Rules) -> None:
    code, out, _ = rules("show", "ProviderRateLimited")
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == (
        "# shipped, changed by your file. "
        "The share of bad events among those that count, per label set, over a sliding window."
    )
    for line in (
        "min_samples: 30",
        "window: 10m",
        "confidence: 97.5%",
        "above: 15%",
        "# of:",
        "# How far back it looks.",
    ):
        assert line in lines
    (rule,) = yaml.safe_load(out)
    assert {severity: level["for"] for severity, level in rule["levels"].items()} == {"warning": "2m", "critical": "1m"}


@pytest.mark.parametrize("mine", [MINE, "version: 1\nextends: runbook\n"])
def test_what_is_shown_means_the_same_when_it_is_put_into_a_file(rules: Rules, tmp_path: Path, mine: str) -> None:
    for name in listed(rules, mine=mine):
        _, out, _ = rules("show", name, mine=mine)
        (shown,) = yaml.safe_load(out)
        entry = catalogue(tmp_path / "mine.yaml", scan()).entry(name)
        assert entry is not None
        rule = KINDS[shown["kind"]].model_validate(shown)
        assert told(rule) == told(entry.rule)


def told(rule: Rule) -> tuple[Any, ...]:
    """What it is, but for what levels have from the rule, and rules from their kind, in any case."""
    levels = {
        severity: level.model_dump(exclude={"for_", "keep_firing_for", "once_in"})
        for severity, level in rule.levels.items()
    }
    return rule.model_dump(exclude={"levels", "summary"}), levels, rule.summary or rule.default_summary


def test_the_summary_of_a_rule_that_says_none_is_that_of_its_kind(rules: Rules) -> None:
    (rule,) = yaml.safe_load(rules("show", "Mine")[1])
    assert rule["summary"] == KINDS["burst"].default_summary


def test_a_rule_that_is_off_is_shown_too(rules: Rules) -> None:
    code, out, _ = rules("show", "ZeroUsageUnderLoad", "--json")
    found = json.loads(out)
    assert (code, found["enabled"], found["rule"]["enabled"], found["rule"]["for"]) == (0, False, False, "2m")
    assert found["meanings"]["bad"] == "Which of the counted events are bad; ANDed with `of`."


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("show", "ProviderRateLimted"), "no rule 'ProviderRateLimted'; did you mean 'ProviderRateLimited'?"),
        (("show", "Xyz"), "no rule 'Xyz'; runbookd rules list lists them"),
        (("kinds", "rato"), "no rule kind 'rato'; did you mean 'ratio'?"),
        (("kinds", "xyzzy"), "no rule kind 'xyzzy'; runbookd rules kinds lists them"),
    ],
)
def test_an_unknown_name_is_2_with_the_one_that_was_meant(rules: Rules, argv: tuple[str, ...], said: str) -> None:
    assert rules(*argv) == (2, "", f"runbookd: there is {said}\n")


def test_a_file_that_does_not_load_is_2_with_its_mistakes(rules: Rules) -> None:
    code, out, err = rules("list", mine="version: 1\nrules: [{alert: A, kind: ratoi}]\n")
    assert (code, out) == (2, "")
    assert "mine.yaml:2:20: rules[0].kind: 'ratoi' is not a rule kind; did you mean 'ratio'?" in err


def test_mistakes_in_the_settings_do_not_keep_a_named_file_from_being_told(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOKD_PROXY_PORT", "0")
    assert rules("list")[0] == 0
    assert rules("list", mine=None)[0] == 2


def test_kinds_are_listed_each_with_a_sentence(rules: Rules) -> None:
    code, out, _ = rules("kinds")
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["KIND", *KINDS])
    said = json.loads(rules("kinds", "--json")[1])["kinds"]
    assert {one["kind"]: one["says"] for one in said}["ratio"].startswith("The share of bad events")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_told_with_its_example_and_its_options(rules: Rules, kind: str) -> None:
    code, out, _ = rules("kinds", kind)
    assert (code, out.splitlines()[0]) == (0, f"## {kind}")
    found = json.loads(rules("kinds", kind, "--json")[1])
    assert f"```yaml\n{found['example']}```" in out
    assert all(f"| `{option['name']}`" in out for option in found["options"] + found["level_options"])
