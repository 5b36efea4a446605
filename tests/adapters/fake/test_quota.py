"""Quotas of the fake upstream: told as each build tells them, traps included."""

import json
from typing import Any

import httpx
import pytest

from daemon.adapters.fake.credentials import CREDENTIALS, KIRO
from daemon.adapters.fake.quota import OAUTH_USAGE, WHAM
from tests.adapters.fake.conftest import Start
from tests.fakes.clock import FakeClock

KEY = "management-key"
CODEX, CLAUDE, *_ = CREDENTIALS
QUOTA = {
    "codex-*": {"used": 81, "models": {"gpt-5.3-codex-spark": 100}},
    "claude-*": {"week": 100},
    "kiro-*": {"used": 50},
}


async def a_client(start: Start, version: str = "7.2.142", quota: Any = QUOTA) -> httpx.AsyncClient:
    client = await start(management_key=KEY, version=version, credentials=(KIRO, *CREDENTIALS))
    assert (await client.put("/_fake/quota", json=quota)).status_code == 200
    client.headers["authorization"] = f"Bearer {KEY}"
    client.base_url = httpx.URL(f"{client.base_url}/v0/management/")
    return client


async def files(client: httpx.AsyncClient) -> dict[str, Any]:
    return {file["name"]: file for file in (await client.get("auth-files")).json()["files"]}


async def test_the_newest_build_shows_the_headers_of_vendors(start: Start) -> None:
    found = await files(await a_client(start))
    codex, claude = found[CODEX.name], found[CLAUDE.name]
    assert codex["quota"]["signals"]["X-Codex-Primary-Used-Percent"] == "81"
    assert codex["model_quotas"]["gpt-5.3-codex-spark"]["signals"]["X-Codex-Primary-Used-Percent"] == "100"
    assert claude["quota"]["signals"]["Anthropic-Ratelimit-Unified-7d-Status"] == "rejected"
    assert "model_quotas" not in claude
    assert "quota" not in found["gemini-a@example.org.json"]


async def test_they_are_as_old_as_the_last_answer(start: Start, clock: FakeClock) -> None:
    client = await a_client(start)
    before = (await files(client))[CODEX.name]["quota"]["observed_at"]
    clock.advance(600)
    assert (await files(client))[CODEX.name]["quota"]["observed_at"] == before
    url = client.base_url.copy_with(path="/v1/chat/completions")
    await client.post(url, json={"model": "gpt-5.5", "messages": []})
    assert (await files(client))[CODEX.name]["quota"]["observed_at"] > before


async def test_older_builds_show_none(start: Start) -> None:
    assert "quota" not in (await files(await a_client(start, "6.9.2")))[CODEX.name]


@pytest.mark.parametrize(("version", "shows_retry"), [("7.2.142", True), ("6.8.38", False)])
async def test_one_that_has_to_wait_is_listed_so_until_it_has(
    start: Start, clock: FakeClock, version: str, shows_retry: bool
) -> None:
    client = await a_client(start, version, {"codex-*": {"cooldown": "10m"}})
    file = (await files(client))[CODEX.name]
    assert (file["unavailable"], file["status_message"]) == (True, "quota exhausted")
    assert ("next_retry_after" in file) is shows_retry
    clock.advance(601)
    assert (await files(client))[CODEX.name]["unavailable"] is False


@pytest.mark.parametrize(("version", "is_there"), [("7.2.142", False), ("6.9.2", False), ("6.8.38", True)])
async def test_the_endpoint_for_kiro_is_there_on_one_build(start: Start, version: str, is_there: bool) -> None:
    client = await a_client(start, version)
    assert ((await client.get("kiro-quota")).status_code == 200) is is_there


async def test_an_index_that_it_does_not_know_is_answered_with_the_first(start: Start) -> None:
    client = await a_client(start, "6.8.38")
    for asked in (KIRO.auth_index, "nobody"):
        said = (await client.get("kiro-quota", params={"auth_index": asked})).json()
        assert (said["auth_index"], said["usage_percentage"]) == (KIRO.auth_index, 50)


async def test_what_it_does_not_know_reads_as_used_up(start: Start) -> None:
    client = await a_client(start, "6.8.38", {"kiro-*": {"is_unknown": True}})
    said = (await client.get("kiro-quota")).json()
    assert (said["quota_exhausted"], said["usage"]["usageBreakdownList"]) == (True, [])


@pytest.mark.parametrize(
    ("body", "status", "vendor_status"),
    [
        ({"auth_index": CODEX.auth_index, "url": WHAM}, 200, 200),
        ({"auth_index": CLAUDE.auth_index, "url": OAUTH_USAGE}, 200, 200),
        ({"auth_index": CODEX.auth_index, "url": "https://api.kimi.com/coding/v1/usages"}, 200, 404),
        ({"auth_index": CODEX.auth_index, "url": WHAM, "header": {}}, 200, 401),
        ({"auth_index": "nobody", "url": WHAM}, 400, None),
        ({"auth_index": CODEX.auth_index}, 400, None),
    ],
)
async def test_vendors_answer_with_a_credential(
    start: Start, body: dict[str, Any], status: int, vendor_status: int | None
) -> None:
    client = await a_client(start)
    usual = {"method": "GET", "header": {"Authorization": "Bearer $TOKEN$"}}
    response = await client.post("api-call", json=usual | body)
    assert (response.status_code, response.json().get("status_code")) == (status, vendor_status)


async def test_what_a_vendor_says_is_what_was_set(start: Start) -> None:
    client = await a_client(start)
    call = {"method": "GET", "header": {"Authorization": "Bearer $TOKEN$"}, "auth_index": CODEX.auth_index, "url": WHAM}
    said = json.loads((await client.post("api-call", json=call)).json()["body"])
    assert said["rate_limit"]["primary_window"]["used_percent"] == 81


async def test_the_oldest_build_asks_no_vendor(start: Start) -> None:
    client = await a_client(start, "6.6.9")
    assert (await client.post("api-call", json={})).status_code == 404


async def test_what_is_no_quota_is_refused_and_a_reset_forgets_all(start: Start) -> None:
    client = await start()
    assert (await client.put("/_fake/quota", json={"*": {"used": 101}})).status_code == 422
    await client.put("/_fake/quota", json={"*": {"used": 100}})
    assert (await client.get("/_fake/quota")).json() == {"*": {"used": 100.0}}
    await client.post("/_fake/reset")
    assert (await client.get("/_fake/quota")).json() == {}
