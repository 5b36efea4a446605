"""Story: a fire drill on a running installation: every step is seen, and nobody's figures know of it."""

import asyncio
import json
import subprocess
import sys

from tests.stories.house import House, open_house

QUICK = "version: 1\nextends: runbook\nroute: {group_wait: 0s, group_interval: 1s}\n"
SECONDS = 60.0


async def drill(house: House) -> tuple[int, str]:
    """Its exit code, and what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "daemon", "drill", "--json"),
        env=house.rig.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    return process.returncode or 0, said.decode()


async def test_every_step_is_seen_and_nothing_of_it_enters_a_figure() -> None:
    async with open_house(alerts=QUICK) as house:
        await house.start("fake", "proxy", "control")
        code, said = await drill(house)
        assert code == 0, said
        report = json.loads(said)
        assert all(step["state"] == "seen" for step in report["drill"]["steps"]), said
        assert [message["title"] for message in house.sink.about("DRILL")]
        assert (await house.control.get("providers"))["providers"] == {}
        assert await house.control.events(source="client") == []
        assert [row["state"] for row in await house.control.mitigations(kind="model_alias")] == ["restored"]
        assert {one["method"] for one in (await house.fake.requests())["requests"]} == {"GET"}  # ours, to look
