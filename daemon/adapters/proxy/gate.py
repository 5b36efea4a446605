"""The gate of the proxy port: decides for each request whether it is answered here, refused, or forwarded."""

import logging
from collections.abc import Callable

from starlette.types import ASGIApp

from daemon.adapters.proxy.answers import error_of, plain_error
from daemon.adapters.proxy.asgi import OwnAnswer
from daemon.adapters.proxy.connection import ClientConnection
from daemon.adapters.proxy.destinations import Destinations
from daemon.adapters.proxy.forward import Forwarder
from daemon.adapters.proxy.handling import Handler
from daemon.adapters.proxy.health import HEALTH
from daemon.adapters.proxy.observer import Observer
from daemon.adapters.proxy.tap import Ask
from daemon.adapters.proxy.websocket import REFUSAL, Relay
from daemon.domain.event import Fault
from daemon.logic.websocket import VERSION, handshake_fault, has_turns, is_websocket_path, model_in

log = logging.getLogger(__name__)

_DENIAL = (
    "This path is for callers on the upstream's own host and is not forwarded; "
    "RUNBOOKD_PROXY_ALLOW_MANAGEMENT=true would allow it."
)
_STRANGER = "This proxy does not know the key; its owner keeps the list (RUNBOOKD_PROXY_CLIENT_KEYS_FILE)."
_CIRCLE = "RUNBOOKD_UPSTREAM_URL leads back to this proxy: nothing can be forwarded."
_VERSION = b"Sec-WebSocket-Version: %b\r\n" % VERSION


class Gate:
    """Nothing of a framework stands between the connection and the hot path."""

    def __init__(
        self,
        *,
        forwarder: Forwarder,
        observer: Observer,
        own: ASGIApp,
        allow_management: bool,
        is_known: Callable[[Ask], bool] | None = None,
    ) -> None:
        self.destinations = Destinations(observer.fuses)
        self._forwarder = forwarder
        self._observer = observer
        self._own = own
        self._allow_management = allow_management
        self._is_known = is_known

    def begin(self, connection: ClientConnection, ask: Ask) -> Handler | None:
        """None: it has been answered."""
        destination = ask.destination
        if self._forwarder.upstream.is_ours(connection.end, connection.own_end):
            log.error(_CIRCLE)
            return self._refuse(connection, ask, 508, plain_error("runbookd_denied", _CIRCLE))
        is_stranger = self._is_known is not None and not self._is_known(ask)
        if destination.is_own and (not is_stranger or destination.path == HEALTH):
            return OwnAnswer(self._own, connection, ask)
        if destination.is_denied and not self._allow_management:
            return self._refuse(connection, ask, 403, plain_error("runbookd_denied", _DENIAL))
        if is_stranger:
            return self._refuse(connection, ask, 401, error_of(self._observer.fuses, ask, 401, _STRANGER))
        if ask.sent.get(b"upgrade", b"").lower() == b"websocket":
            return self._websocket(connection, ask)
        return self._forwarder.begin(connection, ask)

    def refused(self, ask: Ask | None, status: int) -> None:
        """What was no request has been answered."""
        self._observer.refuse(ask, status, Fault.REJECTED_FRAMING)

    def _websocket(self, connection: ClientConnection, ask: Ask) -> Handler | None:
        """A turn on a websocket cannot be led to another model: while its models may be, new ones go over HTTP."""
        if not is_websocket_path(ask.destination.path) or self._is_led(ask):
            return self._refuse(connection, ask, 426, REFUSAL)
        if fault := handshake_fault(ask.method, ask.version, ask.headers):
            self._observer.refuse(ask, fault[0], Fault.REJECTED_FRAMING)
            connection.answer(fault[0], plain_error("runbookd_rejected_framing", fault[1]), _VERSION, close=True)
            return None
        return Relay(self._forwarder, connection, ask)

    def _is_led(self, ask: Ask) -> bool:
        rerouter = self._forwarder.rerouter
        return rerouter.has_routes() and has_turns(ask.destination.path) and rerouter.concerns(ask, model_in(ask.query))

    def _refuse(self, connection: ClientConnection, ask: Ask, status: int, body: bytes) -> Handler | None:
        self._observer.refuse(ask, status, Fault.DENIED)
        connection.answer(status, body, close=True)
        return None
