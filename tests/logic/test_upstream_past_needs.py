"""What a rule must know: its selections, its labels, what it measures, the days that it compares with."""

from typing import Any

import pytest

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.app.shelf import scan
from daemon.domain.alerts_config import Rule
from daemon.domain.upstream_past import Account, PastSource
from daemon.logic.upstream_past_needs import is_about_traffic, lacks, least_lacking, needs
from tests.logic.past import NOW

SHELVES = scan()
SHIPPED = load(packaged("alerts.yaml"), SHELVES).config
RULES = {rule.alert: rule for rule in SHIPPED.rules}
DAY = 86_400_000


def a_rule(kind: str, **facts: Any) -> Rule:
    return SHELVES.rules[kind].model_validate({"alert": "A", "kind": kind, **facts})


def an_account(*fields: str, days: int = 1) -> Account:
    return Account(source=PastSource.LOG, since=NOW - days * DAY, until=NOW, events=(), fields=frozenset(fields))


LEVELS = {"warning": {"above": "5%"}}
SLOW = {"warning": {"above": "15s"}}
BURN = {"warning": {"windows": [{"short": "5m", "long": "1h", "burns": 14.4}]}}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (a_rule("ratio", bad={"outcome": "failed"}, levels=LEVELS), {"outcome"}),
        (
            a_rule("ratio", bad="named", of={"stream": True}, by=["model_id"], levels=LEVELS),
            {"fault", "stream", "model_id"},
        ),
        (
            a_rule("burst", bad={"status": 429}, by=["client"], levels={"warning": {"at_least": 5}}),
            {"status", "client"},
        ),
        (a_rule("quantile", field="ttft_ms", of={"stream": True}, levels=SLOW), {"ttft_ms", "stream"}),
        (a_rule("absence", of={"client": "amp"}, levels={"warning": {}}), {"client"}),
    ],
)
def test_what_a_rule_reads(rule: Rule, expected: set[str]) -> None:
    assert needs(rule, {"named": {"fault": "provider_rate_limited"}}) == expected


@pytest.mark.parametrize("rule", SHIPPED.rules, ids=lambda rule: rule.alert)
def test_every_shipped_rule_says_what_it_reads(rule: Rule) -> None:
    """Nothing of it is left out: a rule about events reads at least one field, all of which an event has."""
    if is_about_traffic(rule, SHIPPED.selections):
        assert needs(rule, SHIPPED.selections) >= {*rule.by}
        assert lacks(rule, SHIPPED.selections, an_account(*needs(rule, SHIPPED.selections), days=400)) == ()


def test_rules_about_probes_and_the_daemon_are_not_about_traffic() -> None:
    told = {name for name, rule in RULES.items() if not is_about_traffic(rule, SHIPPED.selections)}
    assert {"ProviderDown", "ModelMissing", "ModelInventoryShrunk", "EventsDropped"} <= told
    assert not told & {"ProviderRateLimited", "ThinkingMismatch", "ProviderSlow"}


def test_what_is_lacking_is_named() -> None:
    mismatch = RULES["ThinkingMismatch"]
    assert lacks(mismatch, SHIPPED.selections, an_account("provider_key", "requested_model")) == ("thinking_match",)


def test_a_rule_that_compares_with_days_needs_them() -> None:
    growth = RULES["ReasoningTokenGrowth"]
    fields = needs(growth, SHIPPED.selections)
    assert lacks(growth, SHIPPED.selections, an_account(*fields, days=1)) == ("10d of history",)


def test_the_account_that_comes_nearest_says_what_is_lacking() -> None:
    far, near = an_account("outcome"), an_account("outcome", "provider_key", "requested_model")
    assert least_lacking(RULES["ThinkingMismatch"], SHIPPED.selections, [far, near]) == ("thinking_match",)


def test_without_any_account_everything_is_lacking() -> None:
    assert least_lacking(RULES["SparkErrorRatio"], SHIPPED.selections, []) == ("outcome", "requested_model")
