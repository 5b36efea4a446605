"""Core: what judges, tells and acts, wired once. The control plane lives on it, and so does a stage."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

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
from daemon.logic.quota_book import QuotaBook
from daemon.logic.quota_news import QuotaNews
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
        self._clock = clock = around.clock
        ledger = around.ledger
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
        self._quota, self._quota_news = QuotaBook(), QuotaNews()
        self.inventory = Inventory(
            probes=around.probes,
            management=around.management,
            attribution=self.attribution,
            served=lambda models: self.mitigate.set_inventory(with_stand_in(models)),
            prober=Prober(clock=clock, commit=desk.commit, probes=around.probes),
            clock=clock,
        )

    @property
    def quota(self) -> tuple[QuotaReading, ...]:
        """What stands now of each credential and model, whatever it was read from; seconds are counted from now."""
        return self._quota.standing(self._clock.now())

    def take_quota(self, readings: Sequence[QuotaReading]) -> tuple[QuotaReading, ...]:
        """What was read of quotas just now: rules hear what it comes to. Gives what of it is worth to be stored."""
        now = self._clock.now()
        for reading in self._quota.take(readings, now):
            self.evaluate.observe(replace(reading, observed_at=now))
        return self._quota_news.of(readings)

    def remember_quota(self, stored: Sequence[QuotaReading]) -> None:
        """What the last process had stored, newest first. Rules hear of it when it is read again."""
        for at, those in groupby(reversed(stored), key=lambda one: one.observed_at):
            look = tuple(those)
            self._quota.take(look, at)
            self._quota_news.of(look)
