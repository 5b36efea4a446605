"""The schedule, on APScheduler: intervals, in memory, one run of a job at a time, and none dropped for being late."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

from apscheduler.jobstores.base import JobLookupError
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from daemon.ports import Clock, Job

log = logging.getLogger(__name__)

PACE_SECONDS = 5.0
"""Between two looks whether the wall clock was set back."""


class _Every(IntervalTrigger):  # type: ignore[misc]  # APScheduler is not typed
    """An interval that makes up for nothing: a clock that jumps by years would owe millions of runs."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        due: datetime | None = super().get_next_fire_time(previous, now)
        if previous is None or due is None or due > now:
            return due
        later: datetime = now + self.interval
        return later


class JobSchedule:
    """A `Schedule` on the running event loop. A job that fails is logged and runs again at its next time.

    APScheduler goes by the wall clock: where that was set back, it would wait until it has caught up. A job that has
    not begun for longer than its interval, in time that never goes back, is given a new time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pace: asyncio.Task[None] | None = None
        self._began: dict[str, float] = {}
        """When each job last ran or was given a time, by the clock that never goes back."""
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone="UTC",
        )
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)

    def every(self, seconds: float, job: Job, *, name: str, first: float | None = None, jitter: float = 0.0) -> None:
        """From `first` seconds after now, or after the start, on; or from `seconds` on, unless said."""

        async def run() -> None:
            self._began[name] = self._clock.monotonic()
            try:
                await job()
            except Exception:
                log.exception("the job %s failed", name)

        trigger = _Every(seconds=max(seconds, 0.1), timezone="UTC", jitter=jitter or None)
        soon = {} if first is None else {"next_run_time": self._after(first)}
        self._scheduler.add_job(run, trigger, id=name, name=name, **soon)
        self._began[name] = self._clock.monotonic()

    def _after(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(self._clock.now() / 1000 + seconds, UTC)

    def drop(self, name: str) -> None:
        with contextlib.suppress(JobLookupError):
            self._scheduler.remove_job(name)
        self._began.pop(name, None)

    def start(self) -> None:
        self._scheduler.start()
        self._began = {job.id: self._clock.monotonic() for job in self._scheduler.get_jobs()}
        self._pace = asyncio.get_running_loop().create_task(self._keep_pace(), name="pace of the schedule")

    def stop(self) -> None:
        """No further job is started; those that run belong to their event loop."""
        if self._pace is not None:
            self._pace.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _keep_pace(self) -> None:
        while True:
            await asyncio.sleep(PACE_SECONDS)
            with contextlib.suppress(Exception):  # the scheduler stops while we look
                self.catch_up()

    def catch_up(self) -> None:
        """Gives a new time to every job that should have run long ago."""
        now = self._clock.monotonic()
        for job in self._scheduler.get_jobs():
            seconds = job.trigger.interval.total_seconds()
            if now - self._began[job.id] > seconds + PACE_SECONDS:
                self._began[job.id] = now
                job.reschedule(_Every(seconds=seconds, timezone="UTC"))
