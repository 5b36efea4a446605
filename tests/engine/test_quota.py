"""Quota in the engine: what rules hear of it, what is stored, and what is known again after a restart."""

from collections.abc import Sequence
from typing import Any

from daemon.adapters.memory.probes import MemoryProbes
from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.mitigation import Mode
from daemon.domain.probe import ProbeState
from daemon.domain.quota import QuotaReading
from daemon.engine.core import Core, Surroundings
from daemon.logic.rules.state import StateLevel, StateRule
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger
from tests.fakes.notifier import FakeNotifier
from tests.fakes.route_table import MemoryRoutes
from tests.fakes.upstream_probes import FakeProbes

MINUTE = 60
EXHAUSTED = StateRule(
    alert="CredentialQuotaExhausted",
    field="quota_exhausted",
    by=("provider_key", "credential", "model_id"),
    keep_firing_for=0.0,
    levels={Severity.WARNING: StateLevel(equals=True)},
)
CONFIG = AlertsConfig(rules=(EXHAUSTED,))


def a_core(clock: FakeClock) -> Core:
    around = Surroundings(
        clock=clock,
        ledger=MemoryLedger(),
        events=MemoryEventStore(),
        routes=MemoryRoutes(),
        management=None,
        probes=FakeProbes(),
        notifier=FakeNotifier(),
        ceiling=Mode.AUTO,
        public_url="http://nas:8319",
    )
    core = Core(around, lambda: (CONFIG, ()))
    core.dispatch.configure(CONFIG, {})
    core.evaluate.use(core.evaluate.open(CONFIG))
    return core


class Day:
    """A core, its store, and time that goes by."""

    def __init__(self) -> None:
        self.clock, self.store = FakeClock(), MemoryProbes()
        self.core = a_core(self.clock)

    async def read(self, used: float, credential: str = "a.json", **more: Any) -> Sequence[QuotaReading]:
        facts = {"provider_key": "codex", "auth_index": credential, "credential": credential, "source": "signals"}
        one = QuotaReading(
            **facts
            | {"usage_percentage": used, "quota_exhausted": used >= 100, "observed_at": self.clock.now()}
            | more,
        )
        worth = self.core.take_quota([one])
        await self.store.note(ProbeState(probe="quota"), (), worth)
        await self.pass_by(5 * MINUTE)
        return worth

    async def pass_by(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.core.evaluate.step(self.clock.now())

    async def restart(self) -> None:
        self.core = a_core(self.clock)
        self.core.remember_quota(await self.store.readings())

    @property
    def firing(self) -> list[str]:
        rows = self.core.evaluate.alerts()
        return sorted(dict(row.labels)["credential"] for row in rows if row.is_firing)


async def test_an_exhausted_credential_fires_for_itself_alone() -> None:
    day = Day()
    await day.read(100, quota_reset_seconds=3600.0)
    await day.read(40, "b.json")
    assert day.firing == ["a.json"]


async def test_what_was_read_long_ago_holds_until_its_window_ends() -> None:
    day = Day()
    await day.read(100, observed_at=day.clock.now() - 3 * 3_600_000, quota_reset_seconds=5 * 3600.0)
    assert day.firing == ["a.json"]


async def test_one_look_that_lies_upwards_ends_no_alert_and_two_do() -> None:
    day = Day()
    await day.read(100, quota_reset_seconds=3600.0)
    await day.read(2)
    assert day.firing == ["a.json"]
    await day.read(2)
    assert day.firing == []


async def test_an_alert_ends_with_its_window_when_anything_is_read() -> None:
    day = Day()
    await day.read(100, quota_reset_seconds=600.0)
    await day.read(40, "b.json")
    await day.read(40, "b.json")
    assert day.firing == []


async def test_what_is_read_again_is_stored_once() -> None:
    day = Day()
    assert len(await day.read(40)) == 1
    assert len(await day.read(40)) == 0
    assert len(await day.read(45)) == 1
    assert [row.usage_percentage for row in await day.store.readings()] == [45, 40]


async def test_a_restart_knows_what_was_known_and_doubts_what_was_doubted() -> None:
    day = Day()
    await day.read(100, quota_reset_seconds=7200.0)
    await day.read(40, "b.json")
    await day.read(2)
    before = day.core.quota
    await day.restart()
    assert day.core.quota == before
    assert [(one.credential, one.quota_exhausted) for one in before] == [("a.json", True), ("b.json", False)]
    await day.read(2, source="signals")
    assert [one.quota_exhausted for one in day.core.quota] == [False, False]


async def test_a_restart_goes_on_with_its_forecast() -> None:
    day = Day()
    for used in (50, 60, 70):
        await day.read(used)
    await day.restart()
    (one,) = day.core.quota
    assert one.empty_in_seconds == 600.0


async def test_what_was_stored_is_not_stored_again_after_a_restart() -> None:
    day = Day()
    await day.read(40)
    await day.restart()
    assert len(await day.read(40)) == 0
