"""The fake upstream's past: counts, statistics and log lines are of what it has really answered."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.adapters.fake.conftest import Start
from tests.fakes.clock import FakeClock

MINUTE = 60.0
HEADERS = {"x-management-key": "secret"}
Read = Callable[[str], Awaitable[Any]]


@pytest.fixture
def facts() -> dict[str, Any]:
    return {}


@pytest.fixture
async def upstream(start: Start, facts: dict[str, Any]) -> httpx.AsyncClient:
    return await start(management_key="secret", **facts)


@pytest.fixture
def read(upstream: httpx.AsyncClient) -> Read:
    async def get(path: str) -> Any:
        return (await upstream.get(f"/v0/management/{path}", headers=HEADERS)).json()

    return get


async def ask(upstream: httpx.AsyncClient, model: str = "gpt-5.4", fault: str | None = None) -> None:
    await upstream.put("/_fake/scenario", json={"rules": [{"fault": fault}] if fault else []})
    await upstream.post("/v1/chat/completions", json={"model": model, "messages": []})


async def counted(read: Read, provider: str = "codex") -> dict[str, Any]:
    files = (await read("auth-files"))["files"]
    return next(file for file in files if file["provider"] == provider)


async def test_each_credential_counts_its_own_in_ten_minutes(
    upstream: httpx.AsyncClient, read: Read, clock: FakeClock
) -> None:
    clock.instant = 1_795_514_400_000
    await ask(upstream)
    await ask(upstream, fault="500")
    clock.advance(11 * MINUTE)
    await ask(upstream, "claude-opus-4-6")
    codex, claude = await counted(read), await counted(read, "claude")
    assert (codex["success"], codex["failed"], claude["success"]) == (1, 1, 1)
    assert len(codex["recent_requests"]) == 20
    assert codex["recent_requests"][-2:] == [
        {"time": "10:00-10:10", "success": 1, "failed": 1},
        {"time": "10:10-10:20", "success": 0, "failed": 0},
    ]


async def test_what_reached_no_credential_is_none_of_its_counts(upstream: httpx.AsyncClient, read: Read) -> None:
    await ask(upstream, fault="429_cooldown")
    assert (await counted(read))["failed"] == 0


async def test_what_broke_inside_an_answer_counts_as_failed(upstream: httpx.AsyncClient, read: Read) -> None:
    await ask(upstream, fault="in_band_error")
    assert (await counted(read))["failed"] == 1


async def log(upstream: httpx.AsyncClient, read: Read, query: str = "") -> dict[str, Any]:
    await upstream.put("/v0/management/logging-to-file", json={"value": True}, headers=HEADERS)
    answer: dict[str, Any] = await read(f"logs{query}")
    return answer


async def test_without_a_file_there_is_no_log(read: Read) -> None:
    assert await read("logs") == {"error": "logging to file disabled"}


@pytest.mark.parametrize("facts", [{"zone_minutes": 480}])
async def test_the_log_tells_local_time_and_says_its_newest_instant(
    upstream: httpx.AsyncClient, read: Read, clock: FakeClock
) -> None:
    clock.instant = 1_795_514_400_000
    await ask(upstream, fault="429")
    told = await log(upstream, read)
    assert told["latest-timestamp"] == 1_795_514_400
    assert told["lines"][0] == (
        "[2026-11-24 18:00:00] [00000001] [warn ] [gin_logger.go:94] 429 |        0.000s |       127.0.0.1 | "
        'POST    "/v1/chat/completions"'
    )


async def test_a_log_may_be_asked_for_its_end_only(upstream: httpx.AsyncClient, read: Read, clock: FakeClock) -> None:
    for _ in range(3):
        await ask(upstream)
        clock.advance(1)
    assert (await log(upstream, read, "?limit=2"))["line-count"] == 2
    assert (await log(upstream, read, f"?after={clock.instant // 1000 - 2}"))["lines"][0].endswith('completions"')


@pytest.mark.parametrize("facts", [{"legacy": True}])
@pytest.mark.parametrize("fault", ["no_usage", "zero_usage", "500"])
async def test_missing_usage_is_counted_as_nothing(upstream: httpx.AsyncClient, read: Read, fault: str) -> None:
    await ask(upstream, fault=fault)
    (told,) = (await read("usage"))["usage"]["apis"]["client"]["models"]["gpt-5.4"]["details"]
    assert set(told["tokens"].values()) == {0}


@pytest.mark.parametrize("facts", [{"legacy": True}])
async def test_an_older_one_tells_statistics_instead_of_counts(upstream: httpx.AsyncClient, read: Read) -> None:
    await ask(upstream)
    await ask(upstream, fault="500")
    told = await read("usage")
    assert (told["usage"]["success_count"], told["failed_requests"]) == (1, 1)
    good, bad = told["usage"]["apis"]["client"]["models"]["gpt-5.4"]["details"]
    assert good["tokens"]["total_tokens"] > 0
    assert (bad["failed"], bad["auth_index"]) == (True, good["auth_index"])
    assert "recent_requests" not in await counted(read)


async def test_a_newer_one_tells_no_statistics(upstream: httpx.AsyncClient) -> None:
    assert (await upstream.get("/v0/management/usage", headers=HEADERS)).status_code == 404
