"""Serving: a listener that says clearly why it cannot be had, and a uvicorn that leaves the signals to us."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from daemon.domain.errors import CannotStart

BACKLOG = 2048


def listen(host: str, port: int, *, setting: str, shared: bool = False) -> socket.socket:
    """A listening socket. Raises `CannotStart`; `setting` is the name of the port's setting. `shared`: with others of
    our own (SO_REUSEPORT)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # without IPPROTO_TCP: no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CannotStart(_why(error, host, port, setting)) from None
    listener.setblocking(False)
    return listener


def _why(error: Exception, host: str, port: int, setting: str) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop what listens there, or set RUNBOOKD_{setting} to a free one"
    reason = os.strerror(code) if code and code > 0 else str(error)
    return f"cannot listen on {host}:{port} ({reason}): see RUNBOOKD_{setting} and the HOST beside it"


class Server(uvicorn.Server):
    """Ends when `should_exit` is set. Its own handlers would skip the shutdown on a second signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
