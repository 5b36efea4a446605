"""What the connection of a client asks of the rest: who answers a request, and what all connections share."""

from typing import TYPE_CHECKING, Protocol

from daemon.adapters.proxy.destinations import Destination
from daemon.adapters.proxy.tap import Ask
from daemon.logic.forwarding import Headers

if TYPE_CHECKING:
    from daemon.adapters.proxy.connection import ClientConnection


class Handler(Protocol):
    """Answers one request; is told what else the client sends, and whether it reads."""

    def body(self, data: bytes, *, last: bool, trailers: Headers = ()) -> None:
        """A piece of the request's body; it may be empty. Nothing follows the last one."""

    def client_left(self) -> None: ...

    def body_failed(self, status: int, message: str) -> None:
        """The rest of the body is none, or does not come: to be answered with `refuse`, else `abort`."""

    def failed(self) -> None:
        """A mistake of our own, in one of these."""

    def hold(self) -> None:
        """The client reads too slowly."""

    def go_on(self) -> None: ...

    def stopping(self) -> None:
        """It has until `cut` to end by itself."""

    def cut(self) -> None:
        """The time to end by itself is over."""


class Serving(Protocol):
    """What all connections of a worker share."""

    is_stopping: bool

    def find(self, method: bytes, raw_path: bytes) -> Destination:
        """Where a request leads."""

    def begin(self, connection: "ClientConnection", ask: Ask) -> Handler | None:
        """Takes a request whose head is good; None: it has been answered already."""

    def refused(self, ask: Ask | None, status: int) -> None:
        """A request that was none was answered with a status."""

    def opened(self, connection: "ClientConnection") -> bool:
        """False: there is no room for it."""

    def closed(self, connection: "ClientConnection") -> None: ...
