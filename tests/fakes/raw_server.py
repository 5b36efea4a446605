"""A TCP server that does what a test says, byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


@dataclass(slots=True)
class Peer:
    """One accepted connection, and what came in on it."""

    reader: Reader
    writer: Writer
    received: bytearray = field(default_factory=bytearray)

    async def request(self) -> bytes:
        """The next whole request, by its Content-Length or its chunks; b"" at the end of the connection."""
        data = b""
        try:
            data = await self.reader.readuntil(b"\r\n\r\n")
            head = data.lower()
            if b"content-length:" in head:
                data += await self.reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            elif b"transfer-encoding: chunked" in head:
                data += await self.reader.readuntil(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            data += getattr(error, "partial", b"")
        self.received += data
        return data

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def gone(self) -> None:
        """Returns when the other side has closed."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass(slots=True)
class RawServer:
    """Where it listens, and all connections so far."""

    port: int = 0
    peers: list[Peer] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def raw_server(script: Script) -> AsyncIterator[RawServer]:
    """Runs the script for each connection, then closes it."""
    served, running = RawServer(), set()

    async def serve(reader: Reader, writer: Writer) -> None:
        running.add(asyncio.current_task())
        peer = Peer(reader, writer)
        served.peers.append(peer)
        try:
            await script(peer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the other side left, or the test is over
        finally:
            writer.close()
            running.discard(asyncio.current_task())

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer with its length."""
    head = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def always(*pieces: bytes) -> Script:
    """Answers each request of a connection in the same way."""

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(*pieces)

    return script
