"""Builds one worker of the data plane, runs it, and stops it in the reverse order."""

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
from contextlib import AsyncExitStack
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

import daemon
from daemon.adapters import logs
from daemon.adapters.clock import SystemClock
from daemon.adapters.config.settings import Settings
from daemon.adapters.proxy.client_keys import ClientKeys
from daemon.adapters.proxy.forward import Forwarder
from daemon.adapters.proxy.gate import Gate
from daemon.adapters.proxy.health import Reachability, own_endpoints
from daemon.adapters.proxy.observer import Keys, Observer
from daemon.adapters.proxy.open_requests import OpenRequests
from daemon.adapters.proxy.rerouting import Rerouter
from daemon.adapters.proxy.routes import RoutesFile
from daemon.adapters.proxy.server import ProxyServer
from daemon.adapters.proxy.upstream import UpstreamPool
from daemon.adapters.spool import files
from daemon.adapters.spool.writer import SpoolWriter
from daemon.adapters.wake import WakeListener, Waker
from daemon.app.places import Places
from daemon.app.secrets import secret_file
from daemon.app.serving import PORT_SETTING, adopt, listen
from daemon.app.shelf import wires
from daemon.domain.errors import CannotStart
from daemon.domain.event import Event, EventIds
from daemon.engine.supervise import Tasks
from daemon.ports import Clock

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
COLLECT_AFTER = 50_000
"""New objects between two collections: little of what a request makes is cyclic."""


def serve(settings: Settings, worker: int, listen_fd: int | None = None) -> int:
    """Runs until SIGTERM or SIGINT; a second one cuts what still drains. Raises `CannotStart`."""
    logs.configure(settings.log_level, settings.log_format)
    host, port, shared = settings.proxy_host, settings.proxy_port, settings.proxy_workers > 1
    door = adopt(listen_fd) if listen_fd is not None else listen(host, port, setting=PORT_SETTING, shared=shared)
    with door as listener:
        uvloop.run(_serve(settings, worker, listener))
    return 0


async def _serve(settings: Settings, worker: int, listener: socket.socket) -> None:
    places, clock = Places(settings.state_dir, settings.runtime_dir), SystemClock()
    async with AsyncExitStack() as stack:
        keys, spool = _spool(settings, places, worker, clock, stack)
        routes = RoutesFile(places.routes, clock)
        rerouter = Rerouter(routes, clock, client_of=keys.client_of, workers=settings.proxy_workers)
        upstream = UpstreamPool(settings.upstream_url)
        stack.push_async_callback(upstream.close)
        observer = Observer(
            wires=wires(),
            sink=spool,
            clock=clock,
            ids=EventIds(_number_of(settings.node_id), worker),
            node_id=settings.node_id,
            keys=keys,
            open_requests=_open_requests(places.open_requests(worker), stack),
            class_of=rerouter.class_of,
        )
        observer.tell_of_unfinished()
        reachability = _reachability(settings.upstream_url, clock)
        forwarder = Forwarder(
            upstream=upstream,
            observer=observer,
            rerouter=rerouter,
            note_reachable=reachability.note,
        )
        own = own_endpoints(
            version=daemon.__version__,
            reachability=reachability,
            control_alive=routes.is_renewed,
            spool=spool,
            providers=places.providers,
        )
        keys_file = settings.proxy_client_keys_file
        client_keys = ClientKeys(keys_file, observer.is_canary) if keys_file is not None else None
        gate = Gate(
            forwarder=forwarder,
            observer=observer,
            own=own,
            allow_management=settings.proxy_allow_management,
            is_known=client_keys.knows if client_keys else None,
        )
        await _watch(routes, client_keys, places.proxy_socket(worker), stack)
        await _run(ProxyServer(gate, drain_seconds=settings.proxy_drain), listener, settings)
        observer.settle()


async def _run(server: ProxyServer, listener: socket.socket, settings: Settings) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    log.info("%s:%d forwards to %s", settings.proxy_host, settings.proxy_port, settings.upstream_url)
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)
    await server.serve(sockets=[listener])


async def _watch(routes: RoutesFile, keys: ClientKeys | None, doorbell: Path, stack: AsyncExitStack) -> None:
    """Reads `routes.json` again when it changes: at once when the writer rings, else within a second."""

    async def poll() -> None:
        while True:
            routes.poll()
            if keys is not None:
                keys.poll()
            await asyncio.sleep(POLL_SECONDS)

    try:
        doorbell.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = WakeListener(doorbell, routes.read)
    except OSError as error:
        log.warning("nobody can wake this worker at %s (%s); it looks each second", doorbell, error.strerror)
    else:
        listener.start()
        stack.callback(listener.close)
    tasks = Tasks()
    tasks.start("routes", poll)
    stack.push_async_callback(tasks.stop)


def _open_requests(path: Path, stack: AsyncExitStack) -> OpenRequests | None:
    try:
        requests = OpenRequests(path)
    except OSError as error:
        log.warning("what is under way is not remembered in %s (%s)", path, error.strerror)
        return None
    stack.callback(requests.close)
    return requests


class _Nowhere:
    """Stands for the spool where there can be none: what is offered is counted as lost."""

    def __init__(self, failure: str) -> None:
        self.failure = failure
        self.dropped = 0

    def offer(self, event: Event) -> None:
        self.dropped += 1


def _spool(
    settings: Settings, places: Places, worker: int, clock: Clock, stack: AsyncExitStack
) -> tuple[Keys, "SpoolWriter | _Nowhere"]:
    """Raises `CannotStart` when another process writes this worker's spool."""
    try:
        keys = Keys(hashing=secret_file(places.hash_key), canary=secret_file(places.canary_secret))
        lock = files.lock(places.spool, worker)
    except OSError as error:
        reason = f"{error.filename or places.state}: {error.strerror or error}"
        log.error("the state directory cannot be used (%s): requests are forwarded, but nothing is recorded", reason)
        return Keys(hashing=secrets.token_bytes(32), canary=secrets.token_bytes(32)), _Nowhere(reason)
    if lock is None:
        raise CannotStart(f"another process is worker {worker} of {places.state}; choose another RUNBOOKD_STATE_DIR")
    stack.callback(os.close, lock)
    waker = Waker(places.control_socket)
    stack.callback(waker.close)
    writer = SpoolWriter(
        files.file_of(places.spool, worker),
        clock=clock,
        max_bytes=settings.spool_max,
        acknowledged=places.spool_ack,
        wake=waker.wake,
    )
    writer.start()
    stack.callback(writer.close)
    return keys, writer


def _reachability(url: str, clock: Clock) -> Reachability:
    parts = urlsplit(url)
    return Reachability(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), clock)


def _number_of(node_id: str) -> int:
    """Six bits, for event ids."""
    return blake2b(node_id.encode(), digest_size=1).digest()[0] & 0x3F
