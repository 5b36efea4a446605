"""Quotas over HTTP: a fake upstream, the management client, the probe and the engine, from the header to the alert."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest_asyncio

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.credentials import CREDENTIALS, KIRO
from daemon.adapters.fake.playback import serving
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.probes import HttpProbes
from daemon.adapters.memory.probes import MemoryProbes
from daemon.app import probing
from daemon.app.serving import listen
from daemon.app.shelf import scan
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.mitigation import Mode
from daemon.engine.core import Core, Surroundings
from daemon.engine.probe import Probes
from tests.engine.test_probe import Recorder
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger
from tests.fakes.notifier import FakeNotifier
from tests.fakes.route_table import MemoryRoutes

KEY = "management-key"
CODEX, CLAUDE = (one.name for one in CREDENTIALS[:2])
RULES = ("CredentialQuotaExhausted", "TopProvidersQuotaExhausted")
FIGURES = {"codex": {"request_count": 90}, "claude": {"request_count": 30}, "gemini": {"request_count": 1}}


class House:
    """The shipped rules about quota, and an upstream of some version on a real socket."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.clock, self.stack = FakeClock(), stack

    async def start(self, version: str = "7.2.142") -> None:
        clock = self.clock
        fake = FakeUpstream(clock=clock, management_key=KEY, version=version, credentials=(KIRO, *CREDENTIALS))
        self.url = url = await self.stack.enter_async_context(serving(fake, listen("127.0.0.1", 0, setting="port")))
        management = ManagementClient(url, KEY, clock)
        self.asking = HttpProbes(url, url, None, "secret", clock, management)
        self.stack.push_async_callback(management.close)
        self.stack.push_async_callback(self.asking.close)
        around = Surroundings(
            clock=clock,
            ledger=MemoryLedger(),
            events=MemoryEventStore(),
            routes=MemoryRoutes(),
            management=management,
            probes=self.asking,
            notifier=FakeNotifier(),
            ceiling=Mode.AUTO,
            public_url="http://nas:8319",
        )
        config = load(packaged("alerts.yaml"), scan()).config
        config = config.model_copy(update={"rules": tuple(rule for rule in config.rules if rule.alert in RULES)})
        self.core = core = Core(around, lambda: (config, ()))
        core.dispatch.configure(config, {})
        core.mitigate.configure(config)
        await core.mitigate.load()
        core.evaluate.use(core.evaluate.open(config))
        threads = self.stack.enter_context(ThreadPoolExecutor(1))
        self.probes: Probes = probing.build(
            core, self.asking, MemoryProbes(), Recorder(), clock, lambda: FIGURES, threads
        )
        await core.inventory.refresh()

    async def set(self, quota: dict[str, Any]) -> None:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            assert (await client.put("/_fake/quota", json=quota)).status_code == 200

    async def look(self, times: int = 1) -> None:
        """At its own pace."""
        for _ in range(times):
            await self.probes.run("quota")
            for _ in range(5):
                self.clock.advance(60)
                await self.core.evaluate.step(self.clock.now())

    def firing(self, alert: str) -> list[str | None]:
        rows = self.core.evaluate.alerts()
        return [dict(row.labels).get("credential") for row in rows if row.alert == alert and row.is_firing]

    def quota(self, credential: str) -> Any:
        return next(one for one in self.core.quota if one.credential == credential and one.model_id is None)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(stack)


async def test_a_header_of_a_vendor_becomes_an_alert_about_its_credential(house: House) -> None:
    await house.start()
    await house.set({CODEX: {"used": 40, "week": 70}})
    await house.look()
    one = house.quota(CODEX)
    assert (one.usage_percentage, one.window_seconds, one.refresh_state) == (70, 604_800, "active")
    assert house.firing("CredentialQuotaExhausted") == []
    await house.set({CODEX: {"used": 100, "resets_in": "40m", "week": 71}})
    await house.look()
    assert house.firing("CredentialQuotaExhausted") == [CODEX]
    await house.look(10)  # nobody uses it; its window ends
    assert house.firing("CredentialQuotaExhausted") == []
    assert house.quota(CODEX).usage_percentage == 71


async def test_the_top_two_out_of_quota_is_critical_once_it_is_steady(house: House) -> None:
    await house.start()
    await house.set({CODEX: {"used": 100, "resets_in": "4h"}, CLAUDE: {"week": 100}})
    await house.look(3)
    assert house.firing("TopProvidersQuotaExhausted") == []
    await house.look(2)
    assert house.firing("TopProvidersQuotaExhausted") == [None]
    wanted = [row for row in house.core.mitigate.rows() if row.name == "quota-fallback"]
    assert wanted
    await house.set({CODEX: {"used": 5, "resets_in": "5h"}, CLAUDE: {"week": 100}})
    await house.look()
    assert house.firing("TopProvidersQuotaExhausted") == [None]
    await house.set({CODEX: {"used": 6, "resets_in": "5h"}, CLAUDE: {"week": 100}})
    await house.look(4)
    assert house.firing("TopProvidersQuotaExhausted") == []


async def test_kiro_is_asked_for_itself_and_its_traps_catch_nobody(house: House) -> None:
    await house.start("6.8.38")
    await house.set({KIRO.name: {"is_unknown": True}})
    await house.look(2)
    assert house.quota(KIRO.name).quota_exhausted is None
    assert house.firing("CredentialQuotaExhausted") == []
    await house.set({KIRO.name: {"used": 100}})
    await house.look()
    one = house.quota(KIRO.name)
    assert (one.quota_exhausted, one.quota_remaining, one.source) == (True, 0.0, "kiro_quota")
    assert house.firing("CredentialQuotaExhausted") == [KIRO.name]


async def test_vendors_are_asked_where_somebody_wants_it(house: House) -> None:
    await house.start("6.9.2")
    await house.set({CODEX: {"used": 33, "week": 44}, CLAUDE: {"used": 55}})
    await house.look()
    assert house.quota(CODEX).usage_percentage is None
    house.probes.configure(load_probes(vendor=True))
    await house.look()
    assert [house.quota(name).usage_percentage for name in (CODEX, CLAUDE)] == [44, 55]
    assert house.quota(CODEX).source == "vendor"


async def test_what_the_upstream_leaves_alone_for_its_quota_is_exhausted_on_builds_that_show_no_headers(
    house: House,
) -> None:
    await house.start("6.9.2")
    await house.set({CODEX: {"cooldown": "30m"}})
    await house.look()
    assert house.firing("CredentialQuotaExhausted") == [CODEX]
    await house.set({})
    await house.look()
    assert house.firing("CredentialQuotaExhausted") == [CODEX]
    await house.look(2)
    assert house.firing("CredentialQuotaExhausted") == []


async def test_what_is_left_alone_for_nothing_is_known_to_be_free(house: House) -> None:
    await house.start("6.9.2")
    house.probes.configure(load_probes(vendor=True))
    await house.set({CODEX: {"used": 100, "cooldown": "3h"}})
    await house.look()
    assert house.quota(CODEX).quota_exhausted is True
    await house.set({CODEX: {"used": 4, "cooldown": "3h"}})
    await house.look(2)
    one = house.quota(CODEX)
    assert (one.quota_exhausted, one.usage_percentage, one.refresh_state) == (False, 4, "error")


def load_probes(**options: Any) -> AlertsConfig:
    return AlertsConfig(probes={"quota": scan().probes["quota"](**options)})
