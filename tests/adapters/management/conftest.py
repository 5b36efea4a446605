"""A fake upstream on a real socket, and its address."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.types import ASGIApp

from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.playback import serving
from daemon.app.serving import listen
from tests.fakes.clock import FakeClock

Start = Callable[..., Awaitable[str]]
KEY, CLIENT_KEY = "management-key", "client-key"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def start(clock: FakeClock) -> AsyncIterator[Start]:
    """`await start(scenario=…)` gives the address of a new fake upstream; `app=…` serves that instead."""
    async with AsyncExitStack() as stack:

        async def run(app: ASGIApp | None = None, **options: Any) -> str:
            facts: dict[str, Any] = {"management_key": KEY, "api_keys": [CLIENT_KEY]}
            served = app or FakeUpstream(clock=clock, **facts | options)
            return await stack.enter_async_context(serving(served, listen("127.0.0.1", 0, setting="port")))

        yield run
