"""Probes run when they are due or asked for, within their budget, and remember."""

from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from daemon.adapters.memory.probes import MemoryProbes
from daemon.domain.alerts_config import AlertsConfig, ProbeBudget, ProbeOptions
from daemon.domain.errors import Misuse, StoreFailure
from daemon.domain.probe import Ask, Door, ProbeOutcome, ProbeResult, Reply
from daemon.engine.probe import FIRST_SECONDS, Probes
from daemon.logic.probe import Found, LookOptions, ProbeKind, Sight, told
from tests.fakes.clock import FakeClock

NOON = 1_795_521_600_000
DAY = 86_400


class Recorder:
    """A schedule that only notes what it is told."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[float, float | None]] = {}

    def every(
        self,
        seconds: float,
        job: Callable[[], Awaitable[None]],
        *,
        name: str,
        first: float | None = None,
        jitter: float = 0.0,
    ) -> None:
        self.jobs[name] = seconds, first

    def drop(self, name: str) -> None:
        self.jobs.pop(name, None)

    def start(self) -> None: ...

    def stop(self) -> None: ...


def a_kind(costs: bool = True, tokens: int = 0) -> ProbeKind:
    """Asks twice, says what it was answered, and counts its runs."""

    def requests(options: ProbeOptions, sight: Sight) -> Sequence[Ask]:
        return [Ask(door=Door.PROXY, path=f"/{number}") for number in range(2)]

    def verdict(options: ProbeOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
        memory = {"runs": sight.memory.get("runs", 0) + 1}
        said = [told("it", sight, reply.ok, str(reply.status), subject=str(n)) for n, reply in enumerate(replies)]
        return Found(results=said, memory=memory, tokens=tokens)

    return cast(
        ProbeKind,
        SimpleNamespace(OPTIONS=ProbeOptions, COSTS=costs, EXAMPLE="", requests=requests, verdict=verdict),
    )


class Desk:
    def __init__(self, kind: ProbeKind | None = None) -> None:
        self.clock, self.store, self.schedule = FakeClock(NOON), MemoryProbes(), Recorder()
        self.kind = kind or a_kind()
        self.status, self.asked, self.refreshed = 200, 0, 0
        self.observed: list[ProbeResult] = []

    def probes(self) -> Probes:
        return Probes(
            kinds={"it": self.kind},
            ask=self._ask,
            refresh=self._refresh,
            sight=lambda: Sight(now=self.clock.now()),
            store=self.store,
            schedule=self.schedule,
            observe=self.observed.append,
            take_quota=lambda readings: readings,
            clock=self.clock,
        )

    async def _refresh(self) -> None:
        self.refreshed += 1

    async def _ask(self, ask: Ask) -> Reply:
        self.asked += 1
        return Reply(status=self.status)


def outcomes(results: Sequence[ProbeResult]) -> list[str]:
    return [one.outcome.value for one in results]


async def test_a_run_asks_judges_hands_on_and_remembers() -> None:
    desk = Desk()
    probes = desk.probes()
    found = await probes.run("it")
    desk.status = 500
    await probes.run("it")
    assert outcomes(found) == ["ok", "ok"]
    assert outcomes(desk.observed) == ["ok", "ok", "bad", "bad"]
    again = desk.probes()
    await again.load()
    (row,) = again.rows()
    assert (row.state.memory, row.state.requests, row.state.ran_at) == ({"runs": 2}, 4, NOON)
    assert outcomes(row.results) == ["bad", "bad"], "what was paid for is known after a restart"


@pytest.mark.parametrize(("costs", "rows"), [(True, 4), (False, 2)])
async def test_what_says_the_same_again_and_was_free_is_not_stored(costs: bool, rows: int) -> None:
    desk = Desk(a_kind(costs))
    probes = desk.probes()
    await probes.run("it")
    await probes.run("it")
    assert (len(desk.store.result_rows), len(desk.observed)) == (rows, 4)


@pytest.mark.parametrize(
    ("budget", "tokens", "says"),
    [
        (ProbeBudget(requests=3), 0, "its 3 requests of today are spent"),
        (ProbeBudget(tokens=90), 100, "its 90 tokens of today are spent"),
    ],
)
async def test_what_is_spent_is_spent_until_tomorrow(budget: ProbeBudget, tokens: int, says: str) -> None:
    desk = Desk(a_kind(tokens=tokens))
    probes = desk.probes()
    probes.configure(AlertsConfig(probes={"it": ProbeOptions(budget=budget)}))
    await probes.run("it")
    (refused,) = await probes.run("it")
    assert (refused.outcome, refused.reason, desk.asked) == (ProbeOutcome.UNKNOWN, says, 2)
    after = desk.probes()  # a restart gives nothing back
    await after.load()
    after.configure(AlertsConfig(probes={"it": ProbeOptions(budget=budget)}))
    assert outcomes(await after.run("it")) == ["unknown"]
    desk.clock.advance(DAY)
    assert outcomes(await after.run("it")) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("costs", "named", "is_on"),
    [
        (False, None, True),
        (True, None, False),
        (True, ProbeOptions(), True),
        (True, ProbeOptions(enabled=False), False),
        (False, ProbeOptions(enabled=False), False),
    ],
)
def test_what_is_free_is_on_and_what_costs_is_on_where_it_is_named(
    costs: bool, named: ProbeOptions | None, is_on: bool
) -> None:
    desk = Desk(a_kind(costs))
    probes = desk.probes()
    probes.configure(AlertsConfig(probes={} if named is None else {"it": named}))
    assert ([row.enabled for row in probes.rows()], "probe it" in desk.schedule.jobs) == ([is_on], is_on)


async def test_a_restart_does_not_begin_a_long_interval_anew() -> None:
    desk = Desk()
    config = AlertsConfig(probes={"it": ProbeOptions(every=3600.0)})
    first = desk.probes()
    first.configure(config)
    assert desk.schedule.jobs == {"probe it": (3600.0, FIRST_SECONDS)}
    await first.run("it")
    desk.clock.advance(3000)
    second = desk.probes()
    await second.load()
    second.configure(config)
    assert desk.schedule.jobs == {"probe it": (3600.0, 600.0)}
    second.configure(AlertsConfig())
    assert desk.schedule.jobs == {}


async def test_a_store_that_refuses_keeps_nobody_from_hearing() -> None:
    desk = Desk()

    async def refuse(*_: Any) -> None:
        raise StoreFailure("no")

    desk.store.note = refuse  # type: ignore[method-assign]
    await desk.probes().run("it")
    assert outcomes(desk.observed) == ["ok", "ok"]


async def test_a_probe_that_breaks_says_nothing_of_the_upstream_and_pays_what_it_asked() -> None:
    desk = Desk()
    cast(Any, desk.kind).verdict = lambda *_: 1 / 0
    probes = desk.probes()
    (said,) = await probes.run("it")
    assert (said.outcome, said.reason) == (ProbeOutcome.UNKNOWN, "the probe itself broke (ZeroDivisionError)")
    assert probes.rows()[0].state.requests == 2


async def test_what_there_is_not_is_said() -> None:
    with pytest.raises(Misuse, match="there is no probe 'that'"):
        await Desk().probes().run("that")


def that_judges_looks(costs: bool = False) -> ProbeKind:
    kind = a_kind(costs)
    return cast(ProbeKind, SimpleNamespace(**{**vars(kind), "OPTIONS": LookOptions}))


async def test_what_judges_looks_is_run_after_them_when_it_is_due() -> None:
    desk = Desk(that_judges_looks())
    probes = desk.probes()
    probes.configure(AlertsConfig(probes={"it": LookOptions(every=180.0)}))
    assert desk.schedule.jobs == {}
    for _ in range(7):
        await probes.looked()
        desk.clock.advance(59.9)
    assert (len(desk.observed), desk.refreshed) == (2 * 3, 0)


async def test_by_hand_it_is_run_after_a_look_of_its_own() -> None:
    desk = Desk(that_judges_looks())
    await desk.probes().run("it")
    assert desk.refreshed == 1
    await Desk().probes().run("it")
    assert (desk.refreshed, desk.asked) == (1, 2)


@pytest.mark.parametrize(("costs", "runs"), [(False, 2), (True, 1)])
async def test_the_first_look_of_a_process_is_judged_where_it_is_free(costs: bool, runs: int) -> None:
    desk = Desk(that_judges_looks(costs))
    for _ in range(2):
        probes = desk.probes()
        await probes.load()
        probes.configure(AlertsConfig(probes={"it": LookOptions()}))
        await probes.looked()
        desk.clock.advance(1)
    assert len(desk.observed) == 2 * runs


async def test_what_judges_looks_and_is_off_is_left_alone() -> None:
    desk = Desk(that_judges_looks())
    probes = desk.probes()
    probes.configure(AlertsConfig(probes={"it": LookOptions(enabled=False)}))
    await probes.looked()
    assert desk.observed == []
