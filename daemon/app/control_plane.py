"""The control plane: wires the engine to its adapters, and starts and stops it in order."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import daemon
from daemon.adapters.config.built_in import own_rules
from daemon.adapters.config.secrets import probe_keys
from daemon.adapters.config.settings import Settings
from daemon.adapters.disk import free_share
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.probes import HttpProbes
from daemon.adapters.notify.process import AppriseProcess
from daemon.adapters.notify.pulse import Pulse
from daemon.adapters.routes import RoutesFile, write_journal_copy
from daemon.adapters.schedule import JobSchedule
from daemon.adapters.spool.reader import SpoolReader
from daemon.adapters.store import Store
from daemon.adapters.wake import WakeListener
from daemon.app import probing
from daemon.app.alerts_source import AlertsSource
from daemon.app.channel_check import check_channels
from daemon.app.places import Places
from daemon.app.providers_file import write_providers
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import StoreFailure
from daemon.domain.mitigation import Mitigation
from daemon.domain.self_reading import Condition, SelfReading
from daemon.engine.baselines import Baselines
from daemon.engine.check_up import CheckUp
from daemon.engine.core import Core, Surroundings
from daemon.engine.drill import Drill, Stage
from daemon.engine.foreign import EXPIRE_SECONDS, Foreign
from daemon.engine.heartbeat import LOOK_SECONDS as BEAT_SECONDS
from daemon.engine.heartbeat import Heartbeat
from daemon.engine.ingest import Arrival, Ingest
from daemon.engine.inventory import EVERY_SECONDS
from daemon.engine.operate import Operate
from daemon.engine.past import UpstreamPast
from daemon.engine.retain import Retention
from daemon.engine.self_watch import EVERY_SECONDS as LOOK_SECONDS
from daemon.engine.self_watch import MISSED_TICKS, SelfWatch
from daemon.engine.supervise import Tasks
from daemon.logic.capabilities import flavour_of
from daemon.logic.drilling import with_drill
from daemon.logic.judging import Book
from daemon.logic.providers import LONGEST_WINDOW_SECONDS, ProviderFigures
from daemon.ports import Clock

log = logging.getLogger(__name__)

FILE_SECONDS = 2.0
"""Between two looks at the alerts file."""
SNAPSHOT_SECONDS = 5.0
BASELINE_SECONDS = 60.0
"""Between two looks whether an hour was closed, or other rules are in force."""
RETENTION_SECONDS = 3600.0
"""Between two looks at what is too old."""
LATE_MS = 600_000
"""Events that come later than this while the rules are read anew are not counted anew."""
FIRST_LOOK_SECONDS = 3.0
"""At the start the upstream is waited for no longer than this."""


class ControlPlane:
    """Everything behind the control port but the port itself."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        store: Store,
        source: AlertsSource,
        clock: Clock,
        canary_secret: str,
        approval_key: bytes = b"",
    ) -> None:
        self._settings = settings
        self._places = places
        self._store = store
        self._source = source
        self._clock = clock
        self._stack = AsyncExitStack()
        self._tasks = Tasks()
        self._schedule = JobSchedule(clock)
        self._reload_asked = asyncio.Event()
        self._in_force: AlertsConfig | None = None
        self._ticked_at = float("inf")
        self._figures = ProviderFigures()
        self._figures_written: object = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="control")
        key = settings.upstream_management_key
        self._management = (
            None if key is None else ManagementClient(settings.upstream_url, key.get_secret_value(), clock)
        )
        self._probes = self._open_probes(canary_secret)
        proxy = settings.proxy_host, settings.proxy_port
        self._notifier = AppriseProcess(proxy=proxy)
        self._heartbeat = Heartbeat(clock=clock, beat=Pulse(proxy, self._threads).beat, trouble=self._trouble)
        self._routes = RoutesFile(places.routes, clock)
        around = Surroundings(
            clock=clock,
            ledger=store.ledger,
            events=store.events,
            routes=self._routes,
            management=self._management,
            probes=self._probes,
            notifier=self._notifier,
            ceiling=settings.mitigation_mode,
            public_url=settings.public_url_resolved,
            approval_key=approval_key,
            export=partial(write_journal_copy, places.journal_copy),
        )
        self._core = core = Core(around, lambda: (with_drill(source.config), source.off))
        self._attribution, self._evaluate, self._silences = core.attribution, core.evaluate, core.silences
        self._dispatch, self._mitigate, self._inventory = core.dispatch, core.mitigate, core.inventory
        self._foreign = Foreign(
            desk=core.desk, clock=clock, plan_messages=core.dispatch.plan, forget=self._evaluate.forget
        )
        self._ingest = Ingest(
            spool=SpoolReader(places.spool, places.spool_ack),
            store=store.events,
            clock=clock,
            reader=self._threads,
            node_id=self._rollups_of,
            label=self._attribution.attribute,
            arrived=self._arrived,
        )
        self._self_watch = SelfWatch(
            clock=clock,
            ingest=self._ingest,
            evaluate=self._evaluate,
            tick_seconds=settings.evaluation_interval,
            free_share=partial(free_share, places.state),
            observe=self._evaluate.observe,
        )
        core.desk.read_by(self._self_watch.adopt)
        self._baselines = Baselines(
            store=store.events,
            book=lambda: self._evaluate.book,
            learn=self._evaluate.learn,
            node_id=self._rollups_of,
        )
        stage = Stage(
            inject=self._ingest.inject,
            config=lambda: with_drill(source.config),
            alerts=self._silences.alerts,
            mitigations=self._mitigate.rows,
            routes=self._routes,
            ledger=store.ledger,
            commit=core.desk.commit,
        )
        self._drill = Drill(stage, clock)
        self._probing = probing.build(
            core,
            self._probes,
            store.probes,
            self._schedule,
            clock,
            lambda: self._figures.figures(clock.now(), 600.0),
            self._threads,
        )
        self._mitigate.probe_with(self._probing.run)
        self._usage = probing.usage(core, self._management, settings.upstream_url, store.probes, clock)
        self.operations = Operate(
            clock=clock,
            events=store.events,
            ledger=store.ledger,
            ingest=self._ingest,
            evaluate=self._evaluate,
            dispatch=self._dispatch,
            mitigate=self._mitigate,
            silences=self._silences,
            explain=core.explain,
            foreign=self._foreign,
            drill=self._drill,
            probes=self._probing,
            canary=probing.canaries(self._probes, clock),
            models=lambda: core.inventory.models,
            quota=lambda: core.quota,
            check_up=self._check_up(),
            past=UpstreamPast(self._management, clock),
            commit=core.desk.commit,
            figures=self._figures,
            describe=self._describe,
            missing=self._missing,
            stalled=self._schedule_stalled,
        )

    def _check_up(self) -> CheckUp:
        return CheckUp(
            clock=self._clock,
            ask=self._probes.ask,
            inventory=self._inventory,
            config=lambda: self._source.config,
            channels=lambda: self._channels,
            has_client_key=bool(self._probes.clients),
            has_management_key=self._management is not None,
        )

    def _open_probes(self, canary_secret: str) -> HttpProbes:
        settings = self._settings
        return HttpProbes(
            upstream_url=settings.upstream_url,
            proxy_url=f"http://{settings.proxy_host}:{settings.proxy_port}",
            api_key=None if settings.upstream_api_key is None else settings.upstream_api_key.get_secret_value(),
            canary_secret=canary_secret,
            clock=self._clock,
            management=self._management,
            more_keys=probe_keys(settings),
        )

    # ---- start and stop ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Takes up where the last process stopped. Raises `StoreFailure` and OSError."""
        bell = WakeListener(self._places.control_socket, self._ingest.wake)
        bell.start()
        self._stack.callback(bell.close)
        await self._probing.load()
        self._core.remember_quota(await self._store.probes.readings())
        alerts, mitigations = await self._store.ledger.alerts(), await self._store.ledger.mitigations()
        self._evaluate.remember(alerts, mitigations)
        self._configure(self._source.config)
        await self._silences.load()
        await self._dispatch.load()
        await self._mitigate.load()
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self._look()
        book = self._evaluate.open(with_drill(self._source.config))
        last_alive = await self._store.events.last_alive()
        warmed = await self._in_thread(self._warm, book, True)
        downtime = 0 if last_alive is None else max(0, self._clock.now() - last_alive)
        self._foreign.remember(alerts, downtime)
        self._evaluate.use(book, downtime_ms=downtime, warmed=warmed)
        self._report_config()
        await self._self_watch.look()
        await self._baselines.run()
        self._start_tasks()

    def _start_tasks(self) -> None:
        self._tasks.start("mitigate", self._mitigate.run)
        self._tasks.start("dispatch", self._dispatch.run)
        self._tasks.start("evaluate", self._evaluate_once_attached)
        self._tasks.start("ingest", self._ingest.run)
        self._tasks.start("drill", self._drill.run)
        self._tasks.start("usage", self._usage.run)
        self._tasks.start("alerts file", self._follow_file)
        self._tasks.start("channels", self._check_channels)
        for seconds, name, job in (
            (self._settings.evaluation_interval, "tick", self._tick),
            (EVERY_SECONDS, "inventory", self._look),
            (LOOK_SECONDS, "self watch", self._self_watch.look),
            (EXPIRE_SECONDS, "foreign alerts", self._foreign.expire),
            (BASELINE_SECONDS, "baselines", self._baselines.run),
            (SNAPSHOT_SECONDS, "providers", self._write_providers),
            (RETENTION_SECONDS, "retention", self._retention().run),
            (BEAT_SECONDS, "heartbeat", self._heartbeat.look),
        ):
            self._schedule.every(seconds, job, name=name)
        self._schedule.start()

    async def stop(self) -> None:
        """Restores what we own, in the reverse order of the start, each step bounded."""
        self._schedule.stop()
        await self._tasks.stop()
        try:
            await self._ingest.catch_up()
            await self._ingest.store()
            await self._mitigate.restore_all(on_stop=True)
            await self._evaluate.flush()
        except StoreFailure as failure:
            log.error("what is not stored or restored now will be at the next start: %s", failure)
        self._routes.close()
        await self._notifier.close()
        await self._probes.close()
        if self._management is not None:
            await self._management.close()
        await self._stack.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def restore_owned(self) -> Sequence[Mitigation]:
        """Instead of a start: changes back what an earlier process left changed upstream."""
        self._configure(self._source.config)
        await self._mitigate.load()
        return await self._mitigate.restore_all(on_stop=False)

    async def _evaluate_once_attached(self) -> None:
        """What waited in the spool is judged together, not as if it were all there was."""
        await self._ingest.attached.wait()
        await self._evaluate.run()

    # ---- rules ---------------------------------------------------------------------------------------------------

    def ask_reload(self) -> None:
        """From a signal."""
        self._reload_asked.set()

    async def _follow_file(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(FILE_SECONDS):
                    await self._reload_asked.wait()
            is_behind = self._source.config is not self._in_force
            if self._reload_asked.is_set() or is_behind or self._source.has_changed():
                self._reload_asked.clear()
                await self._reload()

    async def _reload(self) -> None:
        """Reads the alerts file again. A broken one changes nothing and raises `ConfigReloadFailed`."""
        self._source.reload()
        self._report_config()
        if (config := self._source.config) is self._in_force:
            return
        try:
            book = self._evaluate.open(with_drill(config), self._ingest.waiting)
            warmed = await self._in_thread(self._warm, book, False)
        except StoreFailure as failure:
            log.error("the new rules wait until the store answers: %s", failure)
            return
        self._configure(config)
        self._tasks.start("channels", self._check_channels)
        self._evaluate.use(book, warmed=warmed)
        log.info("%d rules are in force", len(own_rules(config)))

    def _configure(self, config: AlertsConfig) -> None:
        self._in_force = config
        self._attribution.configure(config.providers)
        self._silences.configure(config)
        self._channels = self._source.receiver_channels()
        self._dispatch.configure(config, self._channels)
        beats = config.route.heartbeat
        self._heartbeat.configure(self._source.heartbeat_url(), beats.every if beats else 0.0)
        self._mitigate.configure(with_drill(config))
        self._probing.configure(config)
        self._usage.configure(config)
        self._self_watch.configure(config)

    async def _check_channels(self) -> None:
        await check_channels(self._notifier, self._channels)

    def _report_config(self) -> None:
        errors = self._source.errors
        self._evaluate.observe(
            SelfReading(
                condition=Condition.CONFIG_RELOAD_FAILED,
                holds=bool(errors),
                reason="; ".join(errors),
                emitted_at=self._clock.now(),
            )
        )

    def _warm(self, book: Book, first: bool) -> Collection[int]:
        """Blocking. Stored events fill the windows; they were judged in their time. Gives the ids of the latest."""
        seconds = max(book.longest_window_seconds, LONGEST_WINDOW_SECONDS)
        latest, warmed = self._clock.now() - LATE_MS, set[int]()
        for event in self._store.events.replay(self._clock.now() - round(seconds * 1000)):
            book.warm(event)
            if event.emitted_at > latest:
                warmed.add(event.event_id)
            if first:
                self._figures.observe(event)
                self._core.credential_figures.observe(event)
                self._mitigate.recall(event)
                self._attribution.recall(event)
        return warmed

    # ---- jobs ----------------------------------------------------------------------------------------------------

    def _arrived(self, arrival: Arrival) -> None:
        for event in arrival.events:
            self._figures.observe(event)
            self._mitigate.observe(event)
            self._core.credential_figures.observe(event)
            self._usage.turn(event)
        self._evaluate.arrived(arrival)

    async def _look(self) -> None:
        await self._inventory.refresh()
        await self._probing.looked()

    async def _tick(self) -> None:
        self._ticked_at = self._clock.monotonic()
        self._evaluate.wake()

    async def _write_providers(self) -> None:
        """An idle hour writes nothing."""
        figures = self._figures.figures(self._clock.now(), 600.0)
        if figures != self._figures_written:
            await self._in_thread(write_providers, self._places.providers, figures)
            self._figures_written = figures

    def _retention(self) -> Retention:
        settings = self._settings
        return Retention(
            self._store.events,
            self._store.ledger,
            self._store.probes,
            self._clock,
            settings.retention_events,
            settings.retention_rollups,
            self._rollups_of,
        )

    @property
    def _rollups_of(self) -> str:
        """Our name among the nodes of a database; empty where it is ours alone, so that a new name changes nothing."""
        return self._settings.node_id if self._store.database.is_shared else ""

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    # ---- telling -------------------------------------------------------------------------------------------------

    def _describe(self) -> Mapping[str, Any]:
        settings, inventory = self._settings, self._inventory
        return {
            "version": daemon.__version__,
            "node_id": settings.node_id,
            "leader": True,
            "upstream": {
                "url": settings.upstream_url,
                "reachable": inventory.reachable,
                "flavour": flavour_of(inventory.capabilities),
                "capabilities": inventory.capabilities.shown(),
            },
            "store": {"ok": self._ingest.failure is None, "url_masked": self._store.database.url_masked},
            "config": {
                "ok": not self._source.errors,
                "loaded_at": self._source.loaded_at,
                "errors": list(self._source.errors),
            },
            "usage_records": self._usage.told(),
            "receivers": {"cut_off": sorted(self._dispatch.cut_off)},
            "mitigation_mode": settings.mitigation_mode.value,
        }

    def _schedule_stalled(self) -> str | None:
        """A scheduler that has died says nothing of it."""
        silent = self._clock.monotonic() - self._ticked_at
        return "the schedule stands still" if silent > MISSED_TICKS * self._settings.evaluation_interval else None

    def _trouble(self) -> str | None:
        """What the heartbeat must not hide."""
        if self._evaluate.lag_seconds >= MISSED_TICKS * self._settings.evaluation_interval:
            return "nothing is judged"
        if self._ingest.failure is not None:
            return "the store does not answer"
        return "no receiver can be reached" if self._dispatch.is_mute else None

    def _missing(self) -> Sequence[str]:
        return [] if self._source.loaded_at is not None else ["rules"]
