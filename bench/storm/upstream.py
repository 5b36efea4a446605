"""An upstream that does what each request's plan says, and to its connections what it likes."""

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from time import monotonic

from bench.storm import frames
from bench.storm.plan import FOUL, HEADER, Plan, digest

MOST = 1 << 26
DYING_SHARE, KILLED_SHARE = 0.12, 0.04
"""Of idle connections: which are closed at a random moment, and which as soon as the next request begins."""
LONGEST_IDLE_SECONDS = 2.5
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Upstream:
    """What it saw: requests by number, and when it closed a connection that was not in use."""

    random: Random
    is_calm: bool = False
    port: int = 0
    began: Counter[int] = field(default_factory=Counter)
    whole: Counter[int] = field(default_factory=Counter)
    closed_at: list[float] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, RuntimeError):
            is_new = True
            while head := await self._head(reader, writer, is_new=is_new):
                if not await Serving(self, reader, writer, head).run():
                    break
                is_new = False
        with suppress(RuntimeError):
            writer.close()

    def may_have_closed_under(self, since: float) -> bool:
        """Whether it closed an idle connection while a request was on its way."""
        return any(at >= since - 0.1 for at in reversed(self.closed_at[-2000:]))

    async def _head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_new: bool) -> bytes:
        """b"": the connection is to be closed."""
        chance = 1.0 if is_new or self.is_calm else self.random.random()
        if chance < KILLED_SHARE:
            first = await reader.read(1)
            if first:
                self.closed_at.append(monotonic())
                reset(writer)
            return b""
        patience = self.random.random() * LONGEST_IDLE_SECONDS if chance < DYING_SHARE else None
        try:
            async with asyncio.timeout(patience):
                return await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            self.closed_at.append(monotonic())
            if self.random.random() < 0.5:
                reset(writer)
            return b""


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection by RST."""
    if (end := writer.get_extra_info("socket")) is not None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


class Serving:
    """One request and its answer."""

    def __init__(
        self, upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes
    ) -> None:
        self._upstream, self._reader, self._writer = upstream, reader, writer
        lines = head.decode("latin-1").split("\r\n")
        self._method = lines[0].split(" ")[0]
        self._sent = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        self._plan = Plan.read(self._sent[HEADER])
        self._random = Random(self._plan.seed)
        upstream.began[self._plan.number] += 1

    async def run(self) -> bool:
        """Whether the connection stays open."""
        if "sec-websocket-key" in self._sent:
            return await self._websocket()
        if self._plan.does == "early":
            await self._send(self._head(self._plan.body, got="") + self._plan.body)
            with suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await self._body()
            self._upstream.closed_at.append(monotonic())
            return False
        body = await self._body()
        self._upstream.whole[self._plan.number] += 1
        return await self._answer(digest(body))

    # ---- the request -------------------------------------------------------------------------------------------------

    async def _body(self) -> bytes:
        if "content-length" in self._sent:
            return await self._exactly(int(self._sent["content-length"]))
        pieces = []
        if self._sent.get("transfer-encoding") == "chunked":
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                pieces.append(await self._exactly(size))
                await self._reader.readexactly(2)
            while await self._reader.readuntil(b"\r\n") != b"\r\n":
                pass
        return b"".join(pieces)

    async def _exactly(self, size: int) -> bytes:
        """Slowly, where the plan is a sink."""
        pieces, left = [], size
        while left:
            piece = await self._reader.read(min(left, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            pieces.append(piece)
            left -= len(piece)
            if self._plan.does == "sink" and len(piece) > 1000 and self._random.random() < 0.1:
                await asyncio.sleep(0.02)
        return b"".join(pieces)

    # ---- the answer --------------------------------------------------------------------------------------------------

    async def _answer(self, got: str) -> bool:
        plan, body = self._plan, self._plan.body
        head, chunked = self._head(body, got), self._head(None, got, "Transfer-Encoding: chunked")
        if plan.does == "slow":
            await asyncio.sleep(0.2 + self._random.random() * 2.5)
        if self._method == "HEAD" or plan.does == "empty":
            await self._send(head)
        elif plan.does in ("sse", "chunks"):
            await self._chunks(chunked, body, gap=0.01 if plan.does == "sse" else 0.0)
        elif plan.does == "until_close":
            await self._send(self._head(None, got), *self._split(body))
            return False
        elif plan.does == "hints":
            await self._send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", head, body)
        elif plan.does in FOUL:
            return await self._foul(head, chunked, body)
        else:
            await self._send(*self._split(head + body))
        return self._upstream.is_calm or not self._leaves_unsaid()

    async def _foul(self, head: bytes, chunked: bytes, body: bytes) -> bool:
        does = self._plan.does
        if does == "cut_head":
            await self._send(head[: self._random.randrange(1, len(head))])
        elif does == "cut_body":
            await self._send(head, body[: self._random.randrange(len(body))])
        elif does == "cut_chunks":
            framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            await self._send(chunked, framed[: self._random.randrange(len(framed) - 2)])
        elif does == "bad_head":
            await self._send(self._random.choice(_BAD_HEADS))
        elif does == "bad_chunk":
            await self._send(chunked, b"5\r\nhello\r\n", self._random.choice([b"zz\r\nx", b"3\r\nabcd\r\n", b"-1\r\n"]))
            await asyncio.sleep(0.05)
        if does == "reset" or self._random.random() < 0.3:
            reset(self._writer)
        return False

    def _leaves_unsaid(self) -> bool:
        """Behind an answer whose head did not say so."""
        leaves = self._random.random() < 0.03
        if leaves:
            self._upstream.closed_at.append(monotonic())
        return leaves

    def _head(self, body: bytes | None, got: str, *more: str) -> bytes:
        plan = self._plan
        kind = "text/event-stream" if plan.does == "sse" else "application/json"
        lines = [f"HTTP/1.1 {plan.status} Told", f"X-Number: {plan.number}", f"X-Got: {got}", f"Content-Type: {kind}"]
        if body is not None and plan.status != 204:
            lines.append(f"Content-Length: {len(body)}")
        if plan.does == "gzip":
            lines.append("Content-Encoding: gzip")
        if plan.does == "429":
            lines.append("Retry-After: 7")
        return "\r\n".join((*lines, *more, "", "")).encode()

    def _split(self, data: bytes) -> list[bytes]:
        """At a random place, sometimes."""
        at = self._random.randrange(len(data) + 1) if self._random.random() < 0.4 else 0
        return [piece for piece in (data[:at], data[at:]) if piece]

    async def _chunks(self, head: bytes, body: bytes, gap: float) -> None:
        start, pending = 0, head
        while start < len(body):
            piece = body[start : start + self._random.randrange(1, max(2, min(60000, len(body) // 4)))]
            pending += b"%x\r\n%b\r\n" % (len(piece), piece)
            start += len(piece)
            if self._random.random() < 0.7:
                await self._send(pending)
                pending = b""
                await asyncio.sleep(gap * self._random.random())
        await self._send(*self._split(pending + b"0\r\n\r\n"))

    async def _send(self, *pieces: bytes) -> None:
        for at, piece in enumerate(pieces):
            if at:
                await asyncio.sleep(0.002)
            self._writer.write(piece)
            await self._writer.drain()

    async def _websocket(self) -> bool:
        """Each turn is answered; a plan that is foul ends the connection inside one."""
        await self._send(frames.opened(self._sent["sec-websocket-key"].encode()))
        while (read := await frames.read(self._reader))[0] != frames.CLOSE:
            asked = json.loads(read[1])
            said = [frames.frame(one) for one in frames.answer(asked["turn"], asked["deltas"])]
            if self._plan.does == "reset" and self._random.random() < 0.4:
                await self._send(*said[:2])
                reset(self._writer)
                return False
            await self._send(*said)
        await self._send(frames.frame(read[1], opcode=frames.CLOSE))
        return False


_BAD_HEADS = (
    b"GARBAGE\r\n\r\n",
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 600_000 + b"\r\n\r\n",
)


@asynccontextmanager
async def storming(random: Random) -> AsyncIterator[Upstream]:
    upstream = Upstream(random)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=MOST, backlog=1024)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
