"""What messages are sent to: an HTTP service that keeps what it gets, and a mail server of forty lines."""

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any


@dataclass(frozen=True, slots=True)
class Got:
    """One request."""

    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Service:
    """Answers every request alike, or takes it and never answers."""

    port: int = 0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    drips: bool = False
    """Answers without end, byte by byte."""
    got: list[Got] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with one request."""
        try:
            await self._take(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender was killed
        finally:
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines if one)}
        self.got.append(Got(line, headers, await reader.readexactly(int(headers.get("content-length", 0)))))
        if self.hangs:
            await reader.read()
            return
        while self.drips:
            writer.write(b"H" if reader.at_eof() else b"HTTP/1.1 200 OK\r\nX: ")
            await writer.drain()
            await asyncio.sleep(0.05)
        said = {"Content-Length": "0", "Connection": "close", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        writer.write(f"HTTP/1.1 {self.status} Said\r\n{head}\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def service(port: int = 0) -> AsyncIterator[Service]:
    """On 127.0.0.1; port 0 is any free one."""
    one = Service()
    server = await asyncio.start_server(one.serve, "127.0.0.1", port)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        one.drips = False
        server.close()


@dataclass(slots=True)
class Post:
    """A mail server that takes everything, without TLS and without a password."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def apprise_url(self) -> str:
        return self.to("me@example.org")

    def to(self, *recipients: str) -> str:
        where = f"mailto://127.0.0.1:{self.port}/?smtp=127.0.0.1&mode=insecure&from=runbookd@example.org"
        return f"{where}&to={','.join(recipients)}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        try:
            while line := await reader.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    writer.write(b"354 go on\r\n")
                    text = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append(email.message_from_bytes(text[:-3], policy=email.policy.default))  # type: ignore[arg-type]
                writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 well\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender was killed
        finally:
            writer.close()


@asynccontextmanager
async def post_office() -> AsyncIterator[Post]:
    """On a free port of 127.0.0.1."""
    post = Post()
    server = await asyncio.start_server(post.serve, "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
