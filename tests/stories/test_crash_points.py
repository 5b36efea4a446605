"""Story: killed at any of the thirteen points of the journal, on real processes, and what became of it meanwhile.

Each scenario: turns fail, the control plane begins to set `debug`, or to set it back, and dies at its point. While it
is dead the alert's cause goes on, ends, or its rule is removed, and perhaps somebody sets the setting to what it is
not. Then the next one starts; in the end nothing fails any more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from daemon.app.sink import receiving
from tests.stories.crash_lane import AUTH_INDEX, CREDENTIAL, WITHIN, Lane, Row, Zygote, empty_store
from tests.stories.dying import POINTS
from tests.stories.house import eventually

LANES = 6
WRITES_PER_HOUR = 6
ALERTS = ("fires", "resolved", "removed")
HUMANS = ("nobody", "somebody sets it")
KEPT = ("X0", "X1", "X2", "X12")
"""Nothing of ours is in force at these: what somebody sets then is not ours to set back."""
LOOSE = ("X7", "X8")
"""Ours is in force, and the next process has no reason to touch it before the alert ends."""

SAID = {"X7": "toggle: applied", "X12": "toggle: undone"}


@dataclass(frozen=True, slots=True)
class Scenario:
    point: str
    alert: str
    human: str

    @property
    def number(self) -> int:
        return int(self.point[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was seen from outside."""

    meanwhile: tuple[Row, ...]
    """The journal when all had settled, before the end of what fired."""
    value_meanwhile: bool
    rows: tuple[Row, ...]
    value: bool
    writes: tuple[int, ...]
    commits: tuple[int, ...]


SCENARIOS = tuple(Scenario(*facts) for facts in product(POINTS, ALERTS, HUMANS))


async def play(lane: Lane, scenario: Scenario) -> Report:
    await lane.begin()
    lane.turns(4, ok=False)
    lane.start(die_at=scenario.point)
    if scenario.number >= 8:
        await eventually(lambda: [row.state for row in lane.rows()] == ["applied"], within=WITHIN)
        lane.turns(20, ok=True)
    await lane.dead()
    await meanwhile(lane, scenario)
    lane.start()
    await lane.ready()
    is_on = scenario.alert == "fires"
    if scenario.alert == "resolved":  # at X0 nobody may ever know that it fired
        enough = 3 if scenario.point == "X0" else WITHIN
        await eventually(lambda: lane.has_resolved() or lane.seconds_ago >= enough, within=WITHIN)
    await settled(lane, fires=is_on, applied=is_on and scenario.human == "nobody")
    before, value_before = tuple(lane.rows()), await lane.value()
    if is_on:
        lane.turns(200, ok=True)
        await settled(lane, fires=False)
    return Report(
        meanwhile=before,
        value_meanwhile=value_before,
        rows=tuple(lane.rows()),
        value=await lane.value(),
        writes=tuple(await lane.writes()),
        commits=tuple(lane.commits()),
    )


async def meanwhile(lane: Lane, scenario: Scenario) -> None:
    """Nobody of us is there."""
    if scenario.alert == "removed":
        lane.rules(fires=False)
    elif scenario.alert == "resolved" and scenario.number < 8:
        await eventually(lambda: lane.seconds_ago >= 1)  # else it may never be seen to fire
        lane.turns(20, ok=True)
    elif scenario.alert == "fires" and scenario.number >= 8:
        lane.turns(40, ok=False)
    if scenario.human == "somebody sets it":
        await lane.set_by_hand(not await lane.value())


async def settled(lane: Lane, *, fires: bool, applied: bool = False) -> None:
    """Nothing is half done any more; and, where it must be, it is applied."""

    def check() -> bool:
        states = [row.state for row in lane.rows() if row.is_open]
        return lane.fires() is fires and (states == ["applied"] if applied else set(states) <= {"applied"})

    await eventually(check, within=WITHIN)
    if not fires:
        await eventually(lambda: not any(row.is_open for row in lane.rows()), within=WITHIN)


async def play_all(directory: Path) -> dict[Scenario, Report | BaseException]:
    """In lanes beside each other; one that fails keeps no other from being played."""
    waiting, reports = list(reversed(SCENARIOS)), dict[Scenario, Report | BaseException]()
    zygote, store = Zygote(), empty_store(directory)

    async def work() -> None:
        async with Lane(zygote, store) as lane:
            while waiting:
                scenario = waiting.pop()
                try:
                    reports[scenario] = await play(lane, scenario)
                except Exception as error:
                    error.add_note(lane.output()[-2000:])
                    reports[scenario] = error

    try:
        async with asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(work())
    finally:
        zygote.close()
    return reports


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[Scenario, Report | BaseException]:
    return asyncio.run(play_all(tmp_path_factory.mktemp("crash")))


