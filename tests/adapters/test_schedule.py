"""Jobs on the real scheduler: again and again, never two at once, and a failure is not the end."""

import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore

from daemon.adapters.clock import SystemClock
from daemon.adapters.schedule import PACE_SECONDS, JobSchedule, _Every
from tests.fakes.clock import FakeClock


async def test_a_job_runs_again_and_never_beside_itself() -> None:
    schedule, running, most, enough = JobSchedule(SystemClock()), 0, 0, asyncio.Event()
    runs = 0

    async def job() -> None:
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await asyncio.sleep(0.25)  # longer than the interval
        running -= 1
        if runs == 3:
            enough.set()

    schedule.every(0.1, job, name="slow")
    schedule.start()
    async with asyncio.timeout(10):
        await enough.wait()
    schedule.stop()
    assert most == 1


async def test_a_job_that_fails_is_told_and_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    schedule, runs, again = JobSchedule(SystemClock()), 0, asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs > 1:
            again.set()
        raise RuntimeError("no luck")

    schedule.every(0.1, job, name="unlucky")
    with caplog.at_level(logging.ERROR):
        schedule.start()
        async with asyncio.timeout(10):
            await again.wait()
    schedule.stop()
    schedule.stop()
    assert "the job unlucky failed" in caplog.text


async def nothing() -> None:
    """A job."""


def the_job(schedule: JobSchedule) -> Job:
    [job] = schedule._scheduler.get_jobs()
    return job


def test_a_clock_that_jumps_ahead_by_ten_years_owes_one_run() -> None:
    every, then = _Every(seconds=1, timezone="UTC"), datetime(2026, 1, 1, tzinfo=UTC)
    now = then + timedelta(days=3650)
    assert every.get_next_fire_time(then, then) == then + timedelta(seconds=1)
    assert every.get_next_fire_time(then, now) == now + timedelta(seconds=1)


async def test_a_job_goes_on_though_the_wall_clock_was_set_back_by_two_hours() -> None:
    steady = FakeClock(time.time_ns() // 1_000_000)
    schedule = JobSchedule(steady)
    schedule.every(10.0, nothing, name="tick")
    schedule.start()
    first = the_job(schedule).next_run_time
    the_job(schedule).modify(next_run_time=first + timedelta(hours=2))  # as it stands after the wall clock went back
    steady.advance(2 * 3600 + 20)  # and as the steady clock sees it: overdue
    schedule.catch_up()
    given = the_job(schedule).next_run_time
    assert abs(given - first) < timedelta(seconds=5)
    steady.advance(PACE_SECONDS)
    schedule.catch_up()
    assert the_job(schedule).next_run_time == given  # it is not put off again and again
    schedule.stop()


async def test_it_looks_by_itself_whether_the_wall_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.adapters.schedule.PACE_SECONDS", 0.01)
    schedule, looked = JobSchedule(SystemClock()), asyncio.Event()
    schedule.catch_up = looked.set  # type: ignore[method-assign]
    schedule.start()
    async with asyncio.timeout(10):
        await looked.wait()
    schedule.stop()


async def test_a_job_whose_time_came_while_the_loop_was_busy_runs_late_and_once() -> None:
    schedule, runs, ran = JobSchedule(SystemClock()), 0, asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        ran.set()

    schedule.every(60.0, job, name="late")
    schedule.start()
    the_job(schedule).modify(next_run_time=datetime.now(UTC) - timedelta(minutes=10))
    async with asyncio.timeout(10):
        await ran.wait()
    assert runs == 1
    assert the_job(schedule).next_run_time > datetime.now(UTC)
    schedule.stop()


@pytest.fixture(params=["Europe/Berlin", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of the machine."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=1)], ids=["in time", "after a pause"])
async def test_summer_time_neither_doubles_nor_drops_a_run(zone: str, late: timedelta) -> None:
    schedule = JobSchedule(SystemClock())
    schedule.every(600, nothing, name="tick")
    every, ours = the_job(schedule).trigger, schedule._scheduler.timezone
    for day in (
        datetime(2026, 3, 29, tzinfo=UTC),
        datetime(2026, 10, 25, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    ):
        runs, now = [day], day
        while now < day + timedelta(days=1):
            now = every.get_next_fire_time(now - late, now.astimezone(ours)).astimezone(UTC)
            runs.append(now)
        assert {later - earlier for earlier, later in pairwise(runs)} == {timedelta(minutes=10)}


def test_jobs_are_kept_in_memory_only_never_dropped_for_being_late_and_never_run_twice_at_once() -> None:
    scheduler = JobSchedule(FakeClock())._scheduler
    assert {type(store) for store in scheduler._jobstores.values()} == {MemoryJobStore}
    assert scheduler._job_defaults == {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
