"""Wakes a process on the same machine by a datagram that says nothing but “look now”."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path


class Waker:
    """Sends; never waits and never fails: the other side also looks by itself from time to time."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def wake(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(b"!", self._path)

    def close(self) -> None:
        self._socket.close()


class WakeListener:
    """Calls back on the event loop, once for any number of datagrams that wait. The socket file is 0600."""

    def __init__(self, path: Path, callback: Callable[[], None]) -> None:
        """Raises OSError when there can be no socket at that path."""
        self._path = path
        self._callback = callback
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            path.unlink(missing_ok=True)
            self._socket.bind(str(path))
            path.chmod(0o600)
        except OSError:
            self._socket.close()
            raise

    def start(self) -> None:
        """Listens on the running loop."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    def close(self) -> None:
        """Called on the loop that it was started on."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(16)
        self._callback()
