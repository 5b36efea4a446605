"""Alerts files that load: what comes out, what extending and defaults do, and what is warned about."""

import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from daemon.adapters.config.alerts_file import load, without_a_file
from daemon.adapters.config.built_in import built_in_names, own_rules
from daemon.adapters.config.packaged import packaged
from daemon.app.demo import ALERTS, FIRING
from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import ConfigError
from daemon.domain.mitigation import Mode
from daemon.logic.mitigations.model_alias import ModelAlias
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle
from daemon.logic.rules import absence, change, state, verdict
from daemon.logic.rules.ratio import RatioRule
from daemon.logic.rules.state import StateRule
from tests.adapters.config.conftest import SHELVES, Load

HEAD = "version: 1\n"
EXTENDS = f"{HEAD}extends: runbook\n"


def rule(level: str = "", **fields: str) -> str:
    """The section with one rule; `level` and the fields are added to it."""
    said = ["alert: A", "kind: ratio", "bad: {outcome: failed}", f"levels: {{warning: {{above: 5%{level}}}}}"]
    more = [f"{name}: {value}" for name, value in fields.items()]
    return f"rules:\n  - {{{', '.join(said + more)}}}\n"


def ratios(config: AlertsConfig) -> Mapping[str, RatioRule]:
    return {rule.alert: rule for rule in config.rules if isinstance(rule, RatioRule)}


@pytest.fixture
def shipped(load_text: Load) -> AlertsConfig:
    return load_text(packaged("alerts.yaml").read_text()).config


def test_the_shipped_file_has_nothing_to_mend_but_where_to_send() -> None:
    assert load(packaged("alerts.yaml"), SHELVES).warnings == ()
    (warning,) = load(packaged("alerts.yaml"), SHELVES, secrets=lambda reference: ()).warnings
    assert warning.message == "secret:notify_urls resolves to nothing; receiver 'operators' is switched off"
    assert warning.path == "receivers[0].urls[0]"


def test_the_shipped_rules_have_the_thresholds_of_the_runbook(shipped: AlertsConfig) -> None:
    levels = {
        (rule.alert, severity.value): (level.above, level.clears_below, level.for_, level.mitigate)
        for rule in ratios(shipped).values()
        for severity, level in rule.levels.items()
    }
    assert levels == {
        ("OnboardingWatch", "warning"): (0.02, 0.01, None, ()),
        ("ProviderRateLimited", "warning"): (0.05, 0.03, None, ()),
        ("ProviderRateLimited", "critical"): (0.1, 0.06, 60.0, ("fallback", "next-credential", "quota-fallback")),
        ("SparkErrorRatio", "warning"): (0.02, 0.01, None, ()),
        ("SparkErrorRatio", "critical"): (0.05, 0.02, 60.0, ("fallback",)),
        ("ProviderErrorRatio", "warning"): (0.05, 0.03, None, ()),
        ("ProviderErrorRatio", "critical"): (0.2, 0.1, None, ()),
        ("IflowErrorRatio", "warning"): (0.05, 0.03, None, ()),
        ("IflowErrorRatio", "critical"): (0.05, 0.03, 900.0, ()),
        ("AntigravityEmpty", "warning"): (0.02, 0.01, None, ()),
        ("AntigravityEmpty", "critical"): (0.05, 0.02, None, ()),
        ("ToolImageErrors", "warning"): (0.05, 0.03, None, ()),
        ("ToolImageErrors", "critical"): (0.2, 0.1, 60.0, ()),
        ("ZeroUsageUnderLoad", "warning"): (0.5, 0.25, None, ()),
        ("RetryStorm", "warning"): (0.5, 0.3, 1800.0, ()),
        ("ThinkingMismatch", "warning"): (0.02, 0.01, None, ()),
        ("ThinkingMismatch", "critical"): (0.05, 0.03, 60.0, ()),
    }
    in_a_row = {rule.alert: rule.in_a_row for rule in ratios(shipped).values() if rule.in_a_row != "none"}
    assert in_a_row == {"ProviderRateLimited": 4, "SparkErrorRatio": 5, "OnboardingWatch": 3}
    assert all(rule.window == 600 and rule.summary and rule.runbook for rule in ratios(shipped).values())


def test_each_thing_comes_out_as_its_kind(shipped: AlertsConfig) -> None:
    toggle = shipped.mitigations["quota-fallback"]
    assert isinstance(toggle, UpstreamToggle)
    assert toggle.set == {"quota-exceeded.switch-project": True, "quota-exceeded.switch-preview-model": True}
    assert (toggle.hold, toggle.cool_off, toggle.max_hold, toggle.verify) == (300, 900, 1800, "none")
    kinds = ("burst", "change", "growth", "quantile", "ratio", "state", "verdict")
    assert {type(rule) for rule in own_rules(shipped)} == {SHELVES.rules[kind] for kind in kinds}
    assert shipped.fallbacks == {"gpt-5.3-codex-spark": ("gpt-5.3-codex", "gpt-5.5")}
    assert (shipped.mode.soft, shipped.mode.upstream) == (Mode.AUTO, Mode.AUTO)
    assert (shipped.route.group_interval, shipped.route.repeat_interval.critical) == (300, 7200)


