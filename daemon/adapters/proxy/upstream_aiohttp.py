"""The upstream client of the hot path, on aiohttp: adds nothing, changes nothing, waits as long as it takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
from aiohttp import (
    ClientConnectionResetError,
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    ServerDisconnectedError,
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
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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
        sending = SimpleNamespace(reused=False)
        try:
            return await self._send(request, sending)
        except UpstreamFault as fault:
            if not sending.reused or not _may_be_repeated(request, fault.__cause__):
                raise
        return await self._send(request, sending)

    async def close(self) -> None:
        await self._session.close()

    async def _send(self, request: UpstreamRequest, sending: SimpleNamespace) -> "AiohttpResponse":
        headers = [(_text(name), _text(value)) for name, value in request.headers]
        try:
            response = await self._session.request(
                request.method,
                self._url(request.target),
                headers=headers,
                data=request.body,
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


def _may_be_repeated(request: UpstreamRequest, error: BaseException | None) -> bool:
    """The upstream has not got it in full, or it asks for nothing that would be done twice."""
    if request.body is None and request.method in SAFE_METHODS:
        return isinstance(error, ServerDisconnectedError | ClientOSError | ClientConnectionResetError)
    was_not_written = isinstance(error, ClientConnectionResetError) or isinstance(
        error and error.__cause__, ClientConnectionResetError
    )
    return was_not_written and not isinstance(request.body, AsyncIterator)


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
