"""The rig: a fake upstream and our own processes, on free ports and in a directory of their own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import daemon
from daemon.app.places import Places
from daemon.domain.errors import CannotStart

POLL_SECONDS = 0.05
START_SECONDS = 30.0
STOP_SECONDS = 15.0
CLIENT_KEY = "rig-client-key"
MANAGEMENT_KEY = "rig-management-key"


@dataclass(slots=True)
class _Running:
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]


@dataclass(slots=True)
class Rig:
    """Starts `python -m daemon NAME` with settings of its own. Names: `fake`, `proxy`, `control`, `run`.

    `directory` must have a short name: it holds unix sockets, whose paths are limited to 107 bytes.
    `settings` are further `RUNBOOKD_*` variables, without that prefix.
    """

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    fake_port: int = 0
    proxy_port: int = 0
    control_port: int = 0
    _running: dict[str, _Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fake_port, self.proxy_port, self.control_port = free_ports(3)

    @property
    def fake_url(self) -> str:
        return f"http://127.0.0.1:{self.fake_port}"

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.proxy_port}"

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.control_port}"

    @property
    def places(self) -> Places:
        """Where the state and runtime directories of this rig lie."""
        return Places(self.directory / "state", self.directory / "run")

    def token(self) -> str:
        """The bearer token of the control port; raises OSError before the control plane's first start."""
        return self.places.token.read_text().strip()

    def environment(self) -> dict[str, str]:
        """What each process is started with: ours, and nothing of the caller's own installation."""
        ours = {
            "UPSTREAM_URL": self.fake_url,
            "UPSTREAM_API_KEY": CLIENT_KEY,
            "UPSTREAM_MANAGEMENT_KEY": MANAGEMENT_KEY,
            "PROXY_PORT": str(self.proxy_port),
            "CONTROL_PORT": str(self.control_port),
            "STATE_DIR": str(self.places.state),
            "RUNTIME_DIR": str(self.places.runtime),
            "NODE_ID": "rig",
            "LOG_FORMAT": "json",
            **self.settings,
        }
        foreign = ("RUNBOOKD_", "NOTIFY_SOCKET", "WATCHDOG_", "CREDENTIALS_DIRECTORY", "CONFIGURATION_DIRECTORY")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        source = str(Path(daemon.__file__).parents[1])
        nobodys = {"XDG_CONFIG_HOME": str(self.directory / "config")}
        return {**kept, **nobodys, "PYTHONPATH": source, **{f"RUNBOOKD_{name}": value for name, value in ours.items()}}

    async def start(self, name: str, *arguments: str) -> None:
        """Starts a process and waits until it is ready; raises `CannotStart` with its last words when it ends or hangs.

        The fake upstream gets port and keys by itself; `arguments` are added.
        """
        self.launch(name, *arguments)
        await self.ready(name)

    def launch(self, name: str, *arguments: str) -> None:
        """Starts a process without waiting for it. What it says goes to `NAME.out` and `NAME.err`."""
        if self.is_running(name):
            raise CannotStart(f"{name} is running already")
        command = [sys.executable, "-P", "-m", "daemon", name, *self._own_arguments(name), *arguments]
        with ExitStack() as files:
            out, err = (files.enter_context((self.directory / f"{name}.{end}").open("ab")) for end in ("out", "err"))
            process = subprocess.Popen(
                command, env=self.environment(), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        self._running[name] = _Running(arguments, process)

    async def ready(self, name: str, timeout_seconds: float = START_SECONDS) -> None:
        """Waits until a launched process answers; raises `CannotStart`."""
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            for _ in range(round(timeout_seconds / POLL_SECONDS)):
                if not self.is_running(name):
                    raise CannotStart(f"{name} ended with exit code {self.exit_code(name)}: {self._last_words(name)}")
                if await _all_answer(client, self._probes(name)):
                    return
                await asyncio.sleep(POLL_SECONDS)
        raise CannotStart(f"{name} was not ready within {timeout_seconds:.0f} s: {self._last_words(name)}")

    def is_running(self, name: str) -> bool:
        """Whether it was started and has not ended."""
        return name in self._running and self._running[name].process.poll() is None

    def exit_code(self, name: str) -> int | None:
        """None while it runs."""
        return self._running[name].process.poll()

    def pid(self, name: str) -> int:
        return self._running[name].process.pid

    def kill(self, name: str) -> None:
        """SIGKILL: what a crash looks like."""
        process = self._running[name].process
        process.kill()
        process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Any signal: SIGSTOP and SIGCONT freeze and thaw, SIGHUP reloads."""
        self._running[name].process.send_signal(number)

    async def stop(self, name: str, timeout_seconds: float = STOP_SECONDS) -> int:
        """SIGTERM, and SIGKILL when it does not end in time; gives the exit code (negative: the signal)."""
        process = self._running[name].process
        if process.poll() is None:
            process.terminate()
        for _ in range(round(timeout_seconds / POLL_SECONDS)):
            if (code := process.poll()) is not None:
                return code
            await asyncio.sleep(POLL_SECONDS)
        self.kill(name)
        return process.wait()

    async def restart(self, name: str) -> None:
        """Stops it if it runs, then starts it with the same arguments."""
        await self.stop(name)
        await self.start(name, *self._running[name].arguments)

    async def close(self) -> None:
        """Stops everything, last started first."""
        for name in reversed(list(self._running)):
            await self.stop(name)

    def output(self, name: str) -> str:
        """Everything it wrote so far, stdout then stderr."""
        files = (self.directory / f"{name}.{end}" for end in ("out", "err"))
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def _own_arguments(self, name: str) -> Sequence[str]:
        if name != "fake":
            return ()
        return ("--port", str(self.fake_port), "--api-key", CLIENT_KEY, "--management-key", MANAGEMENT_KEY)

    def _probes(self, name: str) -> Sequence[str]:
        fake, proxy, control = (
            f"{self.fake_url}/_fake/scenario",
            f"{self.proxy_url}/health",
            f"{self.control_url}/readyz",
        )
        return {"fake": (fake,), "proxy": (proxy,), "control": (control,), "run": (proxy, control)}[name]

    def _last_words(self, name: str) -> str:
        return self.output(name).strip()[-2000:] or "it said nothing"


async def _all_answer(client: httpx.AsyncClient, urls: Sequence[str]) -> bool:
    try:
        return all([(await client.get(url)).status_code == 200 for url in urls])
    except httpx.TransportError:
        return False


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
