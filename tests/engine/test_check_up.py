"""The check-up gathers what the doctor judges, and what is broken does not keep it from the rest."""

from dataclasses import dataclass
from typing import Any, cast

import pytest
from msgspec.structs import replace

from daemon.domain.check_up import Finding, Health
from daemon.domain.credential import CredentialFile
from daemon.domain.event import Wire
from daemon.domain.probe import Ask, Door, Reply
from daemon.engine.check_up import CheckUp
from daemon.engine.inventory import Inventory
from tests.fakes.clock import FakeClock
from tests.fakes.operations import NOW, FakeOperations, a_probe, a_reading
from tests.logic.examining import a_config, can

FRONT = Reply(status=200, headers={"date": "Tue, 24 Nov 2026 10:00:09 GMT"}, body=b'{"message": "CLI Proxy API"}')


@dataclass(slots=True)
class Known:
    """What the inventory knows."""

    capabilities: Any
    trouble: str | None = None
    credentials: tuple[CredentialFile, ...] = (CredentialFile(auth_index="1", name="a.json", provider_key="codex"),)


class Office:
    def __init__(self, reply: Reply = FRONT) -> None:
        self.operations = FakeOperations()
        self.operations.status_now |= {"receivers": {"cut_off": []}, "usage_records": None}
        self.asked: list[Ask] = []
        self.reply = reply
        self.inventory = Known(can())
        self.channels: dict[str, tuple[str, ...]] = {"operators": ("a channel",)}
        self.check_up = CheckUp(
            clock=FakeClock(NOW),
            ask=self._ask,
            inventory=cast(Inventory, self.inventory),
            config=lambda: a_config("fallback"),
            channels=lambda: cast(Any, self.channels),
            has_client_key=True,
            has_management_key=True,
        )

    async def _ask(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        return self.reply

    async def found(self) -> dict[str, Finding]:
        return {one.area: one for one in await self.check_up.examine(self.operations)}


async def test_all_that_the_engine_knows_is_looked_at() -> None:
    office = Office()
    office.operations.probe_rows, office.operations.quota_rows = [a_probe("spark")], [a_reading(usage_percentage=97.0)]
    office.operations.status_now["spool"]["dropped_total"] = 9
    rows = office.operations.event_rows
    rows[0] = replace(rows[0], wire=Wire.OTHER, requested_model="no-call")
    office.channels["boss"] = ()
    found = await office.found()
    assert found["upstream"].evidence == "http://127.0.0.1:8317 answers, CLIProxyAPI 7.2.142"
    assert found["clock"].evidence == "the upstream's is 9 s ahead of ours"
    assert found["credentials"].evidence == "all 1 can be used"
    assert found["probe spark"].verdict is Health.OK
    assert found["quota codex"].verdict is Health.WARNING
    assert found["spool"].evidence.startswith("9 events were dropped")
    assert found["receivers"].evidence.startswith("hears nothing: boss")
    assert found["alert ProviderRateLimited"].verdict is Health.CRITICAL
    assert "claude-sonnet-5" in found["fallbacks"].evidence
    assert "no-call" not in found["fallbacks"].evidence
    assert [(one.door, one.path, one.client) for one in office.asked] == [(Door.UPSTREAM, "/", "")]
    (query,) = office.operations.queries
    assert (query.since, query.where) == (NOW - 86_400_000, {"source": "client"})


async def test_what_the_inventory_could_not_read_is_said() -> None:
    office = Office()
    office.inventory.capabilities, office.inventory.trouble = can(management=False), "the key was refused"
    found = await office.found()
    assert found["management key"].evidence == "the key was refused"
    assert "credentials" not in found


@pytest.mark.parametrize("reply", [Reply(error="no answer (ConnectError)"), Reply(status=503)])
async def test_an_upstream_that_is_down_is_critical(reply: Reply) -> None:
    assert (await Office(reply).found())["upstream"].verdict is Health.CRITICAL


async def test_a_store_that_is_down_hides_only_what_it_holds() -> None:
    office = Office()
    alerts = await office.operations.alerts()
    office.operations.down = True
    office.operations.alerts = lambda: _given(alerts)  # type: ignore[method-assign]
    office.operations.status_now["store"]["ok"] = False
    found = await office.found()
    assert found["store"].verdict is Health.CRITICAL
    assert "fallbacks" not in found


async def _given(rows: Any) -> Any:
    return rows