def test_the_demos_file_loads(load_text: Load) -> None:
    loaded = load_text(ALERTS)
    rules = ratios(loaded.config)
    assert loaded.warnings == ()
    assert set(rules) >= set(FIRING)
    critical = rules["SparkErrorRatio"].levels[Severity.CRITICAL]
    assert (critical.above, critical.clear_below, critical.for_) == (0.05, 0.02, 0)
    assert critical.mitigate == ("spark-fallback",)
    assert (rules["SparkErrorRatio"].window, rules["SparkErrorRatio"].of) == (10, "spark")
    assert isinstance(loaded.config.mitigations["spark-fallback"], ModelAlias)
    assert loaded.config.mitigations["quota-fallback"].hold == 0


def test_without_extends_a_file_has_only_its_own_rules(load_text: Load) -> None:
    loaded = load_text(HEAD + rule())
    assert [rule.alert for rule in own_rules(loaded.config)] == ["A"]
    assert (loaded.config.mitigations, loaded.config.fallbacks, loaded.config.extends) == ({}, {}, None)


BUILT_IN = {
    *("EventsDropped", "NotifierFailing", "ConfigReloadFailed", "StoreFailing", "EvaluationLate", "EvaluationFailing"),
    "DiskAlmostFull",
}


@pytest.mark.parametrize("text", [HEAD, EXTENDS, HEAD + rule(), HEAD + "rules:\n"])
def test_the_built_in_rules_lie_beneath_every_file_and_are_not_a_persons_own(text: str, load_text: Load) -> None:
    loaded = load_text(text)
    built_in = {one.alert: one for one in loaded.config.rules if one not in own_rules(loaded.config)}
    assert (set(built_in), built_in_names(), loaded.warnings) == (BUILT_IN, BUILT_IN, ())
    assert {one.summary for one in built_in.values()} == {"{reason}"}


def test_the_built_in_rules_are_there_before_any_file_is() -> None:
    assert {one.alert for one in without_a_file(SHELVES.rules).rules} == BUILT_IN


def test_a_built_in_rule_is_changed_and_switched_off_by_its_name(load_text: Load) -> None:
    changed = "  - {alert: DiskAlmostFull, for: 1m, levels: {warning: {below: 20%, clear_above: 25%}}}\n"
    for head in (HEAD, EXTENDS):
        config = load_text(f"{head}rules:\n{changed}  - {{alert: EventsDropped, enabled: false}}\n").config
        found = {one.alert: one for one in config.rules}
        assert BUILT_IN - set(found) == {"EventsDropped"}
        disk = found["DiskAlmostFull"]
        assert isinstance(disk, StateRule)
        assert [(level.below, level.clear_above) for level in disk.levels.values()] == [(0.2, 0.25), (0.03, 0.05)]
        assert (disk.for_, disk.field) == (60, "value")


def test_defaults_say_nothing_of_the_daemon_and_select_only_events(load_text: Load) -> None:
    defaults = "defaults: {by: [prefix], of: {stream: true}, for: 2m, readings: 3, summary: '{prefix}'}\n"
    verdict = "  - {alert: V, kind: verdict, probe: models, levels: {warning: {}}, summary: '{subject}: {reason}'}\n"
    config = load_text(HEAD + defaults + rule() + verdict).config
    found = {one.alert: one for one in config.rules}
    assert (found["A"].by, found["A"].of, found["A"].for_) == (("prefix",), {"stream": True}, 120)
    assert (found["V"].by, found["V"].of, found["V"].for_) == (("subject",), None, 120)
    assert (found["StoreFailing"].by, found["StoreFailing"].for_, found["StoreFailing"].summary) == ((), 0, "{reason}")


def test_a_selection_is_of_what_the_rules_are_about_that_name_it(load_text: Load) -> None:
    selections = "selections: {a: {refresh_state: failed}, b: {outcome: bad}, c: {outcome: failed}}\n"
    quota = "  - {alert: Q, kind: state, of: a, field: quota_exhausted, levels: {warning: {equals: true}}}\n"
    verdict = "  - {alert: V, kind: verdict, of: b, probe: models, levels: {warning: {}}}\n"
    assert len(own_rules(load_text(HEAD + selections + rule(of="c") + quota + verdict).config)) == 3
    with pytest.raises(ConfigError) as caught:
        load_text(HEAD + selections + rule(of="b") + verdict)
    assert [one.path for one in caught.value.mistakes] == ["selections.a.refresh_state", "selections.b.outcome"]


