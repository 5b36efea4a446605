"""Mitigate: what the alerts want is put in force, held and undone; the table in `logic/journal` says how."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.audit import AuditEntry
from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.decision import Decision
from daemon.domain.errors import Conflict, StoreFailure
from daemon.domain.event import Event
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.engine.mitigate_acts import Acts
from daemon.engine.mitigate_journal import Commit, Export, Journal, Notice
from daemon.engine.mitigate_probing import RunProbe
from daemon.engine.mitigate_proofs import Proofs
from daemon.engine.mitigate_release import Release
from daemon.engine.mitigate_routes import RoutesInForce
from daemon.engine.mitigate_steps import Steps
from daemon.engine.mitigate_upstream import UpstreamSettings
from daemon.logic import planning
from daemon.logic.journal import OURSELVES
from daemon.logic.mitigation import soft_kind
from daemon.logic.situation import Situation
from daemon.logic.wishes import led_away
from daemon.logic.workload_routing import pressing
from daemon.ports import Clock, Ledger, ManagementApi, RouteTable, UpstreamProbes

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
IDLE_SECONDS = 10.0
STORM_STARTS, STORM_MS, STORM_QUIET_SECONDS = 3, 300_000, 60.0
ACTIONS = ("apply", "approve", "hold", "release", "revert")


class Mitigate:
    """Only new rows are planned; a row that exists is changed here, under a lock, and never by two at once."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        routes: RouteTable,
        management: ManagementApi | None,
        probes: UpstreamProbes,
        clock: Clock,
        commit: Commit,
        notice: Notice,
        ceiling: Mode,
        on_release: Callable[[frozenset[str]], None],
        export: Export,
        credentials: Callable[[], Sequence[CredentialFile]] = tuple,
        failing: Callable[[str], Sequence[str]] = lambda provider_key: (),
        capabilities: Callable[[], Capabilities] = Capabilities,
    ) -> None:
        """`commit` must hand every decision to `adopt`; `notice` gives the messages that a change of a row deserves.

        `credentials` are all that the upstream lists, `failing` names those of a provider that fail, the worst first,
        `capabilities` is what the upstream was seen to be able to do.
        """
        self._ledger = ledger
        self._clock = clock
        self._commit = commit
        self._journal = Journal(commit=commit, notice=notice, export=export, clock=clock)
        self._settings = UpstreamSettings(management, clock)
        self._release = Release(probes, clock)
        self._routes = RoutesInForce(routes, clock)
        self._proofs = Proofs(clock)
        self._steps = Steps(
            journal=self._journal,
            settings=self._settings,
            release=self._release,
            proofs=self._proofs,
            situation=self._situation,
            clock=clock,
            on_release=on_release,
        )
        self._acts = Acts(self._journal, self._steps, self._situation, clock)
        self._config = AlertsConfig()
        self._ceiling = ceiling
        self._has_management = management is not None
        self._credentials, self._failing, self._capabilities = credentials, failing, capabilities
        self._served: frozenset[str] | None = None
        self._loaded = False
        self._started = False
        self._quiet_until = float("-inf")
        self._locks = {True: asyncio.Lock(), False: asyncio.Lock()}
        self._woken = tuple(asyncio.Event() for _ in range(3))

    # ---- what is known -------------------------------------------------------------------------------------------

    def configure(self, config: AlertsConfig) -> None:
        """The alerts file, at boot and after each reload; what it no longer has is restored."""
        self._config = config
        self._proofs.configure(config)
        self._release.watch(led_away(config))
        self._routes.configure(config)
        self._wake()

    async def load(self) -> None:
        """The journal out of the ledger; before this nothing is planned. Raises `StoreFailure`."""
        self._journal.load(await self._ledger.mitigations())
        self._settings.remember(self._journal.rows())
        self._loaded = True

    def probe_with(self, run: RunProbe) -> None:
        """How to run the probes that releases name."""
        self._release.run_probe = run

    def set_inventory(self, models: frozenset[str] | None) -> None:
        """The models that the upstream serves; None when that is not known."""
        self._served = self._routes.served = models
        if models is not None:
            self._steps.refused.clear()

    def observe(self, event: Event) -> None:
        """Learns from one event whether a stand-in, or the original path, works, and counts what goes through."""
        self._proofs.observe(event, self._journal.open, self._steps.firing or ())
        if self._release.observe(event, self._applied() if self._journal.open else ()):
            self._wake()

    def recall(self, event: Event) -> None:
        """Counts what was stored before this process began: how models do is known from the start."""
        self._proofs.observe(event, (), ())

    @property
    def is_busy(self) -> bool:
        """Something is open."""
        return bool(self._journal.open)

    def rows(self) -> Sequence[Mitigation]:
        """Open rows first, then ended ones, newest first."""
        return self._journal.rows()

    # ---- plans ---------------------------------------------------------------------------------------------------

    def plan(self, firing: Sequence[Alert], acting: frozenset[str], now: int) -> Decision:
        """What to begin, to be committed with the alerts; to be asked at every evaluation.

        `firing` keep what they own, only those whose fingerprints are `acting` may begin something.
        """
        self._steps.firing = tuple(firing)
        if self._journal.open:
            self._wake()
        if not self._loaded or self._is_quiet():
            return Decision()
        made = planning.plan(self._situation(), [one for one in firing if one.fingerprint in acting], now)
        return replace(
            made,
            audit=tuple(said for said in made.audit if not self._journal.is_said(said)),
            notifications=tuple(sent for row in made.mitigations for sent in self._journal.notices(None, row)),
        )

    def adopt(self, decision: Decision) -> None:
        """Any decision was committed: takes its rows, and puts soft ones in force at once."""
        self._journal.adopt(decision.mitigations, decision.audit)
        if decision.mitigations:
            self._release.keep(self._journal.open)
            self._proofs.keep(self._journal.open)
            self._keep_routes()
            self._wake()

    def _situation(self) -> Situation:
        return Situation(
            config=self._config,
            rows=self._journal.rows(),
            ceiling=self._ceiling,
            has_management=self._has_management,
            served=self._served,
            refused=frozenset(self._steps.refused),
            credentials=tuple(self._credentials()),
            failing=self._failing_credentials(),
            capabilities=self._capabilities(),
            errors=self._proofs.errors(),
        )

    def _failing_credentials(self) -> dict[str, tuple[str, ...]]:
        """By provider, as far as anything that fires is about it."""
        labels = (dict(alert.labels) for alert in self._steps.firing or ())
        providers = {one["provider_key"] for one in labels if "provider_key" in one}
        return {provider_key: tuple(self._failing(provider_key)) for provider_key in sorted(providers)}

    # ---- the work ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """A guarded task: soft rows never wait for the upstream, and the routes never for a ping."""
        await self._start()
        works = (lambda: self._round(soft=True), lambda: self._round(soft=False), self._ping)
        async with asyncio.TaskGroup() as loops:
            for work, woken in zip(works, self._woken, strict=True):
                loops.create_task(self._repeat(work, woken))

    async def carry_out(self) -> None:
        """One round of all that `run` does again and again. Raises `StoreFailure`."""
        await self._ping()
        await self._round(soft=True)
        await self._round(soft=False)

    async def restore_all(self, *, on_stop: bool) -> Sequence[Mitigation]:
        """Undoes what is open, by compare-and-set; the rows afterwards. Raises `StoreFailure`.

        At a stop soft rows lapse by themselves, and what is held, or whose `on_stop` says keep, stays as it is.
        """
        rows = [row for row in self._journal.open if not on_stop or self._ends_at_stop(row)]
        async with self._locks[True], self._locks[False]:
            for row in rows:
                await self._steps.advance(row.id, ending="the daemon stops" if on_stop else "all was reverted")
        return [now for row in rows if (now := self._journal.get(row.id)) is not None]

    async def act(self, mitigation: str, action: str, actor: str, until: int | None = None) -> Mitigation:
        """What a human wants done to a mitigation, by id or name; `until` (epoch ms) ends a hold, or what is applied.
        Raises `Conflict` where it does not fit."""
        if action not in ACTIONS:
            raise Conflict(f"a mitigation cannot be told to {action}")
        act: Callable[[str, str, int | None], Awaitable[Sequence[Mitigation]]] = getattr(self._acts, action)
        async with self._locks[True], self._locks[False]:
            rows = await act(mitigation, actor, until)
        self._wake()
        return self._journal.get(rows[0].id) or rows[0]

    async def _start(self) -> None:
        """After the third start within five minutes nothing is changed for one minute."""
        if self._started:
            return
        now = self._clock.now()
        starts = [said for said in await self._ledger.audit() if said.action == "start" and now - said.at < STORM_MS]
        await self._journal.say(
            AuditEntry(id=f"start-{now}", at=now, actor=OURSELVES, subject="mitigations", action="start")
        )
        if len(starts) + 1 >= STORM_STARTS:
            self._quiet_until = self._clock.monotonic() + STORM_QUIET_SECONDS
            log.warning("started %d times in five minutes: no changes for one minute", len(starts) + 1)
        self._started = True

    async def _repeat(self, work: Callable[[], Awaitable[None]], woken: asyncio.Event) -> None:
        while True:
            woken.clear()
            try:
                await work()
            except StoreFailure as failure:
                log.error("mitigations wait for the store: %s", failure)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS if self._journal.open else IDLE_SECONDS):
                    await woken.wait()

    async def _round(self, *, soft: bool) -> None:
        if soft:
            self._keep_routes()
        for row in self._journal.open if not self._is_quiet() else ():
            if row.soft is soft:
                async with self._locks[soft]:
                    await self._steps.advance_if_due(row)

    async def _ping(self) -> None:
        for row_id, passes in (await self._release.ping(self._applied())).items():
            async with self._locks[True]:
                row = self._journal.get(row_id)
                if row is not None and row.state is MitigationState.APPLIED and row.passes != passes:
                    await self._journal.keep(replace(row, passes=passes))

    def _keep_routes(self) -> None:
        rows = self._applied()
        routes = tuple(soft_kind(row.kind).route(row, self._release.trickle_seconds(row)) for row in rows)
        self._routes.keep(routes, pressing(rows, self._steps.firing or ()))

    def _applied(self) -> list[Mitigation]:
        return [row for row in self._journal.open if row.soft and row.state is MitigationState.APPLIED]

    def _ends_at_stop(self, row: Mitigation) -> bool:
        options = self._config.mitigations.get(row.name)
        kept = options is not None and options.on_stop == "keep"
        return not row.soft and row.held_by is None and not kept

    def _is_quiet(self) -> bool:
        return self._clock.monotonic() < self._quiet_until

    def _wake(self) -> None:
        for woken in self._woken:
            woken.set()
