"""`runbookd rehearse` from end to end: a fake upstream with a storm in its past, and a ledger of days in shadow."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon import cli
from daemon.adapters.clock import HandClock, SystemClock
from daemon.adapters.config.packaged import packaged
from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.playback import serving
from daemon.adapters.store import open_store, upgrade
from daemon.app.serving import listen
from daemon.cli.rehearse_words import times
from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from tests.logic.playing import an_event

KEY = "management-canary-4711"
MINUTE = 60_000
SPARK = "gpt-5.3-codex-spark"
Run = Callable[..., Awaitable[str]]
Start = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RUNBOOKD_TEST_POSTGRES", raising=False)  # a setting of the tests, not of ours
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("RUNBOOKD_UPSTREAM_MANAGEMENT_KEY", KEY)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    async def call(*argv: str, code: int = 0) -> str:
        assert await asyncio.to_thread(cli.main, ["rehearse", *argv]) == code
        captured = capsys.readouterr()
        assert KEY not in captured.out + captured.err
        return captured.out + captured.err

    return call


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """A fake upstream that has answered for two hours until now, and failed for twenty minutes of them."""
    async with AsyncExitStack() as stack:

        async def begin(fault: str | None = "429", turns: int = 240, **facts: Any) -> httpx.AsyncClient:
            now = SystemClock().now()
            clock = HandClock(now - 120 * MINUTE)
            upstream = FakeUpstream(clock=clock, management_key=KEY, zone_minutes=480, **facts)
            url = await stack.enter_async_context(serving(upstream, listen("127.0.0.1", 0, setting="port")))
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
            await http.put("/v0/management/logging-to-file", json={"value": True}, headers={"x-management-key": KEY})
            for turn in range(turns):
                clock.instant = now - 120 * MINUTE + turn * MINUTE // 2
                if turn in (120, 160):
                    rules = [{"fault": fault, "share": 0.4}] if fault and turn == 120 else []
                    await http.put("/_fake/scenario", json={"rules": rules})
                await http.post("/v1/chat/completions", json={"model": SPARK, "messages": []})
            clock.instant = now
            monkeypatch.setenv("RUNBOOKD_UPSTREAM_URL", url)
            return http

        yield begin


# ---- by the upstream's past ------------------------------------------------------------------------------------------


async def test_a_storm_in_the_past_is_told(start: Start, run: Run) -> None:
    http = await start()
    before = (await http.get("/_fake/requests")).json()["total"]
    told = await run(code=1)
    assert "ProviderRateLimited: would have warned once, been critical once" in told
    assert "codex: " in told
    assert "EventsDropped" not in told
    assert "fallback: of which model is not known" in told
    assert "ThinkingMismatch could not be rehearsed: needs requested_model, thinking_match" in told
    assert "SparkErrorRatio could not be rehearsed: needs requested_model" in told
    asked = (await http.get(f"/_fake/requests?after={before}")).json()["requests"]
    assert {one["method"] for one in asked} == {"GET"}
    assert not [one for one in asked if "usage-queue" in one["path"]]


async def test_json_says_when_in_our_own_time(start: Start, run: Run) -> None:
    await start()
    told = json.loads(await run("--json", code=1))
    found = {rule["alert"]: rule for rule in told["rules"]}
    limited = found["ProviderRateLimited"]
    assert (limited["verdict"], limited["sources"]) == ("fired", ["request log"])
    assert limited["firings"][0]["since"] < told["asked_at"]
    assert found["ThinkingMismatch"]["verdict"] == "lacks"
    assert found["ProviderDown"]["verdict"] == "elsewhere"
    assert found["IflowErrorRatio"]["verdict"] == "no_traffic"
    assert found["ProviderErrorRatio"]["verdict"] == "quiet"


async def test_an_older_upstream_tells_what_would_have_been_done(start: Start, run: Run) -> None:
    await start(legacy=True)
    assert f"acted once (fallback of {SPARK})" in await run(code=1)


async def test_a_calm_past_is_no_failure(start: Start, run: Run) -> None:
    await start(fault=None)
    told = await run()
    assert "Quiet: ProviderRateLimited, ProviderErrorRatio" in told
    assert "would have warned" not in told


async def test_an_upstream_without_a_past_is_said_to_have_none(start: Start, run: Run) -> None:
    await start(turns=0)
    told = await run()
    assert "Nothing is known of the past" in told
    assert "ProviderRateLimited" not in told


async def test_other_rules_are_tried_before_they_are_in_force(start: Start, run: Run, tmp_path: Path) -> None:
    await start(fault="500")
    rule = {
        "alert": "AnyFailure",
        "kind": "ratio",
        "bad": {"outcome": "failed"},
        "levels": {"warning": {"above": "1%"}},
    }
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps({"version": 1, "rules": [rule]}))
    told = await run("--rules", str(file), code=1)
    assert "AnyFailure: would have warned once" in told
    assert "ProviderRateLimited" not in told


# ---- what stands in the way ------------------------------------------------------------------------------------------


async def test_without_a_key_it_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNBOOKD_UPSTREAM_MANAGEMENT_KEY")
    assert "RUNBOOKD_UPSTREAM_MANAGEMENT_KEY" in await run(code=2)


async def test_a_refused_key_is_tried_once(start: Start, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    http = await start(fault=None)
    monkeypatch.setenv("RUNBOOKD_UPSTREAM_MANAGEMENT_KEY", "wrong")
    before = (await http.get("/_fake/requests")).json()["total"]
    assert "refused (401" in await run(code=2)
    assert (await http.get("/_fake/requests")).json()["total"] == before + 1


async def test_an_upstream_that_does_not_answer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_UPSTREAM_URL", "http://127.0.0.1:1")
    assert "no answer from the upstream" in await run(code=3)


async def test_a_file_with_mistakes(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("rules: 3")
    assert "wrong.yaml" in await run("--rules", str(file), code=2)


# ---- in shadow -------------------------------------------------------------------------------------------------------


def fired(now: int, number: int, minutes: int) -> tuple[Alert, Alert, Mitigation]:
    """An episode, the end of it so long after, and what would have been done."""
    at = now - (number + 1) * 24 * 60 * MINUTE
    facts: dict[str, Any] = {"fingerprint": "f", "episode": "e", "alert": "SparkErrorRatio", "labels": ()}
    firing = Alert(severity=Severity.CRITICAL, state=AlertState.FIRING, since=at, fired_at=at, last_data_at=at, **facts)
    end = at + minutes * MINUTE
    ended = Alert(
        severity=Severity.CRITICAL, state=AlertState.RESOLVED, since=end, fired_at=at, last_data_at=end, **facts
    )
    row = Mitigation(
        id=f"m{number}",
        name="fallback",
        kind="model_alias",
        target=f"model_alias:{SPARK}",
        state=MitigationState.NOT_NEEDED,
        mode=Mode.SHADOW,
        soft=True,
        owners=("f",),
        planned_at=at,
        ended_at=at,
        outcome=f"would answer {SPARK} with gpt-5.5",
    )
    return firing, ended, row


async def lived(state: Path, *minutes: int) -> None:
    """Six days of a daemon, with an episode for each of these lengths."""
    url, now = f"sqlite:///{state / 'runbookd.db'}", SystemClock().now()
    upgrade(url, packaged("migrations"))
    store = open_store(url)
    await store.events.append([an_event(now - 6 * 24 * 60 * MINUTE)], {}, now)
    for number, length in reversed(list(enumerate(minutes))):
        *alerts, row = fired(now, number, length)
        for alert in alerts:
            await store.ledger.commit(Decision(alerts=(alert,)))
        await store.ledger.commit(Decision(mitigations=(row,)))
    await store.close()


async def test_days_in_shadow_are_summed_up(run: Run, tmp_path: Path) -> None:
    await lived(tmp_path, 4, 3, 40)
    told = await run(code=1)
    assert re.match(
        r"In 6d\w* in shadow: would have acted three times on 1 target, 2 of them while the alert resolved by itself "
        r"within 5m; 0 warnings and 3 criticals fired\.",
        told,
    )
    assert f"SparkErrorRatio: would have done fallback of {SPARK}; resolved alone after 40m" in told
    assert json.loads(await run("--json", code=1))["resolved_alone_soon"] == 2


async def test_shadow_without_anything_to_do_is_told_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOKD_MITIGATION_MODE", "shadow")
    await lived(tmp_path)
    assert re.match(r"In 6d\w* in shadow: would not have acted", await run())


async def test_a_daemon_that_may_act_has_been_in_no_shadow(run: Run, start: Start, tmp_path: Path) -> None:
    await start(fault=None)
    await lived(tmp_path)
    assert (await run()).startswith("What the upstream tells of its past")


async def test_the_past_can_be_asked_for_in_shadow_too(run: Run, start: Start, tmp_path: Path) -> None:
    await start(fault=None)
    await lived(tmp_path, 4)
    assert (await run("--past")).startswith("What the upstream tells of its past")


async def test_looking_for_a_ledger_makes_none(run: Run, start: Start, tmp_path: Path) -> None:
    await start(fault=None)
    await run()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 a look that no event loop minds


@pytest.mark.parametrize(("count", "words"), [(1, "once"), (2, "twice"), (3, "three times"), (12, "12 times")])
def test_how_often(count: int, words: str) -> None:
    assert times(count) == words
