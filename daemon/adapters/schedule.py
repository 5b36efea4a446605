"""The schedule, on APScheduler: intervals, in memory, one run of a job at a time, and none dropped for being late."""

import logging

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from daemon.ports import Job

log = logging.getLogger(__name__)


class JobSchedule:
    """A `Schedule` on the running event loop. A job that fails is logged and runs again at its next time."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone="UTC",
        )
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)

    def every(self, seconds: float, job: Job, *, name: str) -> None:
        """From `seconds` after the start on. Due times are wall-clock: whoever needs spans asks the clock."""

        async def run() -> None:
            try:
                await job()
            except Exception:
                log.exception("the job %s failed", name)

        trigger = IntervalTrigger(seconds=max(seconds, 0.1), timezone="UTC")
        self._scheduler.add_job(run, trigger, id=name, name=name)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """No further job is started; those that run belong to their event loop."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
