"""Routes in force: keeps `routes.json` equal to what the journal says is applied, and alive."""

import logging

from daemon.domain.soft_routing import RoutingTable, SoftRoute
from daemon.ports import Clock, RouteTable

log = logging.getLogger(__name__)

RENEW_SECONDS = 20.0


class RoutesInForce:
    """The file is written when the routes change, and every `RENEW_SECONDS` so that the data plane believes it."""

    def __init__(self, table: RouteTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._sequence: int | None = None
        self._routes: tuple[SoftRoute, ...] = ()
        self._renewed_at = float("-inf")

    def keep(self, routes: tuple[SoftRoute, ...]) -> None:
        """Call it often. Where the file cannot be written it is tried again with the next call."""
        if routes == self._routes and self._clock.monotonic() - self._renewed_at < RENEW_SECONDS:
            return
        try:
            sequence = (self._table.read().sequence if self._sequence is None else self._sequence) + 1
            self._table.publish(RoutingTable(sequence=sequence, routes=routes))
        except OSError as error:
            log.error("the routing table cannot be written, the data plane will drop its routes: %s", error)
            self._renewed_at = float("-inf")
        else:
            self._sequence, self._routes, self._renewed_at = sequence, routes, self._clock.monotonic()