@pytest.fixture(params=SCENARIOS, ids=lambda one: f"{one.point}, {one.alert}, {one.human}")
def played(request: pytest.FixtureRequest, reports: dict[Scenario, Report | BaseException]) -> tuple[Scenario, Report]:
    report = reports[request.param]
    if isinstance(report, BaseException):
        raise report
    return request.param, report


def test_it_is_exactly_applied_or_exactly_restored(played: tuple[Scenario, Report]) -> None:
    scenario, seen = played
    assert not any(row.is_open for row in seen.rows)
    if scenario.human == "nobody":
        assert seen.value is False, "once nothing fires it is as it was"
        assert seen.value_meanwhile is (scenario.alert == "fires")
        assert sum(row.is_open for row in seen.meanwhile) == seen.value_meanwhile, "one row, which is applied"
    else:
        assert seen.value is (scenario.point in KEPT), "or as a human left it"
    if scenario.human != "nobody" and scenario.point in LOOSE:
        assert seen.rows[0].state == "abandoned"


def test_what_nobody_wants_any_more_is_not_begun(reports: dict[Scenario, Report | BaseException]) -> None:
    for point in ("X0", "X1", "X2", "X3"):
        seen = reports[Scenario(point, "removed", "nobody")]
        assert isinstance(seen, Report)
        assert seen.writes == (), point


def test_no_write_comes_before_its_commit(played: tuple[Scenario, Report]) -> None:
    _, seen = played
    assert len(seen.writes) <= len(seen.commits) <= WRITES_PER_HOUR
    assert sum(row.attempts for row in seen.rows) == len(seen.commits)
    assert all(write >= commit for write, commit in zip(seen.writes, seen.commits, strict=False))


@asynccontextmanager
async def one_lane(directory: Path) -> AsyncIterator[Lane]:
    zygote = Zygote()
    try:
        async with Lane(zygote, empty_store(directory)) as lane:
            yield lane
    finally:
        zygote.close()


async def test_where_the_journal_cannot_be_read_nothing_is_written(tmp_path: Path) -> None:
    async with one_lane(tmp_path) as lane:
        await lane.begin()
        lane.turns(4, ok=False)
        lane.start(die_at="X7")
        await lane.dead()
        lane.spoil()
        lane.turns(20, ok=True)
        lane.start()
        await lane.dead()
        assert "no such table: mitigation" in lane.output()
        assert (len(await lane.writes()), await lane.value()) == (1, True)


async def test_what_was_applied_too_long_meanwhile_is_restored_and_reported(tmp_path: Path) -> None:
    async with receiving() as sink, one_lane(tmp_path) as lane:
        await lane.begin(more="max_hold: 1s, cool_off: 1h", NOTIFY_URLS=sink.apprise_url)
        lane.turns(4, ok=False)
        lane.start(die_at="X7")
        await lane.dead()
        lane.start()
        await eventually(lambda: [row.state for row in lane.rows()] == ["restored"], within=WITHIN)
        assert lane.rows()[0].outcome == "it was applied as long as it may be"
        assert (lane.fires(), await lane.value(), len(await lane.writes())) == (True, False, 2)
        await eventually(lambda: sink.about("undone, it was applied as long as it may be"), within=WITHIN)


@pytest.mark.parametrize("point", ["X7", "X12"])
async def test_a_message_that_was_not_sent_is_sent_by_the_next_process(tmp_path: Path, point: str) -> None:
    async with receiving() as sink, one_lane(tmp_path) as lane:
        await lane.begin(NOTIFY_URLS=sink.apprise_url)
        lane.turns(4, ok=False)
        lane.start(die_at=point)
        if point == "X12":
            await eventually(lambda: sink.about("toggle: applied"), within=WITHIN)
            lane.turns(20, ok=True)
        await lane.dead()
        assert not sink.about(SAID[point])
        lane.start()
        await eventually(lambda: sink.about(SAID[point]), within=WITHIN)


@pytest.mark.parametrize("point", ["X3", "X4", "X5", "X7", "X9", "X10"])
async def test_a_third_value_that_somebody_set_meanwhile_is_left_as_it_is(tmp_path: Path, point: str) -> None:
    async with one_lane(tmp_path) as lane:
        await lane.begin(kind=CREDENTIAL)
        lane.turns(2, ok=True, auth_index="c0de00000000c0de")
        lane.turns(40, ok=False, auth_index=AUTH_INDEX)
        lane.start(die_at=point)
        if point in ("X9", "X10"):
            await eventually(lambda: [row.state for row in lane.rows()] == ["applied"], within=WITHIN)
            lane.turns(200, ok=True, auth_index=AUTH_INDEX)
        await lane.dead()
        await lane.set_priority_by_hand(7)
        written = len(await lane.writes())
        await eventually(lambda: lane.seconds_ago >= 1)
        lane.turns(200, ok=True, auth_index=AUTH_INDEX)
        lane.start()
        await eventually(lambda: [row.state for row in lane.rows()] == ["abandoned"], within=WITHIN)
        assert (await lane.priority(), len(await lane.writes())) == (7, written)
