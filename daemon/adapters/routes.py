"""The control plane's end of `routes.json`, and the copy of the open journal rows for the day the store is gone."""

import contextlib
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from daemon.domain.mitigation import Mitigation
from daemon.domain.soft_routing import RoutingTable
from daemon.logic.routing_table import decode, encode
from daemon.ports import Clock


class RoutesFile:
    """A `RouteTable`. The workers' sockets (`proxy-0.sock`, …) lie beside the file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def publish(self, table: RoutingTable) -> None:
        """Replaces the file atomically and wakes the data plane; raises OSError."""
        written_at = datetime.fromtimestamp(self._clock.now() / 1000, UTC).isoformat(timespec="seconds")
        _replace(self._path, encode(table, written_at), synced=False)
        for proxy in self._path.parent.glob("proxy-*.sock"):
            with contextlib.suppress(OSError):
                self._socket.sendto(b"!", str(proxy))

    def read(self) -> RoutingTable:
        """What stands in the file now; an empty table when there is none that can be read."""
        try:
            return decode(self._path.read_bytes())
        except (OSError, ValueError):
            return RoutingTable()

    def close(self) -> None:
        self._socket.close()


def write_journal_copy(path: Path, rows: Sequence[Mitigation]) -> None:
    """Replaces the copy, synced to the disk; raises OSError."""
    _replace(path, msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n", synced=True)


def read_journal_copy(path: Path) -> tuple[Mitigation, ...]:
    """The rows that were open when the copy was written; none when there is no copy. Raises ValueError, OSError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Mitigation, ...])
    except FileNotFoundError:
        return ()
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name} is not a copy of the journal: {error}") from error


def _replace(path: Path, content: bytes, *, synced: bool) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with open(new, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    new.replace(path)
    if synced:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
