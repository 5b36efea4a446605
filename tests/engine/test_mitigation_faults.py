"""Faults around a mitigation that no other file has: a ban, an upstream without its config, a journal that is gone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pkgutil import iter_modules
from typing import Any

import httpx
import pytest

from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.playback import serving
from daemon.adapters.management.client import ManagementClient
from daemon.app.serving import listen
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.mitigation import MitigationState, Mode
from daemon.logic import mitigations
from daemon.logic.mitigation import ceiling_of, kind_of, upstream_kind
from daemon.logic.mitigations.ampcode_mapping import AmpcodeMapping
from daemon.logic.mitigations.excluded_models import ExcludedModels
from tests.engine.mitigating import TOGGLE, Mitigating, firing, toggle
from tests.fakes.ledger import MemoryLedger

S = MitigationState
LISTED = ("ampcode_mapping", "excluded_models")
DEBUG = firing("debug")
BANNED_AFTER = 5
WRITTEN = {
    "upstream_toggle": (TOGGLE, True),
    "credential_priority": ("credential_priority:codex.json", -1),
    "credential_disable": ("credential_disable:codex.json", True),
    "reset_quota": ("reset_quota:1", False),
}


@asynccontextmanager
async def over_http(key: str, build: str | None = None) -> AsyncIterator[tuple[Mitigating, httpx.AsyncClient]]:
    """The mitigator with the real client, over a socket, to a fake upstream whose management key is `right`."""
    house = Mitigating()
    upstream = FakeUpstream(clock=house.clock, management_key="right", version=build)
    async with serving(upstream, listen("127.0.0.1", 0, setting="the test")) as address:
        client = ManagementClient(address, key, house.clock)
        house.management = client  # type: ignore[assignment]
        async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
            try:
                yield house, http
            finally:
                await client.close()


async def asked(http: httpx.AsyncClient) -> int:
    return int((await http.get("/_fake/requests")).json()["total"])


def noted(house: Mitigating) -> list[str]:
    return [str(entry.outcome) for entry in house.ledger.audit_rows.values() if entry.action == "noted"]


async def test_a_key_that_is_refused_costs_the_upstream_one_call_and_is_told() -> None:
    async with over_http("wrong") as (house, http):
        await house.start()
        await house.ticks(DEBUG, seconds=120)
        assert await asked(http) == 1
        assert noted(house) == ["the management key was refused (401, invalid management key); set another key"]
        assert house.row(TOGGLE).state is S.PLANNED


async def test_a_ban_is_told_with_the_time_that_is_left_and_nobody_hammers() -> None:
    async with over_http("right") as (house, http):
        for _ in range(BANNED_AFTER):
            await http.get("/v0/management/debug", headers={"Authorization": "Bearer somebody else's"})
        await house.start()
        await house.ticks(DEBUG, seconds=120)
        assert await asked(http) == BANNED_AFTER + 1
        (said,) = noted(house)
        assert "403, IP banned" in said
        assert "Try again in 29m" in said
        house.clock.advance(1800)
        await house.ticks(DEBUG, seconds=2)
        assert house.row(TOGGLE).state is S.APPLIED


async def test_an_upstream_that_lost_its_config_is_waited_for_and_people_are_told() -> None:
    house = await Mitigating().start(toggle(hold="0s"))
    await house.tick(DEBUG)
    del house.upstream.settings["debug"]
    await house.ticks(seconds=60)
    row = house.row(TOGGLE)
    assert (row.state, len(house.upstream.writes)) == (S.APPLIED, 1)
    assert row.note.startswith("critical: its restore failed 3 times")
    house.upstream.settings["debug"] = True
    await house.ticks(seconds=300)
    assert (house.row(TOGGLE).state, house.upstream.settings["debug"]) == (S.RESTORED, False)


@pytest.mark.parametrize("fires", [True, False])
async def test_where_the_journal_is_gone_nothing_is_touched(fires: bool) -> None:
    house = await Mitigating().start(toggle(hold="0s", max_hold="1s"))
    await house.tick(DEBUG)
    house.ledger = MemoryLedger()
    await house.start(toggle(hold="0s", max_hold="1s"))
    await house.ticks(*([DEBUG] if fires else []), seconds=60)
    assert house.upstream.writes == [("debug", True)]
    assert [(row.state, row.outcome) for row in house.rows(TOGGLE)] == (
        [(S.NOT_NEEDED, "it was already as wanted")] if fires else []
    )


def test_what_is_written_is_one_value_of_one_thing() -> None:
    for kind, (target, value) in WRITTEN.items():
        call = upstream_kind(kind).writing(target, value)
        assert not any(isinstance(part, list | tuple | dict) for part in call.body.values()), kind
        assert call.method != "PUT" or list(call.body) == ["value"], kind


def test_what_sends_a_list_never_acts_by_itself() -> None:
    assert {name: ceiling_of(name) for name in LISTED} == dict.fromkeys(LISTED, Mode.ASK)


def test_each_kind_that_writes_upstream_is_looked_at() -> None:
    shelf = [module.name for module in iter_modules(mitigations.__path__)]
    writing = {name for name in shelf if hasattr(kind_of(name), "writing") or hasattr(kind_of(name), "amending")}
    assert writing == {*WRITTEN, *LISTED}


LISTS = [
    (
        "7.2.142",
        ExcludedModels(provider="codex", models=("gpt-5.5",), hold=0.0),
        "oauth-excluded-models",
        lambda theirs: {"provider": "codex", "models": theirs},
        lambda reply: reply["oauth-excluded-models"].get("codex", []),
        ["gpt-5-mini"],
        ["gpt-5-mini", "gpt-5.4", "gpt-5.5"],
        ["gpt-5-mini", "gpt-5.4"],
    ),
    (
        "6.9.2",
        AmpcodeMapping.model_validate({"from": "gpt-5.5", "to": "gpt-5.4", "hold": "0s"}),
        "ampcode/model-mappings",
        lambda theirs: {"value": [{"from": one, "to": "x"} for one in theirs]},
        lambda reply: [one["from"] for one in reply["model-mappings"]],
        ["a"],
        ["a", "gpt-5.4", "gpt-5.5"],
        ["a", "gpt-5.4"],
    ),
]


@pytest.mark.parametrize(("build", "options", "path", "body", "items", "first", "held", "left"), LISTS)
async def test_of_a_list_only_our_own_item_is_added_and_taken_out(
    build: str, options: Any, path: str, body: Any, items: Any, first: Any, held: Any, left: Any
) -> None:
    async with over_http("right", build) as (house, http):

        async def people(theirs: list[str]) -> None:
            headers = {"X-Management-Key": "right"}
            (await http.patch(f"/v0/management/{path}", json=body(theirs), headers=headers)).raise_for_status()

        async def now() -> list[str]:
            reply = await http.get(f"/v0/management/{path}", headers={"X-Management-Key": "right"})
            return sorted(items(reply.json()))

        await people(first)
        await house.start(AlertsConfig(mitigations={"list": options}))
        await house.mitigate.act("list", "apply", "human:jo")
        await house.ticks(seconds=5)
        (row,) = house.mitigate.rows()
        assert row.state is S.APPLIED, row.outcome
        await people([*await now(), "gpt-5.4"] if path.startswith("oauth") else ["gpt-5.4"])
        assert await now() == held
        await house.mitigate.act("list", "revert", "human:jo")
        await house.ticks(seconds=5)
        assert (house.mitigate.rows()[0].state, await now()) == (S.RESTORED, left)
