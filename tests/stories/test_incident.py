"""The main job on real processes: a storm and a failing Spark are seen, told, switched over, and all is restored."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from daemon.adapters.clock import SystemClock
from daemon.adapters.config.alerts_file import load
from daemon.app.backtesting import Rules, open_for_reading, state_log
from daemon.app.shelf import scan
from daemon.domain.alert import Alert, AlertState
from daemon.domain.backtest import Span
from daemon.domain.event import Wire
from daemon.domain.sample import Counts
from daemon.logic.evidence import Guards, quantile
from tests.stories.house import House, Said, eventually, open_house

SPARK, STAND_IN = "gpt-5.3-codex-spark", "gpt-5.3-codex"
TOGGLE = "quota-exceeded/switch-project"

ALERTS = f"""\
version: 1
extends: runbook
route: {{group_wait: 0s, group_interval: 1s}}
fallbacks: {{{SPARK}: [{STAND_IN}]}}
rules:
  - alert: ProviderRateLimited
    window: 20s
    stretch_to: 20s
    keep_firing_for: 2s
    in_a_row: none
    levels: {{critical: {{for: 0s, mitigate: [quota-fallback]}}}}
  - alert: SparkErrorRatio
    window: 20s
    stretch_to: 20s
    keep_firing_for: 2s
    in_a_row: none
    levels: {{critical: {{for: 0s, mitigate: [spark-fallback]}}}}
  - {{alert: ProviderErrorRatio, enabled: false}}
mitigations:
  spark-fallback:
    kind: model_alias
    from: {SPARK}
    to: [{STAND_IN}]
    hold: 0s
    cool_off: 0s
    release: {{canary: ping, every: 1s, passes: 2}}
  quota-fallback:
    kind: upstream_toggle
    set: {{quota-exceeded.switch-project: true}}
    hold: 0s
    cool_off: 0s
    even_if_inert: true
