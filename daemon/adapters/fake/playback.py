"""Plays an answer over a real connection, with the ways in which it can break off; and serves the fake upstream."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import Enum, auto
from typing import Any, cast

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from daemon.adapters.fake.record import Record


class Break(Enum):
    """Where the connection breaks off."""

    NEVER = auto()
    BEFORE = auto()
    """Not one byte of an answer."""
    AFTER = auto()
    """After the pieces, without the end that HTTP's framing promises."""


class Playback(Response):
    """Sends the pieces with a pause between them, and notes in the record how it ended."""

    def __init__(
        self,
        record: Record,
        pieces: Sequence[bytes],
        *,
        status: int = 200,
        headers: Mapping[str, str],
        delay: float = 0.0,
        pace: float = 0.0,
        breaks: Break = Break.NEVER,
    ) -> None:
        super().__init__(status_code=status)
        del self.headers["content-length"]  # ours says what the whole answer has, if anything
        self.headers.update(headers)
        self._record, self._pieces = record, pieces
        self._delay, self._pace, self._breaks = delay, pace, breaks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._record.ended = await self._play(scope, receive, send)

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> str:
        if self._delay and await _left_within(self._delay, receive):
            return "client_left"
        if self._breaks is Break.BEFORE:
            return await _cut(scope["state"]["transport"].abort)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for number, piece in enumerate(self._pieces):
            if number and self._pace and await _left_within(self._pace, receive):
                return "client_left"
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self._breaks is Break.AFTER:
            return await _cut(scope["state"]["transport"].close)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return "complete"


async def _cut(close: Callable[[], None]) -> str:
    close()
    await asyncio.sleep(0)  # lets the server notice, so that it does not mend the answer
    return "cut"


async def _left_within(seconds: float, receive: Receive) -> bool:
    """Waits, and tells whether the client went away meanwhile; its body was read before."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


class _Protocol(HttpToolsProtocol):
    """Gives each request its transport, so that an answer can break off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """Serves until `stop` is set, and leaves the signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()

    async def main_loop(self) -> None:
        await self.stop.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[str]:
    """Serves on the socket and closes it; gives the address. Connections are taken from the first moment on."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a broken off answer is on purpose, not a mistake
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    host, port = cast("tuple[Any, ...]", listener.getsockname())[:2]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listener]), name="fake upstream")
        try:
            yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        finally:
            server.stop.set()
    listener.close()
