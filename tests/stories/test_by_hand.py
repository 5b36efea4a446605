"""Story: what operators type by hand at the upstream gives the same through the proxy, or says why it may not."""

import json
from typing import Any

import pytest

from daemon.app.rig import MANAGEMENT_KEY
from tests.stories.house import House, eventually, open_house

HELD = {"Authorization": f"Bearer {MANAGEMENT_KEY}"}
MANAGEMENT = ("kiro-quota", "auth-files", "kiro-quota?auth_index=c0de00000000c0de", "config")
PING = {"model": "gpt-5.1-codex", "input": [{"role": "user", "content": "ping"}]}
FIGURES = {"request_count", "success_count", "failure_count", "success_rate", "total_tokens"}
FIGURES |= {"latency_p50_ms", "latency_p95_ms", "error_ratio", "rate_limited_ratio"}


async def usage_of(house: House, *, stream: bool) -> Any:
    answer = await house.raw("POST", "/v1/responses", json={**PING, "stream": stream})
    if not stream:
        return answer.json()["usage"]
    datas = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return json.loads(datas[-1])["response"]["usage"]


async def test_every_look_of_the_daily_check_works_at_our_port() -> None:
    async with open_house() as house:
        await house.start("fake", "proxy", "control")
        health = await house.http.get(f"{house.rig.proxy_url}/health")
        assert (health.status_code, health.json()["upstream"]["reachable"]) == (200, True)
        models = [one["id"] for one in (await house.raw("GET", "/v1/models")).json()["data"]]
        assert {"gpt-5.3-codex", "gpt-5.3-codex-spark"} <= set(models)
        whole, streamed = await usage_of(house, stream=False), await usage_of(house, stream=True)
        assert whole["input_tokens"] == streamed["input_tokens"] > 0

        async def figures() -> Any:
            found = (await house.http.get(f"{house.rig.proxy_url}/v1/metrics/providers")).json()
            return found if found.get("codex", {}).get("request_count") == 2 else None

        (codex,) = (await eventually(figures)).values()
        assert codex.keys() >= FIGURES
        assert (codex["success_count"], codex["success_rate"], codex["total_tokens"] > 0) == (2, 1.0, True)


@pytest.mark.parametrize("allowed", [False, True])
async def test_management_is_refused_with_the_setting_that_allows_it(allowed: bool) -> None:
    async with open_house(PROXY_ALLOW_MANAGEMENT=str(allowed).lower()) as house:
        await house.start("fake", "proxy")
        for path in MANAGEMENT:
            there = await house.http.get(f"{house.rig.fake_url}/v0/management/{path}", headers=HELD)
            answer = await house.raw("GET", f"/v0/management/{path}", headers=HELD)
            if allowed:
                assert (answer.status_code, answer.content) == (there.status_code, there.content)
            else:
                assert answer.status_code == 403
                assert "RUNBOOKD_PROXY_ALLOW_MANAGEMENT" in answer.json()["error"]["message"]
