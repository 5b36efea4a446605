"""The morning: the doctor finds all well, then the upstream goes, and what was well is critical."""

import asyncio
import json
import subprocess
import sys
from typing import Any

from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

RULES = """\
version: 1
extends: runbook
fallbacks: {gpt-5.4: [gpt-5.5]}
"""


async def doctor(house: House, *argv: str) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "daemon", "doctor", *argv]
    done = await asyncio.to_thread(
        subprocess.run, command, env=house.rig.environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


async def findings(house: House) -> tuple[int, dict[str, dict[str, Any]]]:
    code, out = await doctor(house, "--json")
    return code, {one["area"]: one for one in json.loads(out)["findings"]}


async def test_a_morning_before_and_after_the_upstream_is_gone() -> None:
    async with open_house(alerts=RULES) as house:
        await house.start("fake")
        for setting in ("usage-statistics-enabled", "logging-to-file"):
            await house.fake.set(setting, True)
        code, found = await findings(house)
        assert (code, found["control plane"]["verdict"]) == (2, "critical")
        assert found["upstream"]["evidence"] == f"{house.rig.fake_url} answers, CLIProxyAPI"

        await house.start("proxy", "control")
        assert (await house.send(6, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 6}
        await eventually(lambda: house.control.events(limit=6))
        code, found = await findings(house)
        assert code == 0, [(area, one["evidence"]) for area, one in found.items() if one["verdict"] != "ok"]
        assert found["upstream"]["evidence"] == f"{house.rig.fake_url} answers, CLIProxyAPI 7.2.142"
        assert found["clock"]["verdict"] == found["management key"]["verdict"] == found["fallbacks"]["verdict"] == "ok"

        house.rig.kill("fake")
        code, line = await doctor(house, "--nagios")
        assert code == 2
        assert line.startswith(f"RUNBOOKD CRITICAL - upstream: {house.rig.fake_url}: no answer")
