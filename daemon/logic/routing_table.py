"""The routing table: its file format, and how long it is believed."""

from dataclasses import asdict
from typing import Any

import msgspec

from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.soft_choice import KINDS, Trickles, choose

__all__ = ["LEASE_SECONDS", "Lease", "Trickles", "choose", "decode", "encode"]

LEASE_SECONDS = 120.0

_ALWAYS = frozenset({"mitigation_id", "kind", "from_model", "to_model", "trickle_seconds", "name"})
"""Written even when they are empty: proxies of before would not read the table without them."""


class _File(msgspec.Struct):
    sequence: int = 0
    routes: tuple[msgspec.Raw, ...] = ()
    workloads: tuple[WorkloadClass, ...] = ()


class _Kind(msgspec.Struct):
    kind: str = "model_alias"


_FILE = msgspec.json.Decoder(_File)
_KIND = msgspec.json.Decoder(_Kind)
_ROUTE = msgspec.json.Decoder(SoftRoute)


def encode(table: RoutingTable, written_at: str) -> bytes:
    """The text of `routes.json`; `written_at` is for human readers."""
    content = {
        "sequence": table.sequence,
        "written_at": written_at,
        "routes": [_said(route) for route in table.routes],
        "workloads": [_said(workload) for workload in table.workloads],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def decode(data: bytes) -> RoutingTable:
    """Raises ValueError when it is not a routing table; kinds and fields that we do not know are ignored."""
    try:
        file = _FILE.decode(data)
        routes = tuple(_ROUTE.decode(route) for route in file.routes if _KIND.decode(route).kind in KINDS)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a routing table: {error}") from error
    return RoutingTable(sequence=file.sequence, routes=routes, workloads=file.workloads)


def _said(part: SoftRoute | WorkloadClass) -> dict[str, Any]:
    """Without what is empty: people read it."""
    return {name: value for name, value in asdict(part).items() if value or name in _ALWAYS}


class Lease:
    """Believes a table only while its `sequence` keeps rising; times are seconds of the reader's monotonic clock."""

    def __init__(self, seconds: float = LEASE_SECONDS) -> None:
        self._seconds = seconds
        self._table = self._nothing = RoutingTable()
        self._says_something = False
        self._sequence = -1
        self._renewed_at = float("-inf")

    def offer(self, table: RoutingTable, now: float) -> None:
        """Takes what was just read. It is obeyed at once, the lease is renewed only by a higher sequence.

        After a lapse any other sequence is a new beginning: the writer may have lost its count.
        """
        self._says_something = bool(table.routes or table.workloads)
        if table.sequence > self._sequence or (not self.is_held(now) and table.sequence != self._sequence):
            self._sequence = table.sequence
            self._renewed_at = now
        self._table = table
        self._nothing = RoutingTable(sequence=self._sequence)

    def is_held(self, now: float) -> bool:
        """Whether the writer is alive, by its rising sequence."""
        return now - self._renewed_at <= self._seconds

    def table(self, now: float) -> RoutingTable:
        """What to obey: nothing once the lease has lapsed."""
        return self._table if self._says_something and self.is_held(now) else self._nothing
