"""What the proxy port answers itself is a Starlette application; this carries a request to it and its answer back."""

import asyncio
from typing import Any

from starlette.types import ASGIApp

from daemon.adapters.proxy.answers import plain_error
from daemon.adapters.proxy.connection import ClientConnection
from daemon.adapters.proxy.tap import Ask
from daemon.logic.forwarding import Headers

OWN_SECONDS = 5.0


class OwnAnswer:
    """A `Handler` that asks an ASGI application; small answers only, whose body is sent in one piece."""

    def __init__(self, app: ASGIApp, connection: ClientConnection, ask: Ask) -> None:
        self._app = app
        self._connection = connection
        self._ask = ask
        self._status = 500
        self._body = b""
        self._task: asyncio.Task[None] | None = None

    def body(self, data: bytes, *, last: bool, trailers: Headers = ()) -> None:
        """Nobody reads it."""
        if last:
            self._task = asyncio.get_running_loop().create_task(self._answer(), name="own answer")

    def body_failed(self, status: int, message: str) -> None:
        self._connection.refuse(status, message)

    def client_left(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def stopping(self) -> None:
        """It ends by itself."""

    def cut(self) -> None:
        self.client_left()
        self._connection.abort()

    def failed(self) -> None:
        self.cut()

    def hold(self) -> None:
        """An answer is never so long."""

    def go_on(self) -> None: ...

    async def _answer(self) -> None:
        ask = self._ask
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": ask.version,
            "method": ask.method,
            "scheme": "http",
            "path": ask.destination.path,
            "raw_path": ask.target.partition(b"?")[0],
            "query_string": ask.query,
            "root_path": "",
            "headers": list(ask.sent.items()),
            "client": (ask.peer, 0),
            "server": None,
        }
        try:
            async with asyncio.timeout(OWN_SECONDS):
                await self._app(scope, self._receive, self._send)
        except Exception as error:
            self._status, self._body = 500, plain_error("runbookd_internal", f"no answer ({type(error).__name__})")
        body = self._body if ask.method != "HEAD" else b""
        self._connection.answer(self._status, body)

    async def _receive(self) -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        else:
            self._body += message.get("body", b"")
