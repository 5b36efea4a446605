"""A receiver of Apprise's `json://` messages, in this process, for the demo and the stories."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FAILED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class Sink:
    """What was received: objects with `title`, `message` and `type` (info, success, warning, failure)."""

    port: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False
    """Answer 503 and keep nothing, as long as this is set."""
    refused: int = 0

    @property
    def apprise_url(self) -> str:
        """What stands in `RUNBOOKD_NOTIFY_URLS`."""
        return f"json://127.0.0.1:{self.port}/"

    def about(self, text: str) -> list[dict[str, Any]]:
        """Messages whose title or body holds the text."""
        return [one for one in self.messages if text in f"{one.get('title')}\n{one.get('message')}"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with one request."""
        try:
            await self._take(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass  # not a message
        finally:
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(line.split(":")[1] for line in head.split("\r\n") if line.startswith("content-length:"))
        body = await reader.readexactly(int(length))
        if self.refuses:
            self.refused += 1
        else:
            self.messages.append(json.loads(body))
        writer.write(FAILED if self.refuses else ANSWERED)
        await writer.drain()


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Sink]:
    """A sink on 127.0.0.1; port 0 is any free one."""
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", port)
    sink.port = server.sockets[0].getsockname()[1]
    async with server:
        yield sink
