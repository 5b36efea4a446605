"""Serving: listeners that say clearly why they cannot be had, and a uvicorn that leaves the signals to us."""

import asyncio
import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import uvicorn

from daemon.domain.errors import CannotStart

BACKLOG = 2048
TICK_SECONDS = 0.5
"""How old the `Date` of an answer may be, and how late the end of a server."""
PORT_SETTING = "RUNBOOKD_PROXY_PORT"


def listen(host: str, port: int, *, setting: str, shared: bool = False) -> socket.socket:
    """A listening socket; port 0 is any free one. Raises `CannotStart`, which names the port's `setting`.

    `shared`: with others of our own (SO_REUSEPORT)."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)  # the loop sets TCP_NODELAY only where the protocol is said
    except OSError as error:
        raise CannotStart(_why(error, host, port, setting)) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStart(_why(error, host, port, setting)) from None
    listener.setblocking(False)
    return listener


def adopt(fd: int) -> socket.socket:
    """The listener that another process has opened for us. Raises `CannotStart`."""
    try:
        listener = socket.socket(fileno=fd)
    except OSError as error:
        raise CannotStart(f"file descriptor {fd} is not a socket to listen on ({error.strerror})") from None
    if not _can_accept(listener):
        listener.detach()  # it is somebody else's
        raise CannotStart(f"file descriptor {fd} is not a TCP socket to listen on")
    listener.set_inheritable(False)
    listener.setblocking(False)
    return listener


class Doors:
    """The proxy's listening sockets, held as long as the supervisor lives: while a worker is being started again, the
    kernel keeps its connects waiting."""

    def __init__(self, sockets: Sequence[socket.socket], *, are_ours: bool) -> None:
        self._sockets = sockets
        self._are_ours = are_ours

    @classmethod
    def open(cls, host: str, port: int, workers: int) -> Self:
        """One for each worker. Raises `CannotStart`."""
        alone = listen(host, port, setting=PORT_SETTING)  # fails if anybody is there, which a shared one would not
        if workers == 1:
            return cls([alone], are_ours=True)
        port = alone.getsockname()[1]
        alone.close()
        shared = [listen(host, port, setting=PORT_SETTING, shared=True) for _ in range(workers)]
        return cls(shared, are_ours=True)

    @classmethod
    def adopt(cls, fds: Sequence[int], port: int, workers: int) -> Self:
        """Those of the service manager; workers may share one. Raises `CannotStart` unless they fit the settings."""
        if len(fds) > workers:
            raise CannotStart(
                f"{len(fds)} sockets were handed over for {workers} worker(s): some would never be served"
            )
        doors = cls([adopt(fd) for fd in fds], are_ours=False)
        if others := {one.getsockname()[1] for one in doors._sockets} - {port}:
            doors.close()
            raise CannotStart(
                f"the socket that was handed over is for port {min(others)}, but {PORT_SETTING} is {port}: "
                "write the same port into both"
            )
        return doors

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first."""
        host, port = self._sockets[0].getsockname()[:2]
        return host, port

    def of(self, worker: int) -> int:
        """The file descriptor that this worker inherits."""
        return self._sockets[worker % len(self._sockets)].fileno()

    def shut(self, worker: int, *, even_the_last: bool) -> bool:
        """Leaves a dead worker's share of the connects to the others, until it accepts again by itself.

        False where nothing is done: it is shut already, or the last open one, or the service manager's."""
        accepting = [one for one in self._sockets if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
        mine = self._sockets[worker % len(self._sockets)]
        if not self._are_ours or mine not in accepting or (len(accepting) == 1 and not even_the_last):
            return False
        mine.shutdown(socket.SHUT_RD)
        return True

    def close(self) -> None:
        """Connects are refused as soon as the workers have closed theirs; in the manager's sockets they wait."""
        for one in self._sockets:
            one.close()


def _can_accept(candidate: socket.socket) -> bool:
    """Whether it is a TCP socket without a peer; one that was shut listens again when its worker does."""
    if candidate.family not in (socket.AF_INET, socket.AF_INET6) or candidate.type != socket.SOCK_STREAM:
        return False
    try:
        candidate.getpeername()
    except OSError:
        return bool(candidate.getsockname()[1])
    return False


def _why(error: OSError, host: str, port: int, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop what listens there, or choose another by {setting}"
    return f"cannot listen on {host}:{port} ({error.strerror}): choose another by {setting} or the host beside it"


class Server(uvicorn.Server):
    """Ends when `should_exit` is set. Its own handlers would skip the shutdown on a second signal, and its own clock
    wake an idle process ten times a second."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # noqa: ASYNC110 - what is waited for is no event, but an attribute
            await asyncio.sleep(TICK_SECONDS)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
