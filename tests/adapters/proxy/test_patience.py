"""How long a client may take, how many there may be, and how far ahead one may send."""

import asyncio
import re
import resource
import socket
import struct
from collections.abc import Callable

import pytest

from daemon.adapters.proxy import connection as connections
from daemon.adapters.proxy import server as servers
from daemon.adapters.proxy.connection import MOST_AHEAD_BYTES, PATIENCE_SECONDS, Phase
from daemon.domain.event import Fault, Outcome
from tests.adapters.proxy.test_forward import EVENT_STREAM, chunked, decoded, post
from tests.fakes.proxy import RunningProxy, running_proxy
from tests.fakes.raw_server import Peer, always, raw_server, response

HEAD = b"POST /up HTTP/1.1\r\nHost: x\r\n"
OK = always(response(b"ok"))
SHORT = 0.4
LONG = 60.0
FRAMED = [(b"Content-Length: 10", b"hello"), (b"Transfer-Encoding: chunked", chunked(b"hello"))]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The clock is looked at all the time, and nothing else is shortened yet."""
    monkeypatch.setattr(servers, "TICK_SECONDS", 0.02)
    for phase in PATIENCE_SECONDS:
        monkeypatch.setitem(connections.PATIENCE_SECONDS, phase, LONG)
    return monkeypatch


def test_a_head_has_ten_seconds_and_a_body_a_minute_without_a_byte() -> None:
    assert (PATIENCE_SECONDS[Phase.HEAD], PATIENCE_SECONDS[Phase.BODY]) == (10.0, 60.0)
    assert Phase.ANSWER not in PATIENCE_SECONDS


# ---- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
async def test_a_head_that_comes_slowly_is_timed_out_whatever_its_pace(
    impatient: pytest.MonkeyPatch, is_first: bool
) -> None:
    impatient.setitem(connections.PATIENCE_SECONDS, Phase.HEAD, SHORT)
    async with raw_server(OK) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        if not is_first:
            writer.write(HEAD + b"\r\n")
            await reader.readuntil(b"ok")
        answer = asyncio.ensure_future(reader.read(-1))
        async with asyncio.timeout(LONG / 2):
            writer.write(HEAD)
            while not answer.done():
                writer.write(b"X: 1\r\n")
                await asyncio.sleep(0.02)
        assert answer.result().startswith(b"HTTP/1.1 408 ")
        writer.close()
        event = (await proxy.sink.wait_for(1 if is_first else 2))[-1]
        assert (event.outcome, event.fault, event.status) == (Outcome.DENIED, Fault.REJECTED_FRAMING, 408)
        assert [bytes(peer.received).count(b"POST") for peer in upstream.peers] == ([] if is_first else [1])


@pytest.mark.parametrize("said", [b"", b"\r\n"], ids=["nothing", "a blank line"])
async def test_who_says_nothing_is_left_without_a_word(impatient: pytest.MonkeyPatch, said: bytes) -> None:
    impatient.setitem(connections.PATIENCE_SECONDS, Phase.HEAD, SHORT)
    async with raw_server(OK) as upstream, running_proxy(upstream.url) as proxy:
        assert await proxy.exchange(said) == b""
        assert proxy.sink.events == []


async def test_an_idle_connection_is_closed(impatient: pytest.MonkeyPatch) -> None:
    impatient.setitem(connections.PATIENCE_SECONDS, Phase.IDLE, SHORT)
    async with raw_server(OK) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(HEAD + b"\r\n")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"Connection: close" not in answer


async def test_an_answer_may_take_as_long_as_it_does(impatient: pytest.MonkeyPatch) -> None:
    for phase in PATIENCE_SECONDS:
        impatient.setitem(connections.PATIENCE_SECONDS, phase, 0.3)

    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(1.0)
        await peer.send(response(b"late", b"Connection: close"))

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        assert (await proxy.exchange(post(b"/up", b"hello"))).endswith(b"late")


# ---- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("framing", "piece"), FRAMED, ids=["a length", "chunks"])
async def test_a_body_that_stops_coming_is_timed_out_and_never_completed(
    impatient: pytest.MonkeyPatch, framing: bytes, piece: bytes
) -> None:
    impatient.setitem(connections.PATIENCE_SECONDS, Phase.BODY, SHORT)
    async with raw_server(OK) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(HEAD + framing + b"\r\n\r\n" + piece)
        assert answer.startswith(b"HTTP/1.1 408 ")
        event = await proxy.sink.one()
        assert (event.outcome, event.fault, event.status) == (Outcome.DENIED, Fault.REJECTED_FRAMING, 408)
        (peer,) = upstream.peers
        await peer.gone()
        assert b"0\r\n\r\n" not in peer.received


async def test_a_body_that_comes_slowly_is_not(impatient: pytest.MonkeyPatch) -> None:
    impatient.setitem(connections.PATIENCE_SECONDS, Phase.BODY, 1.0)
    async with raw_server(OK) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(HEAD + b"Connection: close\r\nContent-Length: 30\r\n\r\n")
        for _ in range(30):
            await asyncio.sleep(0.05)
            writer.write(b"x")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_nor_is_one_that_the_upstream_does_not_take(impatient: pytest.MonkeyPatch) -> None:
    impatient.setitem(connections.PATIENCE_SECONDS, Phase.BODY, SHORT)
    body, full = b"z" * 30_000_000, asyncio.Event()

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await full.wait()
        await asyncio.sleep(3 * SHORT)
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert (await peer.request()).endswith(body)
        await peer.send(response(b"ok", b"Connection: close"))

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        answer = asyncio.ensure_future(proxy.exchange(post(b"/up", body)))
        await until(lambda: any(one._is_unread for one in proxy.server._connections))
        full.set()
        assert (await answer).startswith(b"HTTP/1.1 200 ")


async def test_who_leaves_while_the_upstream_takes_nothing_is_missed(impatient: pytest.MonkeyPatch) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        _, writer = await proxy.connect()
        writer.write(post(b"/up", b"z" * 30_000_000))
        await until(lambda: any(one._is_unread for one in proxy.server._connections))
        reset = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        writer.transport.abort()
        assert (await proxy.sink.one()).outcome is Outcome.CLIENT_ABORT


@pytest.mark.parametrize("more", [0, 2000], ids=["one answer", "many answers"])
async def test_who_never_reads_the_end_of_an_answer_is_left(impatient: pytest.MonkeyPatch, more: int) -> None:
    impatient.setitem(connections.PATIENCE_SECONDS, Phase.IDLE, SHORT)
    async with raw_server(always(response(b"x" * 50_000))) as upstream, running_proxy(upstream.url) as proxy:
        _, writer = await silent_reader(proxy)
        await until(lambda: bool(proxy.server._connections))
        (ours,) = proxy.server._connections
        ours.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.write(HEAD + b"\r\n" + more * (HEAD + b"X: " + b"y" * 100 + b"\r\n\r\n"))
        await proxy.sink.wait_for(1)
        assert ours.transport.get_write_buffer_size() > 0
        await until(lambda: not proxy.server._connections)
        writer.close()


async def until(check: Callable[[], bool], within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not check():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def silent_reader(proxy: RunningProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose answers are not read: its buffers are small, and reading is paused."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.setblocking(False)
    await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", proxy.port))
    reader, writer = await asyncio.open_connection(sock=one, limit=1 << 26)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return reader, writer


# ---- how many --------------------------------------------------------------------------------------------------------


async def streaming(peer: Peer) -> None:
    """A stream that says one word each time something comes, and never ends."""
    await peer.request()
    await peer.send(EVENT_STREAM)
    while True:
        await peer.send(chunked(b"word"))
        await asyncio.sleep(0.01)


async def test_where_there_is_no_room_it_is_said_and_who_is_there_goes_on() -> None:
    async with raw_server(streaming) as upstream, running_proxy(upstream.url, most_connections=8) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post())
        await reader.readuntil(b"word")
        others = [await proxy.connect() for _ in range(7)]
        for _ in range(20):
            assert decoded(await proxy.exchange(b""))[0] == 503
            assert decoded(await proxy.exchange(post()))[0] == 503
            await reader.readuntil(b"word")
        assert len(upstream.peers) == 1
        for _, one in others:
            one.close()
        await until(lambda: len(proxy.server._connections) == 1)
        again, one = await proxy.connect()
        one.write(post())
        assert (await again.readuntil(b"word")).startswith(b"HTTP/1.1 200 ")
        one.close()
        writer.close()


async def test_one_address_has_a_quarter_of_the_room_but_our_own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers are played by 127.0.0.2 and its neighbours."""
    monkeypatch.setattr(servers, "LOOPBACK", ("127.0.0.1",))
    async with raw_server(OK) as upstream, running_proxy(upstream.url, most_connections=12) as proxy:
        theirs = [await from_another(proxy) for _ in range(4)]
        assert decoded(await theirs[3][0].read(-1))[0] == 503
        theirs[0][1].write(post())
        assert decoded(await theirs[0][0].read(-1))[0] == 200
        ours = [await proxy.connect() for _ in range(7)]
        for reader, writer in ours:
            writer.write(post())
            assert decoded(await reader.read(-1))[0] == 200
        for _, writer in (*theirs, *ours):
            writer.close()


