"""Websockets that mean no good: whatever stands in the frames passes as it is, and costs us no memory or time."""

import asyncio
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daemon.adapters.proxy import connection as connections
from daemon.adapters.proxy import server as servers
from daemon.adapters.proxy.connection import PATIENCE_SECONDS
from daemon.domain.event import Outcome
from daemon.logic.websocket import accept_of
from tests.adapters.proxy.test_websocket import opening
from tests.fakes.proxy import RunningProxy, running_proxy
from tests.fakes.raw_server import Peer, Reader, Script, Writer, raw_server

MASK = b"\x01\x02\x03\x04"
PING, PONG = b"\x89\x80" + MASK, b"\x8a\x00"


async def switched(peer: Peer) -> None:
    """Takes the websocket, by hand."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    await peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_of(key.split(b": ")[1]) + b"\r\n\r\n"
    )


async def echo(peer: Peer) -> None:
    await switched(peer)
    while data := await peer.reader.read(65536):
        await peer.send(data)


async def count(peer: Peer) -> None:
    """Takes everything, and says how much that was once it has ended in `end`."""
    await switched(peer)
    size, last = 0, b""
    while not last.endswith(b"end"):
        if not (last := await peer.reader.read(1 << 20)):
            return
        size += len(last)
    await peer.send(b"%d bytes" % size)
    await peer.gone()


@asynccontextmanager
async def opened(script: Script) -> AsyncIterator[tuple[Reader, Writer, RunningProxy]]:
    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(opening("/v1/responses"))
        async with asyncio.timeout(5.0):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader, writer, proxy
        writer.close()


ODD = {
    "text that is not UTF-8": b"\x81\x84" + bytes(4) + b"\xff\xfe\xc3\x28",
    "half a character": b"\x01\x82" + bytes(4) + b"\xe2\x82" + b"\x80\x81" + bytes(4) + b"\xac",
    "reserved bits": b"\xf1\x85" + MASK + b"hello",
    "a reserved opcode": b"\x83\x85" + MASK + b"hello",
    "a control frame in pieces": b"\x09\x80" + MASK,
    "a long control frame": b"\x89\xfe\x01\x00" + MASK + b"x" * 256,
    "no mask": b"\x81\x05hello",
    "a length beyond 63 bits": b"\x81\xff" + b"\xff" * 8 + MASK + b"hello",
    "a length that could be shorter": b"\x81\xff" + (5).to_bytes(8) + MASK + b"hello",
    "a continuation of nothing": b"\x80\x85" + MASK + b"hello",
    "a message inside a message": b"\x01\x81" + MASK + b"a" + b"\x81\x81" + MASK + b"b",
    "a close of one byte": b"\x88\x81" + MASK + b"x",
    "a close with a code that is none": b"\x88\x82" + bytes(4) + b"\x00\x01",
    "something behind a close": b"\x88\x80" + MASK + b"\x81\x85" + MASK + b"hello",
    "a compressed bomb": b"\xc1\xfe"
    + len(bomb := zlib.compress(bytes(60_000_000), 9)[:60_000]).to_bytes(2)
    + MASK
    + bomb,
    "JSON nested deeply": b"\x81\xff" + (200_000).to_bytes(8) + bytes(4) + b'{"type":' + b"[" * 199_992,
}


@pytest.mark.parametrize("frames", ODD.values(), ids=ODD)
async def test_odd_frames_pass_as_they_are_both_ways(frames: bytes) -> None:
    """It is for the two ends to close with 1002, 1007 or 1009."""
    async with opened(echo) as (reader, writer, proxy), asyncio.timeout(10.0):
        for _ in range(2):
            writer.write(frames)
            assert await reader.readexactly(len(frames)) == frames
        writer.close()
        assert {event.outcome for event in await proxy.sink.wait_for(1)} <= {Outcome.OK, Outcome.CLIENT_ABORT}


async def test_a_frame_that_is_dribbled_passes_byte_by_byte() -> None:
    frame = b"\x81\xfe\x01\x00" + MASK + b"x" * 256
    async with opened(echo) as (reader, writer, _), asyncio.timeout(10.0):
        for start in range(len(frame)):
            writer.write(frame[start : start + 1])
            assert await reader.readexactly(1) == frame[start : start + 1]


@pytest.mark.parametrize(
    "start",
    [
        b"\x81\xff" + (1 << 30).to_bytes(8) + MASK,
        b"\x01\xff" + (1 << 24).to_bytes(8) + MASK,
        b"\x82\xfe\xff\xff" + MASK,
    ],
    ids=["one frame of a gigabyte", "a message without an end", "rubbish behind a frame"],
)
async def test_what_is_announced_is_not_held(start: bytes) -> None:
    """As much as passes of it here would be seen if it were kept."""
    piece, pieces = b"x" * 65536, 1000
    async with opened(count) as (reader, writer, _), asyncio.timeout(20.0):
        tracemalloc.start()
        try:
            writer.write(start)
            for _ in range(pieces):
                writer.write(piece)
                await writer.drain()
            writer.write(b"end")
            told = await reader.readuntil(b"bytes")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert told == b"%d bytes" % (len(start) + pieces * len(piece) + 3)
        assert peak < 16 << 20


async def test_who_does_not_wait_for_the_answer_to_the_opening_is_read_on() -> None:
    """More is sent ahead than is read of it."""
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await asked.wait()
        await count(peer)

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy, asyncio.timeout(5.0):
        reader, writer = await proxy.connect()
        writer.write(opening("/v1/responses"))
        while not proxy.server._connections or not any(one._is_unread for one in proxy.server._connections):
            writer.write(b"x" * 1000)
            await asyncio.sleep(0.001)
        asked.set()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"end")
        await reader.readuntil(b"bytes")
        writer.close()


async def test_a_websocket_with_nothing_but_pings_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour is played by fifty times the patience that there is with anything else."""
    monkeypatch.setattr(servers, "TICK_SECONDS", 0.01)
    for phase in PATIENCE_SECONDS:
        monkeypatch.setitem(connections.PATIENCE_SECONDS, phase, 0.02)

    async def pong(peer: Peer) -> None:
        await switched(peer)
        while await peer.reader.readexactly(len(PING)):
            await peer.send(PONG)

    async with opened(pong) as (reader, writer, proxy):
        for _ in range(5):
            await asyncio.sleep(0.2)
            assert not reader.at_eof()
            writer.write(PING)
            async with asyncio.timeout(5.0):
                assert await reader.readexactly(len(PONG)) == PONG
        assert proxy.sink.events == []


@pytest.mark.parametrize("side", ["client", "upstream"])
async def test_an_end_that_is_found_dead_is_let_go_by_both(side: str) -> None:
    """Each end finds it by its own pings; the other one hears of it from us at once."""
    dead = asyncio.Event()

    async def script(peer: Peer) -> None:
        await switched(peer)
        if side == "upstream":
            await dead.wait()
            peer.reset()
        await peer.gone()

    async with opened(script) as (reader, writer, proxy), asyncio.timeout(5.0):
        if side == "client":
            writer.transport.abort()
        else:
            dead.set()
            assert await reader.read(-1) == b""
        await proxy.sink.one()
