"""The main job on a real Postgres: events, alert, message and journal survive a killed control plane there too."""

from typing import Any

from daemon.domain.event import Wire
from tests.contracts import postgres
from tests.stories.house import House, eventually, open_house

ALERTS = """\
version: 1
extends: runbook
route: {group_wait: 0s}
rules:
  - {alert: ProviderRateLimited, levels: {critical: {for: 0s}}}
"""


async def test_the_whole_way_on_postgres() -> None:
    with postgres.server() as url:
        async with open_house(alerts=ALERTS, DATABASE_URL=url) as house:
            await house.start("fake", "proxy", "control")
            await house.fake.play({"rules": [{"fault": "429"}]})
            assert (await house.send(40, Wire.OPENAI_CHAT, "gpt-5.4", stream=True)).count == {"429": 40}
            [before] = await eventually(lambda: house.control.alerts(severity="critical", state="firing"))
            await eventually(lambda: house.sink.about("ProviderRateLimited"))

            house.rig.kill("control")
            await house.send(10, Wire.OPENAI_CHAT, "gpt-5.4")
            await house.rig.restart("control")
            [after] = await house.control.alerts(alert="ProviderRateLimited", severity="critical", state="firing")
            assert after["fired_at"] == before["fired_at"]
            rows = await eventually(lambda: all_of_them(house, 50))
            assert len({row["event_id"] for row in rows}) == 50
            assert "tester" not in (await house.control.get("status"))["store"]["url_masked"].replace("tester@", "")


async def all_of_them(house: House, count: int) -> list[dict[str, Any]]:
    rows = await house.control.events(limit=1000)
    return rows if len(rows) == count else []
