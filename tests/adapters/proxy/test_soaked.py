"""What a soak has found, or was made to look for: heads in pieces, clients that only send, calls that must wait."""

import asyncio
import socket
import struct
from collections.abc import Iterator

import pytest

from daemon.adapters.proxy.calls import MOST_WAITING_BYTES
from daemon.adapters.proxy.connection import ClientConnection
from daemon.adapters.proxy.destinations import NOWHERE, Destination
from daemon.adapters.proxy.handling import Handler
from daemon.adapters.proxy.tap import Ask
from daemon.logic.forwarding import Headers
from tests.adapters.proxy.test_forward import decoded
from tests.adapters.proxy.test_upstream_connection import LONG, Desk
from tests.fakes.proxy import RunningProxy, running_proxy
from tests.fakes.raw_server import always, raw_server, response

HEAD = b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
GET = b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n"
MOST_SENT = 24 << 20


async def sent_in(proxy: RunningProxy, *pieces: bytes) -> bytes:
    """What comes back for pieces that arrive one by one."""
    reader, writer = await proxy.connect()
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.002)  # a segment of its own
    async with asyncio.timeout(5.0):
        answer = await reader.read(-1)
    writer.close()
    return answer


async def test_a_head_may_be_cut_anywhere() -> None:
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        answers = await asyncio.gather(*(sent_in(proxy, HEAD[:cut], HEAD[cut:]) for cut in range(1, len(HEAD))))
        assert {decoded(answer)[0] for answer in answers} == {200}
        assert decoded(await sent_in(proxy, *(bytes([one]) for one in HEAD)))[0] == 200


@pytest.mark.parametrize("cut", range(1, 20))
async def test_a_bare_line_feed_is_found_wherever_it_is_cut(cut: int) -> None:
    sent = b"GET / HTTP/1.1\nHost: x\n\n"
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        assert decoded(await sent_in(proxy, sent[:cut], sent[cut:]))[0] == 400


async def test_a_client_that_asks_on_and_never_reads_is_not_read_on_and_on() -> None:
    """Its answers wait; what it sends meanwhile waits with it, and not with us."""
    async with raw_server(always(response(b"a" * 30_000))) as upstream, running_proxy(upstream.url) as proxy:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", proxy.port))
            assert await _taken(client, GET * 1000) < MOST_SENT


async def _taken(client: socket.socket, piece: bytes) -> int:
    """How much is taken until nothing is for half a second."""
    taken, loop = 0, asyncio.get_running_loop()
    try:
        while taken < MOST_SENT:
            async with asyncio.timeout(0.5):
                await loop.sock_sendall(client, piece)
            taken += len(piece)
    except TimeoutError:
        pass
    return taken


# ---- a call that waits, and its connection ---------------------------------------------------------------------------


def _fill(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upstream does not read: more waits than may."""
    monkeypatch.setattr(desk.line, "get_write_buffer_size", lambda: MOST_WAITING_BYTES + 1)
    desk.connection.pause_writing()


def test_who_waited_for_a_connection_that_died_is_told_to_go_on_by_the_next_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.serve_one(idle=LONG)
    asker = desk.carry("POST", b"head", is_complete=False)
    _fill(desk, monkeypatch)
    assert asker.call is not None
    asker.call.write(b"more")
    assert not asker.may_write.is_set()
    desk.die(after=1.0)
    assert desk.pool.repeated == [asker.call]
    next_one = Desk(desk.near, desk.far)
    next_one.connection.carry(asker.call)
    assert next_one.line.sent == b"headmore"
    assert asker.may_write.is_set()


def test_who_waited_for_a_connection_that_is_full_at_once_waits_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.serve_one(idle=LONG)
    asker = desk.carry("POST", b"head", is_complete=False)
    assert asker.call is not None
    asker.call.connection = None  # as before there is one
    asker.call.write(b"x" * (MOST_WAITING_BYTES + 1))
    assert not asker.may_write.is_set()
    next_one = Desk(desk.near, desk.far)
    _fill(next_one, monkeypatch)
    next_one.connection.carry(asker.call)
    assert not asker.may_write.is_set()
    next_one.connection.resume_writing()
    assert asker.may_write.is_set()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield Desk(near, far)


# ---- reading goes on -------------------------------------------------------------------------------------------------


class Full:
    """A `Serving`, and the `Handler` of all: takes no more just as the body ends, and answers none the less."""

    is_stopping = False

    def __init__(self) -> None:
        self.connection: ClientConnection | None = None

    def find(self, method: bytes, raw_path: bytes) -> Destination:
        return NOWHERE

    def begin(self, connection: ClientConnection, ask: Ask) -> Handler | None:
        self.connection = connection
        return self  # type: ignore[return-value]

    def body(self, data: bytes, *, last: bool, trailers: Headers = ()) -> None:
        assert self.connection is not None
        if data:
            self.connection.read_body(False)
        if last:
            self.connection.answer(200, b"{}")

    def opened(self, connection: ClientConnection) -> bool:
        return True

    def closed(self, connection: ClientConnection) -> None: ...

    def client_left(self) -> None: ...


async def test_the_next_request_is_read_though_the_last_body_was_held() -> None:
    """The upstream was full, and answered, or broke off, all the same."""
    loop, asked = asyncio.get_running_loop(), b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    server = await loop.create_server(lambda: ClientConnection(Full(), loop), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        async with asyncio.timeout(3.0):
            for _ in range(2):
                writer.write(asked)
                assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
    finally:
        writer.transport.abort()
        server.close()


# ---- ports -----------------------------------------------------------------------------------------------------------

IP_LOCAL_PORT_RANGE = 51


async def test_a_client_may_have_the_port_that_a_connection_of_ours_to_the_upstream_has() -> None:
    """The kernel gives one port to several connections, if they lead to different places."""
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        assert decoded(await proxy.exchange(HEAD))[0] == 200
        (ours,) = upstream.peers
        port = ours.writer.get_extra_info("peername")[1]
        with socket.socket() as client:
            try:
                client.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", port << 16 | port))
            except OSError:
                pytest.skip("the kernel does not let us choose")
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", proxy.port))
            assert client.getsockname()[1] == port
            await asyncio.get_running_loop().sock_sendall(client, HEAD)
            assert (await asyncio.get_running_loop().sock_recv(client, 1000)).startswith(b"HTTP/1.1 200 ")
