"""The management API: keys and the ban, settings, credentials."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.adapters.fake.conftest import Start
from tests.fakes.clock import FakeClock

BASE = "/v0/management"
Call = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def upstream(start: Start) -> httpx.AsyncClient:
    return await start(management_key="secret", api_keys=["client-key"])


@pytest.fixture
def call(upstream: httpx.AsyncClient) -> Call:
    async def send(method: str, path: str, body: Any = None, key: str | None = "secret") -> httpx.Response:
        headers = {} if key is None else {"x-management-key": key}
        return await upstream.request(method, BASE + path, json=body, headers=headers)

    return send


async def test_either_header_carries_the_key(upstream: httpx.AsyncClient) -> None:
    for headers in ({"authorization": "Bearer secret"}, {"x-management-key": "secret"}):
        answer = await upstream.get(f"{BASE}/debug", headers=headers)
        assert answer.json() == {"debug": False}
        assert answer.headers["x-cpa-version"]


async def test_five_failures_ban_for_half_an_hour(call: Call, clock: FakeClock) -> None:
    assert (await call("GET", "/debug", key=None)).json() == {"error": "missing management key"}
    for _ in range(4):
        assert (await call("GET", "/debug", key="wrong")).json() == {"error": "invalid management key"}
    banned = await call("GET", "/debug")
    assert banned.status_code == 403
    assert banned.json()["error"].startswith("IP banned due to too many failed attempts. Try again in 30m0s")
    clock.advance(29 * 60)
    assert (await call("GET", "/debug")).status_code == 403
    clock.advance(61)
    assert (await call("GET", "/debug")).status_code == 200


async def test_a_success_clears_the_count(call: Call) -> None:
    for key in ("wrong",) * 4 + ("secret",) + ("wrong",) * 4:
        await call("GET", "/debug", key=key)
    assert (await call("GET", "/debug")).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["debug", "request-log", "ws-auth", "logging-to-file", "usage-statistics-enabled", "quota-exceeded/switch-project"],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_boolean_setting_is_written_and_read_back(call: Call, path: str, method: str) -> None:
    name = path.rpartition("/")[2]
    for value in (True, False):
        assert (await call(method, f"/{path}", {"value": value})).json() == {"status": "ok"}
        assert (await call("GET", f"/{path}")).json() == {name: value}
    assert (await call(method, f"/{path}", {"value": "yes"})).json() == {"error": "invalid body"}


async def test_the_config_shows_settings_and_keys(call: Call) -> None:
    await call("PUT", "/quota-exceeded/switch-project", {"value": True})
    config = (await call("GET", "/config")).json()
    assert config["quota-exceeded"] == {"switch-project": True, "switch-preview-model": False}
    assert config["api-keys"] == ["client-key"]


async def test_the_routing_strategy_has_short_names(call: Call) -> None:
    await call("PUT", "/routing/strategy", {"value": "ff"})
    assert (await call("GET", "/routing/strategy")).json() == {"strategy": "fill-first"}
    assert (await call("PUT", "/routing/strategy", {"value": "dice"})).json() == {"error": "invalid strategy"}


async def test_aliases_are_replaced_per_channel(call: Call) -> None:
    aliases = [{"name": "gpt-5.5", "alias": "gpt-5.3-codex-spark", "fork": True}]
    await call("PATCH", "/oauth-model-alias", {"channel": "codex", "aliases": aliases})
    assert (await call("GET", "/oauth-model-alias")).json() == {"oauth-model-alias": {"codex": aliases}}
    await call("PATCH", "/oauth-model-alias", {"provider": "codex", "aliases": []})
    assert (await call("GET", "/oauth-model-alias")).json() == {"oauth-model-alias": {}}


async def test_a_disabled_credential_serves_nothing(call: Call, upstream: httpx.AsyncClient) -> None:
    files = {file["provider"]: file for file in (await call("GET", "/auth-files")).json()["files"]}
    assert {"codex", "claude", "gemini"} <= set(files)
    name = files["codex"]["name"]
    ask, key = {"model": "gpt-5.4"}, {"authorization": "Bearer client-key"}
    assert (await call("PATCH", "/auth-files/status", {"name": name, "disabled": True})).json()["disabled"] is True
    refused = await upstream.post("/v1/chat/completions", json=ask, headers=key)
    assert (refused.status_code, "auth_unavailable" in refused.text) == (503, True)
    listed = (await upstream.get("/v1/models", headers=key)).json()["data"]
    assert not any(model["id"].startswith("gpt") for model in listed)
    await call("PATCH", "/auth-files/status", {"name": name, "disabled": False})
    assert (await upstream.post("/v1/chat/completions", json=ask, headers=key)).status_code == 200


async def test_fields_of_a_credential_are_changed_one_by_one(call: Call) -> None:
    (first, *_) = (await call("GET", "/auth-files")).json()["files"]
    await call("PATCH", "/auth-files/fields", {"name": first["name"], "priority": -1})
    assert (await call("GET", "/auth-files")).json()["files"][0]["priority"] == -1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("PATCH", "/auth-files/status", {}, 400, "name is required"),
        ("PATCH", "/auth-files/status", {"name": "x"}, 400, "disabled is required"),
        ("PATCH", "/auth-files/status", {"name": "x", "disabled": True}, 404, "auth file not found"),
        ("PATCH", "/auth-files/fields", {"name": "x"}, 404, "auth file not found"),
        ("POST", "/reset-quota", {"auth_index": "x"}, 404, "auth not found"),
    ],
)
async def test_what_is_not_there_is_refused(
    call: Call, method: str, path: str, body: Any, status: int, error: str
) -> None:
    answer = await call(method, path, body)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


async def test_quota_is_reset_per_credential(call: Call) -> None:
    (first, *_) = (await call("GET", "/auth-files")).json()["files"]
    answer = (await call("POST", "/reset-quota", {"auth_index": first["auth_index"]})).json()
    assert answer["status"] == "ok"
