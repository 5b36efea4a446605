"""What the upstream client of the hot path promises, over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from daemon.adapters.proxy.upstream import UpstreamPool
from daemon.app.rig import free_ports
from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault
from tests.fakes.asking import Question, send
from tests.fakes.certificates import Authority, tls_in_front
from tests.fakes.raw_server import Peer, RawServer, Script, always, raw_server, response

MOST_SECONDS_TO_CANCEL = 0.05

Connect = Callable[[str], UpstreamPool]
Talk = Callable[[Script], AbstractAsyncContextManager[tuple[UpstreamPool, RawServer]]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes clients, and closes them."""
    made: list[UpstreamPool] = []

    def make(url: str) -> UpstreamPool:
        made.append(UpstreamPool(url))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.found()
    return authority


@pytest.fixture(scope="module")
def certified(authority: Authority) -> ssl.SSLContext:
    return authority.certify("localhost")


@pytest.fixture
def plainly(connect: Connect) -> Talk:
    """A client and its server, which does what a script says."""

    @asynccontextmanager
    async def talk(script: Script) -> AsyncIterator[tuple[UpstreamPool, RawServer]]:
        async with raw_server(script) as server:
            yield connect(server.url), server

    return talk


@pytest.fixture
def secretly(
    connect: Connect, authority: Authority, certified: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> Talk:
    """The same over TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))

    @asynccontextmanager
    async def talk(script: Script) -> AsyncIterator[tuple[UpstreamPool, RawServer]]:
        async with raw_server(script) as server, tls_in_front(server.port, certified) as port:
            yield connect(f"https://localhost:{port}"), server

    return talk


@pytest.fixture(params=["plainly", "secretly"])
def talking(request: pytest.FixtureRequest) -> Talk:
    talk: Talk = request.getfixturevalue(request.param)
    return talk


def ask(
    body: bytes | AsyncIterator[bytes] | None = None,
    *,
    method: str = "POST",
    target: bytes = b"/v1/messages",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Question:
    length = ((b"content-length", b"%d" % len(body)),) if isinstance(body, bytes) else ()
    return Question(method=method, target=target, headers=((b"host", b"up.example:1"), *headers, *length), body=body)


async def fetch(upstream: UpstreamPool, request: Question) -> tuple[int, bytes]:
    answer = await send(upstream, request)
    return answer.status, b"".join([chunk async for chunk in answer.chunks()])


async def pieces(*some: bytes) -> AsyncIterator[bytes]:
    for piece in some:
        yield piece


# ---- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [b"/", b"/a//b/../c/%2F%2e?x=1&x=2&key=a%20b+c", b"/v1beta/models/m:stream?alt=sse", b"/q?", b"*"[:0] + b"/;p"],
)
async def test_the_target_arrives_as_it_was_given(talking: Talk, target: bytes) -> None:
    async with talking(always(response(b"ok"))) as (upstream, server):
        assert await fetch(upstream, ask(method="GET", target=target)) == (200, b"ok")
        assert server.peers[0].received.split(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


async def test_a_path_in_the_upstreams_url_goes_before_the_target(connect: Connect) -> None:
    async with raw_server(always(response(b"ok"))) as server:
        await fetch(connect(f"{server.url}/base/"), ask(method="GET", target=b"/v1/models?"))
        assert server.peers[0].received.startswith(b"GET /base/v1/models? HTTP/1.1\r\n")


async def test_headers_arrive_in_order_doubled_and_none_is_added(talking: Talk) -> None:
    headers = ((b"b", b"2"), (b"a", b"1"), (b"b", b"3"), (b"x-name", "käse".encode()), (b"cookie", b"a=b; c=d"))
    async with talking(always(response(b""))) as (upstream, server):
        await fetch(upstream, ask(b"{}", headers=headers))
    head, _, body = bytes(server.peers[0].received).partition(b"\r\n\r\n")
    sent = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[1:]]
    assert [(name.lower(), value) for name, value in sent] == [
        (b"host", b"up.example:1"),
        *headers,
        (b"content-length", b"2"),
    ]
    assert body == b"{}"


async def test_a_get_has_only_what_was_given(talking: Talk) -> None:
    async with talking(always(response(b""))) as (upstream, server):
        await fetch(upstream, ask(method="GET"))
    assert bytes(server.peers[0].received).lower() == b"get /v1/messages http/1.1\r\nhost: up.example:1\r\n\r\n"


async def test_the_answers_headers_come_in_order_with_their_case(talking: Talk) -> None:
    lines = (b"X-B: 2", b"x-a: 1", b"Set-Cookie: one", b"Set-Cookie: two", b"Server: ours", b"X-Odd: k\xe4se")
    async with talking(always(response(b"", *lines))) as (upstream, _):
        answer = await send(upstream, ask())
        assert [b": ".join(pair) for pair in answer.headers] == [b"Content-Length: 0", *lines]
        answer.abort()


async def test_a_body_that_is_packed_comes_packed(talking: Talk) -> None:
    packed = b"\x1f\x8b not really gzip"
    async with talking(always(response(packed, b"Content-Encoding: gzip"))) as (upstream, _):
        assert await fetch(upstream, ask()) == (200, packed)


async def test_pieces_come_as_they_are_sent(talking: Talk) -> None:
    """No line is waited for, and nothing is held back."""
    step = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"da", b"ta: \xe2", b"\x80\xa8\n\r"):
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            await step.wait()
            step.clear()
        await peer.send(b"0\r\n\r\n")

    async with talking(script) as (upstream, _):
        got = []
        async for chunk in (await send(upstream, ask())).chunks():
            got.append(chunk)
            step.set()
        assert got == [b"da", b"ta: \xe2", b"\x80\xa8\n\r"]


async def test_a_large_body_is_streamed_up_in_chunks(talking: Talk) -> None:
    async with talking(always(response(b"ok"))) as (upstream, server):
        assert await fetch(upstream, ask(pieces(b"abc", b"d" * 70_000))) == (200, b"ok")
    head, _, body = bytes(server.peers[0].received).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body.startswith(b"3\r\nabc\r\n")
    assert body.count(b"d") == 70_000


async def test_a_streamed_body_with_a_length_keeps_it(talking: Talk) -> None:
    async with talking(always(response(b"ok"))) as (upstream, server):
        await fetch(upstream, ask(pieces(b"abc", b"def"), headers=((b"content-length", b"6"),)))
    head, _, body = bytes(server.peers[0].received).partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert body == b"abcdef"


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints\r\nLink: </x>"])
async def test_an_interim_answer_is_not_the_answer(talking: Talk, status: bytes) -> None:
    async with talking(always(b"HTTP/1.1 " + status + b"\r\n\r\n", response(b"ok"))) as (upstream, _):
        assert await fetch(upstream, ask(b"x")) == (200, b"ok")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200 OK"), ("GET", b"304 Not Modified"), ("GET", b"204 No Content")]
)
async def test_an_answer_without_a_body_ends_at_once(talking: Talk, method: str, status: bytes) -> None:
    head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    async with talking(always(head)) as (upstream, _):
        for _ in range(2):
            assert (await fetch(upstream, ask(method=method)))[1] == b""


async def test_a_redirect_is_not_followed_and_no_cookie_is_kept(talking: Talk) -> None:
    moved = response(b"", b"Location: /else", b"Set-Cookie: a=b", status=b"302 Found")
    async with talking(always(moved)) as (upstream, server):
        for _ in range(2):
            assert (await fetch(upstream, ask(method="GET")))[0] == 302
    assert b"cookie" not in b"".join(bytes(peer.received) for peer in server.peers).lower()


async def test_an_early_answer_arrives_before_the_body_is_sent(talking: Talk) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(response(b"too large", b"Connection: close", status=b"413 Too Large"))
        await peer.gone()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with talking(script) as (upstream, _), asyncio.timeout(5):
        assert await fetch(upstream, ask(endless())) == (413, b"too large")


# ---- connections -----------------------------------------------------------------------------------------------------


async def test_a_connection_is_used_again(talking: Talk) -> None:
    async with talking(always(response(b"ok"))) as (upstream, server):
        for _ in range(5):
            assert await fetch(upstream, ask(b"x")) == (200, b"ok")
        assert len(server.peers) == 1


async def turns_of_the_loop() -> None:
    """Both ends live on it: what one has sent, the other has read after these."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_that_was_closed_meanwhile_is_not(plainly: Talk) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"ok"))

    async with plainly(script) as (upstream, server):
        for number in range(1, 6):
            assert await fetch(upstream, ask(b"x")) == (200, b"ok")
            await server.peers[-1].gone()
            await turns_of_the_loop()
            assert len(server.peers) == number


async def test_a_request_that_was_handed_over_is_not_sent_twice(talking: Talk) -> None:
    """It may have been paid for."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"ok"))
        await peer.request()

    async with talking(script) as (upstream, server):
        await fetch(upstream, ask(b"x"))
        with pytest.raises(UpstreamFault) as raised:
            await fetch(upstream, ask(b"x"))
        assert raised.value.fault is Fault.UPSTREAM_PROTOCOL
        assert len(server.peers) == 1


async def test_a_harmless_request_on_a_connection_that_died_is_sent_again(talking: Talk) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"ok"))
        await peer.request()

    async with talking(script) as (upstream, server):
        for _ in range(2):
            assert await fetch(upstream, ask(method="GET")) == (200, b"ok")
        assert len(server.peers) == 2


async def test_a_hundred_at_once_wait_for_nobody(talking: Talk) -> None:
    arrived, everybody = 0, asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal arrived
        await peer.request()
        arrived += 1
        if arrived == 100:
            everybody.set()
        await everybody.wait()
        await peer.send(response(b"ok"))

    async with talking(script) as (upstream, _), asyncio.timeout(10):
        answers = await asyncio.gather(*(fetch(upstream, ask(b"x")) for _ in range(100)))
        assert answers == [(200, b"ok")] * 100


# ---- faults ----------------------------------------------------------------------------------------------------------

CUTS = {
    "by length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
}


@pytest.mark.parametrize("sent", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_cut_is_told_and_what_came_before_arrives(talking: Talk, sent: bytes, how: str) -> None:
    received = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await received.wait()
        if how == "reset":
            peer.reset()

    async with talking(script) as (upstream, _):
        chunks = (await send(upstream, ask(b"x"))).chunks()
        assert await anext(chunks) == b"half"
        received.set()
        with pytest.raises(UpstreamFault) as raised:
            await anext(chunks)
        assert raised.value.fault is Fault.TRUNCATED


async def test_a_malformed_chunk_is_a_cut(talking: Talk) -> None:
    bad = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"
    async with talking(always(bad)) as (upstream, _):
        with pytest.raises(UpstreamFault):
            await fetch(upstream, ask(b"x"))


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        b"rubbish\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    ],
    ids=["nothing", "half a line", "rubbish", "bad header", "endless header"],
)
async def test_no_answer_is_a_fault_of_protocol(talking: Talk, sent: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)

    async with talking(script) as (upstream, _):
        with pytest.raises(UpstreamFault) as raised:
            await send(upstream, ask(b"x"))
        assert raised.value.fault is Fault.UPSTREAM_PROTOCOL


async def test_nobody_listens(connect: Connect) -> None:
    (port,) = free_ports(1)
    with pytest.raises(UpstreamFault) as raised:
        await send(connect(f"http://127.0.0.1:{port}"), ask(b"x"))
    assert raised.value.fault is Fault.UPSTREAM_CONNECT


async def test_a_name_that_does_not_resolve(connect: Connect) -> None:
    with pytest.raises(UpstreamFault) as raised:
        await send(connect("http://no-such-host.invalid:1"), ask(b"x"))
    assert raised.value.fault is Fault.UPSTREAM_CONNECT


async def test_a_certificate_that_is_not_trusted(connect: Connect, certified: ssl.SSLContext) -> None:
    async with raw_server(always(response(b"ok"))) as server, tls_in_front(server.port, certified) as port:
        with pytest.raises(UpstreamFault) as raised:
            await send(connect(f"https://localhost:{port}"), ask(b"x"))
    assert raised.value.fault is Fault.UPSTREAM_TLS


async def test_plain_text_where_tls_was_expected(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(response(b"what?", status=b"400 Bad Request"))

    async with raw_server(script) as server:
        with pytest.raises(UpstreamFault) as raised:
            await send(connect(f"https://127.0.0.1:{server.port}"), ask(b"x"))
    assert raised.value.fault in (Fault.UPSTREAM_TLS, Fault.UPSTREAM_CONNECT)


# ---- cancelling ------------------------------------------------------------------------------------------------------


async def _seconds_until_gone(task: "asyncio.Task[object]", peer: Peer) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    task.cancel()
    await peer.gone()
    return loop.time() - began


async def test_cancelling_before_the_answer_closes_at_once(talking: Talk) -> None:
    asked, end = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await end.wait()

    async with talking(script) as (upstream, server):
        task = asyncio.ensure_future(fetch(upstream, ask(b"x")))
        await asked.wait()
        assert await _seconds_until_gone(task, server.peers[0]) < MOST_SECONDS_TO_CANCEL
        end.set()


async def test_cancelling_inside_the_answer_closes_at_once(talking: Talk) -> None:
    started, end = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CUTS["in chunks"])
        await end.wait()

    async def read(upstream: UpstreamPool) -> None:
        async for _ in (await send(upstream, ask(b"x"))).chunks():
            started.set()

    async with talking(script) as (upstream, server):
        task = asyncio.ensure_future(read(upstream))
        await started.wait()
        assert await _seconds_until_gone(task, server.peers[0]) < MOST_SECONDS_TO_CANCEL
        end.set()


async def test_cancelling_inside_the_upload_closes_at_once(talking: Talk) -> None:
    arrived, end = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"half")
        arrived.set()
        await end.wait()

    async def endless() -> AsyncIterator[bytes]:
        yield b"half"
        await end.wait()

    async with talking(script) as (upstream, server):
        task = asyncio.ensure_future(fetch(upstream, ask(endless())))
        await arrived.wait()
        assert await _seconds_until_gone(task, server.peers[0]) < MOST_SECONDS_TO_CANCEL
        end.set()


async def test_aborting_closes_at_once(talking: Talk) -> None:
    end = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CUTS["in chunks"])
        await end.wait()

    async with talking(script) as (upstream, server):
        answer = await send(upstream, ask(b"x"))
        answer.abort()
        async with asyncio.timeout(MOST_SECONDS_TO_CANCEL):
            await server.peers[0].gone()
        end.set()


async def test_a_storm_of_cancellations_loses_no_place(talking: Talk) -> None:
    async with talking(always(response(b"ok"))) as (upstream, _):
        for round_ in range(300):
            task = asyncio.ensure_future(fetch(upstream, ask(b"x")))
            for _ in range(round_ % 7):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.gather(*(fetch(upstream, ask(b"x")) for _ in range(60))) == [(200, b"ok")] * 60
