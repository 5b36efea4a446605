"""A client's connection: what it sends is bytes, what it reads is one answer after another."""

import asyncio
import socket
from dataclasses import dataclass, field

from bench.storm.upstream import MOST, reset

Headers = dict[str, str]


@dataclass
class Answer:
    """`is_whole`: its framing says that it ended where it should."""

    status: int = 0
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    interim: list[int] = field(default_factory=list)
    is_whole: bool = False
    closes: bool = False


class Wire:
    """Opened when it is needed, and again when the last answer said that it ends."""

    def __init__(self, port: int, *, room: int | None = None) -> None:
        self._port = port
        self._room = room
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._head = b""

    async def send(self, *pieces: bytes, gap: float = 0.0) -> None:
        _, writer = await self._open()
        for at, piece in enumerate(pieces):
            if at and gap:
                await asyncio.sleep(gap)
            writer.write(piece)
            await writer.drain()

    async def answer(self, method: str = "POST", *, pause: float = 0.0) -> Answer:
        """What came of it, if not all. `pause` after each piece makes a slow reader."""
        answer = Answer()
        try:
            await self._read(answer, method, pause)
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            answer.body += getattr(error, "partial", b"")
        if answer.closes or not answer.is_whole:
            self.leave()
        return answer

    def __str__(self) -> str:
        """From which port it speaks."""
        return "closed" if self._streams is None else f"from {self._streams[1].get_extra_info('sockname')}"

    async def begun(self) -> None:
        """Reads the head of an answer, for `answer` to go on from."""
        self._head = await (await self.reader()).readuntil(b"\r\n\r\n")

    async def reader(self) -> asyncio.StreamReader:
        return (await self._open())[0]

    def leave(self, *, rudely: bool = False) -> None:
        if self._streams is not None:
            reset(self._streams[1]) if rudely else self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            sock = socket.socket()
            if self._room:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._room)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
            self._streams = await asyncio.open_connection(sock=sock, limit=self._room or MOST)
        return self._streams

    async def _read(self, answer: Answer, method: str, pause: float) -> None:
        reader = await self.reader()
        while True:
            head, self._head = self._head or await reader.readuntil(b"\r\n\r\n"), b""
            lines = head.decode("latin-1").split("\r\n")
            answer.status = int(lines[0].split(" ")[1])
            if answer.status >= 200 or answer.status == 101:
                break
            answer.interim.append(answer.status)
        answer.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        answer.closes = answer.headers.get("connection", "").lower() == "close"
        if method == "HEAD" or answer.status in (101, 204, 304):
            answer.is_whole = True
        elif answer.headers.get("transfer-encoding") == "chunked":
            await self._read_chunks(reader, answer, pause)
        elif "content-length" in answer.headers:
            await self._read_length(reader, answer, int(answer.headers["content-length"]), pause)
        else:
            answer.body = await reader.read(-1)
            answer.is_whole = answer.closes = True

    async def _read_chunks(self, reader: asyncio.StreamReader, answer: Answer, pause: float) -> None:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await self._read_length(reader, answer, size, pause)
            answer.is_whole = False
            await reader.readexactly(2)
        await reader.readexactly(2)
        answer.is_whole = True

    async def _read_length(self, reader: asyncio.StreamReader, answer: Answer, left: int, pause: float) -> None:
        pieces = []
        try:
            while left and (piece := await reader.read(min(left, 65536))):
                pieces.append(piece)
                left -= len(piece)
                if pause:
                    await asyncio.sleep(pause)
        finally:
            answer.body += b"".join(pieces)
        if left:
            raise asyncio.IncompleteReadError(b"", left)
        answer.is_whole = True