async def test_all_addresses_together_have_the_room_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "LOOPBACK", ("127.0.0.1",))
    async with raw_server(OK) as upstream, running_proxy(upstream.url, most_connections=8) as proxy:
        inside = [await from_another(proxy, last) for last in (2, 3, 4, 5) for _ in range(2)]
        reader, writer = await from_another(proxy, 6)
        assert decoded(await reader.read(-1))[0] == 503
        for _, one in (*inside, (reader, writer)):
            one.close()


async def from_another(proxy: RunningProxy, last: int = 2) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port, local_addr=(f"127.0.0.{last}", 0))


async def test_a_crowd_before_a_full_house_holds_no_descriptors() -> None:
    async with raw_server(OK) as upstream, running_proxy(upstream.url, most_connections=8) as proxy:
        inside = [await proxy.connect() for _ in range(8)]
        crowd = await asyncio.gather(*(proxy.connect() for _ in range(300)))
        await asyncio.gather(*(reader.read(1) for reader, _ in crowd), return_exceptions=True)
        assert len(proxy.server._connections) <= 8 + servers.RESERVED_FILES
        for _, writer in (*inside, *crowd):
            writer.close()


@pytest.mark.parametrize(
    ("soft", "hard", "most"),
    [(1024, 1024, 480), (1024, 4096, 2016), (256, 256, 96), (64, 64, 8), (1024, -1, 20_000), (-1, -1, 20_000)],
)
def test_64_descriptors_stay_free(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, most: int) -> None:
    """A connection may need two; the soft limit is raised for them as far as it goes."""
    wanted: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: wanted.append(limits))
    assert servers._room() == most
    files = wanted[0][0] if wanted else soft
    assert files == resource.RLIM_INFINITY or most == 8 or 2 * most + 64 <= files


