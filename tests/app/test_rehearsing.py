"""Rehearsals: shipped rules over a made-up past, each on the sources that know what it reads."""

from typing import Any

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.built_in import own_rules
from daemon.adapters.config.packaged import packaged
from daemon.app.rehearsing import rehearse
from daemon.app.shelf import scan
from daemon.domain.alert import Severity
from daemon.domain.upstream_past import PastSource, Rehearsal, Rehearsed, Replies
from tests.logic.past import MINUTE, NOW, WIRES, access, auth_files, buckets, detail, logs, usage

SHELVES = scan()
CONFIG = load(packaged("alerts.yaml"), SHELVES).config
OWN = {rule.alert for rule in own_rules(CONFIG)}
TURNS = range(NOW - 100 * MINUTE, NOW, 10_000)
SPARK = "gpt-5.3-codex-spark"


def fails(at: int) -> bool:
    """Every third turn of a quarter of an hour."""
    return NOW - 60 * MINUTE <= at < NOW - 45 * MINUTE and at // 10_000 % 3 == 0


def log(status: int = 429) -> dict[str, Any]:
    return logs(*[access(at, status if fails(at) else 200) for at in TURNS])


def counts() -> dict[str, Any]:
    rows = [(0, 0)] * 11
    for at in TURNS:
        place = 10 - (NOW // (10 * MINUTE) - at // (10 * MINUTE))
        good, bad = rows[place]
        rows[place] = (good, bad + 1) if fails(at) else (good + 1, bad)
    return auth_files(codex=buckets(*rows))


async def rehearsed(**replies: Any) -> Rehearsal:
    return await rehearse(CONFIG, Replies(asked_at=NOW, **replies), WIRES, own=OWN)


def rule(found: Rehearsal, alert: str) -> Rehearsed:
    return next(one for one in found.rules if one.alert == alert)


async def test_a_storm_in_log_and_counts_would_have_been_told() -> None:
    found = rule(await rehearsed(logs=log(), auth_files=counts()), "ProviderRateLimited")
    assert [one.severity for one in found.firings] == [Severity.WARNING, Severity.CRITICAL]
    warning, critical = found.firings
    assert NOW - 60 * MINUTE < warning.since < critical.since < NOW - 50 * MINUTE
    assert warning.until is not None
    assert critical.labels == (("provider_key", "codex"),)
    assert found.sources == (PastSource.LOG,)
    assert found.samples == len(TURNS)


async def test_a_fallback_of_models_that_nobody_knows_is_said_not_to_be_done() -> None:
    _, critical = rule(await rehearsed(logs=log(), auth_files=counts()), "ProviderRateLimited").firings
    assert critical.acts == ()
    assert "fallback: of which model is not known" in critical.left


async def test_statistics_that_tell_models_tell_what_would_have_been_done() -> None:
    told = usage(**{SPARK: [detail(at, failed=fails(at), total_tokens=5) for at in TURNS]})
    found = rule(await rehearsed(usage=told, auth_files=counts()), "SparkErrorRatio")
    _, critical = found.firings
    assert critical.acts == (f"fallback of {SPARK}",)
    assert found.sources == (PastSource.USAGE,)


async def test_a_rule_that_reads_what_nobody_tells_is_not_called_quiet() -> None:
    found = await rehearsed(auth_files=counts())
    assert rule(found, "ProviderRateLimited").lacks == ("fault",)
    assert rule(found, "ThinkingMismatch").lacks == ("requested_model", "thinking_match")
    assert not found.has_fired


async def test_a_rule_about_something_else_is_said_to_be() -> None:
    assert not rule(await rehearsed(logs=log()), "ProviderDown").is_about_traffic


async def test_a_calm_past_is_quiet_and_what_nobody_asked_for_has_no_turns() -> None:
    calm = logs(*[access(at) for at in TURNS])
    found = await rehearsed(logs=calm, auth_files=auth_files(codex=buckets(*[(60, 0)] * 11)))
    assert not found.has_fired
    limited, iflow = rule(found, "ProviderRateLimited"), rule(found, "IflowErrorRatio")
    assert (limited.lacks, limited.samples > 0) == ((), True)
    assert (iflow.lacks, iflow.samples) == ((), 0)


async def test_where_nothing_is_known_no_rule_is_judged() -> None:
    found = await rehearsed(missing=("request log: none",))
    assert {one.lacks for one in found.rules if one.is_about_traffic} == {("traffic",)}
    assert (found.accounts, found.missing) == ((), ("request log: none",))
