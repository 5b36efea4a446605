"""The upstream client of the hot path: a pool of connections to one address, over plain TCP or TLS."""

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from daemon.adapters.proxy.calls import Asker, Call
from daemon.adapters.proxy.resolver import Resolver
from daemon.adapters.proxy.upstream_connection import IDLE_SECONDS, Connection
from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault

CONNECT_SECONDS = 10.0
RESOLVE_SECONDS = 2.0
MOST_IDLE = 256
_TLS_ERRORS = (ssl.SSLError, ConnectionResetError)
"""Also who leaves in the handshake: nobody resets what is not yet connected."""


class UpstreamPool:
    """The upstream at one address. Must be made on the event loop that it is used on."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        address = parts.netloc.rpartition("@")[2]
        self.loop = asyncio.get_running_loop()
        self.authority = address.encode()
        """What belongs into the `Host` header."""
        self.base_path = parts.path.rstrip("/").encode()
        """What goes before each target."""
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = _tls() if parts.scheme == "https" else None
        self._resolver = Resolver(self._host, self._port)
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._ends: dict[tuple[str, int], set[tuple[str, int]]] = {}
        """Of our connections: from where, and to where. One port may lead to several places."""
        self._connecting: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def send(self, asker: Asker, method: str, first: bytes, *, is_complete: bool) -> Call:
        """`first` is the head and what there is of the body, framed. The asker is told nothing before this returns."""
        call = Call(asker, method, first, is_complete=is_complete)
        now = self.loop.time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable(now):
                connection.carry(call)
                return call
            connection.drop()
        self.connect(call)
        return call

    def is_ours(self, from_: tuple[str, int], to: Callable[[], tuple[str, int]]) -> bool:
        """Whether a connection between two places is one that we made."""
        ends = self._ends.get(from_)
        return ends is not None and to() in ends

    async def close(self) -> None:
        """Drops every connection."""
        for task in self._connecting:
            task.cancel()
        for connection in list(self._open):
            connection.drop()
        if self._sweep is not None:
            self._sweep.cancel()

    # ---- for its connections -----------------------------------------------------------------------------------------

    def connect(self, call: Call) -> None:
        """A new connection for a call; who no longer wants it by then leaves it to the pool."""
        task = self.loop.create_task(self._connect(call), name="connect")
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def keep(self, connection: Connection) -> None:
        """It waits for the next call."""
        if len(self._idle) >= MOST_IDLE:
            self._idle.pop(0).drop()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = self.loop.call_later(IDLE_SECONDS, self._drop_old)

    def forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if ends := self._ends.get(connection.own_end):
            ends.discard(connection.other_end)
            if not ends:
                del self._ends[connection.own_end]
        if connection in self._idle:
            self._idle.remove(connection)

    def _drop_old(self) -> None:
        now, self._sweep = self.loop.time(), None
        for connection in [one for one in self._idle if not one.is_usable(now)]:
            self._idle.remove(connection)
            connection.drop()
        if self._idle:
            self._sweep = self.loop.call_later(IDLE_SECONDS, self._drop_old)

    async def _connect(self, call: Call) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await self._connection()
        except (OSError, ValueError) as error:
            if not call.is_over:
                call.is_over = True
                call.asker.fault(_fault_of(error, is_tls=self._tls is not None))
            return
        if not connection.transport.is_closing():
            self._open.add(connection)
            self._ends.setdefault(connection.own_end, set()).add(connection.other_end)
        if not call.is_over:
            connection.carry(call)
        elif not connection.transport.is_closing():
            self.keep(connection)

    async def _connection(self) -> Connection:
        """To the first address that takes it. Raises OSError."""
        last: OSError = OSError("the name has no address")
        for family, address in await self._resolver.addresses(RESOLVE_SECONDS):
            try:
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self, self.loop),
                    address,
                    self._port,
                    family=family,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
            except OSError as error:
                last = last if isinstance(last, _TLS_ERRORS) else error
            else:
                return connection
        raise last


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _fault_of(error: Exception, *, is_tls: bool) -> UpstreamFault:
    if isinstance(error, TimeoutError):
        return UpstreamFault(Fault.UPSTREAM_TIMEOUT, f"no connection to the upstream within {CONNECT_SECONDS:.0f} s")
    if is_tls and isinstance(error, _TLS_ERRORS):
        return UpstreamFault(Fault.UPSTREAM_TLS, "no trusted TLS connection to the upstream")
    return UpstreamFault(Fault.UPSTREAM_CONNECT, "the upstream cannot be reached")
