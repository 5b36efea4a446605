"""Trouble of every kind on real processes: one clear line each, nothing lost, and traffic goes on where it can."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.app.rig import free_ports
from daemon.domain.errors import CannotStart
from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

GOOD = "version: 1\nextends: runbook\n"
BROKEN = "version: 1\nrules:\n  - {alert: A, kind: ratoi}\n"


def command(house: House, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of ours in the house's environment, run to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "daemon", *arguments],
        env=house.rig.environment() | environment,
        cwd=house.rig.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield


async def test_a_setting_that_nobody_knows_is_told_by_every_process_at_once() -> None:
    async with open_house(PROXI_PORT="1", UPSTREAM_URL="ftp://x") as house:
        for name in ("run", "proxy", "control", "check"):
            said = await asyncio.to_thread(command, house, name)
            assert said.returncode == 2, said
            lines = said.stderr.splitlines() + said.stdout.splitlines()
            assert sum("RUNBOOKD_PROXI_PORT" in line for line in lines) == 1
            assert sum("RUNBOOKD_UPSTREAM_URL" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("name", "port", "setting"),
    [
        ("proxy", "proxy_port", "RUNBOOKD_PROXY_PORT"),
        ("control", "control_port", "RUNBOOKD_CONTROL_PORT"),
        ("run", "proxy_port", "RUNBOOKD_PROXY_PORT"),
        ("run", "control_port", "RUNBOOKD_CONTROL_PORT"),
    ],
)
async def test_a_taken_port_is_told_with_the_setting_that_mends_it(name: str, port: str, setting: str) -> None:
    async with open_house() as house:
        with taken(getattr(house.rig, port)):
            said = await asyncio.to_thread(command, house, name)
        assert said.returncode == 3
        [line] = said.stderr.splitlines()
        assert str(getattr(house.rig, port)) in line
        assert setting in line


async def test_a_second_instance_is_refused_and_the_first_goes_on() -> None:
    async with open_house() as house:
        await house.start("fake", "proxy", "control")
        proxy_port, control_port = map(str, free_ports(2))
        spare = {"RUNBOOKD_PROXY_PORT": proxy_port, "RUNBOOKD_CONTROL_PORT": control_port}
        for name in ("proxy", "control"):
            said = await asyncio.to_thread(lambda name=name: command(house, name, **spare))
            assert said.returncode == 3
            assert "RUNBOOKD_STATE_DIR" in said.stderr.splitlines()[-1]
        assert (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).outcome == "ok"


async def test_without_a_usable_state_directory_traffic_flows_and_the_control_plane_says_why() -> None:
    async with open_house() as house:
        house.rig.places.state.write_text("a file stands in the way")
        await house.start("fake", "proxy")
        assert (await house.turn(Wire.ANTHROPIC_MESSAGES, "claude-sonnet-4-6", stream=True)).outcome == "ok"
        health = await house.raw("GET", "/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        said = await asyncio.to_thread(command, house, "control")
        assert said.returncode == 3
        assert "RUNBOOKD_STATE_DIR" in said.stderr


async def test_a_broken_alerts_file_changes_nothing_is_an_alert_and_is_mended_by_the_next_save() -> None:
    async with open_house(alerts=GOOD) as house:
        file = house.rig.directory / "alerts.yaml"
        await house.start("fake", "proxy", "control")
        file.write_text(BROKEN)
        [alert] = await eventually(lambda: house.control.alerts(alert="ConfigReloadFailed", state="firing"))
        assert "alerts.yaml:3:16: rules[0].kind: 'ratoi' is not a rule kind; did you mean 'ratio'?" in alert["summary"]
        config = (await house.control.get("status"))["config"]
        assert (config["ok"], len(config["errors"])) == (False, 3)
        await eventually(lambda: house.sink.about("ConfigReloadFailed"))

        file.write_text(GOOD)
        house.rig.signal("control", signal.SIGHUP)
        await eventually(lambda: house.control.alerts(alert="ConfigReloadFailed", state="resolved"))
        assert (await house.control.get("status"))["config"]["errors"] == []


async def test_broken_at_start_the_last_good_rules_are_in_force_and_without_any_it_is_not_ready() -> None:
    async with open_house(alerts=BROKEN) as house:
        await house.start("fake", "proxy")
        house.rig.launch("control")
        ready = await eventually(lambda: _not_ready(house))
        assert ready["missing"] == ["rules"]
        assert (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).outcome == "ok"
        (house.rig.directory / "alerts.yaml").write_text(GOOD)
        await house.rig.ready("control")

        await house.rig.stop("control")
        (house.rig.directory / "alerts.yaml").write_text(BROKEN)
        await house.rig.start("control")
        assert not (await house.control.get("status"))["config"]["ok"]


async def _not_ready(house: House) -> Any:
    answer = await house.http.get(f"{house.rig.control_url}/readyz")
    missing = answer.json()
    return missing if answer.status_code == 503 and missing["missing"] == ["rules"] else None


async def test_the_supervisor_starts_again_what_dies_and_stops_everything_in_the_end() -> None:
    async with open_house(alerts=GOOD, PROXY_WORKERS="2") as house:
        await house.start("fake", "run")
        assert (await house.turn(Wire.OPENAI_RESPONSES, "gpt-5.5", stream=True)).outcome == "ok"
        children = _children(house.rig.pid("run"))
        assert len(children) == 3
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: len(_children(house.rig.pid("run")) - children) == 3)
        await house.rig.ready("run")
        assert (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).outcome == "ok"
        await eventually(lambda: house.control.events())

        last = _children(house.rig.pid("run"))
        assert await house.rig.stop("run") == 0
        for pid in last:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


async def test_the_supervisor_says_why_it_cannot_start() -> None:
    async with open_house() as house:
        house.rig.places.state.mkdir()
        async with open_house(STATE_DIR=str(house.rig.places.state)) as other:
            await other.start("fake", "proxy")
            with pytest.raises(CannotStart, match="exit code 3"):
                await house.rig.start("run")
            assert "RUNBOOKD_STATE_DIR" in house.rig.output("run")


def _children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
