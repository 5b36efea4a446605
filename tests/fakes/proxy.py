"""The data plane in this process, on real sockets: its events land in a list, its routes are what a test says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daemon.adapters.clock import SystemClock
from daemon.adapters.proxy.client_keys import ClientKeys
from daemon.adapters.proxy.forward import Forwarder
from daemon.adapters.proxy.gate import Gate
from daemon.adapters.proxy.health import Reachability, own_endpoints
from daemon.adapters.proxy.observer import Keys, Observer
from daemon.adapters.proxy.rerouting import Rerouter
from daemon.adapters.proxy.server import ProxyServer
from daemon.adapters.proxy.upstream import UpstreamPool
from daemon.app import shelf
from daemon.app.serving import listen
from daemon.domain.event import Event, EventIds
from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.wire import WireProtocol

CANARY_SECRET = b"canary-secret"
PATIENCE_SECONDS = 5.0


class MemorySink:
    """An `EventSink` that keeps all, and can be waited for."""

    dropped = 0
    failure: str | None = None

    def __init__(self) -> None:
        self.events: list[Event] = []

    def offer(self, event: Event) -> None:
        self.events.append(event)

    async def one(self) -> Event:
        """The only event, once it is there."""
        (event,) = await self.wait_for(1)
        return event

    async def wait_for(self, count: int) -> list[Event]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.events) < count:  # noqa: ASYNC110 - many may come
                await asyncio.sleep(0.001)
        return self.events


@dataclass(slots=True)
class FixedRoutes:
    """A `RoutingReader` over what was set."""

    routes: RoutingTable = field(default_factory=RoutingTable)

    def table(self) -> RoutingTable:
        return self.routes

    def alias(self, from_model: str, to_model: str) -> None:
        self.obey(SoftRoute(mitigation_id="m1", from_model=from_model, to_model=to_model))

    def obey(self, *routes: SoftRoute, workloads: tuple[WorkloadClass, ...] = ()) -> None:
        self.routes = RoutingTable(sequence=1, routes=routes, workloads=workloads)


@dataclass(slots=True)
class RunningProxy:
    port: int
    sink: MemorySink
    routes: FixedRoutes
    server: ProxyServer
    upstream: UpstreamPool

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)

    async def exchange(self, request: bytes) -> bytes:
        """Sends and reads until the proxy closes; a request should say `Connection: close`."""
        reader, writer = await self.connect()
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await reader.read(-1)
        finally:
            writer.close()


@asynccontextmanager
async def running_proxy(
    upstream_url: str,
    *,
    wires: Sequence[WireProtocol] | None = None,
    drain_seconds: float = 5.0,
    providers: Path = Path("/nonexistent/providers.json"),
    allow_management: bool = False,
    client_keys: Path | None = None,
    port: int = 0,
    most_connections: int | None = None,
    workers: int = 1,
) -> AsyncIterator[RunningProxy]:
    clock, sink, routes = SystemClock(), MemorySink(), FixedRoutes()
    keys = Keys(hashing=b"k" * 32, canary=CANARY_SECRET)
    rerouter = Rerouter(routes, clock, client_of=keys.client_of, workers=workers)
    upstream = UpstreamPool(upstream_url)
    host, _, upstream_port = upstream.authority.decode().rpartition(":")
    reachability = Reachability(host, int(upstream_port), clock)
    observer = Observer(
        wires=shelf.wires() if wires is None else wires,
        sink=sink,
        clock=clock,
        ids=EventIds(1, 0),
        node_id="test",
        keys=keys,
        class_of=rerouter.class_of,
    )
    forwarder = Forwarder(
        upstream=upstream,
        observer=observer,
        rerouter=rerouter,
        note_reachable=reachability.note,
    )
    listener = listen("127.0.0.1", port, setting="port")
    own = own_endpoints(
        version="1.2.3", reachability=reachability, control_alive=lambda: True, spool=sink, providers=providers
    )
    gate = Gate(
        forwarder=forwarder,
        observer=observer,
        own=own,
        allow_management=allow_management,
        is_known=ClientKeys(client_keys, observer.is_canary).knows if client_keys else None,
    )
    server = ProxyServer(gate, drain_seconds=drain_seconds, most_connections=most_connections)
    port = listener.getsockname()[1]
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield RunningProxy(port, sink, routes, server, upstream)
    finally:
        if not serving.done():
            server.stop()
            server.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await serving
        await upstream.close()
