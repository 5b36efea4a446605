"""One of three credentials is rate limited: it is used last, the others serve, and it comes back; over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from daemon.app.rig import MANAGEMENT_KEY
from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

B = "codex-b@example.org.json"
ALERTS = """\
version: 1
extends: runbook
route: {group_wait: 0s, group_interval: 1s}
rules:
  - alert: ProviderRateLimited
    window: 20s
    stretch_to: 20s
    keep_firing_for: 2s
    in_a_row: none
    levels: {critical: {for: 0s, mitigate: [next-credential]}}
  - {alert: RateLimitBurst, enabled: false}
mitigations:
  next-credential: {hold: 0s, cool_off: 0s, verify: none}
"""
B_IS_LIMITED = {"rules": [{"match": {"credential": B}, "fault": "429"}]}


@asynccontextmanager
async def a_running_house(*of_fake: str) -> AsyncIterator[House]:
    async with open_house(alerts=ALERTS) as house:
        house.rig.launch("fake", "--credentials", "3", *of_fake)
        house.rig.launch("proxy")
        await house.rig.ready("fake")
        house.rig.launch("control")
        for name in ("proxy", "control"):
            await house.rig.ready(name)
        yield house


async def priorities(house: House) -> dict[str, Any]:
    answer = await house.http.get(
        f"{house.rig.fake_url}/v0/management/auth-files", headers={"x-management-key": MANAGEMENT_KEY}
    )
    files = [file for file in answer.json()["files"] if file["provider"] == "codex"]
    return {file["name"]: file.get("priority") for file in files if "priority" in file}


async def writes(house: House) -> list[str]:
    """What we asked to have changed at the upstream."""
    told = (await house.fake.requests(limit=20_000))["requests"]
    return [one["path"] for one in told if one["method"] != "GET" and one["path"].startswith("/v0/")]


async def test_the_one_that_fails_is_used_last_until_it_is_well_again() -> None:
    async with a_running_house() as house:
        await house.fake.play(B_IS_LIMITED)
        crowd = await house.send(90, Wire.OPENAI_CHAT, "gpt-5.4")
        assert crowd.count == {"ok": 60, "429": 30}
        [row] = await eventually(lambda: house.control.mitigations(kind="credential_priority", state="applied"))
        assert (row["target"], row["value_before"], row["value_wanted"]) == (f"credential_priority:{B}", 0, -1)
        assert await priorities(house) == {B: -1}
        assert (await house.send(60, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 60}

        await house.fake.play("healthy")
        traffic = asyncio.ensure_future(house.send(1000, Wire.OPENAI_CHAT, "gpt-5.4", pause=0.1))
        await eventually(lambda: house.control.mitigations(kind="credential_priority", state="restored"), within=45)
        traffic.cancel()
        await asyncio.wait((traffic,))
        assert await priorities(house) == {}
        assert await writes(house) == ["/v0/management/auth-files/fields"] * 2
        mark = (await house.fake.requests(limit=1))["total"]
        await house.send(9, Wire.OPENAI_CHAT, "gpt-5.4")
        served = (await house.fake.requests(model="gpt-5.4", after=mark))["requests"]
        assert len({one["auth_index"] for one in served}) == 3


async def test_a_build_that_would_not_show_it_is_not_written_to() -> None:
    async with a_running_house("--build", "6.8.38", "--trace") as house:
        status = await house.control.get("status")
        assert status["upstream"]["capabilities"]["not_shown"] == ["priority"]
        await house.fake.play(B_IS_LIMITED)
        await house.send(90, Wire.OPENAI_CHAT, "gpt-5.4")
        await eventually(lambda: house.control.alerts(alert="ProviderRateLimited", severity="critical"))
        said = await eventually(lambda: noted(house, f"credential_priority:{B}"))
        assert any("could not be read back" in text for text in said)
        assert await writes(house) == []


async def noted(house: House, subject: str) -> list[str]:
    entries = (await house.control.get("audit"))["audit"]
    return [entry["outcome"] for entry in entries if entry["subject"] == subject]
