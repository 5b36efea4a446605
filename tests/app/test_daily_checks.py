"""The daily checks over HTTP: a fake upstream of some build, and the probes that look at it, its log and its keys."""

from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.playback import serving
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.probes import HttpProbes
from daemon.adapters.memory.probes import MemoryProbes
from daemon.app import probing
from daemon.app.serving import listen
from daemon.app.shelf import scan
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.mitigation import Mode
from daemon.domain.probe import ProbeResult
from daemon.engine.core import Core, Surroundings
from daemon.engine.probe import Probes
from daemon.logic.probes.log_scan import LogScanOptions
from tests.engine.test_probe import Recorder
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger
from tests.fakes.notifier import FakeNotifier
from tests.fakes.route_table import MemoryRoutes

KEY = "management-key"
WATCHED = ("LogRejectionBurst", "ModelMissing")


class House:
    """Some of the shipped rules, all probes, and an upstream on a real socket."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.clock, self.stack = FakeClock(1_795_514_400_000), stack

    async def start(
        self, *, keys: Mapping[str, str] | None = None, log: LogScanOptions | None = None, **fake: Any
    ) -> None:
        clock, stack = self.clock, self.stack
        facts: dict[str, Any] = {"management_key": KEY, "api_keys": list((keys or {}).values())}
        upstream = FakeUpstream(clock=clock, **facts | fake)
        self.url = url = await stack.enter_async_context(serving(upstream, listen("127.0.0.1", 0, setting="port")))
        self.client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        management = ManagementClient(url, KEY, clock)
        asking = HttpProbes(url, url, None, "secret", clock, management, keys)
        stack.push_async_callback(management.close)
        stack.push_async_callback(asking.close)
        around = Surroundings(
            clock=clock,
            ledger=MemoryLedger(),
            events=MemoryEventStore(),
            routes=MemoryRoutes(),
            management=management,
            probes=asking,
            notifier=FakeNotifier(),
            ceiling=Mode.AUTO,
            public_url="http://nas:8319",
        )
        config = load(packaged("alerts.yaml"), scan()).config
        rules = tuple(rule for rule in config.rules if rule.alert in WATCHED)
        config = AlertsConfig(rules=rules, probes={"log_scan": log} if log else {})
        self.core = core = Core(around, lambda: (config, ()))
        core.dispatch.configure(config, {})
        core.mitigate.configure(config)
        await core.mitigate.load()
        core.evaluate.use(core.evaluate.open(config))
        threads = stack.enter_context(ThreadPoolExecutor(1))
        self.probes: Probes = probing.build(core, asking, MemoryProbes(), Recorder(), clock, dict, threads)
        self.probes.configure(config)
        await core.inventory.refresh()

    async def set(self, path: str, value: Any) -> None:
        call = self.client.put(f"/v0/management/{path}", json={"value": value}, headers={"x-management-key": KEY})
        assert (await call).is_success

    async def turns(self, count: int, fault: str | None = None, model: str = "gpt-5.4") -> None:
        await self.client.put("/_fake/scenario", json={"rules": [{"fault": fault}] if fault else []})
        for _ in range(count):
            await self.client.post("/v1/chat/completions", json={"model": model, "messages": []})

    async def scan(self) -> dict[str, tuple[str, float | None]]:
        """A minute later."""
        results = await self.probes.run("log_scan")
        self.clock.advance(60)
        await self.core.evaluate.step(self.clock.now())
        return {one.subject: (one.outcome.value, one.value) for one in results}

    def firing(self, alert: str) -> list[str | None]:
        rows = self.core.evaluate.alerts()
        return [dict(row.labels).get("subject") for row in rows if row.alert == alert and row.is_firing]


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(stack)


def bad(results: Sequence[ProbeResult]) -> dict[str, str]:
    return {one.subject: one.reason for one in results if one.outcome == "bad"}


@pytest.mark.parametrize("build", ["mainline", "PLUS-692"])
async def test_a_burst_in_the_upstreams_log_becomes_an_alert_and_ends(house: House, build: str) -> None:
    """With a cursor and without one; its clock is that of Shanghai, and it says whose turn each request was."""
    await house.start(version=build, zone_minutes=480)
    assert await house.scan() == {"": ("unknown", None)}
    await house.set("logging-to-file", True)
    await house.set("debug", True)
    await house.turns(5)
    assert "codex:429" not in await house.scan()
    await house.turns(12, "429")
    assert (await house.scan())["codex:429"] == ("ok", 12.0)
    await house.turns(12, "429")
    assert (await house.scan())["codex:429"] == ("bad", 24.0)
    await house.turns(3)
    assert (await house.scan())["codex:429"] == ("bad", 24.0)  # none of them is counted twice
    assert house.firing("LogRejectionBurst") == ["codex:429"]
    house.clock.advance(600)
    for _ in range(10):
        last = await house.scan()
    assert last["codex:429"] == ("ok", 0.0)
    assert house.firing("LogRejectionBurst") == []


async def test_a_log_in_a_file_is_read_beside_the_management_api(house: House, tmp_path: Path) -> None:
    log = tmp_path / "main.log"
    log.write_text("")
    await house.start(log=LogScanOptions(path=str(log), zone="+00:00", most=1))
    assert await house.scan() == {"": ("ok", 0.0)}
    line = '[2026-11-24 10:01:00] [a1b2c3d4] [warn ] [gin_logger.go:94] 403 | 1s | 127.0.0.1 | POST    "/v1/messages"\n'
    log.write_text(line * 2)
    assert await house.scan() == {"": ("ok", 2.0), "*:403": ("bad", 2.0)}


async def test_by_hand_the_upstream_is_looked_at_first_and_a_lost_model_is_told_with_its_keys(house: House) -> None:
    await house.start(keys={"laptop": "one", "ci": "two"})
    assert bad(await house.probes.run("models")) == {}
    await house.client.put("/_fake/scenario", json={"models": ["gpt-5.4"]})
    reasons = bad(await house.probes.run("models"))
    assert reasons["gpt-5.5"] == "gpt-5.5 is not served any more to laptop, ci"
