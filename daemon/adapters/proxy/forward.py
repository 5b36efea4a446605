"""The hot path: one request to the upstream and its answer back, piece by piece, as slowly or quickly as both go."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from daemon.adapters.proxy.answers import Send, answer, plain_error, upstream_error
from daemon.adapters.proxy.body import SMALL_BYTES, ClientLeft, Incoming, Receive
from daemon.adapters.proxy.observer import Observer
from daemon.adapters.proxy.protocol import EXTENSION, ProxyProtocol
from daemon.adapters.proxy.rerouting import MOST_BODY_BYTES, Rerouter
from daemon.adapters.proxy.tap import Ask, Observation
from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault
from daemon.logic.forwarding import is_sendable, request_headers, response_headers
from daemon.ports import Upstream, UpstreamRequest, UpstreamResponse

log = logging.getLogger(__name__)


class Forwarder:
    """Forwards what it is given; `cut` ends what still runs."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        authority: bytes,
        observer: Observer,
        rerouter: Rerouter,
        note_reachable: Callable[[bool], None],
    ) -> None:
        self.upstream = upstream
        self.authority = authority
        self.observer = observer
        self.rerouter = rerouter
        self.note_reachable = note_reachable
        self._running: set[_Exchange] = set()

    async def forward(self, ask: Ask, scope: Any, receive: Receive, send: Send) -> None:
        """One request from its head to its event, whatever happens."""
        exchange = _Exchange(self, ask, scope, receive, send)
        self._running.add(exchange)
        try:
            await exchange.run()
        finally:
            self._running.discard(exchange)

    def cut(self) -> None:
        """Breaks off every request that still runs: the time to end by themselves is over."""
        for exchange in list(self._running):
            exchange.cut()


class _Exchange:
    def __init__(self, forwarder: Forwarder, ask: Ask, scope: Any, receive: Receive, send: Send) -> None:
        self._forwarder = forwarder
        self._seen = seen = forwarder.observer.begin(ask)
        extension = scope["extensions"][EXTENSION]
        self._connection: ProxyProtocol = extension["connection"]
        self._target: bytes = extension["target"]
        self._incoming = Incoming(ask.headers, receive, seen.take_request)
        self._send = send
        self._task: asyncio.Task[Any] | None = None

    async def run(self) -> None:
        self._task = asyncio.current_task()
        self._connection.on_lost = self._client_left
        try:
            await self._forward(self._seen)
        except asyncio.CancelledError:
            if not self._was_stopped():
                raise
            self._connection.abort()
        except ClientLeft:
            self._seen.ending.client_gone = True
        except Exception:
            log.exception("a request could not be forwarded")
            await self._admit_mistake()
        finally:
            self._connection.on_lost = None
            self._forwarder.observer.finish(self._seen)

    def cut(self) -> None:
        self._seen.ending.drained = True
        self._stop()

    def _client_left(self) -> None:
        self._seen.ending.client_gone = True
        self._stop()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _was_stopped(self) -> bool:
        """Whether it was us who cancelled the task; it then goes on as if it had not been."""
        ending = self._seen.ending
        if self._task is None or not (ending.client_gone or ending.drained):
            return False
        self._task.uncancel()
        return True

    async def _forward(self, seen: Observation) -> None:
        request = await self._request(seen)
        try:
            response = await self._forwarder.upstream.send(request)
            _insist_on_http(response)
        except UpstreamFault as fault:
            self._forwarder.note_reachable(fault.fault is Fault.UPSTREAM_PROTOCOL)
            seen.ending.upstream_fault = fault.fault
            seen.status, body = upstream_error(self._forwarder.observer.fuses, seen.wire, fault.fault, str(fault))
            await answer(self._send, seen.status, body)
            return
        self._forwarder.note_reachable(True)
        try:
            await self._pass_on(seen, response)
        except UpstreamFault as fault:
            seen.ending.upstream_fault = fault.fault
            self._connection.abort()
        finally:
            response.abort()

    async def _pass_on(self, seen: Observation, response: UpstreamResponse) -> None:
        send = self._send
        seen.take_head(response.status, response.headers)
        headers = response_headers(response.headers, response.status)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if self._incoming.complete:
            seen.request()
        async for chunk in response.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            seen.take_response(chunk)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _request(self, seen: Observation) -> UpstreamRequest:
        ask, rerouter = seen.ask, self._forwarder.rerouter
        headers = request_headers(ask.headers, peer=ask.peer, authority=self._forwarder.authority)
        may_reroute = seen.wire is not None and rerouter.has_routes() and not self._forwarder.observer.is_canary(ask)
        body = await self._incoming.gather(MOST_BODY_BYTES) if may_reroute else await self._small_body()
        request = UpstreamRequest(
            method=ask.method,
            target=self._target,
            headers=headers,
            body=self._incoming.stream() if body is None else body or None,
        )
        return rerouter.reroute(seen, request) if may_reroute else request

    async def _small_body(self) -> bytes | None:
        """None: it is large, or nobody knows, and is not waited for."""
        if self._incoming.complete:
            return b""
        return await self._incoming.gather(SMALL_BYTES) if self._incoming.length else None

    async def _admit_mistake(self) -> None:
        self._seen.ending.ours = True
        if self._seen.was_answered:
            self._connection.abort()
            return
        self._seen.status = 500
        message = "The proxy made a mistake; its log says which."
        await answer(self._send, 500, plain_error("runbookd_internal", message))


def _insist_on_http(response: UpstreamResponse) -> None:
    """What no server of ours could send on must not be begun. Raises `UpstreamFault`."""
    if not 200 <= response.status <= 599 or not is_sendable(response.headers):
        response.abort()
        raise UpstreamFault(Fault.UPSTREAM_PROTOCOL, "the upstream answered with a malformed head")
