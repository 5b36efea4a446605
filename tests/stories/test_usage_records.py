"""Story: on a wire that echoes nothing, the upstream's own records tell that it does not think as asked."""

from daemon.domain.event import Wire
from tests.stories.house import eventually, open_house

ALERTS = """\
version: 1
extends: runbook
usage_records: {from: queue, every: 1s}
route: {group_wait: 0s}
defaults: {once_in: none}
"""
DRIFT = {"rules": [{"match": {"model": "gpt-5.4"}, "fault": "thinking_drift"}]}


async def test_drift_that_no_answer_shows_is_found_in_the_records_and_told() -> None:
    async with open_house(alerts=ALERTS) as house:
        await house.start("fake", "proxy", "control")
        await house.fake.play(DRIFT)
        said = await house.send(40, Wire.OPENAI_CHAT, "gpt-5.4", effort="high")
        assert said.count == {"ok": 40}
        await eventually(lambda: house.control.alerts(alert="ThinkingMismatch", state="firing"), within=20.0)
        await eventually(lambda: house.sink.about("ThinkingMismatch"))
        assert {event["thinking_match"] for event in await house.control.events(limit=100)} == {None}
        told = (await house.control.get("status"))["usage_records"]
        assert (told["records"], told["coverage"], told["trouble"]) == (40, 1.0, "")
