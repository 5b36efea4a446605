"""Core: what judges, tells and acts, wired once. The control plane lives on it, and so does a stage."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.mitigation import Mode
from daemon.domain.quota import QuotaReading
from daemon.engine.capabilities import Prober
from daemon.engine.credential_figures import CredentialFigures
from daemon.engine.desk import Desk
from daemon.engine.dispatch import Dispatch
from daemon.engine.evaluate import Evaluate
from daemon.engine.evidence import Witness
from daemon.engine.explain import Explain
from daemon.engine.inventory import Inventory
from daemon.engine.mitigate import Mitigate
from daemon.engine.mitigate_journal import Export
from daemon.engine.silences import Silences
from daemon.logic.approving import approval_link
from daemon.logic.attribution import Attribution
from daemon.logic.drilling import with_stand_in
from daemon.logic.messages import no_link
from daemon.ports import Clock, EventStore, Ledger, ManagementApi, Notifier, RouteTable, UpstreamProbes


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the engine stands in."""

    clock: Clock
    ledger: Ledger
    events: EventStore
    routes: RouteTable
    management: ManagementApi | None
    probes: UpstreamProbes
    notifier: Notifier
    ceiling: Mode
    public_url: str
    approval_key: bytes = b""
    """What the secrets of approval links are made of; without it there are no links."""
    export: Export = lambda _: None
    """Gets every change of the open rows of the journal."""


class Core:
    """`rules` gives those in force and the names of those that are off."""

    def __init__(self, around: Surroundings, rules: Callable[[], tuple[AlertsConfig, Collection[str]]]) -> None:
        clock, ledger = around.clock, around.ledger
        self.desk = desk = Desk(ledger)
        self.attribution = Attribution()
        self.credential_figures = figures = CredentialFigures()
        self.evaluate = Evaluate(
            desk=desk,
            clock=clock,
            plan_messages=lambda steps, now: self.dispatch.plan(steps, now),
            plan_mitigations=lambda firing, acting, now: self.mitigate.plan(firing, acting, now),
        )
        self.silences = Silences(ledger=ledger, clock=clock, commit=desk.commit, alerts=self.evaluate.alerts)
        self.dispatch = Dispatch(
            ledger=ledger,
            notifier=around.notifier,
            clock=clock,
            commit=desk.commit,
            alerts=self.silences.alerts,
            mitigations=lambda: self.mitigate.rows(),
            public_url=around.public_url,
            evidence=Witness(around.events, lambda alert: self.evaluate.book.query_of(alert)).gather,
            link=approval_link(around.public_url, around.approval_key) if around.approval_key else no_link,
        )
        self.mitigate = Mitigate(
            ledger=ledger,
            routes=around.routes,
            management=around.management,
            probes=around.probes,
            clock=clock,
            commit=desk.commit,
            notice=self.dispatch.notice,
            ceiling=around.ceiling,
            on_release=self.evaluate.start_anew,
            export=around.export,
            credentials=lambda: self.inventory.credentials,
            failing=lambda provider_key: figures.failing(provider_key, clock.now()),
            capabilities=lambda: self.inventory.capabilities,
        )
        for reader in (self.silences.adopt, self.dispatch.adopt, self.mitigate.adopt):
            desk.read_by(reader)
        self.explain = Explain(
            ledger=ledger, clock=clock, alerts=self.silences.alerts, look=self.evaluate.look, rules=rules
        )
        self.quota: tuple[QuotaReading, ...] = ()
        """The latest reading of each credential and model."""
        self.inventory = Inventory(
            probes=around.probes,
            management=around.management,
            attribution=self.attribution,
            served=lambda models: self.mitigate.set_inventory(with_stand_in(models)),
            observe=self.evaluate.observe,
            prober=Prober(clock=clock, commit=desk.commit),
            clock=clock,
        )

    def take_quota(self, readings: Sequence[QuotaReading]) -> None:
        """What was read of quotas just now."""
        known = {(one.provider_key, one.auth_index, one.credential, one.model_id): one for one in self.quota}
        known |= {(one.provider_key, one.auth_index, one.credential, one.model_id): one for one in readings}
        self.quota = tuple(known.values())
        for reading in readings:
            self.evaluate.observe(reading)
