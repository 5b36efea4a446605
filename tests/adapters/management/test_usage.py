"""Usage records over the wire: off the queue of the fake upstream, and from a RESP channel."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.playback import serving
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.usage import ChannelRecords, QueueRecords
from daemon.app.serving import listen
from daemon.domain.errors import ManagementFailure
from daemon.logic.usage_reading import read_record
from tests.fakes.clock import FakeClock

KEY = "the management key"
CHAT = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}], "reasoning_effort": "high"}


async def at_once(_: float) -> None:
    """Nobody waits in a test."""


async def test_the_queue_gives_each_record_once_and_nothing_that_must_not_be_kept() -> None:
    clock = FakeClock()
    async with serving(FakeUpstream(clock=clock, management_key=KEY), listen("127.0.0.1", 0, setting="x")) as url:
        management = ManagementClient(url, KEY, clock)
        records = QueueRecords(management, 2.0, at_once)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            answers = [await http.post("/v1/chat/completions", json=CHAT) for _ in range(3)]
        traces = [answer.headers["x-cpa-trace-id"][-8:] for answer in answers]
        first, second = [read_record(one) for one in await records.next()], await records.next()
        await management.close()
    assert [one.request_id for one in first if one] == traces
    assert {one.thinking.level for one in first if one and one.thinking} == {"high"}
    assert second == []


async def test_a_build_without_a_queue_says_so() -> None:
    clock = FakeClock()
    upstream = FakeUpstream(clock=clock, management_key=KEY, version="6.9.2")
    async with serving(upstream, listen("127.0.0.1", 0, setting="x")) as url:
        management = ManagementClient(url, KEY, clock)
        with pytest.raises(ManagementFailure, match="usage-queue"):
            await QueueRecords(management, 2.0, at_once).next()
        await management.close()


# ---- the channel -----------------------------------------------------------------------------------------------------


class Channel:
    """As much of RESP as the upstream speaks: one key, one channel."""

    def __init__(self) -> None:
        self.commands: list[list[bytes]] = []
        self.guests = 0
        self.is_left = asyncio.Event()
        self.pieces: list[bytes] = []
        """What is sent after the subscription, in pieces."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.guests += 1
        self.is_left.clear()
        try:
            await self._speak(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()
            self.guests -= 1
            self.is_left.set()

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await self._command(reader):
            self.commands.append(command)
            if command[0] == b"AUTH":
                writer.write(b"+OK\r\n" if command[1] == KEY.encode() else b"-ERR invalid password\r\n")
            else:
                writer.write(b"*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n")
                for piece in self.pieces:
                    await writer.drain()
                    writer.write(piece)
            await writer.drain()

    async def _command(self, reader: asyncio.StreamReader) -> list[bytes]:
        if not (head := await reader.readline()):
            return []
        words = []
        for _ in range(int(head[1:])):
            size = int((await reader.readline())[1:])
            words.append((await reader.readexactly(size + 2))[:-2])
        return words


def message(told: Any) -> bytes:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return b"*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$%d\r\n%b\r\n" % (len(body), body)


@asynccontextmanager
async def subscribed(
    channel: Channel, key: str = KEY, every: float = 0.2
) -> AsyncIterator[tuple[ChannelRecords, ManagementClient]]:
    server = await asyncio.start_server(channel.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    management = ManagementClient(url, key, FakeClock())
    records = ChannelRecords(management, url, every)
    try:
        yield records, management
    finally:
        await records.close()
        await management.close()
        server.close()
        while channel.guests:
            await channel.is_left.wait()


async def test_what_is_told_on_the_channel_comes_whole_however_it_is_cut() -> None:
    channel = Channel()
    whole = message({"support_refresh": True}) + message({"n": 1}) + message({"n": 2})
    channel.pieces = [whole[:40], whole[40:90], whole[90:]]
    async with subscribed(channel) as (records, _):
        found: list[Any] = []
        while len(found) < 3:
            found += await records.next()
        assert await records.next() == []
    assert found == [{"support_refresh": True}, {"n": 1}, {"n": 2}]
    assert channel.commands == [[b"AUTH", KEY.encode()], [b"SUBSCRIBE", b"usage"]]


async def test_a_refused_key_is_the_strike_that_bars_it_everywhere() -> None:
    channel = Channel()
    async with subscribed(channel, key="wrong") as (records, management):
        for _ in range(2):
            with pytest.raises(ManagementFailure, match="refused the management key") as failure:
                await records.next()
            assert failure.value.barred
        with pytest.raises(ManagementFailure) as failure:
            await management.read("debug")
        assert failure.value.barred
    assert len(channel.commands) == 1, "it is never tried again"


@pytest.mark.parametrize(
    "spoilt",
    [b"*3\r\n$7\r\nmess", b"HTTP/1.1 400 Bad Request\r\n", message(b"no json"), b"$99999999\r\n", b"*x\r\n"],
    ids=["cut", "http", "no json", "too long", "no number"],
)
async def test_a_channel_that_breaks_is_said_and_opened_again(spoilt: bytes) -> None:
    channel = Channel()
    channel.pieces = [spoilt]
    async with subscribed(channel, every=5.0) as (records, _):
        if spoilt.startswith(b"*3\r\n$7\r\nmess") and b"no json" not in spoilt:
            channel.pieces.append(b"")
            records._every_seconds = 0.2
            assert await records.next() == []
            return
        with pytest.raises(ManagementFailure, match="the usage channel broke"):
            await records.next()
        channel.pieces = [message({"n": 1})]
        assert await records.next() == [{"n": 1}]


async def test_nobody_there_is_said() -> None:
    management = ManagementClient("http://127.0.0.1:9", KEY, FakeClock())
    with pytest.raises(ManagementFailure, match="the usage channel broke"):
        await ChannelRecords(management, "http://127.0.0.1:9", 0.1).next()
    await management.close()
