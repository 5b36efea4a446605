"""Named, guarded tasks: one that fails is logged and started again; all are stopped in reverse order of start."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

RESTART_SECONDS = (0.1, 0.5, 2.0, 10.0)


class Tasks:
    """The long-running tasks of a process."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work` until it returns or is stopped; an exception is logged and it runs again after a pause."""
        self._tasks.append(asyncio.get_running_loop().create_task(_guard(name, work), name=name))

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Cancels each task, last started first, and waits for it no longer than the bound."""
        while self._tasks:
            task = self._tasks.pop()
            task.cancel()
            _, unfinished = await asyncio.wait((task,), timeout=timeout_seconds)
            if unfinished:
                log.warning("task %s did not stop within %s s", task.get_name(), timeout_seconds)


async def _guard(name: str, work: Callable[[], Awaitable[None]]) -> None:
    failures = 0
    while True:
        try:
            return await work()
        except Exception:
            log.exception("task %s failed", name)
            await asyncio.sleep(RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)])
            failures += 1
