"""The management client against the fake upstream: values, fingerprints, and the one strike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from daemon.adapters.management.client import ManagementClient
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Call
from daemon.domain.probe import Ask, Door
from tests.adapters.management.conftest import KEY, Start
from tests.fakes.clock import FakeClock

PROJECT = "quota-exceeded/switch-project"
Connect = Callable[..., ManagementClient]


def put(path: str, value: Any) -> Call:
    return Call(method="PUT", path=path, body={"value": value})


@pytest.fixture
async def connect(clock: FakeClock) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def make(url: str, key: str = KEY) -> ManagementClient:
            client = ManagementClient(url, key, clock)
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture
async def client(start: Start, connect: Connect) -> ManagementClient:
    return connect(await start())


async def test_a_setting_is_read_and_written(client: ManagementClient) -> None:
    assert await client.read(PROJECT) == {"switch-project": False}
    await client.send(put(PROJECT, True))
    assert await client.read(PROJECT) == {"switch-project": True}


async def test_fingerprints_tell_which_key_changed_and_nothing_else(client: ManagementClient) -> None:
    before = await client.config_fingerprints()
    await client.send(put(PROJECT, True))
    after = await client.config_fingerprints()
    assert {key for key in before if before[key] != after[key]} == {"quota-exceeded"}
    assert "api-keys" in before
    assert not any("client-key" in text for text in before.values())


async def test_fingerprints_cannot_be_compared_without_the_key(start: Start, connect: Connect) -> None:
    one, other = connect(await start()), connect(await start(management_key="another"), "another")
    assert (await one.config_fingerprints())["debug"] != (await other.config_fingerprints())["debug"]


CODEX = "codex-a@example.org.json"


async def codex(client: ManagementClient) -> CredentialFile:
    return next(one for one in await client.credential_files() if one.name == CODEX)


async def test_the_credentials(client: ManagementClient) -> None:
    assert await codex(client) == CredentialFile(
        auth_index="c0de00000000c0de",
        name=CODEX,
        provider_key="codex",
        disabled=False,
        unavailable=False,
        status="active",
        runtime_only=False,
        plan_type="plus",
        served=0,
    )


async def test_what_was_changed_of_a_credential_is_read_back(client: ManagementClient) -> None:
    await client.send(Call(method="PATCH", path="auth-files/fields", body={"name": CODEX, "priority": -1}))
    await client.send(Call(method="PATCH", path="auth-files/status", body={"name": CODEX, "disabled": True}))
    found = await codex(client)
    assert (found.priority, found.disabled, found.status, found.is_healthy) == (-1, True, "disabled", False)
    await client.send(Call(method="PATCH", path="auth-files/fields", body={"name": CODEX, "priority": 0}))
    assert (await codex(client)).priority is None


async def test_what_an_upstream_tells_in_another_way_is_not_told(start: Start, connect: Connect) -> None:
    odd = {"auth_index": "a1", "name": "a", "provider": "codex", "disabled": "no", "priority": True, "status": 1}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"files": [odd]})(scope, receive, send)

    (found,) = await connect(await start(app=answer)).credential_files()
    assert found == CredentialFile(auth_index="a1", name="a", provider_key="codex")


@pytest.mark.parametrize("version", ["7.2.142", "6.8.38"])
async def test_every_answer_says_the_version(start: Start, connect: Connect, version: str) -> None:
    client = connect(await start(version=version))
    assert client.version is None
    await client.read("debug")
    assert client.version == version


async def test_the_first_refusal_ends_all_calls_for_half_an_hour(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    url = await start()
    client = connect(url, "wrong")
    with pytest.raises(ManagementFailure, match="401, invalid management key") as refusal:
        await client.read("debug")
    assert (refusal.value.barred, refusal.value.status) == (True, 401)
    for call in (client.read("debug"), client.send(put("debug", True)), client.config_fingerprints()):
        with pytest.raises(ManagementFailure) as barred:
            await call
        assert barred.value.barred
    assert await asked(url) == 1
    clock.advance(1801)
    with pytest.raises(ManagementFailure):
        await client.read("debug")
    assert await asked(url) == 2


async def asked(url: str) -> int:
    """How many requests the upstream saw."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        return int((await http.get("/_fake/requests")).json()["total"])


async def test_the_key_is_in_no_message(start: Start, connect: Connect) -> None:
    with pytest.raises(ManagementFailure) as refusal:
        await connect(await start(), "s3cret-and-wrong").read("debug")
    assert "s3cret" not in str(refusal.value)


async def test_what_is_not_there_is_not_a_strike(client: ManagementClient) -> None:
    with pytest.raises(ManagementFailure) as absent:
        await client.read("no-such-setting")
    assert (absent.value.status, absent.value.barred) == (404, False)
    assert await client.read("debug") == {"debug": False}


async def test_what_the_upstream_refuses_carries_its_words(client: ManagementClient) -> None:
    with pytest.raises(ManagementFailure, match="400, invalid body"):
        await client.send(put("debug", "yes"))


async def test_an_upstream_that_is_away_is_no_strike_either(connect: Connect) -> None:
    with pytest.raises(ManagementFailure, match="no answer") as away:
        await connect("http://127.0.0.1:9").read("debug")
    assert (away.value.status, away.value.barred) == (None, False)


async def test_a_probe_waits_for_an_answer_as_long_as_it_wants_to(start: Start, connect: Connect) -> None:
    async def never_answers(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue

    client = connect(await start(app=never_answers))
    async with asyncio.timeout(2):
        reply = await client.ask(Ask(door=Door.MANAGEMENT, path="kiro-quota", patience_seconds=0.05))
    assert (reply.status, "ReadTimeout" in reply.error) == (None, True)
