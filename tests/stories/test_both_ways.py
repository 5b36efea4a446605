"""Alerts of others come in by real posts, live as ours through kills and reloads, and everything can be explained."""

import signal
from typing import Any

from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house
from tests.stories.test_trouble import command

ALERTS = """\
version: 1
route: {group_by: [alert], group_wait: 0s, group_interval: 1s}
rules:
  - alert: Failures
    kind: ratio
    bad: {outcome: failed}
    window: 1m
    levels: {critical: {above: 10%}}
"""


def a_post(status: str) -> dict[str, Any]:
    alert = {
        "status": status,
        "labels": {"alertname": "DiskFull", "instance": "nas", "severity": "page"},
        "annotations": {"summary": "disk of nas is full"},
        "startsAt": "2026-11-24T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }
    return {"version": "4", "status": status, "alerts": [alert]}


async def tell(house: House, status: str) -> None:
    response = await house.http.post(
        f"{house.rig.control_url}/api/v1/alerts/alertmanager",
        json=a_post(status),
        headers={"Authorization": f"Bearer {house.rig.token()}"},
    )
    assert response.json() == {"heard": 1}


async def test_alerts_of_others_travel_through_our_routes_and_outlive_a_kill_and_a_reload() -> None:
    async with open_house(alerts=ALERTS) as house:
        await house.start("fake", "control")
        await tell(house, "firing")
        await eventually(lambda: house.sink.about("disk of nas is full"))
        hook = command(house, "notify", "hook").stdout.strip()
        await house.http.post(hook, content=b'{"text": "Pool &lt;tank&gt; is DEGRADED"}')
        await eventually(lambda: house.sink.about("tank> is DEGRADED"))

        house.rig.kill("control")
        await house.start("control")
        (house.rig.directory / "alerts.yaml").write_text(ALERTS.replace("10%", "11%"))
        house.rig.signal("control", signal.SIGHUP)
        await eventually(lambda: "rules are in force" in house.rig.output("control"))
        [row] = await house.control.alerts(alert="DiskFull")
        assert (row["state"], row["severity"], row["mitigations"]) == ("firing", "critical", [])

        told = await house.control.get("explain", alert="DiskFull")
        assert told["decision"] == "firing"
        assert "as alertmanager told: disk of nas is full" in told["because"][0]
        assert told["not_notified_because"] is None
        assert told["not_acted_because"] == "alerts of others ask for no mitigation"
        before = len(house.sink.messages)
        await tell(house, "resolved")
        await eventually(lambda: [one for one in house.sink.messages[before:] if "DiskFull" in one["title"]])
        [row] = await house.control.alerts(alert="DiskFull")
        assert (row["state"], row["resolved_because"]) == ("resolved", "cleared")


async def test_why_something_fired_or_did_not_is_said_on_the_command_line() -> None:
    async with open_house(alerts=ALERTS) as house:
        await house.start("fake", "proxy", "control")
        await house.send(3, Wire.OPENAI_CHAT, "gpt-5.4")

        async def counted() -> bool:
            return "3 samples are fewer than min_samples 20" in command(house, "explain", "Failures").stdout

        await eventually(counted)
        quiet = command(house, "explain", "Failures").stdout
        assert "0% is not above 10%" in quiet
        await house.fake.play({"rules": [{"fault": "500", "share": 1.0, "match": {"model": "gpt*"}}]})
        await house.send(30, Wire.OPENAI_CHAT, "gpt-5.4")
        await eventually(lambda: house.control.alerts(alert="Failures", state="firing"))
        await eventually(lambda: house.sink.about("Failures"))
        fired = await eventually(lambda: _sent(house))
        assert "critical all fired at" in fired or "critical fired at" in fired
        assert "acted: no, level critical asks for no mitigation" in fired
        past = command(house, "explain", "Failures", "--at", "-1h")
        assert "it had not fired" in past.stdout
        strange = command(house, "explain", "Failure")
        assert strange.returncode == 1
        assert "did you mean Failures?" in strange.stdout


async def _sent(house: House) -> str:
    said = command(house, "explain", "Failures").stdout
    return said if "notified: sent" in said else ""
