"""Soft routing: a request for a model that is out of order goes out with another one, while the table says so."""

from functools import partial

from daemon.adapters.proxy.inflate import inflater
from daemon.adapters.proxy.tap import Observation
from daemon.domain.soft_routing import RoutingTable
from daemon.logic.model_rewriting import renamed
from daemon.logic.routing_table import Trickles, choose
from daemon.ports import Clock, RoutingReader

MOST_BODY_BYTES = 32 << 20
"""A larger body keeps its original path: it is not held for this."""


class Rerouter:
    """Of one worker; remembers what it let through on the original path."""

    def __init__(self, routes: RoutingReader, clock: Clock) -> None:
        self._routes = routes
        self._clock = clock
        self._trickles = Trickles()
        self._table = RoutingTable()

    def has_routes(self) -> bool:
        """Whether bodies must be read before they are forwarded."""
        return bool(self._routes.table().routes)

    def reroute(self, seen: Observation, target: bytes, body: bytes) -> tuple[bytes, bytes] | None:
        """The target and the body to send instead, noted in the observation; None when the request stays as it is."""
        wire = seen.wire
        if wire is None or (model := seen.request().model) is None:
            return None
        route = choose(self._current(), model, self._trickles, self._clock.monotonic())
        plain = _plain(body, seen.ask.sent.get(b"content-encoding")) if route else None
        if route is None or plain is None:
            return None
        wanted = renamed(model, route.to_model)
        changed = seen.ask_wire(partial(wire.with_model, target, plain, wanted))
        if changed is None or changed == (target, plain):
            return None
        seen.route, seen.sent_model = route, wanted
        return changed

    def _current(self) -> RoutingTable:
        table = self._routes.table()
        if table is not self._table:
            self._table = table
            self._trickles.forget_others(table)
        return table


def _plain(body: bytes, encoding: bytes | None) -> bytes | None:
    """None when the body cannot be read in full."""
    reader = inflater(encoding, MOST_BODY_BYTES)
    plain = reader.feed(body)
    return None if reader.gave_up else plain
