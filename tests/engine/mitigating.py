"""A mitigator with everything around it in memory; `start` again over the same ledger and upstream is a restart."""

from collections.abc import Callable, Sequence
from typing import Any

from daemon.domain.alert import Alert, AlertState
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.event import Event, Outcome, Wire
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.domain.notification import Notification
from daemon.engine.mitigate import Mitigate
from daemon.logic.mitigations.model_alias import ModelAlias
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle
from tests.contracts.things import a_notification, an_alert, bare
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.fakes.management import FakeManagement
from tests.fakes.route_table import MemoryRoutes
from tests.fakes.upstream_probes import FakeProbes

SPARK, STAND_IN, TOGGLE, ALIAS = "spark", "codex", "upstream:debug", "model_alias:spark"


def a_config(**changes: Any) -> AlertsConfig:
    mitigations = {
        "debug": UpstreamToggle(set={"debug": True}),
        "quota": UpstreamToggle(set={"quota-exceeded.switch-project": True}, even_if_inert=True),
    }
    return AlertsConfig(**{"fallbacks": {SPARK: (STAND_IN, "gpt")}, "mitigations": mitigations} | changes)


def toggle(**options: Any) -> AlertsConfig:
    return a_config(mitigations={"debug": UpstreamToggle.model_validate({"set": {"debug": True}, **options})})


def alias(**options: Any) -> AlertsConfig:
    facts = {"from": SPARK, "to": [STAND_IN], **options}
    return a_config(mitigations={"fallback": ModelAlias.model_validate(facts)})


class Mitigating:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ledger = MemoryLedger()
        self.routes = MemoryRoutes()
        self.probes = FakeProbes()
        self.management: FakeManagement | None = FakeManagement(
            self.clock, **{"debug": False, "quota-exceeded/switch-project": False}
        )
        self.failing: tuple[str, ...] = ()
        """Names of credentials that fail, the worst first."""
        self.released: list[frozenset[str]] = []
        self.exports: list[Sequence[Mitigation]] = []
        self.notices: list[tuple[str, MitigationState]] = []
        self.before_commit: Callable[[Decision], None] = lambda decision: None
        self.after_commit: Callable[[Decision], None] = lambda decision: None
        self.mitigate: Mitigate

    async def start(self, config: AlertsConfig | None = None, ceiling: Mode = Mode.AUTO) -> "Mitigating":
        self.mitigate = Mitigate(
            ledger=self.ledger,
            routes=self.routes,
            management=self.management,
            probes=self.probes,
            clock=self.clock,
            commit=self.commit,
            notice=self.notice,
            ceiling=ceiling,
            on_release=self.released.append,
            export=self.exports.append,
            credentials=lambda: getattr(self.management, "files", ()),
            failing=lambda provider_key: self.failing,
        )
        self.mitigate.configure(config or a_config())
        self.mitigate.set_inventory(frozenset({STAND_IN, "gpt"}))
        await self.mitigate.load()
        return self

    async def commit(self, decision: Decision) -> None:
        if decision:
            self.before_commit(decision)
            await self.ledger.commit(decision)
            self.after_commit(decision)
            self.mitigate.adopt(decision)

    def notice(self, row: Mitigation, now: int) -> tuple[Notification, ...]:
        self.notices.append((row.target, row.state))
        return (a_notification(f"n-{row.id}-{row.state.value}", created_at=now, not_before=now),)

    async def tick(self, *firing: Alert, acting: bool = True, seconds: float = 1.0) -> None:
        """An evaluation, and a round of the work after it."""
        self.clock.advance(seconds)
        fingerprints = frozenset(alert.fingerprint for alert in firing) if acting else frozenset()
        await self.commit(self.mitigate.plan(firing, fingerprints, self.clock.now()))
        await self.mitigate.carry_out()

    async def ticks(self, *firing: Alert, seconds: int, acting: bool = True) -> None:
        for _ in range(seconds):
            await self.tick(*firing, acting=acting)

    def row(self, target: str) -> Mitigation:
        """The newest row of a target."""
        return max(
            (row for row in self.ledger.mitigation_rows.values() if row.target == target),
            key=lambda row: row.planned_at,
        )

    def rows(self, target: str) -> list[Mitigation]:
        return [row for row in self.ledger.mitigation_rows.values() if row.target == target]

    @property
    def upstream(self) -> FakeManagement:
        assert self.management is not None
        return self.management

    @property
    def routed(self) -> dict[str, str]:
        return {route.from_model: route.to_model for route in self.routes.table.routes}

    def actions(self) -> list[str]:
        return [entry.action for entry in self.ledger.audit_rows.values()]

    def event(self, **changes: Any) -> Event:
        facts: dict[str, Any] = {
            "requested_model": SPARK,
            "wire": Wire.OPENAI_CHAT,
            "started_at": self.clock.now(),
            "outcome": Outcome.OK,
        }
        return bare(self.clock.now(), **facts | changes)


def firing(*mitigate: str, fingerprint: str = "f1", **changes: Any) -> Alert:
    facts: dict[str, Any] = {"state": AlertState.FIRING, "fired_at": 1, "models": (SPARK,), "summary": "20 % of 50"}
    return an_alert(fingerprint, mitigate=mitigate, **facts | changes)
