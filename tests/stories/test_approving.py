"""Story: what waits for approval is told with a link; whoever has it approves this one change, once."""

import re
from pathlib import Path

from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

SPARK, STAND_IN = "gpt-5.3-codex-spark", "gpt-5.3-codex"
ALERTS = f"""\
version: 1
extends: runbook
route: {{group_wait: 0s, group_interval: 1s}}
fallbacks: {{{SPARK}: [{STAND_IN}]}}
rules:
  - alert: SparkErrorRatio
    levels: {{critical: {{for: 0s, mitigate: [fallback]}}}}
  - {{alert: ProviderErrorRatio, enabled: false}}
"""
LINK = re.compile(r"http://127\.0\.0\.1:\d+/approve/([0-9a-f]{32})")
COMMAND = re.compile(r"runbookd mitigations approve (\w+)")


async def link_of(house: House) -> re.Match[str] | None:
    bodies = "\n".join(message["message"] for message in house.sink.messages)
    return LINK.search(bodies)


async def is_led_away(house: House) -> bool:
    await house.turn(Wire.OPENAI_CHAT, SPARK)
    return bool((await house.fake.requests(model=STAND_IN))["requests"])


def everything_in(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.rglob("*") if file.is_file())


async def test_a_link_in_a_message_approves_one_change_once() -> None:
    async with open_house(alerts=ALERTS, MITIGATION_MODE="ask") as house:
        await house.start("fake", "proxy", "control")
        await house.fake.play({"rules": [{"match": {"model": SPARK}, "fault": "500"}]})
        await house.send(40, Wire.OPENAI_CHAT, SPARK)
        link = await eventually(lambda: link_of(house))

        page = await house.http.get(link[0])
        assert page.status_code == 200
        assert f"send {SPARK} out as {STAND_IN}" in page.text
        assert not await is_led_away(house)

        assert (await house.http.post(link[0])).status_code == 200
        assert await eventually(lambda: is_led_away(house))
        assert (await house.http.post(link[0])).status_code == 410
        [row] = await house.control.mitigations(state="applied")
        assert row["value_wanted"] == STAND_IN

        said = [entry for entry in (await house.control.get("audit"))["audit"] if entry["action"] == "approve"]
        assert [entry["actor"] for entry in said] == ["human:approval-link"]
        told = str(await house.control.get("notifications")) + house.rig.output("control")
        assert COMMAND.search(told)
        assert "/approve/" not in told
        assert link[1].encode() not in everything_in(Path(house.rig.environment()["RUNBOOKD_STATE_DIR"]))
