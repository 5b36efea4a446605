"""The routing table: its file format, how long it is believed, and which route a model takes."""

import re
from dataclasses import asdict

import msgspec

from daemon.domain.soft_routing import RoutingTable, SoftRoute

LEASE_SECONDS = 120.0

_SUFFIX = re.compile(r"\([^()]*\)$")


def encode(table: RoutingTable, written_at: str) -> bytes:
    """The text of `routes.json`; `written_at` is for human readers."""
    routes = [asdict(route) for route in table.routes]
    content = {"sequence": table.sequence, "written_at": written_at, "routes": routes}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def decode(data: bytes) -> RoutingTable:
    """Raises ValueError when it is not a routing table; fields that we do not know are ignored."""
    try:
        return msgspec.json.decode(data, type=RoutingTable)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a routing table: {error}") from error


class Lease:
    """Believes a table only while its `sequence` keeps rising; times are seconds of the reader's monotonic clock."""

    def __init__(self, seconds: float = LEASE_SECONDS) -> None:
        self._seconds = seconds
        self._table = RoutingTable()
        self._sequence = -1
        self._renewed_at = float("-inf")

    def offer(self, table: RoutingTable, now: float) -> None:
        """Takes what was just read. Routes are obeyed at once, the lease is renewed only by a higher sequence.

        After a lapse any other sequence is a new beginning: the writer may have lost its count.
        """
        self._table = table
        if table.sequence > self._sequence or (not self.is_held(now) and table.sequence != self._sequence):
            self._sequence = table.sequence
            self._renewed_at = now

    def is_held(self, now: float) -> bool:
        """Whether the writer is alive, by its rising sequence."""
        return now - self._renewed_at <= self._seconds

    def table(self, now: float) -> RoutingTable:
        """What to obey: nothing once the lease has lapsed."""
        return self._table if self._table.routes and self.is_held(now) else RoutingTable(sequence=self._sequence)


class Trickles:
    """When each route last let a request through on its original path."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def lets_through(self, route: SoftRoute, now: float) -> bool:
        """True once each `trickle_seconds`, for the first time so long after the route was first taken."""
        if route.trickle_seconds is None:
            return False
        if now - self._last.setdefault(route.mitigation_id, now) < route.trickle_seconds:
            return False
        self._last[route.mitigation_id] = now
        return True

    def forget_others(self, table: RoutingTable) -> None:
        """Keeps only what belongs to routes that stand in the table."""
        ids = {route.mitigation_id for route in table.routes}
        self._last = {mitigation: last for mitigation, last in self._last.items() if mitigation in ids}


def choose(table: RoutingTable, model: str, trickles: Trickles, now: float) -> SoftRoute | None:
    """The route of a request for `model`, compared as it stands and without a `(suffix)`; None: the original path."""
    names = (model, _SUFFIX.sub("", model))
    for route in table.routes:
        if route.kind == "model_alias" and route.from_model in names:
            return None if trickles.lets_through(route, now) else route
    return None
