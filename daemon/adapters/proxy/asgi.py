"""The application of the proxy port: the guard first, then what we answer ourselves, then the hot path."""

from typing import Any

from starlette.types import ASGIApp

from daemon.adapters.proxy.answers import Send, answer, plain_error
from daemon.adapters.proxy.body import Receive
from daemon.adapters.proxy.forward import Forwarder
from daemon.adapters.proxy.health import OWN_PATHS
from daemon.adapters.proxy.observer import Observer
from daemon.adapters.proxy.protocol import EXTENSION
from daemon.adapters.proxy.tap import Ask
from daemon.domain.event import Fault
from daemon.logic.forwarding import value_of
from daemon.logic.guarding import framing_fault, is_denied

_CLOSE = ((b"connection", b"close"),)
_DENIAL = (
    "This path is for callers on the upstream's own host and is not forwarded; "
    "RUNBOOKD_PROXY_ALLOW_MANAGEMENT=true would allow it."
)
_NO_WEBSOCKET = "WebSocket is not spoken here; send the same request over HTTP."


class ProxyApp:
    """A raw ASGI callable: nothing of a framework stands between the server and the hot path."""

    def __init__(self, *, forwarder: Forwarder, observer: Observer, own: ASGIApp, allow_management: bool) -> None:
        self._forwarder = forwarder
        self._observer = observer
        self._own = own
        self._allow_management = allow_management

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._own(scope, receive, send)
            return
        ask, target = _ask(scope), scope["extensions"][EXTENSION]["target"]
        if fault := framing_fault(scope["http_version"], target, ask.headers):
            await self._refuse(ask, send, 400, Fault.REJECTED_FRAMING, fault)
        elif (value_of(ask.headers, b"upgrade") or b"").lower() == b"websocket":
            await self._refuse(ask, send, 426, Fault.DENIED, _NO_WEBSOCKET)
        elif ask.path in OWN_PATHS and ask.method in ("GET", "HEAD"):
            await self._own(scope, receive, send)
        elif not self._allow_management and is_denied(target.partition(b"?")[0]):
            await self._refuse(ask, send, 403, Fault.DENIED, _DENIAL)
        else:
            await self._forwarder.forward(ask, scope, receive, send)

    def rejected(self, status: int) -> None:
        """The server refused what could not even be parsed."""
        ask = Ask(method="", path="", query=b"", headers=())
        self._observer.refuse(ask, status, Fault.REJECTED_FRAMING)

    async def _refuse(self, ask: Ask, send: Send, status: int, fault: Fault, message: str) -> None:
        self._observer.refuse(ask, status, fault)
        await answer(send, status, plain_error(f"runbookd_{fault}", message), _CLOSE)


def _ask(scope: Any) -> Ask:
    peer = scope["client"]
    return Ask(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=scope["headers"],
        peer=peer[0] if peer else "",
    )
