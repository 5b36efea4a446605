"""The wires, behind fuses: one that raises is not asked again, and the traffic goes on without being read."""

import logging
from collections.abc import Callable, Sequence
from traceback import extract_tb
from typing import TypeVar

from daemon.domain.event import Wire
from daemon.logic.wire import WireProtocol

log = logging.getLogger(__name__)

T = TypeVar("T")


class FusedWires:
    """Asks a wire for a fact; None for what cannot be had."""

    def __init__(self, wires: Sequence[WireProtocol]) -> None:
        self._wires = tuple(wires)
        self._blown: set[Wire] = set()

    @property
    def blown(self) -> Sequence[Wire]:
        """Those that raised."""
        return sorted(self._blown)

    def speaking(self, wire: Wire) -> WireProtocol | None:
        """The wire of that name, if it is on the shelf."""
        return next((one for one in self._wires if one.WIRE is wire), None)

    def claim(self, method: str, path: str) -> tuple[WireProtocol | None, str]:
        """The wire that knows the request, and its endpoint pattern; a blown one still says what is its own."""
        for wire in self._wires:
            try:
                if endpoint := wire.claims(method, path):
                    return wire, endpoint
            except Exception as error:
                self._blow(wire, error)
        return None, ""

    def ask(self, wire: WireProtocol, question: Callable[[], T]) -> T | None:
        """The answer, or None when this wire raises or has raised."""
        if wire.WIRE in self._blown:
            return None
        try:
            return question()
        except Exception as error:
            self._blow(wire, error)
            return None

    def _blow(self, wire: WireProtocol, error: Exception) -> None:
        """Told once. The error's own text stays out of the log: it may quote a body."""
        if wire.WIRE not in self._blown:
            self._blown.add(wire.WIRE)
            place = extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {place.filename}:{place.lineno}"
            log.error("requests of wire %s are forwarded unread from now on: its reader failed (%s)", wire.WIRE, where)