@pytest.mark.parametrize("module", [absence, change, state, verdict], ids=lambda module: module.OPTIONS.__name__)
def test_the_examples_load(module: Any, load_text: Load) -> None:
    loaded = load_text(f"{HEAD}rules:\n{indent(module.EXAMPLE, '  ')}")
    assert loaded.warnings == ()
    assert [type(one) for one in own_rules(loaded.config)] == [module.OPTIONS]


def test_a_file_may_say_nothing_but_that_it_extends(load_text: Load, shipped: AlertsConfig) -> None:
    commented_out = "rules:\nmitigations:\n  # quota-fallback: {hold: 10m}\nroute:\n"
    for text in (EXTENDS, EXTENDS + commented_out, "\ufeff" + EXTENDS):
        assert load_text(text).config == shipped.model_copy(update={"extends": "runbook"})


@pytest.mark.parametrize(
    ("said", "path", "value"),
    [
        ("rules: [{alert: ThinkingMismatch, levels: {critical: {above: 9%}}}]", "levels.critical.above", 0.09),
        ("rules: [{alert: ThinkingMismatch, levels: {critical: {above: 9%}}}]", "levels.critical.clear_below", 0.03),
        ("rules: [{alert: ThinkingMismatch, levels: {critical: {above: 9%}}}]", "levels.warning.above", 0.02),
        ("rules: [{alert: ThinkingMismatch, by: [workload], summary: ''}]", "by", ("workload",)),
        ("rules: [{alert: ThinkingMismatch, of: {prefix: x}}]", "of", {"prefix": "x"}),
        ("rules: [{alert: ThinkingMismatch, bad: {outcome: failed}}]", "bad", {"outcome": "failed"}),
        ("rules: [{alert: ThinkingMismatch, labels: {team: a}}]\ndefaults: {labels: {b: c}}", "labels", {"team": "a"}),
        ("defaults: {labels: {b: c}}", "labels", {"b": "c"}),
        ("defaults: {window: 5m, for: 2m}", "window", 300),
        ("rules: [{alert: ThinkingMismatch, window: 1m}]\ndefaults: {window: 5m}", "window", 60),
    ],
)
def test_maps_merge_lists_and_selections_replace(said: str, path: str, value: Any, load_text: Load) -> None:
    found: Any = ratios(load_text(f"{EXTENDS}{said}\n").config)["ThinkingMismatch"]
    for part in path.split("."):
        found = found[part] if isinstance(found, Mapping) else getattr(found, part)
    assert found == value


def test_the_rest_of_a_file_merges_too(load_text: Load) -> None:
    config = load_text(
        EXTENDS
        + "receivers: [{name: me, urls: ['json://h']}]\nroute: {receiver: me}\nmode: {upstream: ask}\n"
        + "fallbacks: {a: [b], gpt-5.3-codex-spark: [gpt-5.5]}\nselections: {rate_limited: {status: 429}}\n"
        + "providers: []\nmitigations: {quota-fallback: {hold: 10m}}\n"
    ).config
    assert [receiver.name for receiver in config.receivers] == ["me"]
    assert (config.route.receiver, config.route.group_wait) == ("me", 5)
    assert (config.mode.soft, config.mode.upstream) == (Mode.AUTO, Mode.ASK)
    assert config.fallbacks == {"a": ("b",), "gpt-5.3-codex-spark": ("gpt-5.5",)}
    assert config.selections["rate_limited"] == {"status": 429}
    assert "spark" in config.selections
    assert config.providers == ()
    assert (config.mitigations["quota-fallback"].hold, config.mitigations["quota-fallback"].cool_off) == (600, 900)


def test_rules_are_switched_off_and_added(load_text: Load) -> None:
    off = "  - {alert: ThinkingMismatch, enabled: false}\n  - {alert: SparkErrorRatio, enabled: false}\n"
    before = [rule.alert for rule in own_rules(load_text(EXTENDS).config)]
    names = [rule.alert for rule in own_rules(load_text(EXTENDS + rule() + off).config)]
    assert {"ThinkingMismatch", "SparkErrorRatio"} < set(before)
    assert names == [name for name in before if name not in ("ThinkingMismatch", "SparkErrorRatio")] + ["A"]
    assert {"ThinkingMismatch", "SparkErrorRatio"} <= set(load_text(EXTENDS + rule() + off).off)
    assert "A" not in load_text(EXTENDS + rule() + off).off


def test_anchors_are_known(load_text: Load) -> None:
    text = "selections:\n  a: &spark {requested_model: x}\n  b: *spark\n"
    config = load_text(HEAD + text).config
    assert config.selections["a"] == config.selections["b"] == {"requested_model": "x"}


