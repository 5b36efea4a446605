"""The control process: one per state directory."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

import daemon
from daemon.adapters import logs
from daemon.adapters.clock import SystemClock
from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.settings import Settings
from daemon.adapters.store import Store, open_store, upgrade
from daemon.adapters.web.app import build
from daemon.app.alerts_source import AlertsSource
from daemon.app.control_plane import ControlPlane
from daemon.app.places import Places
from daemon.app.secrets import secret_file
from daemon.app.serving import Server, listen
from daemon.app.shelf import scan
from daemon.domain.errors import CannotStart, StoreFailure
from daemon.domain.mitigation import Mitigation

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 5
STOP_SECONDS = 5
"""For open answers, at the stop."""


def serve(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT; SIGHUP reloads the rules. Raises `CannotStart`."""
    logs.configure(settings.log_level, settings.log_format)
    places = Places(settings.state_dir, settings.runtime_dir)
    host, port = settings.control_host, settings.control_port
    with only_instance(places), listen(host, port, setting="RUNBOOKD_CONTROL_PORT") as door:
        asyncio.run(_serve(settings, places, door))
    return 0


def restore_owned(settings: Settings) -> Sequence[Mitigation]:
    """What a control plane that was killed left changed upstream is changed back, where it is still as we set it.

    Raises `CannotStart` while one runs."""
    places = Places(settings.state_dir, settings.runtime_dir)
    with only_instance(places):
        return asyncio.run(_restore(settings, places))


@contextmanager
def only_instance(places: Places) -> Iterator[None]:
    """Makes the directories and holds the lock of this state directory. Raises `CannotStart`."""
    try:
        for directory in (places.state, places.runtime):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(places.control_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(_unusable(error, places)) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CannotStart(
            f"another control plane uses {places.state}: stop it, or set RUNBOOKD_STATE_DIR to another directory"
        ) from None
    finally:
        os.close(lock)


async def _serve(settings: Settings, places: Places, door: socket.socket) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        plane = await _open(settings, places, stack)
        server = _server(settings, places, plane)
        serving = asyncio.ensure_future(server.serve(sockets=[door]))
        stack.push_async_callback(_close, server, serving)
        await plane.start()
        loop.add_signal_handler(signal.SIGHUP, plane.ask_reload)
        log.info("the dashboard is at %s/", settings.public_url_resolved)
        await stopped.wait()
        log.info("stopping")


async def _open(settings: Settings, places: Places, stack: AsyncExitStack) -> ControlPlane:
    """Everything that a plane needs; raises `CannotStart` when the state directory or the store is of no use."""
    clock = SystemClock()
    try:
        canary, approval_key = secret_file(places.canary_secret).decode(), secret_file(places.approval_key)
        store = await _open_store(settings)
        if (last_alive := await store.events.last_alive()) is not None:
            clock.resume(last_alive)
    except OSError as error:
        raise CannotStart(_unusable(error, places)) from None
    except StoreFailure as failure:
        raise CannotStart(f"the store cannot be used ({failure}): see RUNBOOKD_DATABASE_URL") from None
    stack.push_async_callback(store.close)
    source = AlertsSource(settings, scan(), places.last_good_alerts, clock)
    source.load_first()
    plane = ControlPlane(settings, places, store, source, clock, canary, approval_key)
    stack.push_async_callback(plane.stop)
    return plane


async def _open_store(settings: Settings) -> Store:
    url = settings.database_url_resolved
    upgrade(url, packaged("migrations"))
    return open_store(url)


def _server(settings: Settings, places: Places, plane: ControlPlane) -> Server:
    token = settings.control_token
    app = build(
        plane.operations,
        token=secret_file(places.token).decode() if token is None else token.get_secret_value(),
        version=daemon.__version__,
        allowed_hosts=[urlsplit(settings.public_url_resolved).netloc],
        clock=SystemClock(),
        runbook=packaged("docs/runbook.md"),
        approval_key=secret_file(places.approval_key),
    )
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(config)


async def _close(server: Server, serving: asyncio.Future[None]) -> None:
    server.should_exit = True
    await serving


async def _restore(settings: Settings, places: Places) -> Sequence[Mitigation]:
    async with AsyncExitStack() as stack:
        plane = await _open(settings, places, stack)
        return await plane.restore_owned()


def _unusable(error: OSError, places: Places) -> str:
    where = Path(error.filename) if error.filename else places.state
    return f"{where} cannot be used ({error.strerror or error}): see RUNBOOKD_STATE_DIR and RUNBOOKD_RUNTIME_DIR"
