"""The supervisor: runs the proxy workers and the control plane, and starts again what ends."""

import asyncio
import contextlib
import logging
import signal
import sys
from functools import partial
from pathlib import Path

from daemon.adapters import logs, systemd
from daemon.adapters.clock import SystemClock
from daemon.adapters.config.settings import Settings
from daemon.app.child import Child
from daemon.app.serving import Doors, listen
from daemon.domain.errors import CannotStart
from daemon.engine.supervise import Tasks

log = logging.getLogger(__name__)

SHUT_AFTER_FAILURES = 3
"""In a row: a worker's share of the connects goes to the others, until it serves again."""
REFUSE_AFTER_FAILURES = 10
"""So long they wait where there are no others: more than a minute."""
POLL_SECONDS = 0.05
PROBE_SECONDS = 2.0
WATCH_SECONDS, MISSES = 5.0, 4
"""A control plane that has not answered for so often so long is started again: within half a minute."""
GRACE_SECONDS = 15.0
"""For a child's own stop, beyond the drain."""
CANNOT_START = 3


def serve(settings: Settings, config: Path | None) -> int:
    """Runs until SIGTERM or SIGINT; SIGHUP reloads the rules. Raises `CannotStart`."""
    logs.configure(settings.log_level, settings.log_format)
    with contextlib.closing(_doors(settings)) as doors:
        listen(settings.control_host, settings.control_port, setting="RUNBOOKD_CONTROL_PORT").close()
        return asyncio.run(Supervisor(settings, config, doors).run())


def _doors(settings: Settings) -> Doors:
    """Opened before any child starts; the service manager's, where it hands over some."""
    if fds := systemd.take_listening_fds():
        return Doors.adopt(fds, settings.proxy_port, settings.proxy_workers)
    return Doors.open(settings.proxy_host, settings.proxy_port, settings.proxy_workers)


class Supervisor:
    """The tree of processes. The proxy goes on whatever becomes of the control plane."""

    def __init__(self, settings: Settings, config: Path | None, doors: Doors) -> None:
        self._settings = settings
        self._doors = doors
        self._address = doors.address
        self._clock = clock = SystemClock()
        self._stop = asyncio.Event()
        self._is_ready = self._cannot_start = False
        self._head = [sys.executable, "-P", "-m", "daemon", *(["--config", str(config)] if config else [])]
        self._proxies = [self._proxy(worker) for worker in range(settings.proxy_workers)]
        self._control = Child("control", [*self._head, "control"], clock)

    async def run(self) -> int:
        """The exit code. Raises `CannotStart` when a proxy cannot."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        tasks = Tasks()
        for child in (self._control, *self._proxies):
            tasks.start(child.name, child.run)
        tasks.start("watch", self._watch_control)
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

    def _proxy(self, worker: int) -> Child:
        door = self._doors.of(worker)
        command = [*self._head, "proxy", "--worker", str(worker), "--listen-fd", str(door)]
        return Child(
            f"proxy {worker}", command, self._clock, ended=partial(self._proxy_ended, worker), pass_fds=(door,)
        )

    def _proxy_ended(self, worker: int, code: int) -> None:
        """What keeps a proxy from starting at all is told at once, not tried for ever."""
        proxy = self._proxies[worker]
        if code == CANNOT_START and (proxy.lives == 1 or not self._is_ready):
            self._cannot_start = True
            self._stop.set()
            return
        is_hopeless = proxy.failures >= REFUSE_AFTER_FAILURES
        if proxy.failures >= SHUT_AFTER_FAILURES and self._doors.shut(worker, even_the_last=is_hopeless):
            log.error("%s fails again and again: until it serves, no connect is given to it", proxy.name)

    async def _stop_children(self) -> None:
        """First the proxies, each with time to drain: the control plane takes their last events in."""
        self._doors.close()  # before the proxies close theirs: no new connect shall wait for nobody
        for proxy in self._proxies:
            proxy.ask_stop()
        systemd.stopping("waiting for open streams")
        drain = self._settings.proxy_drain + GRACE_SECONDS
        systemd.extend_timeout(drain + GRACE_SECONDS)
        await asyncio.gather(*(proxy.stop(drain) for proxy in self._proxies))
        await self._control.stop(GRACE_SECONDS)

    async def _tell_ready(self) -> None:
        """Ready is when requests are answered: to connect, the socket alone suffices."""
        while not await _answers(*self._address, "/health"):  # noqa: ASYNC110 another process
            await asyncio.sleep(POLL_SECONDS)
        self._is_ready = True
        systemd.ready(self._status())

    async def _watch_control(self) -> None:
        address = self._settings.control_host, self._settings.control_port
        await self._control.watch(
            lambda: _answers(*address, "/healthz", wanted=b" 200 "), every_seconds=WATCH_SECONDS, misses=MISSES
        )

    async def _keep_watchdog_calm(self) -> None:
        if seconds := systemd.watchdog_seconds():
            while True:
                systemd.watchdog()
                await asyncio.sleep(seconds)

    def _status(self) -> str:
        host, port = self._address
        return f"{host}:{port} forwards to the upstream"

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


async def _answers(host: str, port: int, path: str, *, wanted: bytes = b" ") -> bool:
    """Whether anybody gives a status line, and the wanted one."""
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(loopback, port)
            with contextlib.closing(writer):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                line = await reader.readline()
                return line.startswith(b"HTTP/1.1 ") and wanted in line
    except (OSError, TimeoutError, ValueError):
        return False
