"""Serving: a listener that says clearly why it cannot be had, and a uvicorn that leaves the signals to us."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from daemon.domain.errors import CannotStart

BACKLOG = 2048


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


def _why(error: OSError, host: str, port: int, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop what listens there, or choose another by {setting}"
    return f"cannot listen on {host}:{port} ({error.strerror}): choose another by {setting} or the host beside it"


class Server(uvicorn.Server):
    """Ends when `should_exit` is set. Its own handlers would skip the shutdown on a second signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
