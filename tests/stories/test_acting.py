"""Story: a storm, what is done against it at the upstream, a person who takes one thing back, and the recovery.

Real processes, and a fake upstream over HTTP with three credentials of each provider, of which one is rate limited.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from daemon.app.rig import MANAGEMENT_KEY
from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

B = "codex-b@example.org.json"
PROJECT, PREVIEW = "quota-exceeded/switch-project", "quota-exceeded/switch-preview-model"
TAKEN_BACK = "upstream:quota-exceeded.switch-project"
GIVEN_BACK = ("upstream:quota-exceeded.switch-preview-model", f"credential_priority:{B}")
TARGETS = (TAKEN_BACK, *GIVEN_BACK)
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
    levels: {critical: {for: 0s, mitigate: [next-credential, switches]}}
  - {alert: RateLimitBurst, enabled: false}
mitigations:
  next-credential: {hold: 0s, cool_off: 0s, verify: none}
  switches:
    kind: upstream_toggle
    set: {quota-exceeded.switch-project: true, quota-exceeded.switch-preview-model: true}
    even_if_inert: true
    hold: 0s
    cool_off: 0s
"""
STORM = {"rules": [{"match": {"credential": B}, "fault": "429"}]}
WITHIN = 45.0


@asynccontextmanager
async def a_running_house() -> AsyncIterator[House]:
    async with open_house(alerts=ALERTS) as house:
        house.rig.launch("fake", "--credentials", "3")
        await house.rig.ready("fake")
        await house.start("proxy", "control")
        yield house


async def states(house: House) -> dict[str, str]:
    """Of the newest row of each target."""
    rows = await house.control.mitigations()
    return {row["target"]: row["state"] for row in sorted(rows, key=lambda row: row["planned_at"])}


async def priority(house: House) -> int:
    headers = {"x-management-key": MANAGEMENT_KEY}
    answer = await house.http.get(f"{house.rig.fake_url}/v0/management/auth-files", headers=headers)
    return next(int(file.get("priority", 0)) for file in answer.json()["files"] if file["name"] == B)


async def writes(house: House) -> list[str]:
    """The places that were written to, by us or by others, in order."""
    told = (await house.fake.requests(limit=20_000))["requests"]
    written = (one["path"] for one in told if one["method"] != "GET" and one["path"].startswith("/v0/"))
    return [path.removeprefix("/v0/management/") for path in written]


async def steps(house: House, target: str) -> list[str]:
    """What the audit says was done, the oldest first."""
    entries = (await house.control.get("audit", subject=target))["audit"]
    done = [one for one in entries if one["subject"] == target and one["action"] != "noted"]
    return [one["action"] for one in sorted(done, key=lambda one: one["at"])]


async def test_what_was_done_against_a_storm_is_given_back_but_for_what_a_person_took_back() -> None:
    async with a_running_house() as house:
        await house.fake.play(STORM)
        assert (await house.send(90, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 60, "429": 30}
        await eventually(lambda: all_are(house, "applied"), within=WITHIN)
        assert [await house.fake.setting(path) for path in (PROJECT, PREVIEW)] == [True, True]
        assert await priority(house) == -1
        assert (await house.send(60, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 60}, "the other two serve"

        await house.fake.set(PROJECT, False)
        await house.fake.play("healthy")
        traffic = asyncio.ensure_future(house.send(2000, Wire.OPENAI_CHAT, "gpt-5.4", pause=0.05))
        try:
            await eventually(lambda: all_are(house, "restored", but=TAKEN_BACK), within=WITHIN)
        finally:
            traffic.cancel()
            await asyncio.wait((traffic,))

        assert (await states(house))[TAKEN_BACK] == "abandoned"
        assert [await house.fake.setting(path) for path in (PROJECT, PREVIEW)] == [False, False]
        assert await priority(house) == 0
        done = await writes(house)
        assert done.count(PROJECT) == 2, "ours, and the person's"
        assert (done.count(PREVIEW), done.count("auth-files/fields"), len(done)) == (2, 2, 6)
        await everything_is_told(house)


async def all_are(house: House, state: str, but: str = "") -> bool:
    found = await states(house)
    return all(found.get(target) == state for target in TARGETS if target != but)


async def everything_is_told(house: House) -> None:
    for target in GIVEN_BACK:
        assert await steps(house, target) == ["planned", "writing", "applied", "restoring", "restored"]
    assert await steps(house, TAKEN_BACK) == ["planned", "writing", "applied", "abandoned"]
    rows: dict[str, Any] = {row["target"]: row for row in await house.control.mitigations()}
    assert "somebody else changed it" in rows[TAKEN_BACK]["outcome"]
    for name, word in (("next-credential", "applied"), ("switches", "applied"), ("next-credential", "undone")):
        await eventually(lambda name=name, word=word: house.sink.about(f"{name}: {word}"))
    await eventually(lambda: [one for one in house.sink.about(TAKEN_BACK) if "somebody else" in one["message"]])
