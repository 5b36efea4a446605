"""Asking for the past: every source that there is, a reason for every other, and one strike."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.past import ask
from daemon.domain.errors import ManagementFailure, Misuse
from daemon.domain.mitigation import Call
from tests.adapters.management.conftest import KEY, Start
from tests.fakes.clock import FakeClock

Connect = Callable[..., ManagementClient]


class Watching:
    """Reads through another one, and remembers what was asked for."""

    def __init__(self, management: ManagementClient) -> None:
        self._management = management
        self.asked: list[str] = []

    async def read(self, path: str) -> Any:
        self.asked.append(path.partition("?")[0])
        return await self._management.read(path)


@pytest.fixture
async def connect(clock: FakeClock) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def make(url: str, key: str = KEY) -> ManagementClient:
            client = ManagementClient(url, key, clock)
            stack.push_async_callback(client.close)
            return client

        yield make


async def test_what_is_not_there_is_said_and_the_rest_is_read(start: Start, connect: Connect, clock: FakeClock) -> None:
    client = connect(await start())
    replies = await ask(client, clock.now())
    assert replies.auth_files["files"]
    assert (replies.usage, replies.logs, replies.api_keys) == (None, None, None)
    assert replies.missing == (
        "usage statistics: this upstream does not serve it",
        "request log: the upstream writes none; `logging-to-file: true` in its config.yaml makes it",
    )
    await client.send(Call(method="PUT", path="logging-to-file", body={"value": True}))
    assert "lines" in (await ask(client, clock.now())).logs


async def test_an_older_upstream_tells_statistics(start: Start, connect: Connect, clock: FakeClock) -> None:
    replies = await ask(connect(await start(legacy=True)), clock.now())
    assert replies.usage["failed_requests"] == 0


async def test_nothing_is_asked_that_takes_something_away(start: Start, connect: Connect, clock: FakeClock) -> None:
    watching = Watching(connect(await start()))
    await ask(watching, clock.now())
    assert watching.asked == ["auth-files", "api-key-usage", "usage", "logs"]


async def test_a_refused_key_is_shown_once_and_never_again(start: Start, connect: Connect, clock: FakeClock) -> None:
    watching = Watching(connect(await start(), "wrong"))
    with pytest.raises(ManagementFailure) as caught:
        await ask(watching, clock.now())
    assert caught.value.barred
    assert watching.asked == ["auth-files"]


async def test_an_upstream_without_a_management_api(start: Start, connect: Connect, clock: FakeClock) -> None:
    with pytest.raises(Misuse, match="remote-management"):
        await ask(connect(await start(management_key=None)), clock.now())


async def test_silence_is_not_an_answer(connect: Connect, clock: FakeClock) -> None:
    with pytest.raises(ManagementFailure) as caught:
        await ask(connect("http://127.0.0.1:1"), clock.now())
    assert caught.value.status is None
