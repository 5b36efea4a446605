"""The real application over its ASGI door, with a fake engine behind it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from daemon.adapters.config.packaged import packaged
from daemon.adapters.web.app import build
from tests.fakes.clock import FakeClock
from tests.fakes.operations import NOW, FakeOperations

TOKEN = "web-token-canary-0815"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def operations() -> FakeOperations:
    return FakeOperations()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
async def stranger(operations: FakeOperations, clock: FakeClock) -> AsyncIterator[httpx.AsyncClient]:
    """Without the token."""
    app = build(
        operations,
        token=TOKEN,
        version="0.1.0",
        allowed_hosts=["Runbook.example", "nas:8319"],
        clock=clock,
        runbook=packaged("docs/runbook.md"),
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8319") as client:
        yield client


@pytest.fixture
async def client(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """With the token."""
    stranger.headers.update(BEARER)
    return stranger
