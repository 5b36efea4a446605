"""Alive, ready, and the metrics."""

import re

import httpx

from tests.fakes.operations import FakeOperations, an_alert

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="(\\.|[^"\\\n])*"(,[a-z_]+="(\\.|[^"\\\n])*")*\})? -?[0-9.e+-]+')


async def test_alive_needs_nothing(stranger: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.down = True
    assert (await stranger.get("/healthz")).json() == {"status": "ok"}
    assert (await stranger.head("/healthz")).status_code == 200


async def test_who_stands_still_is_not_alive(stranger: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.standing_still = "the schedule stands still"
    response = await stranger.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "the schedule stands still"})


async def test_ready_says_what_is_missing(stranger: httpx.AsyncClient, operations: FakeOperations) -> None:
    response = await stranger.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "missing": []})
    operations.missing = ["rules loaded", "first evaluation"]
    response = await stranger.get("/readyz")
    assert (response.status_code, response.json()["missing"]) == (503, ["rules loaded", "first evaluation"])


async def exposition(client: httpx.AsyncClient) -> list[str]:
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.text.endswith("\n")
    return response.text.splitlines()


async def test_metrics_are_what_prometheus_reads(stranger: httpx.AsyncClient) -> None:
    lines = await exposition(stranger)
    samples = [line for line in lines if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in samples)
    assert len({line.rpartition(" ")[0] for line in samples}) == len(samples)
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(set(families)) == len(families)
    assert {line.split("{")[0].split()[0] for line in samples} == set(families)
    for line in (
        'runbookd_build_info{version="0.1.0"} 1',
        "runbookd_events_total 2148",
        "# TYPE runbookd_events_total counter",
        "runbookd_evaluation_lag_seconds 0.041",
        'runbookd_notifications_total{status="delivered"} 2',
        'runbookd_alerts_firing{alert="ProviderRateLimited",severity="critical"} 1',
        'runbookd_provider_requests{provider_key="codex"} 1240',
        'runbookd_provider_latency_seconds{provider_key="codex",quantile="0.95"} 9.1205',
        'runbookd_mitigations_applied{kind="model_alias",name="fallback"} 1',
        "runbookd_notifications_queued 1",
        'runbookd_rule_series_displaced_total{alert="ThinkingMismatch"} 17',
        "# TYPE runbookd_rule_series_displaced_total counter",
        "runbookd_ready 1",
        "runbookd_store_up 1",
    ):
        assert line in lines


async def test_absent_figures_are_absent(stranger: httpx.AsyncClient) -> None:
    lines = "\n".join(await exposition(stranger))
    assert 'runbookd_provider_ttft_seconds{provider_key="codex"' in lines
    assert 'runbookd_provider_ttft_seconds{provider_key="gemini"' not in lines


async def test_hostile_labels_are_escaped(stranger: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.figures = {'a"} 1\nrunbookd_x{b="\\': operations.figures["codex"]}
    operations.alert_rows = [an_alert()]
    lines = [line for line in await exposition(stranger) if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines)
    assert r'runbookd_provider_requests{provider_key="a\"} 1\nrunbookd_x{b=\"\\"} 1240' in lines


async def test_a_store_that_is_down_takes_only_its_own_series(
    stranger: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.down = True
    lines = await exposition(stranger)
    assert "runbookd_store_up 0" in lines
    assert "runbookd_spool_depth 3" in lines
    assert 'runbookd_provider_requests{provider_key="codex"} 1240' in lines
