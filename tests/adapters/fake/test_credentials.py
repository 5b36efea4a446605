"""Which credential of the fake upstream serves, and how its builds differ in what people can change of them."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from daemon.adapters.fake.credentials import CREDENTIALS, Credential, several
from tests.adapters.fake.conftest import Start

BASE, HEADERS = "/v0/management", {"x-management-key": "secret"}
A, B, C = (Credential(f"{name}{name}", f"codex-{name}.json", "codex", ("gpt-",)) for name in "abc")
ONE_OF_THREE = {"rules": [{"match": {"credential": "codex-b.json"}, "fault": "429"}]}
Begin = Callable[..., Awaitable["Upstream"]]


class Upstream:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def change(self, path: str, method: str = "PATCH", **body: Any) -> int:
        answer = await self.http.request(method, f"{BASE}/{path}", json=body, headers=HEADERS)
        return answer.status_code

    async def files(self) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = (await self.http.get(f"{BASE}/auth-files", headers=HEADERS)).json()["files"]
        return files

    async def ask(self, times: int = 6) -> Counter[tuple[str, int]]:
        """Who served, and how."""
        for _ in range(times):
            await self.http.post("/v1/chat/completions", json={"model": "gpt-5.4", "messages": []})
        told = (await self.http.get("/_fake/requests")).json()["requests"][-times:]
        return Counter((record["auth_index"], record["status"]) for record in told)


@pytest.fixture
def begin(start: Start) -> Begin:
    async def run(**facts: Any) -> Upstream:
        return Upstream(await start(**{"management_key": "secret", "credentials": (A, B, C)} | facts))

    return run


async def test_they_serve_in_turn(begin: Begin) -> None:
    assert await (await begin()).ask() == {("aa", 200): 2, ("bb", 200): 2, ("cc", 200): 2}


async def test_a_fault_may_be_one_credentials_own(begin: Begin) -> None:
    upstream = await begin()
    await upstream.http.put("/_fake/scenario", json=ONE_OF_THREE)
    assert await upstream.ask() == {("aa", 200): 2, ("bb", 429): 2, ("cc", 200): 2}


async def test_a_demoted_one_takes_nothing_while_another_can(begin: Begin) -> None:
    upstream = await begin()
    await upstream.change("auth-files/fields", name="codex-b.json", priority=-1)
    assert await upstream.ask() == {("aa", 200): 3, ("cc", 200): 3}
    await upstream.change("auth-files/status", name="codex-a.json", disabled=True)
    await upstream.change("auth-files/status", name="codex-c.json", disabled=True)
    assert await upstream.ask() == {("bb", 200): 6}


async def test_the_default_priority_takes_the_field_out_again(begin: Begin) -> None:
    upstream = await begin()
    await upstream.change("auth-files/fields", name="codex-b.json", priority=-1)
    assert [file.get("priority") for file in await upstream.files()] == [None, -1, None]
    await upstream.change("auth-files/fields", name="codex-b.json", priority=0)
    assert not any("priority" in file for file in await upstream.files())
    assert await upstream.change("auth-files/fields", name="codex-b.json", priority="high") == 400


async def test_a_disabled_one_takes_nothing_until_it_is_enabled(begin: Begin) -> None:
    upstream = await begin()
    await upstream.change("auth-files/status", name="codex-b.json", disabled=True)
    assert await upstream.ask() == {("aa", 200): 3, ("cc", 200): 3}
    await upstream.change("auth-files/status", name="codex-b.json", disabled=False)
    assert ("bb", 200) in await upstream.ask()


async def test_a_cooldown_ends_with_a_reset(begin: Begin) -> None:
    upstream = await begin(credentials=(A,))
    await upstream.http.put("/_fake/scenario", json={"rules": [{"fault": "429_cooldown"}]})
    assert await upstream.ask(1) == {("aa", 429): 1}
    assert await upstream.change("reset-quota", "POST", auth_index="aa") == 200
    assert await upstream.ask(1) == {("aa", 200): 1}


@pytest.mark.parametrize(
    ("version", "patch", "reset", "shows_priority", "queue"),
    [
        ("7.2.142", 200, 200, True, 400),
        ("6.9.2", 200, 404, True, 404),
        ("6.8.38", 200, 404, False, 404),
        ("6.6.9", 404, 404, False, 404),
    ],
)
async def test_builds_differ(
    begin: Begin, version: str, patch: int, reset: int, shows_priority: bool, queue: int
) -> None:
    upstream = await begin(version=version)
    assert await upstream.change("auth-files/status", name="codex-c.json", disabled=True) == patch
    assert await upstream.change("auth-files/fields", name="codex-b.json", priority=-1) == patch
    assert await upstream.change("reset-quota", "POST", auth_index="aa") == reset
    assert any("priority" in file for file in await upstream.files()) is shows_priority
    assert await upstream.ask() == ({("aa", 200): 6} if patch == 200 else {(at, 200): 2 for at in ("aa", "bb", "cc")})
    answer = await upstream.http.get(f"{BASE}/usage-queue?count=0", headers=HEADERS)
    assert (answer.status_code, answer.headers.get("x-cpa-version", version)) == (queue, version)


def test_several_of_each_provider_have_names_and_indices_of_their_own() -> None:
    assert several(1) == CREDENTIALS
    codex = [one for one in several(3) if one.provider == "codex"]
    assert [one.name for one in codex] == [f"codex-{letter}@example.org.json" for letter in "abc"]
    assert len({one.auth_index for one in several(3)}) == len(several(3)) == 3 * 5 + 1
