"""The supervisor: runs the proxy workers and the control plane, and starts again what ends."""

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.adapters import logs, systemd
from daemon.adapters.clock import SystemClock
from daemon.adapters.config.settings import Settings
from daemon.app.serving import listen
from daemon.domain.errors import CannotStart
from daemon.engine.supervise import Tasks

log = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_SECONDS = 60.0
"""A child that ran so long starts at the shortest back-off again."""
POLL_SECONDS = 0.05
GRACE_SECONDS = 15.0
"""For a child's own stop, beyond the drain."""
CANNOT_START = 3


def serve(settings: Settings, config: Path | None) -> int:
    """Runs until SIGTERM or SIGINT; SIGHUP reloads the rules. Raises `CannotStart`."""
    logs.configure(settings.log_level, settings.log_format)
    for host, port, name in (
        (settings.proxy_host, settings.proxy_port, "RUNBOOKD_PROXY_PORT"),
        (settings.control_host, settings.control_port, "RUNBOOKD_CONTROL_PORT"),
    ):
        listen(host, port, setting=name).close()
    return asyncio.run(Supervisor(settings, config).run())


class Child:
    """One process of ours. It is started again whenever it ends, later each time."""

    def __init__(self, name: str, command: Sequence[str], clock: SystemClock, ended: Callable[[int], None]) -> None:
        """`ended` is told each exit code but that of the last stop."""
        self.name = name
        self._command = command
        self._clock = clock
        self._ended = ended
        self._process: Process | None = None
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Until `stop`."""
        failures = 0
        while not self._stopped.is_set():
            began = self._clock.monotonic()
            self._process = await asyncio.create_subprocess_exec(*self._command, start_new_session=True)
            code = await self._process.wait()
            if self._stopped.is_set():
                return
            failures = 0 if self._clock.monotonic() - began > STEADY_SECONDS else failures + 1
            pause = BACK_OFF_SECONDS[min(max(failures - 1, 0), len(BACK_OFF_SECONDS) - 1)]
            self._ended(code)
            log.error("%s ended with %d; it is started again in %g s", self.name, code, pause)
            await asyncio.sleep(pause)

    def send(self, number: signal.Signals) -> None:
        """To the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self, timeout_seconds: float) -> None:
        """SIGTERM, and SIGKILL to what has not ended in time."""
        self._stopped.set()
        self.send(signal.SIGTERM)
        if self._process is None:
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._process.wait()
        except TimeoutError:
            log.error("%s did not stop within %g s and is killed", self.name, timeout_seconds)
            self.send(signal.SIGKILL)


class Supervisor:
    """The tree of processes. The proxy goes on whatever becomes of the control plane."""

    def __init__(self, settings: Settings, config: Path | None) -> None:
        self._settings = settings
        self._clock = clock = SystemClock()
        self._stop = asyncio.Event()
        self._is_ready = self._cannot_start = False
        head = [sys.executable, "-P", "-m", "daemon", *(["--config", str(config)] if config else [])]
        self._proxies = [
            Child(f"proxy {worker}", [*head, "proxy", "--worker", str(worker)], clock, self._proxy_ended)
            for worker in range(settings.proxy_workers)
        ]
        self._control = Child("control", [*head, "control"], clock, lambda code: None)

    async def run(self) -> int:
        """The exit code. Raises `CannotStart` when a proxy cannot."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        tasks = Tasks()
        for child in (self._control, *self._proxies):
            tasks.start(child.name, child.run)
        tasks.start("ready", self._tell_ready)
        tasks.start("watchdog", self._keep_watchdog_calm)
        try:
            await self._stop.wait()
        finally:
            await self._stop_children()
            await tasks.stop()
        if self._cannot_start:
            raise CannotStart("the proxy cannot start: its own line above says why")
        return 0

    def _proxy_ended(self, code: int) -> None:
        """What keeps a proxy from starting at all is told at once, not tried for ever."""
        if code == CANNOT_START and not self._is_ready:
            self._cannot_start = True
            self._stop.set()

    async def _stop_children(self) -> None:
        """First the proxies, each with time to drain: the control plane takes their last events in."""
        systemd.stopping("waiting for open streams")
        drain = self._settings.proxy_drain + GRACE_SECONDS
        systemd.extend_timeout(drain + GRACE_SECONDS)
        await asyncio.gather(*(proxy.stop(drain) for proxy in self._proxies))
        await self._control.stop(GRACE_SECONDS)

    async def _tell_ready(self) -> None:
        """Ready is when requests are taken."""
        settings = self._settings
        while not await _answers(settings.proxy_host, settings.proxy_port):  # noqa: ASYNC110 another process
            await asyncio.sleep(POLL_SECONDS)
        self._is_ready = True
        systemd.ready(self._status())

    async def _keep_watchdog_calm(self) -> None:
        if seconds := systemd.watchdog_seconds():
            while True:
                systemd.watchdog()
                await asyncio.sleep(seconds)

    def _status(self) -> str:
        settings = self._settings
        return f"{settings.proxy_host}:{settings.proxy_port} forwards to the upstream"

    def _ask_stop(self) -> None:
        """A second time: what still drains is cut."""
        if self._stop.is_set():
            for proxy in self._proxies:
                proxy.send(signal.SIGTERM)
        self._stop.set()

    def _reload(self) -> None:
        systemd.reloading(self._clock.monotonic())
        self._control.send(signal.SIGHUP)
        systemd.ready(self._status())


async def _answers(host: str, port: int) -> bool:
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        _, writer = await asyncio.open_connection(loopback, port)
    except OSError:
        return False
    writer.close()
    return True
