"""The data plane's view of `routes.json`: read again when woken and when it has changed, believed by its lease."""

import logging
from pathlib import Path

from daemon.domain.soft_routing import RoutingTable
from daemon.logic.routing_table import Lease, decode
from daemon.ports import Clock

log = logging.getLogger(__name__)


class RoutesFile:
    """A `RoutingReader`. Somebody must call `poll` each second, and `read` when the writer says so."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lease = Lease()
        self._seen: tuple[int, int] | None = None
        self._complaint: str | None = None

    def table(self) -> RoutingTable:
        """Never touches the file."""
        return self._lease.table(self._clock.monotonic())

    def is_renewed(self) -> bool:
        """Whether the control plane still renews the file."""
        return self._lease.is_held(self._clock.monotonic())

    def poll(self) -> None:
        """Reads the file if it is another one than before."""
        try:
            status = self._path.stat()
        except OSError:
            self._take(RoutingTable(sequence=-1))
            self._seen = None
            return
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._seen = seen
            self.read()

    def read(self) -> None:
        """A file that cannot be read changes nothing: what we know lapses by itself."""
        try:
            self._take(decode(self._path.read_bytes()))
            self._complaint = None
        except (OSError, ValueError) as error:
            if self._complaint != (text := str(error)):
                self._complaint = text
                log.warning("%s is not obeyed: %s", self._path.name, text)

    def _take(self, table: RoutingTable) -> None:
        self._lease.offer(table, self._clock.monotonic())