"""


@asynccontextmanager
async def a_running_house(**settings: str) -> AsyncIterator[House]:
    async with open_house(alerts=ALERTS, **settings) as house:
        await house.start("fake", "proxy", "control")
        yield house


@asynccontextmanager
async def steady(house: House, wire: Wire, model: str) -> AsyncIterator[None]:
    """Healthy turns, ten a second, as long as the block lasts."""
    crowd = asyncio.ensure_future(house.send(1000, wire, model, stream=True, pause=0.1))
    try:
        yield
    finally:
        crowd.cancel()
        await asyncio.wait((crowd,))


async def firing(house: House, alert: str, **labels: str) -> list[str]:
    rows = await house.control.alerts(alert=alert, state="firing", **labels)
    return sorted(row["severity"] for row in rows)


async def everything_is_counted(house: House) -> bool:
    """What the proxy forwarded so far has been judged."""
    forwarded = sum(sum(one.values()) for one in (await house.fake.requests())["counts"].values())
    return len(await house.control.events(limit=1000, source="client")) >= forwarded


async def test_a_storm_fires_by_its_strength_and_everything_is_restored_afterwards() -> None:
    async with a_running_house() as house:
        shares = {"gpt-5*": 0.12, "claude*": 0.07, "gemini*": 0.02}
        rules = [{"match": {"model": model}, "fault": "429", "share": share} for model, share in shares.items()]
        await house.fake.play({"rules": rules})
        crowds = await asyncio.gather(
            house.send(300, Wire.OPENAI_CHAT, "gpt-5.4", stream=True),
            house.send(300, Wire.ANTHROPIC_MESSAGES, "claude-sonnet-4-6", stream=True),
            house.send(300, Wire.GEMINI_GENERATE_CONTENT, "gemini-2.5-pro"),
        )
        assert [crowd.count["429"] for crowd in crowds] == [36, 21, 6]

        await eventually(lambda: house.control.alerts(alert="ProviderRateLimited", severity="critical"))
        await eventually(lambda: everything_is_counted(house))
        assert await firing(house, "ProviderRateLimited", provider_key="codex") == ["critical", "warning"]
        assert await firing(house, "ProviderRateLimited", provider_key="claude") == ["warning"]
        assert await firing(house, "ProviderRateLimited", provider_key="gemini") == []
        figures = (await house.control.get("providers"))["providers"]
        assert figures["codex"]["rate_limited_ratio"] == pytest.approx(0.12)
        assert (await house.http.get(f"{house.rig.proxy_url}/v1/metrics/providers")).status_code == 200

        told = await eventually(lambda: house.sink.about("ProviderRateLimited"))
        assert {one["type"] for one in told} <= {"failure", "warning", "info"}
        await eventually(lambda: house.control.mitigations(kind="upstream_toggle", state="applied"))
        assert await house.fake.setting(TOGGLE) is True

        await house.fake.play("healthy")
        async with (
            steady(house, Wire.OPENAI_CHAT, "gpt-5.4"),
            steady(house, Wire.ANTHROPIC_MESSAGES, "claude-sonnet-4-6"),
        ):
            await eventually(lambda: all_are_resolved(house, "ProviderRateLimited"), within=45)
        await eventually(lambda: everything_is_restored(house, "upstream_toggle"))
        assert await house.fake.setting(TOGGLE) is False
        resolved = await eventually(lambda: [one for one in house.sink.messages if one["type"] == "success"])
        assert "ProviderRateLimited" in resolved[0]["title"]


async def test_two_of_three_are_no_evidence() -> None:
    async with a_running_house() as house:
        await house.fake.play({"rules": [{"fault": "429", "share": 0.67}]})
        crowd = await house.send(3, Wire.OPENAI_CHAT, "gpt-5.4", at_once=1)
        assert crowd.count == {"ok": 1, "429": 2}
        await eventually(lambda: everything_is_counted(house))
        await asyncio.sleep(2.5)  # two whole seconds are judged
        assert await house.control.alerts() == []
        assert house.sink.messages == []


async def everything_is_restored(house: House, kind: str) -> bool:
    """A storm that comes to us in pieces may have been switched over more than once."""
    rows = await house.control.mitigations(kind=kind)
    return bool(rows) and all(row["state"] == "restored" for row in rows)


async def all_are_resolved(house: House, alert: str) -> bool:
    rows = await house.control.alerts(alert=alert)
    return bool(rows) and all(row["state"] == "resolved" for row in rows)


async def test_a_failing_spark_is_replaced_within_two_seconds_and_comes_back() -> None:
    async with a_running_house() as house:
        await house.send(20, Wire.OPENAI_RESPONSES, SPARK, stream=True, effort="high")
        await house.fake.play({"rules": [{"match": {"model": SPARK}, "fault": "500", "share": 0.2}]})
        decided, switched = await spark_until_replaced(house)
        assert switched - decided <= 2.0

        [row] = await house.control.mitigations(kind="model_alias", state="applied")
        assert row["value_wanted"] == STAND_IN
        [rerouted, *_] = await eventually(lambda: house.control.events(requested_model=SPARK, model_id=STAND_IN))
        assert rerouted["mitigation_ids"] == [row["id"]]
        assert await eventually(lambda: house.sink.about("SparkErrorRatio"))

        await house.fake.play("healthy")
        mark = (await house.fake.requests(limit=1))["total"]

        async def spark_is_asked_again() -> bool:
            await house.turn(Wire.OPENAI_RESPONSES, SPARK, stream=True, effort="high")
            seen = (await house.fake.requests(model=SPARK, after=mark))["requests"]
            return any(one["stream"] for one in seen)

        await eventually(spark_is_asked_again, within=15)
        async with steady(house, Wire.OPENAI_RESPONSES, SPARK):
            await eventually(lambda: all_are_resolved(house, "SparkErrorRatio"), within=45)
        assert [row["state"] for row in await house.control.mitigations(kind="model_alias")] == ["restored"]
        await eventually(lambda: [one for one in house.sink.about("SparkErrorRatio") if one["type"] == "success"])


async def spark_until_replaced(house: House) -> tuple[float, float]:
    """Asks Spark 20 times a second; when the evidence was complete, and when the upstream first saw the stand-in."""
    guards = Guards(min_samples=20, min_bad=5, z=quantile(0.975), in_a_row=None)
    loop, decided, bad = asyncio.get_running_loop(), None, 0
    for number in range(21, 400):
        said: Said = await house.turn(Wire.OPENAI_RESPONSES, SPARK, stream=True, effort="high")
        bad += said.outcome == "500"
        if decided is None and guards.is_proven(Counts(number, bad), above=0.05, clears_below=0.02):
            decided = loop.time()
        if decided and (await house.fake.requests(model=STAND_IN))["requests"]:
            return decided, loop.time()
        await asyncio.sleep(0.05)
    raise AssertionError("the fallback never came")


# ---- crashes -------------------------------------------------------------------------------------------------------


async def test_a_control_plane_that_is_killed_in_a_storm_loses_nothing() -> None:
    async with a_running_house() as house:
        house.sink.refuses = True
        await house.fake.play({"rules": [{"match": {"model": "gpt-5*"}, "fault": "429", "share": 0.3}]})
        traffic = asyncio.ensure_future(house.send(600, Wire.OPENAI_CHAT, "gpt-5.4", pause=0.02))
        critical = {"alert": "ProviderRateLimited", "severity": "critical"}
        before = await eventually(lambda: house.control.alerts(state="firing", **critical))
        await eventually(lambda: house.sink.refused)
        house.rig.kill("control")
        await asyncio.sleep(2)
        house.sink.refuses = False  # refused once more, it would be left alone for three minutes
        await house.rig.restart("control")

        after = await house.control.alerts(**critical)
        assert [row["fired_at"] for row in after] == [row["fired_at"] for row in before]
        assert (await traffic).count == {"ok": 420, "429": 180}
        assert await eventually(lambda: told_of_trouble(house), within=30) == ["failure"]
        rows: list[dict[str, Any]] = await eventually(lambda: exactly(house, 600))
        assert len({row["event_id"] for row in rows}) == 600
        status = await house.control.get("status")
        assert status["spool"] == {"depth": 0, "dropped_total": 0}
        await house.rig.stop("control")
        lived, again = await judged_again(house)
        assert AlertState.FIRING in {row.state for row in lived if row.alert == "ProviderRateLimited"}
        assert list(again) == list(lived)


def told_of_trouble(house: House) -> list[str]:
    """The sorts of messages, but for those of mitigations."""
    return [one["type"] for one in house.sink.about("ProviderRateLimited") if one["type"] != "info"]


async def judged_again(house: House) -> tuple[Sequence[Alert], Sequence[Alert]]:
    """Every row that an alert has had, and those of a backtest."""
    shelves = scan()
    file = house.rig.directory / "alerts.yaml"
    config = load(file, shelves).config
    store = open_for_reading(f"sqlite:///{house.rig.places.database}")
    try:
        began_at = (await store.ledger.heard(0, 1 << 60))[0].at
        span = Span(since=began_at // 1000 * 1000, until=SystemClock().now())
        return await store.ledger.story(0, 1 << 60), await state_log(store, Rules(config=config), span)
    finally:
        await store.close()


async def exactly(house: House, count: int) -> list[dict[str, Any]]:
    rows = await house.control.events(limit=1000, source="client")
    return rows if len(rows) == count else []
