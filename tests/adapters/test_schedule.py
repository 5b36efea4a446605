"""Jobs on the real scheduler: again and again, never two at once, and a failure is not the end."""

import asyncio
import logging

import pytest

from daemon.adapters.schedule import JobSchedule


async def test_a_job_runs_again_and_never_beside_itself() -> None:
    schedule, running, most, enough = JobSchedule(), 0, 0, asyncio.Event()
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
    schedule, runs, again = JobSchedule(), 0, asyncio.Event()

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
