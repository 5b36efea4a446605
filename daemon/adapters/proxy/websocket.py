"""A websocket: opened end to end, then both directions pass as they are; copies are read to make one event per turn.

No extension is passed on, so none is agreed on, and the frames can be read. Where the upstream does not take the
websocket, the client gets 426: it then asks over HTTP.
"""

from collections.abc import Callable

from daemon.adapters.proxy.answers import plain_error, upstream_error
from daemon.adapters.proxy.calls import Call
from daemon.adapters.proxy.connection import ClientConnection
from daemon.adapters.proxy.forward import Between, Forwarder
from daemon.adapters.proxy.tap import Ask, Ending
from daemon.adapters.proxy.websocket_watch import Watch
from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault
from daemon.logic.forwarding import Headers, by_name, header_lines, response_lines, status_line
from daemon.logic.websocket import answer_fault
from daemon.logic.websocket_frames import close_frame

SERVICE_RESTART = 1012
REFUSAL = plain_error("runbookd_denied", "WebSocket is not spoken here; send the same request over HTTP.")

_NOT_OFFERED = frozenset({b"sec-websocket-extensions"})
_SWITCH = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


class Relay(Between):
    """A `Handler` of the client's connection, and the `Asker` of the upstream's."""

    def __init__(self, forwarder: Forwarder, connection: ClientConnection, ask: Ask) -> None:
        super().__init__(connection)
        self._forwarder = forwarder
        self._ask = ask
        self._is_open = self._is_stopping = False
        self._watch = Watch(forwarder.observer, ask)

    # ---- from the client ---------------------------------------------------------------------------------------------

    def body(self, data: bytes, *, last: bool, trailers: Headers = ()) -> None:
        if self._call is None:
            self._call = self._ask_upstream()
        else:
            self._call.write(data)
            self._watch.hear_client(data)

    def body_failed(self, status: int, message: str) -> None:
        self._break_off(_left)

    def client_left(self) -> None:
        self._finish(_left)

    def stopping(self) -> None:
        """Whoever waits on an open websocket would wait for ever: it ends behind the turn that is under way."""
        self._is_stopping = True
        self._leave_if_idle()

    def cut(self) -> None:
        self._break_off(_drained)

    def failed(self) -> None:
        self._break_off(_ours)

    # ---- from the upstream -------------------------------------------------------------------------------------------

    def interim(self, status: int, headers: Headers) -> None: ...

    def head(self, status: int, reason: bytes, headers: Headers, lines: bytes) -> None:
        self._forwarder.note_reachable(True)
        self._watch.refused(426, Fault.DENIED)
        self._answer(426, REFUSAL)

    def switched(self, headers: Headers, data: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        if wrong := answer_fault(headers, self._ask.sent[b"sec-websocket-key"]):
            self.fault(UpstreamFault(Fault.UPSTREAM_PROTOCOL, f"the upstream's answer is none to a websocket: {wrong}"))
            return
        self._forwarder.note_reachable(True)
        lines = response_lines(header_lines(headers), by_name(headers), 101)
        connection.write(b"%b%b\r\n%b\r\n" % (status_line(101, b"Switching Protocols"), lines, _SWITCH))
        self._is_open = True
        self._watch.opened()
        connection.switch()
        if data:
            self.data(data)

    def data(self, data: bytes) -> None:
        if self._connection is not None:
            self._connection.write(data)
            self._watch.hear_upstream(data)
            self._leave_if_idle()

    def flush(self) -> None: ...

    def ended(self, trailers: Headers) -> None:
        connection = self._connection
        self._finish(_truncated)
        if connection is not None:
            connection.finished()

    def fault(self, fault: UpstreamFault) -> None:
        def why(ending: Ending) -> None:
            ending.upstream_fault = fault.fault

        if self._is_open:
            self._break_off(why)
            return
        self._forwarder.note_fault(fault.fault)
        status, body = upstream_error(self._forwarder.observer.fuses, None, fault.fault, str(fault))
        self._watch.refused(status, None)
        self._answer(status, body, why)

    # ---- the ends ----------------------------------------------------------------------------------------------------

    def _ask_upstream(self) -> Call:
        head = self._forwarder.request_head(self._ask, self._ask.target, _SWITCH, _NOT_OFFERED)
        return self._forwarder.upstream.send(self, "GET", head, is_complete=True)

    def _leave_if_idle(self) -> None:
        connection = self._connection
        if self._is_stopping and self._is_open and self._watch.is_idle and connection is not None:
            connection.write(close_frame(SERVICE_RESTART, "the proxy restarts"))
            self._finish(_drained)
            connection.finished()

    def _answer(self, status: int, body: bytes, why: Callable[[Ending], None] = lambda ending: None) -> None:
        connection = self._connection
        self._finish(why)
        if connection is not None:
            connection.answer(status, body, close=True)

    def _break_off(self, why: Callable[[Ending], None]) -> None:
        connection = self._connection
        self._finish(why)
        if connection is not None:
            connection.abort()

    def _finish(self, why: Callable[[Ending], None]) -> None:
        self._connection = None
        call, self._call = self._call, None
        if call is not None and not call.is_over:
            call.abort()
        self._watch.ended(why)


def _left(ending: Ending) -> None:
    ending.client_gone = True


def _drained(ending: Ending) -> None:
    ending.drained = True


def _ours(ending: Ending) -> None:
    ending.ours = True


def _truncated(ending: Ending) -> None:
    ending.upstream_fault = Fault.TRUNCATED
