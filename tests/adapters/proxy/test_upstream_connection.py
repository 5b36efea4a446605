"""When a request is sent a second time: only when nothing was paid for. As a table, without sockets and clocks."""

import asyncio
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from daemon.adapters.proxy import upstream_connection
from daemon.adapters.proxy.calls import MOST_REPLAY_BYTES, Call
from daemon.adapters.proxy.upstream_connection import ALREADY_DYING_SECONDS, IDLE_SECONDS, WAS_IDLE_SECONDS, Connection
from daemon.domain.event import Fault
from tests.adapters.proxy.test_forward import decoded, post
from tests.fakes.asking import Answered
from tests.fakes.proxy import running_proxy
from tests.fakes.raw_server import Peer, raw_server, response

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AN_INSTANT = ALREADY_DYING_SECONDS / 2
LATER = ALREADY_DYING_SECONDS * 2
SHORTLY = WAS_IDLE_SECONDS / 2
LONG = WAS_IDLE_SECONDS * 2


class Loop:
    """Only its clock, which stands."""

    now = 1000.0

    def time(self) -> float:
        return self.now


class Line(asyncio.Transport):
    """What is written stays here; `is_held` plays a peer that does not read."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__({"socket": end})
        self.sent = b""
        self.is_gone = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_gone

    def abort(self) -> None:
        self.is_gone = True


@dataclass
class Pool:
    kept: list[Connection] = field(default_factory=list)
    repeated: list[Call] = field(default_factory=list)

    def keep(self, connection: Connection) -> None:
        self.kept.append(connection)

    def forget(self, connection: Connection) -> None: ...

    def connect(self, call: Call) -> None:
        self.repeated.append(call)


@dataclass
class Desk:
    """A connection, and everything around it."""

    near: socket.socket
    far: socket.socket
    loop: Loop = field(default_factory=Loop)
    pool: Pool = field(default_factory=Pool)

    def __post_init__(self) -> None:
        self.line = Line(self.near)
        self.connection = Connection(self.pool, self.loop)  # type: ignore[arg-type]
        self.connection.connection_made(self.line)

    def carry(self, method: str, first: bytes = REQUEST, *, is_complete: bool = True) -> Answered:
        asker = Answered()
        asker.call = Call(asker, method, first, is_complete=is_complete)
        self.connection.carry(asker.call)
        return asker

    def serve_one(self, idle: float) -> None:
        """It carries a first call, and then waits so long in the pool."""
        self.carry("GET")
        self.connection.data_received(WHOLE)
        assert self.pool.kept == [self.connection]
        self.loop.now += idle

    def die(self, after: float, error: Exception | None = None) -> None:
        self.loop.now += after
        self.connection.connection_lost(error)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield Desk(near, far)


@pytest.mark.parametrize(
    ("method", "idle", "dies_after", "is_repeated"),
    [
        ("POST", LONG, AN_INSTANT, True),  # it had been dying when we wrote
        ("POST", WAS_IDLE_SECONDS, ALREADY_DYING_SECONDS, True),
        ("POST", LONG, LATER, False),  # it may have been read, and paid for
        ("POST", SHORTLY, AN_INSTANT, False),
        ("PUT", LONG, LATER, False),
        ("DELETE", LONG, LATER, False),
        ("GET", 0.0, LATER, True),
        ("HEAD", 0.0, 3600.0, True),
        ("OPTIONS", SHORTLY, LATER, True),
    ],
)
@pytest.mark.parametrize("error", [None, ConnectionResetError()], ids=["closed", "reset"])
def test_a_used_connection_that_dies_before_it_answers(
    desk: Desk, method: str, idle: float, dies_after: float, is_repeated: bool, error: Exception | None
) -> None:
    desk.serve_one(idle)
    asker = desk.carry(method)
    desk.die(dies_after, error)
    if is_repeated:
        assert desk.pool.repeated == [asker.call]
        assert (asker.early, asker.call and asker.call.so_far()) == (None, REQUEST)
    else:
        assert desk.pool.repeated == []
        assert asker.early is not None
        assert asker.early.fault is Fault.UPSTREAM_PROTOCOL


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
def test_a_fresh_connection_is_no_reason(desk: Desk, method: str) -> None:
    asker = desk.carry(method)
    desk.die(0.0)
    assert desk.pool.repeated == []
    assert asker.early is not None


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    "sent", [b"H", WHOLE[:-1], b"HTTP/1.1 103 Early Hints\r\n\r\n"], ids=["a byte", "all but one", "hints"]
)
def test_an_answer_that_has_begun_is_one(desk: Desk, method: str, sent: bytes) -> None:
    desk.serve_one(LONG)
    asker = desk.carry(method)
    desk.connection.data_received(sent)
    desk.die(AN_INSTANT)
    assert desk.pool.repeated == []
    assert asker.pieces.qsize() > 0


def test_what_was_not_written_in_full_cannot_have_been_paid_for(desk: Desk) -> None:
    desk.serve_one(SHORTLY)
    asker = desk.carry("POST", b"half", is_complete=False)
    desk.die(LATER)
    assert desk.pool.repeated == [asker.call]


def test_nor_what_still_waits_to_be_read(desk: Desk) -> None:
    desk.serve_one(SHORTLY)
    desk.connection.pause_writing()
    asker = desk.carry("POST")
    desk.die(LATER)
    assert desk.pool.repeated == [asker.call]


def test_the_time_counts_from_the_last_byte(desk: Desk) -> None:
    desk.serve_one(LONG)
    asker = desk.carry("POST", b"half", is_complete=False)
    desk.loop.now += 60.0
    assert asker.call is not None
    asker.call.write(b"rest", last=True)
    desk.die(AN_INSTANT)
    assert desk.pool.repeated == [asker.call]
    assert asker.call.so_far() == b"halfrest"


def test_a_request_too_long_to_be_kept_is_sent_once(desk: Desk) -> None:
    desk.serve_one(LONG)
    asker = desk.carry("POST", b"", is_complete=False)
    assert asker.call is not None
    asker.call.write(b"x" * (MOST_REPLAY_BYTES + 1), last=True)
    desk.die(AN_INSTANT)
    assert desk.pool.repeated == []
    assert asker.early is not None


def test_it_is_not_used_again_when_it_is_old_or_something_waits_to_be_read(desk: Desk) -> None:
    desk.serve_one(0.0)
    assert desk.connection.is_usable(desk.loop.now + IDLE_SECONDS)
    assert not desk.connection.is_usable(desk.loop.now + IDLE_SECONDS + 0.1)
    desk.far.close()
    assert not desk.connection.is_usable(desk.loop.now)


def test_who_speaks_unasked_is_left(desk: Desk) -> None:
    desk.serve_one(0.0)
    desk.connection.data_received(WHOLE)
    assert desk.line.is_gone


# ---- over real sockets -----------------------------------------------------------------------------------------------


async def test_an_upstream_that_closes_behind_each_answer_costs_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sooner or later: some find the connection closed, some write on one that is about to be.

    How soon a death was under way already is in the table; here the machine may be slow.
    """
    monkeypatch.setattr(upstream_connection, "WAS_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(upstream_connection, "ALREADY_DYING_SECONDS", 60.0)
    chance = random.Random(1)
    answers = 0

    async def script(peer: Peer) -> None:
        nonlocal answers
        await peer.request()
        answers += 1
        await peer.send(response(b"ok"))
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.003)))

    async with raw_server(script) as server, running_proxy(server.url) as proxy:
        for _ in range(300):
            assert decoded(await proxy.exchange(post()))[0] == 200
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.003)))
        assert answers == 300
        assert len(await proxy.sink.wait_for(300)) == 300