# ---- ahead -----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(rb"^GET /(\d+) ")
_ECHO = re.compile(rb"HTTP/1\.1 200 OK\r\nContent-Length: \d+\r\n\r\n<(\d+)>x*")
COUNT = 10_000


async def numbers(peer: Peer) -> None:
    """Each answer says which request it is to."""
    while number := _NUMBER.match(await peer.reader.readuntil(b"\r\n\r\n")):
        await peer.send(response(b"<%b>" % number[1] + b"x" * 2000))


async def test_ten_thousand_requests_at_once_wait_outside_and_are_answered_in_order() -> None:
    sent = b"".join([b"GET /%d HTTP/1.1\r\nHost: x\r\nX: %b\r\n\r\n" % (number, b"y" * 400) for number in range(COUNT)])
    async with raw_server(numbers) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await silent_reader(proxy)
        writer.write(sent)
        before, most = -1, 0
        while len(proxy.sink.events) != before:
            before = len(proxy.sink.events)
            for _ in range(10):
                most = max([most, *(len(one._ahead) for one in proxy.server._connections)])
                await asyncio.sleep(0.02)
        assert before < COUNT // 2
        assert most <= MOST_AHEAD_BYTES + (256 << 10)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        answers = await reader.readuntil(b"<%d>" % (COUNT - 1))
        assert [int(one) for one in _ECHO.findall(answers)] == list(range(COUNT))
        assert len(upstream.peers) == 1
        writer.close()
