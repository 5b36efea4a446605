"""A fire drill through the real engine, in virtual time: all of it is seen, and nothing of it is left."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import pytest_asyncio

from daemon.domain.alerts_config import AlertsConfig, Receiver, Route
from daemon.domain.drill import DrillReport, StepState
from daemon.domain.errors import Conflict, StoreFailure
from daemon.domain.mitigation import MitigationState, Mode
from daemon.domain.notification import Channel
from daemon.domain.rollup import Resolution
from daemon.engine.core import Core, Surroundings
from daemon.engine.drill import APPLIED, FIRES, LIFTED, RESOLVED, ROUTED, TOLD, Drill, Stage
from daemon.engine.ingest import Arrival, Ingest
from daemon.logic.drilling import ALERT, MITIGATION, MODEL, STAND_IN, with_drill
from daemon.logic.providers import ProviderFigures
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger
from tests.fakes.memory_spool import MemorySpool
from tests.fakes.notifier import FakeNotifier
from tests.fakes.route_table import MemoryRoutes
from tests.fakes.upstream_probes import FakeProbes
from tests.logic.playing import a_rule

STEPS = (FIRES, APPLIED, ROUTED, TOLD, RESOLVED, LIFTED)
S, N, M = StepState.SEEN, StepState.NOT_DONE, StepState.MISSED
CONFIG = AlertsConfig(
    receivers=(Receiver(name="operators"),),
    rules=(a_rule(), a_rule(alert="Canaries", bad={"source": ["canary", "drill"]})),
    fallbacks={"a": ("b",)},
    route=Route(group_wait=5.0),
)


class House:
    """A control plane without its doors; time goes by while a drill waits."""

    def __init__(self, reader: ThreadPoolExecutor) -> None:
        self.clock, self.ledger, self.events = FakeClock(), MemoryLedger(), MemoryEventStore()
        self.routes, self.notifier, self.figures = MemoryRoutes(), FakeNotifier(), ProviderFigures()
        self.reader = reader
        self.ingests = True
        self.routed: set[str] = set()

    async def start(self, config: AlertsConfig = CONFIG, mode: Mode = Mode.AUTO, urls: bool = True) -> "House":
        around = Surroundings(
            clock=self.clock,
            ledger=self.ledger,
            events=self.events,
            routes=self.routes,
            management=None,
            probes=FakeProbes(),
            notifier=self.notifier,
            ceiling=mode,
            public_url="http://nas:8319",
        )
        self.core = core = Core(around, lambda: (config, ()))
        self.ingest = Ingest(
            spool=MemorySpool(),
            store=self.events,
            clock=self.clock,
            reader=self.reader,
            label=core.attribution.attribute,
            arrived=self._arrived,
        )
        whole = with_drill(config)
        core.dispatch.configure(config, {"operators": (Channel(url="fake://operators"),)} if urls else {})
        core.mitigate.configure(whole)
        await core.mitigate.load()
        core.inventory._served(frozenset({"a", "b"}))
        core.evaluate.use(core.evaluate.open(whole))
        stage = Stage(
            inject=self.ingest.inject,
            config=lambda: whole,
            alerts=core.silences.alerts,
            mitigations=core.mitigate.rows,
            routes=self.routes,
            ledger=self.ledger,
            commit=core.desk.commit,
        )
        self.drill = Drill(stage, self.clock, self.goes_by)
        return self

    def _arrived(self, arrival: Arrival) -> None:
        for event in arrival.events:
            self.figures.observe(event)
            self.core.mitigate.observe(event)
        self.core.evaluate.arrived(arrival)

    async def goes_by(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if self.ingests:
            await self.ingest.catch_up()
        await self.core.evaluate.step(self.clock.now())
        await self.core.mitigate.carry_out()
        await self.core.dispatch.send_due()
        self.routed |= {f"{route.from_model} → {route.to_model}" for route in self.routes.table.routes}

    async def play(self) -> DrillReport:
        await self.drill.start("human:jo")
        await self.drill.play()
        assert self.drill.report is not None
        return self.drill.report


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    with ThreadPoolExecutor(1) as reader:
        yield House(reader)


def states(report: DrillReport) -> dict[str, StepState]:
    return {step.name: step.state for step in report.steps}


def words(report: DrillReport) -> dict[str, str]:
    return {step.name: step.words for step in report.steps}


async def test_every_step_is_seen_in_order_and_lasts_as_long_as_it_lasts(house: House) -> None:
    await house.start()
    report = await house.play()
    assert states(report) == dict.fromkeys(STEPS, S)
    assert (report.names, report.is_over, report.went_well) == (STEPS, True, True)
    seconds = {step.name: step.seconds for step in report.steps}
    assert 0 < seconds[FIRES] <= 2.0
    assert 3.0 <= seconds[TOLD] <= 7.0  # `group_wait`
    assert house.routed == {f"{MODEL} → {STAND_IN}"}
    assert words(report)[LIFTED] == "no alert wants it any more; routes.json is as before"


async def test_the_message_is_marked(house: House) -> None:
    await house.start()
    report = await house.play()
    (_, message), *_ = house.notifier.sent
    assert message.title == f"[critical] {ALERT} {report.id}: 100%"
    assert message.body.startswith("DRILL, nothing is wrong: 10 of 10 made-up turns failed (100%)")


async def test_nothing_of_it_is_left(house: House) -> None:
    await house.start()
    await house.play()
    await house.ingest.store()
    assert (house.events.rows, house.figures.figures(house.clock.now(), 600.0)) == ({}, {})
    assert (house.ingest.events_total, house.ingest.lost_total) == (0, 0)
    assert [row for resolution in Resolution for row in house.ingest.unwritten(resolution)] == []
    assert house.routes.table.routes == ()
    assert [row.state for row in house.core.mitigate.rows()] == [MitigationState.RESTORED]
    assert {row.alert for row in house.ledger.alert_rows.values()} == {ALERT}  # no rule of anybody's has counted it


async def test_who_began_it_stands_in_the_audit(house: House) -> None:
    await house.start()
    await house.play()
    (said,) = [entry for entry in house.ledger.audit_rows.values() if entry.action == "drill"]
    assert (said.actor, said.subject) == ("human:jo", f"alert:{ALERT}")


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.ASK])
async def test_what_the_mode_does_not_allow_is_said_and_not_done(house: House, mode: Mode) -> None:
    await house.start(mode=mode)
    report = await house.play()
    assert states(report) == dict.fromkeys(STEPS, S) | dict.fromkeys((APPLIED, ROUTED, LIFTED), N)
    assert words(report)[APPLIED].startswith(f"mode is {mode}: would send {MODEL} out as {STAND_IN}")
    assert report.went_well
    assert house.routed == set()


async def test_one_drill_follows_another(house: House) -> None:
    await house.start()
    for _ in range(3):
        assert (await house.play()).went_well
        await house.goes_by(1.0)


async def test_a_receiver_without_urls_is_a_step_that_was_missed(house: House) -> None:
    await house.start(urls=False)
    report = await house.play()
    assert states(report) == dict.fromkeys(STEPS, S) | {TOLD: M}
    assert words(report)[TOLD] == "it is failed: receiver has no URLs"
    assert next(step.seconds or 0 for step in report.steps if step.name == TOLD) < 10.0, "it is not waited for"
    assert not report.went_well


async def test_a_silence_is_named(house: House) -> None:
    await house.start()
    await house.core.silences.add(
        {"alert": ALERT}, starts_at=None, ends_at=None, seconds=3600.0, actor="human:jo", comment=""
    )
    report = await house.play()
    assert states(report)[TOLD] is M
    assert states(report)[LIFTED] is S


async def test_what_a_human_holds_is_not_lifted_and_that_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.start()
    notifications = house.ledger.notifications

    async def held() -> Any:
        if house.core.mitigate.rows()[0].held_by is None:
            await house.core.mitigate.act(MITIGATION, "hold", "human:al")
        return await notifications()

    monkeypatch.setattr(house.ledger, "notifications", held)
    report = await house.play()
    assert states(report) == dict.fromkeys(STEPS, S) | {LIFTED: M}
    assert words(report)[LIFTED] == "it is applied: in routes.json"


async def test_where_nothing_is_ingested_it_ends_at_once_and_says_so(house: House) -> None:
    await house.start()
    house.ingests = False
    report = await house.play()
    assert [(step.name, step.state) for step in report.steps] == [(FIRES, M)]
    assert (report.is_over, report.went_well) == (True, False)
    assert words(report)[FIRES] == "not within 10 s"


async def test_what_the_store_refuses_is_not_begun(house: House) -> None:
    await house.start()
    house.ledger.failing = True
    with pytest.raises(StoreFailure):
        await house.drill.start("human:jo")
    assert house.drill.report is None
    house.ledger.failing = False
    assert (await house.play()).went_well


async def test_a_store_that_fails_in_between_is_said_and_the_rest_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.start()

    async def refuse() -> None:
        raise StoreFailure("it is locked")

    monkeypatch.setattr(house.ledger, "notifications", refuse)
    report = await house.play()
    assert states(report) == dict.fromkeys(STEPS, S) | {TOLD: M}
    assert words(report)[TOLD] == "the store does not answer: it is locked"


async def test_one_at_a_time(house: House) -> None:
    await house.start()
    await house.drill.start("human:jo")
    with pytest.raises(Conflict, match="is going on already"):
        await house.drill.start("human:al")


@pytest.mark.parametrize("taken", [{"rules": (a_rule(alert=ALERT),)}, {"mitigations": {MITIGATION: None}}])
async def test_a_name_that_is_taken_is_refused(house: House, taken: dict[str, Any]) -> None:
    await house.start()
    config = CONFIG.model_copy(update=taken)
    assert with_drill(config) is config
    house.drill = Drill(
        Stage(
            inject=house.ingest.inject,
            config=lambda: config,
            alerts=list,
            mitigations=list,
            routes=house.routes,
            ledger=house.ledger,
            commit=house.core.desk.commit,
        ),
        house.clock,
    )
    with pytest.raises(Conflict, match="rename it"):
        await house.drill.start("human:jo")


async def test_its_task_waits_to_be_asked_and_goes_on_to_the_next(house: House) -> None:
    await house.start()
    task = asyncio.ensure_future(house.drill.run())
    for _ in range(2):
        await house.drill.start("human:jo")
        async with asyncio.timeout(10):
            while house.drill.report is None or not house.drill.report.is_over:  # noqa: ASYNC110 the task runs meanwhile
                await asyncio.sleep(0)
        assert house.drill.report.went_well
    task.cancel()
