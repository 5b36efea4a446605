"""The server of the proxy port: its connections, their clock, and an end in order: drain, cut, gone."""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Sequence

from daemon.adapters.proxy.calls import LOOPBACK
from daemon.adapters.proxy.connection import ClientConnection
from daemon.adapters.proxy.destinations import Destination
from daemon.adapters.proxy.gate import Gate
from daemon.adapters.proxy.handling import Handler
from daemon.adapters.proxy.tap import Ask

LAST_WORDS_SECONDS = 0.2
"""From the cut of a request to the end of its connection, whether or not the client reads."""
TICK_SECONDS = 1.0
RESERVED_FILES = 64
"""Descriptors that no connection takes: spool, log, routes."""
MOST_CONNECTIONS = 20_000
BACKLOG = 2048


class ProxyServer:
    """Serves until `stop` is called; a second call cuts at once what still runs."""

    def __init__(self, gate: Gate, *, drain_seconds: float, most_connections: int | None = None) -> None:
        self.is_stopping = False
        self._gate = gate
        self._drain_seconds = drain_seconds
        self._most = most_connections or _room()
        self._connections: set[ClientConnection] = set()
        self._peers: Counter[str] = Counter()
        self._clock: asyncio.TimerHandle | None = None
        self._servers: list[asyncio.Server] = []
        self._all_gone = asyncio.Event()

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Returns when all connections are gone after `stop`."""
        loop = asyncio.get_running_loop()
        for one in sockets:
            server = await loop.create_server(lambda: ClientConnection(self, loop), sock=one, backlog=BACKLOG)
            self._servers.append(server)
        await self._all_gone.wait()
        if self._clock is not None:
            self._clock.cancel()

    def stop(self) -> None:
        """No new connections from here on; open requests have `drain_seconds` to end by themselves."""
        if self.is_stopping:
            self._end()
            return
        self.is_stopping = True
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.stop()
        asyncio.get_running_loop().call_later(self._drain_seconds, self._end)
        self._look_whether_gone()

    # ---- for its connections -----------------------------------------------------------------------------------------

    def find(self, method: bytes, raw_path: bytes) -> Destination:
        return self._gate.destinations.find(method, raw_path)

    def begin(self, connection: ClientConnection, ask: Ask) -> Handler | None:
        return self._gate.begin(connection, ask)

    def refused(self, ask: Ask | None, status: int) -> None:
        self._gate.refused(ask, status)

    def opened(self, connection: ClientConnection) -> bool:
        """No single address but our own host may take more than a quarter of the room."""
        self._connections.add(connection)
        self._peers[connection.peer] += 1
        if self._clock is None:
            self._clock = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        is_near = connection.peer.startswith(LOOPBACK)
        most_of_one = self._most if is_near else self._most // 4
        if len(self._connections) > self._most + RESERVED_FILES // 2:
            connection.transport.abort()  # not even for a word
            return True
        return len(self._connections) <= self._most and self._peers[connection.peer] <= most_of_one

    def closed(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        self._peers[connection.peer] -= 1
        if not self._peers[connection.peer]:
            del self._peers[connection.peer]
        self._look_whether_gone()

    # ---- the clock and the end ---------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Nobody is there, nothing ticks."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._clock = loop.call_later(TICK_SECONDS, self._tick) if self._connections else None
        for connection in list(self._connections):
            connection.look_at_the_clock(now)

    def _end(self) -> None:
        for connection in list(self._connections):
            connection.cut()
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._disconnect)

    def _disconnect(self) -> None:
        for connection in list(self._connections):
            connection.transport.abort()

    def _look_whether_gone(self) -> None:
        if self.is_stopping and not self._connections:
            self._all_gone.set()


def _room() -> int:
    """As many as there can be descriptors for, two to a connection; the limit is raised as far as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 2 * MOST_CONNECTIONS + RESERVED_FILES if hard == resource.RLIM_INFINITY else hard
    wanted = min(most, 2 * MOST_CONNECTIONS + RESERVED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = wanted if soft == resource.RLIM_INFINITY else soft
    return max(8, min(MOST_CONNECTIONS, (files - RESERVED_FILES) // 2))
