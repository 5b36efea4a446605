"""Where a request leads, by its method and path alone: the same few again and again, so each is judged once."""

from urllib.parse import unquote

import msgspec

from daemon.adapters.proxy.fuses import FusedWires
from daemon.adapters.proxy.health import OWN_PATHS
from daemon.adapters.proxy.open_requests import about
from daemon.logic.guarding import is_denied
from daemon.logic.marks import other_endpoint
from daemon.logic.wire import WireProtocol

MOST_REMEMBERED = 1024
LONGEST_REMEMBERED = 256


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a method and a path."""

    path: str
    """Decoded."""
    is_own: bool
    """Answered by us."""
    is_denied: bool
    wire: WireProtocol | None
    endpoint: str
    about: bytes = b""
    """For the list of what is under way."""


NOWHERE = Destination(path="", is_own=False, is_denied=False, wire=None, endpoint="other")


class Destinations:
    """Bounded: clients choose paths freely."""

    def __init__(self, fuses: FusedWires) -> None:
        self._fuses = fuses
        self._known: dict[tuple[bytes, bytes], Destination] = {}

    def find(self, method: bytes, raw_path: bytes) -> Destination:
        """The raw path has no query."""
        destination = self._known.get((method, raw_path))
        if destination is None:
            destination = self._judge(method.decode(), raw_path)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            if len(raw_path) <= LONGEST_REMEMBERED:
                self._known[method, raw_path] = destination
        return destination

    def _judge(self, method: str, raw_path: bytes) -> Destination:
        path = unquote(raw_path.decode("latin-1"))
        wire, endpoint = self._fuses.claim(method, path)
        return Destination(
            path=path,
            is_own=path in OWN_PATHS and method in ("GET", "HEAD"),
            is_denied=is_denied(raw_path),
            wire=wire,
            endpoint=endpoint or other_endpoint(path),
            about=about(method, endpoint, wire.WIRE) if wire else b"",
        )
