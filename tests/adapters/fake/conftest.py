"""A fake upstream on a real socket, and a plain client for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.playback import serving
from daemon.app.serving import listen
from tests.fakes.clock import FakeClock

Start = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def start(clock: FakeClock) -> AsyncIterator[Start]:
    """`await start(api_keys=…, scenario=…)` gives a client of a new fake upstream."""
    async with AsyncExitStack() as stack:

        async def run(**options: Any) -> httpx.AsyncClient:
            upstream = FakeUpstream(clock=clock, **options)
            address = await stack.enter_async_context(serving(upstream, listen("127.0.0.1", 0, setting="port")))
            return await stack.enter_async_context(httpx.AsyncClient(base_url=address, trust_env=False))

        yield run
