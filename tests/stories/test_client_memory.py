"""Story: clients that send much, read slowly, leave, or come in crowds cost the proxy next to nothing. A real process.

Memory is the kernel's figure for the whole process: what it has held at most since it was last set back.
"""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.domain.event import Outcome, Wire
from tests.fakes.raw_server import Peer, RawServer, raw_server, response
from tests.stories.house import House, eventually, open_house
from tests.stories.test_bytes import exchange, recorded

KIB, MIB = 1 << 10, 1 << 20
GET = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


async def play(peer: Peer) -> None:
    """What the query says, request after request."""
    while head := await _head(peer):
        await ACTS[head.split(b" ")[1].partition(b"?")[2]](peer)


async def _head(peer: Peer) -> bytes:
    try:
        return await peer.reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def _answer(peer: Peer) -> None:
    await peer.send(response(b"ok"))


async def _swallow(peer: Peer) -> None:
    """Counts an upload to its end."""
    size, last = 0, b""
    while piece := await peer.reader.read(MIB):
        size, last = size + len(piece), (last + piece)[-5:]
        if last == b"0\r\n\r\n":
            await peer.send(response(b"%d" % size))
            return


async def _pour(peer: Peer) -> None:
    """As much as is taken, as fast as it is taken."""
    peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262_144)
    await peer.send(STREAM)
    while True:
        await peer.send(b"10000\r\n%b\r\n" % (b"x" * 65_536))


async def _drip(peer: Peer) -> None:
    await peer.send(STREAM)
    while True:
        await peer.send(b"9\r\ndata: x\n\n\r\n")
        await asyncio.sleep(0.02)


async def _nothing(peer: Peer) -> None:
    await peer.gone()


ACTS = {b"": _answer, b"swallow": _swallow, b"pour": _pour, b"drip": _drip, b"nothing": _nothing}


@asynccontextmanager
async def behind() -> AsyncIterator[tuple[House, RawServer]]:
    """A proxy before an upstream that is played here; it has served a few requests already."""
    async with raw_server(play) as upstream, open_house(UPSTREAM_URL=upstream.url) as house:
        await house.start("proxy")
        for _ in range(50):
            assert (await exchange(house.rig.proxy_port, GET)).endswith(b"ok")
        yield house, upstream


