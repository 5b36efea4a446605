"""Routes in force: keeps `routes.json` equal to what the journal says is applied, and alive."""

import logging
from collections.abc import Collection

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.soft_routing import RoutingTable, SoftRoute
from daemon.logic.workload_routing import classes, spread
from daemon.ports import Clock, RouteTable

log = logging.getLogger(__name__)

RENEW_SECONDS = 20.0


class RoutesInForce:
    """The file is written when the routes change, and every `RENEW_SECONDS` so that the data plane believes it."""

    def __init__(self, table: RouteTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._config = AlertsConfig()
        self._sequence: int | None = None
        self._written = RoutingTable()
        self._pressing: frozenset[str] = frozenset()
        self._renewed_at = float("-inf")
        self.served: Collection[str] | None = None
        """The upstream's models; None when they are not known."""

    def configure(self, config: AlertsConfig) -> None:
        """Classes of traffic are written along; they count from the next `keep` on."""
        self._config = config

    def keep(self, routes: tuple[SoftRoute, ...], pressing: Collection[str] | None = None) -> None:
        """Call it often. Where the file cannot be written it is tried again with the next call.

        `pressing` are the ids of what moves all classes of traffic at once, from now to its end; None: all are.
        """
        ids = {route.mitigation_id for route in routes}
        self._pressing = frozenset(ids.intersection({*self._pressing, *(ids if pressing is None else pressing)}))
        table = RoutingTable(
            routes=spread(routes, self._config, self.served, self._pressing), workloads=classes(self._config)
        )
        same = (table.routes, table.workloads) == (self._written.routes, self._written.workloads)
        if not same or self._clock.monotonic() - self._renewed_at >= RENEW_SECONDS:
            self._write(table)

    def _write(self, table: RoutingTable) -> None:
        try:
            sequence = (self._table.read().sequence if self._sequence is None else self._sequence) + 1
            self._table.publish(RoutingTable(sequence=sequence, routes=table.routes, workloads=table.workloads))
        except OSError as error:
            log.error("the routing table cannot be written, the data plane will drop its routes: %s", error)
            self._renewed_at = float("-inf")
        else:
            self._sequence, self._written, self._renewed_at = sequence, table, self._clock.monotonic()
