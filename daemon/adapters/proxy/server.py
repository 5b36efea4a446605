"""The server of the proxy port: uvicorn with our protocol, and an end in order: drain, cut, gone."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from daemon.adapters.proxy.protocol import ProxyProtocol

KEEP_ALIVE_SECONDS = 75
LAST_WORDS_SECONDS = 0.2
"""From the cut of a request to the end of its connection, whether or not the client reads."""


class ProxyServer(uvicorn.Server):
    """Serves until `stop` is called; a second call cuts at once. `cut` breaks off the requests that still run."""

    def __init__(self, app: Any, *, drain_seconds: float, cut: Callable[[], None]) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what it says we say ourselves, or is noise
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=ProxyProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )
        self._stopping = asyncio.Event()
        self._drain_seconds = drain_seconds
        self._cut = cut

    def stop(self) -> None:
        """No new connections from here on; open requests have `drain_seconds` to end by themselves."""
        if self._stopping.is_set():
            self._end()
        else:
            self._stopping.set()
            asyncio.get_running_loop().call_later(self._drain_seconds, self._end)

    async def main_loop(self) -> None:
        await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever runs us."""
        yield

    def _end(self) -> None:
        self._cut()
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._disconnect)

    def _disconnect(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
