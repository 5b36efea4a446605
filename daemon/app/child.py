"""A child of the supervisor: one process, started again whenever it ends."""

import asyncio
import contextlib
import logging
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Sequence

from daemon.adapters.clock import SystemClock

log = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_SECONDS = 60.0
"""A child that ran so long starts at the shortest back-off again."""


class Child:
    """One process of ours. It is started again whenever it ends, later each time."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        clock: SystemClock,
        *,
        ended: Callable[[int], None] = lambda code: None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """`ended` is told each exit code but that of the last stop."""
        self.name = name
        self.lives = self.failures = 0
        """How often it was started, and how often in a row it ended early."""
        self._command = command
        self._pass_fds = pass_fds
        self._clock = clock
        self._ended = ended
        self._process: Process | None = None
        self._stopping, self._stopped = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Until `ask_stop`."""
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            code = await self._live()
            if self._stopping.is_set():
                break
            self.failures = 1 if self._clock.monotonic() - began > STEADY_SECONDS else self.failures + 1
            pause = BACK_OFF_SECONDS[min(self.failures, len(BACK_OFF_SECONDS)) - 1]
            log.error("%s ended with %d; it is started again in %g s", self.name, code, pause)
            self._ended(code)
            await self._wait(pause)
        self._stopped.set()

    def send(self, number: signal.Signals) -> None:
        """To the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def ask_stop(self) -> None:
        """SIGTERM, once: a second one would cut what drains. From here on it is not started again."""
        if not self._stopping.is_set():
            self._stopping.set()
            self.send(signal.SIGTERM)

    async def watch(self, answers: Callable[[], Awaitable[bool]], *, every_seconds: float, misses: int) -> None:
        """Kills it when it has answered in this life and then does not, so often in a row: it is frozen."""
        life = missed = 0
        while not self._stopping.is_set():
            await self._wait(every_seconds)
            if await answers():
                life, missed = self.lives, 0
            elif life == self.lives:
                missed += 1
            if missed >= misses:
                log.error("%s does not answer any more and is killed", self.name)
                self.send(signal.SIGKILL)
                life = missed = 0

    async def stop(self, timeout_seconds: float) -> None:
        """Asks it, unless that was done, and kills what has not ended in time."""
        self.ask_stop()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._stopped.wait()
        except TimeoutError:
            log.error("%s did not stop within %g s and is killed", self.name, timeout_seconds)
            self.send(signal.SIGKILL)

    async def _live(self) -> int:
        """From its start to its end: gives the exit code."""
        self.lives += 1
        self._process = await asyncio.create_subprocess_exec(
            *self._command, start_new_session=True, pass_fds=self._pass_fds
        )
        if self._stopping.is_set():  # asked while it was being started
            self.send(signal.SIGTERM)
        return await self._process.wait()

    async def _wait(self, seconds: float) -> None:
        """No longer than until it is asked to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
