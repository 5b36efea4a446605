"""The upstream client of the hot path, on aiohttp: adds nothing, changes nothing, waits as long as it takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    ServerFingerprintMismatch,
    TCPConnector,
    TraceConfig,
)
from yarl import URL

from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault
from daemon.ports import RawHeaders, UpstreamRequest

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 8.0
"""The upstream drops a connection that is silent for 10 s: ours must be younger when it is used again."""
MOST_HEAD_BYTES = 65536
MOST_HEADERS = 256
PIECE_BYTES = 65536


class AiohttpUpstream:
    """The `Upstream` at one address. Must be made on the event loop that it is used on."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        address = parts.netloc.rpartition("@")[2]
        self._origin = f"{parts.scheme}://{address}"
        self._base_path = parts.path.rstrip("/")
        self.authority = address.encode()
        """What belongs into the `Host` header."""
        trace = TraceConfig()
        trace.on_connection_reuseconn.append(_mark_reused)
        self._session = ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            timeout=ClientTimeout(total=None, connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("accept", "accept-encoding", "user-agent", "content-type"),
            trace_configs=[trace],
            middlewares=(_translate_errors,),
            max_line_size=MOST_HEAD_BYTES,
            max_field_size=MOST_HEAD_BYTES,
            max_headers=MOST_HEADERS,
        )

    async def send(self, request: UpstreamRequest) -> "AiohttpResponse":
        """Raises `UpstreamFault`. A request is sent again only when a connection out of the pool died under it."""
        sending = _Sending(request.body)
        try:
            return await self._send(request, sending)
        except UpstreamFault as fault:
            if fault.fault is not Fault.UPSTREAM_PROTOCOL or not sending.may_be_repeated:
                raise
        return await self._send(request, _Sending(request.body))

    async def close(self) -> None:
        await self._session.close()

    async def _send(self, request: UpstreamRequest, sending: "_Sending") -> "AiohttpResponse":
        headers = [(_text(name), _text(value)) for name, value in request.headers]
        try:
            response = await self._session.request(
                request.method,
                self._url(request.target),
                headers=headers,
                data=sending.data,
                allow_redirects=False,
                trace_request_ctx=sending,
            )
        except (ClientError, OSError, ValueError) as error:
            raise _fault_of(error) from error
        return AiohttpResponse(response)

    def _url(self, target: bytes) -> URL:
        text = self._base_path + target.decode("ascii", "surrogateescape")
        url = URL(self._origin + text, encoded=True)
        if url.raw_path_qs != text:
            # It drops a `?` with nothing behind it. The cached property is the only place to say so.
            url._cache["raw_path_qs"] = text
        return url


class AiohttpResponse:
    """An answer whose headers are there."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: RawHeaders = response.raw_headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `UpstreamFault`; when it is not read to its end the connection is closed."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (ClientError, OSError) as error:
            raise UpstreamFault(Fault.TRUNCATED, "the upstream broke off") from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Does nothing after the end: the connection has gone back to the pool."""
        self._response.close()


class _Sending:
    """One attempt: what is known of how far it came."""

    def __init__(self, body: bytes | AsyncIterator[bytes] | None) -> None:
        self._is_replayable = not isinstance(body, AsyncIterator)
        self._handed_over = False
        self.reused = False
        self.data = self._watched(body) if body else None

    @property
    def may_be_repeated(self) -> bool:
        """The connection had served before, and the request was not yet handed over to it in full."""
        return self._is_replayable and self.reused and self.data is not None and not self._handed_over

    async def _watched(self, body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        if isinstance(body, bytes):
            for piece in _pieces(body):
                yield piece
        else:
            async for piece in body:
                yield piece
        self._handed_over = True


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))


async def _mark_reused(session: ClientSession, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.reused = True


async def _translate_errors(
    request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
) -> ClientResponse:
    """Errors leave here as ours, for the session would send some requests again, by their method alone."""
    try:
        return await handler(request)
    except (ClientError, OSError) as error:
        raise _fault_of(error) from error


def _fault_of(error: Exception) -> UpstreamFault:
    if isinstance(error, ClientConnectorCertificateError | ClientConnectorSSLError | ServerFingerprintMismatch):
        return UpstreamFault(Fault.UPSTREAM_TLS, "no trusted TLS connection to the upstream")
    if isinstance(error, ConnectionTimeoutError | asyncio.TimeoutError):
        return UpstreamFault(Fault.UPSTREAM_TIMEOUT, f"no connection to the upstream within {CONNECT_SECONDS:.0f} s")
    if isinstance(error, ClientConnectorError):
        return UpstreamFault(Fault.UPSTREAM_CONNECT, "the upstream cannot be reached")
    return UpstreamFault(Fault.UPSTREAM_PROTOCOL, "the upstream broke the conversation off before it answered")


def _text(data: bytes) -> str:
    """aiohttp writes UTF-8 and nothing else: other bytes are taken for Latin-1, which is what they mostly are."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