def test_a_mistake_that_meets_the_shipped_file_stands_where_the_person_wrote_it(load_text: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(EXTENDS + "rules:\n  - alert: ThinkingMismatch\n    levels:\n      critical: {clear_below: 8%}\n")
    assert str(caught.value) == "alerts.yaml:6:7: rules[0].levels.critical: clear_below must not be above `above`"


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (
            HEAD + "receivers: [{name: operators, urls: ['env:X', 'json://h']}, {name: deaf}]\n",
            [
                "receivers[0].urls[0]: env:X resolves to nothing; receiver 'operators' is switched off",
                "receivers[1]: has no urls: it hears nothing",
            ],
        ),
        (
            EXTENDS + "rules:\n  - {alert: Nobodys, enabled: false}\n  - {alert: SparkErorRatio, enabled: false}\n",
            [
                "rules[0]: there is no such rule to switch off",
                "rules[1]: there is no such rule to switch off; did you mean the rule 'SparkErrorRatio'?",
            ],
        ),
        (
            EXTENDS + "rules:\n  - {alert: SparkErrorRatio, levels: {warning: {above: 9%}}}\n",
            ["rules[0].levels.warning.above: is above that of critical (5%)"],
        ),
        (
            HEAD + rule(", for: 1m, mitigate: [iflow-away]"),
            [
                "rules[0].levels.warning.mitigate[0]: is left out until `mitigations:` has a line such as "
                "iflow-away: {kind: reroute, prefix: iflow, to_prefix: …}"
            ],
        ),
        (
            HEAD + rule(", mitigate: [fallback]"),
            [
                "rules[0].levels.warning: "
                "acts at the first sight of trouble: say how long it must last, such as for: 1m",
                "rules[0].levels.warning.mitigate[0]: no model has a line in `fallbacks`: it will change nothing",
            ],
        ),
        (
            EXTENDS + rule(", for: 0s, mitigate: [fallback]", of="{requested_model: [m, 'gpt*']}"),
            ["rules[0].levels.warning.mitigate[0]: 'm' has no line in `fallbacks`: nothing stands in for it"],
        ),
        (
            HEAD + "fallbacks: {a: [a, b]}\n",
            ["fallbacks.a[0]: 'a' cannot stand in for itself: it is left out"],
        ),
    ],
)
def test_what_would_do_nothing_is_warned_about(text: str, warnings: list[str], load_text: Load) -> None:
    assert [f"{one.path}: {one.message}" for one in load_text(text).warnings] == warnings


def test_what_was_warned_about_is_left_out(load_text: Load) -> None:
    acting = rule(", for: 1m, mitigate: [iflow-away, fallback]")
    config = load_text(f"{HEAD}fallbacks: {{a: [a, b]}}\n{acting}").config
    assert own_rules(config)[0].levels[Severity.WARNING].mitigate == ("fallback",)
    assert config.fallbacks == {"a": ("b",)}


def test_what_only_an_operator_knows_may_be_said(load_text: Load) -> None:
    acting = rule(", for: 1m, mitigate: [pin-thinking]")
    loaded = load_text(f"{HEAD}{acting}mitigations:\n  pin-thinking: {{kind: model_alias, from: a, to: [b]}}\n")
    assert loaded.warnings == ()
    assert own_rules(loaded.config)[0].levels[Severity.WARNING].mitigate == ("pin-thinking",)


def test_what_the_shipped_rules_want_and_nobody_has_said_is_told_without_a_warning(load_text: Load) -> None:
    loaded = load_text(EXTENDS)
    assert loaded.warnings == ()
    wanted = {"iflow-away": ("IflowErrorRatio", "IflowCanary"), "pin-thinking": ("ThinkingMismatch",)}
    assert loaded.unsaid.items() >= wanted.items()
    away = "mitigations:\n  iflow-away: {kind: reroute, prefix: iflow, to_prefix: openrouter}\n"
    assert "iflow-away" not in load_text(EXTENDS + away).unsaid


@pytest.mark.parametrize(
    ("canary", "said"),
    [
        ("ping", None),
        ("trickle", None),
        ("iflow", None),
        ("iflo", "'iflo' is neither ping, trickle nor a probe; did you mean 'iflow'?"),
    ],
)
def test_a_release_names_a_probe_that_there_is(canary: str, said: str | None, load_text: Load) -> None:
    text = f"{HEAD}mitigations:\n  it: {{kind: reroute, prefix: iflow, to_prefix: b, release: {{canary: {canary}}}}}\n"
    if said is None:
        assert load_text(text).warnings == ()
        return
    with pytest.raises(ConfigError, match=re.escape(f"mitigations.it.release.canary: {said}")):
        load_text(text)


def test_packaged_things_are_found() -> None:
    assert packaged("alerts.yaml").is_file()
    assert (packaged("migrations") / "env.py").is_file()
    assert Path(packaged("alerts.yaml")).is_absolute()
