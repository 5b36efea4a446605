"""Each build that the fake upstream plays serves what the real one serves, and is taken for what it is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.flavours import BUILDS
from daemon.adapters.fake.playback import serving
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.probes import HttpProbes
from daemon.app.serving import listen
from daemon.domain.capabilities import Capabilities
from daemon.domain.decision import Decision
from daemon.engine.capabilities import Prober
from daemon.engine.inventory import Inventory
from daemon.logic.attribution import Attribution
from daemon.logic.capabilities import flavour_of
from tests.fakes.clock import FakeClock

KEY = "management-key"
YES, NO = 200, 404
COLUMNS = ("mainline", "PP-HEAD", "PP-38", "PLUS-692", "PLUS-669", "openai", "anthropic", "gemini")
SERVED = {
    "/": (YES, YES, YES, YES, YES, NO, NO, NO),
    "/health": (NO, NO, NO, NO, NO, NO, NO, NO),
    "/healthz": (YES, YES, NO, NO, NO, NO, NO, NO),
    "/v1/models": (YES, YES, YES, YES, YES, YES, 400, NO),
    "/v1beta/models": (YES, YES, YES, YES, YES, NO, NO, YES),
    "/v1/metrics/providers": (NO, NO, YES, NO, NO, NO, NO, NO),
    "/v0/management/auth-files": (YES, YES, YES, YES, YES, NO, NO, NO),
    "/v0/management/oauth-excluded-models": (YES, YES, YES, YES, YES, NO, NO, NO),
    "/v0/management/oauth-model-alias": (YES, YES, YES, YES, NO, NO, NO, NO),
    "/v0/management/routing/strategy": (YES, YES, YES, YES, NO, NO, NO, NO),
    "/v0/management/usage-queue?count=0": (400, 400, NO, NO, NO, NO, NO, NO),
    "/v0/management/usage": (NO, NO, YES, YES, YES, NO, NO, NO),
    "/v0/management/ampcode": (NO, NO, YES, YES, YES, NO, NO, NO),
    "/v0/management/kiro-quota": (NO, NO, 400, NO, NO, NO, NO, NO),
    "/v0/management/logs": (400, 400, 400, 400, 400, NO, NO, NO),
}
"""By path, in the order of the columns."""
CALLED = {
    "mainline": "CLIProxyAPI 7.2.142",
    "PP-HEAD": "CLIProxyAPI 7.2.0-pp",
    "PP-38": "CLIProxyAPI 6.8.38 (older half of the management API)",
    "PLUS-692": "CLIProxyAPI 6.9.2 (older half of the management API)",
    "PLUS-669": "CLIProxyAPI 6.6.9 (older half of the management API)",
    "openai": "OpenAI-compatible",
    "anthropic": "Anthropic-compatible",
    "gemini": "Gemini-compatible",
}

Start = Callable[[str], Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def run(build: str) -> str:
            upstream = FakeUpstream(clock=FakeClock(), management_key=KEY, version=build)
            return await stack.enter_async_context(serving(upstream, listen("127.0.0.1", 0, setting="port")))

        yield run


def test_every_build_has_its_column() -> None:
    assert set(COLUMNS) == set(BUILDS) == set(CALLED)


@pytest.mark.parametrize("build", COLUMNS)
async def test_it_serves_what_the_tables_say(start: Start, build: str) -> None:
    headers = {"x-management-key": KEY}
    async with httpx.AsyncClient(base_url=await start(build), headers=headers, trust_env=False) as client:
        found = {path: (await client.get(path)).status_code for path in SERVED}
    assert found == {path: statuses[COLUMNS.index(build)] for path, statuses in SERVED.items()}


@pytest.mark.parametrize("build", COLUMNS)
async def test_a_path_that_is_not_there_has_an_empty_answer(start: Start, build: str) -> None:
    async with httpx.AsyncClient(base_url=await start(build), trust_env=False) as client:
        answer = await client.get("/health")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(("build", "says"), [("mainline", True), ("PP-HEAD", False), ("PLUS-692", False)])
async def test_only_some_say_the_credential(start: Start, build: str, says: bool) -> None:
    async with httpx.AsyncClient(base_url=await start(build), trust_env=False) as client:
        answer = await client.post("/v1/chat/completions", json={"model": "gpt-5.4", "messages": []})
    assert ("x-cpa-trace-id" in answer.headers) is says


@pytest.mark.parametrize("build", COLUMNS)
async def test_it_is_taken_for_what_it_is(start: Start, build: str) -> None:
    assert flavour_of(await learned(await start(build))) == CALLED[build]


async def learned(url: str) -> Capabilities:
    """What a look with all keys finds out."""
    clock = FakeClock()
    management = ManagementClient(url, KEY, clock)
    probes = HttpProbes(url, url, "any", "canary", clock, management)
    inventory = Inventory(
        probes=probes,
        management=management,
        attribution=Attribution(),
        served=lambda models: None,
        prober=Prober(clock=clock, commit=_committed, probes=probes),
        clock=clock,
    )
    await inventory.refresh()
    await management.close()
    await probes.close()
    return inventory.capabilities


async def _committed(decision: Decision) -> None:
    """Anything goes."""