class Held:
    """What a process holds."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        (self._process / "clear_refs").write_text("5")
        self.before = self._kib("VmRSS")

    @property
    def more(self) -> int:
        """Bytes, at most and since it was looked at first."""
        return (self._kib("VmHWM") - self.before) * KIB

    def files(self) -> int:
        return len(list((self._process / "fd").iterdir()))

    def _kib(self, name: str) -> int:
        status = (self._process / "status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0])


def on_disk(house: House) -> int:
    return sum(path.stat().st_size for path in house.rig.directory.rglob("*") if path.is_file())


# ---- uploads ---------------------------------------------------------------------------------------------------------


async def upload(house: House, megabytes: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.rig.proxy_port)
    writer.write(b"POST /v1/chat/completions?swallow HTTP/1.1\r\nHost: x\r\n" + CHUNKED)
    piece = b"100000\r\n%b\r\n" % bytes(MIB)
    for _ in range(megabytes):
        writer.write(piece)
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    answer = await reader.read(-1)
    writer.close()
    return answer


@pytest.mark.parametrize(("at_once", "megabytes"), [(1, 200), (8, 25)])
async def test_an_upload_passes_through_and_is_kept_nowhere(at_once: int, megabytes: int) -> None:
    async with behind() as (house, _):
        held, disk = Held(house.rig.pid("proxy")), on_disk(house)
        answers = await asyncio.gather(*(upload(house, megabytes) for _ in range(at_once)))
        assert all(int(answer.rpartition(b"\r\n")[2]) >= megabytes * MIB for answer in answers)
        assert held.more <= 8 * MIB * at_once
        assert on_disk(house) - disk < MIB
        await eventually(lambda: sum(event.request_bytes == megabytes * MIB for event in recorded(house)) == at_once)


# ---- slow readers ----------------------------------------------------------------------------------------------------


async def connected(house: House, *, small: bool = False) -> socket.socket:
    one = socket.socket()
    one.setblocking(False)
    if small:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", house.rig.proxy_port))
    return one


async def test_a_hundred_clients_that_hardly_read_cost_little_and_delay_nobody() -> None:
    loop = asyncio.get_running_loop()
    async with behind() as (house, _):
        held = Held(house.rig.pid("proxy"))
        slow = [await connected(house, small=True) for _ in range(100)]
        for one in slow:
            await loop.sock_sendall(one, b"GET /v1/models?pour HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(5):
            for one in slow:
                assert await loop.sock_recv(one, 1)
            took = [await timed(lambda: exchange(house.rig.proxy_port, GET)) for _ in range(20)]
            assert sorted(took)[10] < 0.25
        assert held.more <= 320 * KIB * len(slow)
        for one in slow:
            one.close()
        await eventually(lambda: sum(event.outcome is Outcome.CLIENT_ABORT for event in recorded(house)) == 100)


async def timed(act: Callable[[], object]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await act()).endswith(b"ok")  # type: ignore[misc]
    return loop.time() - began


# ---- leaving ---------------------------------------------------------------------------------------------------------

LEAVING = (
    b"GET /v1/models?nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/models?drip HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/models?pour HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/chat/completions?swallow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    b"POST /v1/chat/completions?swallow HTTP/1.1\r\nHost: x\r\nContent-Length: 10",
)


async def leave(house: House, chance: random.Random) -> None:
    """Asks, reads something or nothing, and resets the connection."""
    loop = asyncio.get_running_loop()
    one = await connected(house)
    await loop.sock_sendall(one, chance.choice(LEAVING))
    try:
        async with asyncio.timeout(chance.random() * 0.02):
            for _ in range(chance.randrange(4)):
                await loop.sock_recv(one, 100)
    except TimeoutError:
        pass
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    one.close()


async def test_a_storm_of_leaving_clients_leaves_nothing_behind() -> None:
    chance, room = random.Random(5), asyncio.Semaphore(50)

    async def one(house: House) -> None:
        async with room:
            await leave(house, chance)

    async with behind() as (house, upstream):
        held = Held(house.rig.pid("proxy"))
        files = held.files()
        await asyncio.gather(*(one(house) for _ in range(3000)))
        await eventually(lambda: held.files() <= files + 5, within=20.0)  # what was connected in vain waits for a while
        assert held.more <= 16 * MIB
        await eventually(lambda: sum(not peer.writer.is_closing() for peer in upstream.peers) <= 5)
        for _ in range(50):
            assert (await exchange(house.rig.proxy_port, GET)).endswith(b"ok")
        await eventually(lambda: len(recorded(house)) > 100)
        assert {event.outcome for event in recorded(house)} == {Outcome.OK, Outcome.CLIENT_ABORT}
        assert {event.fault for event in recorded(house)} == {None}


# ---- crowds ----------------------------------------------------------------------------------------------------------


async def test_two_thousand_idle_clients_cost_little_and_disturb_nobody() -> None:
    async with behind() as (house, _):
        held = Held(house.rig.pid("proxy"))
        reader, writer = await asyncio.open_connection("127.0.0.1", house.rig.proxy_port)
        writer.write(b"GET /v1/models?drip HTTP/1.1\r\nHost: x\r\n\r\n")
        idle = [await connected(house) for _ in range(2000)]
        await eventually(lambda: held.files() > 2000)
        await reader.readuntil(b"data: x")
        assert (await exchange(house.rig.proxy_port, GET)).endswith(b"ok")
        await reader.readuntil(b"data: x")
        assert held.more <= 8 * KIB * len(idle)
        for one in idle:
            one.close()
        await eventually(lambda: held.files() < 100)
        writer.close()


async def test_a_flood_with_a_wrong_key_is_no_alert_and_no_line_for_each() -> None:
    """The rate limits that follow are one: so the wrong keys have been judged as well."""
    async with open_house() as house:
        await house.start("fake", "proxy", "control")
        said = len(house.rig.output("proxy").splitlines())
        for _ in range(300):
            answer = await house.raw("POST", "/v1/chat/completions", headers={"Authorization": "Bearer x"}, json={})
            assert answer.status_code == 401
        await house.fake.play({"rules": [{"fault": "429", "share": 0.5}]})
        await house.send(100, Wire.OPENAI_CHAT, "gpt-5.4")
        await eventually(lambda: house.control.alerts(alert="ProviderRateLimited", state="firing"))
        assert {alert["alert"] for alert in await house.control.alerts()} == {"ProviderRateLimited"}
        assert len(house.rig.output("proxy").splitlines()) - said < 10
