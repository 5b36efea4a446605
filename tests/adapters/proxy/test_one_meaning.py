"""Whatever the proxy forwards has one meaning: two other readers of HTTP take it for one request, and for the same one.

Requests are made from a grammar and spoilt in one place; an upstream keeps the bytes that reach it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

import h11
import httptools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.adapters.proxy import connection as connections
from daemon.adapters.proxy import server as servers
from daemon.adapters.proxy.connection import PATIENCE_SECONDS
from tests.fakes.proxy import RunningProxy, running_proxy
from tests.fakes.raw_server import Peer, RawServer, raw_server, response


class Request(NamedTuple):
    """What a reader makes of bytes."""

    method: bytes
    target: bytes
    body: bytes


# ---- two readers -----------------------------------------------------------------------------------------------------


def as_h11_reads(data: bytes) -> list[Request] | None:
    """The whole requests in it; None when it finds fault with any of it."""
    reader, found, body = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20), [], b""
    head: h11.Request | None = None
    if not data:
        return []
    reader.receive_data(data)
    try:
        while (event := reader.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                found.append(Request(head.method, head.target, body))
                reader.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"0")]))
                reader.send(h11.EndOfMessage())
                if reader.our_state is not h11.DONE or reader.their_state is not h11.DONE:
                    return found
                reader.start_next_cycle()
            else:
                return None
    except h11.RemoteProtocolError:
        return None
    return found


class _Heard:
    def __init__(self) -> None:
        self.found: list[Request] = []
        self.target = self.body = b""
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.target = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.found.append(Request(self.parser.get_method(), self.target, self.body))


def as_httptools_reads(data: bytes) -> list[Request] | None:
    heard = _Heard()
    try:
        heard.parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    return heard.found


# ---- a grammar -------------------------------------------------------------------------------------------------------

METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH"])
TARGETS = st.sampled_from([b"/", b"/v1/models", b"/v1/chat/completions?a=%2F&a=1", b"/up//x", b'/%E6%A8%A1?q="<>|'])
NAMES = st.sampled_from(
    [b"X-One", b"accept", b"Authorization", b"Cookie", b"X_Two", b"te", b"User-Agent", b"!#$%&'*+-.^`|~"]
)
VALUES = st.sampled_from(
    [b"", b"1", b"a, b", b" two  words ", b"k\xc3\xa4se", b'"q;\\""', b"\tx", b"keep-alive", b"x" * 300]
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=4)
BODIES = st.sampled_from(
    [b"", b"{}", b"\r\n\r\n", b"0\r\n\r\n", b"GET /in HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00\xff" * 40]
)
EXTENSIONS = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b;c"'])
TRAILERS = st.lists(st.sampled_from([b"X-Sum: 1\r\n", b"Host: y\r\n", b"A:\r\n"]), max_size=2)


@st.composite
def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    out = b""
    while body:
        size = draw(st.integers(1, len(body)))
        out += b"%x%b\r\n%b\r\n" % (size, draw(EXTENSIONS), body[:size])
        body = body[size:]
    return out + b"0\r\n" + b"".join(draw(TRAILERS)) + b"\r\n"


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, Request]:
    method, target, body = draw(METHODS), draw(TARGETS), draw(BODIES)
    lines = [b"%b: %b" % pair for pair in draw(HEADERS)]
    framing = draw(st.sampled_from(["length", "chunks"]) if body else st.sampled_from(["none", "length", "chunks"]))
    payload = body
    if framing == "chunks":
        lines.append(draw(st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked"])))
        payload = draw(chunks(body))
    elif framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    order = draw(st.permutations([b"Host: x", *lines]))
    first = b"%b %b HTTP/1.1" % (method, target)
    return b"\r\n".join([first, *order, b"", payload]), Request(method, target, body)


WORDS = [
    *(bytes([one]) for one in b"\x00\t\n\r :;,0159afX\x7f\x80\xff#/?-_+"),
    *(b"\r\n", b"\r\n\r\n", b"\n\n", b"\r\n ", b"\r\r\n", b" HTTP/1.1\r\n", b"HTTP/1.0", b"0\r\n\r\n", b"1\r\nZ\r\n"),
    *(b"\r\nContent-Length: 3", b"\r\nContent-Length:", b"\r\ncontent_length: 1", b"\r\nTransfer-Encoding: chunked"),
    *(b"\r\nTransfer-Encoding:\x0bchunked", b"\r\nTransfer-Encoding: identity", b"\r\nHost: y"),
    *(b"\r\nExpect: 100-continue", b"\r\nTrailer: X-Sum", b"\r\nX: 1\r\n 2"),
    *(b"\r\nConnection: close", b"\r\nConnection: transfer-encoding, content-length", b"\r\nUpgrade: h2c"),
    *(b"\r\nProxy-Connection: x", b"\r\nX-Forwarded-For: y", b"\r\nContent-Encoding: gzip", b"http://y", b"*"),
    *(b"\r\n0\r\nContent-Length: 3\r\n\r\n", b" ;a", b";\n"),
]


@st.composite
def spoilt(draw: st.DrawFn, whole: bytes) -> bytes:
    """In one place: something is put in, left out, said twice, or replaced."""
    start = draw(st.integers(0, len(whole)))
    end = min(len(whole), start + draw(st.sampled_from([0, 0, 1, 1, 2, 4, 20])))
    what = draw(st.sampled_from([b"", whole[start:end] * 2, *WORDS]))
    return whole[:start] + what + whole[end:]


# ---- a proxy, and what comes out of it -------------------------------------------------------------------------------

LONG, SHORT = 10.0, 0.02


async def once(peer: Peer) -> None:
    """Answers each request that h11 finds, as long as it finds no fault."""
    answered = 0
    while data := await peer.reader.read(65536):
        peer.received += data
        found = as_h11_reads(bytes(peer.received))
        for _ in range(len(found or ()) - answered):
            answered += 1
            await peer.send(response(b""))


class Between:
    """A running proxy that waits for nobody, and its upstream, on a loop of their own."""

    def __init__(self, runner: asyncio.Runner, upstream: RawServer, proxy: RunningProxy) -> None:
        self._runner, self._upstream, self._proxy = runner, upstream, proxy

    def send(self, pieces: Sequence[bytes], patience: float) -> tuple[bytes, list[bytes]]:
        """What the client gets until it is sent away, and what each new connection to the upstream has got."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(servers, "TICK_SECONDS", SHORT / 4)
            for phase in PATIENCE_SECONDS:
                patch.setitem(connections.PATIENCE_SECONDS, phase, patience)
            return self._runner.run(self._send(pieces))

    async def _send(self, pieces: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
        self._upstream.peers.clear()
        reader, writer = await self._proxy.connect()
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(2 * LONG):
                answer = await reader.read(-1)
        except ConnectionError:
            answer = b""
        writer.close()
        await until(lambda: not self._proxy.server._connections)
        for connection in list(self._proxy.upstream._open):
            connection.drop()
        await until(lambda: all(peer.writer.is_closing() for peer in self._upstream.peers))
        return answer, [bytes(peer.received) for peer in self._upstream.peers]


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not check():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


@pytest.fixture(scope="module")
def between() -> Iterator[Between]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def start() -> Between:
            upstream = await stack.enter_async_context(raw_server(once))
            return Between(runner, upstream, await stack.enter_async_context(running_proxy(upstream.url)))

        try:
            yield runner.run(start())
        finally:
            runner.run(stack.aclose())


LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MANY = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def forwarded(received: Sequence[bytes]) -> list[Request]:
    """The whole requests that have reached the upstream: both readers find the same ones, and no fault."""
    found = []
    for data in received:
        ours, theirs = as_h11_reads(data), as_httptools_reads(data)
        assert ours == theirs, data
        assert ours is not None, data
        found += ours
    return found


@MANY
@given(st.data(), st.lists(messages(), min_size=1, max_size=3))
def test_what_is_well_said_arrives_as_it_was_said(
    between: Between, data: st.DataObject, said: list[tuple[bytes, Request]]
) -> None:
    """A client that waits for no answer may find the connection closed behind a chunked body; it lost nothing else."""
    said = [*said, (LAST, Request(b"GET", b"/last", b""))]
    sent = b"".join([message for message, _ in said])
    at = data.draw(st.integers(0, len(sent)))
    answer, received = between.send([sent[:at], sent[at:]], LONG)
    found = forwarded(received)
    assert found == [request for _, request in said][: len(found)]
    assert found
    assert answer.count(b"HTTP/1.1 200 ") == len(found)
    assert answer.count(b"\r\nConnection: close\r\n") == 1


@MANY
@given(st.data(), messages(), st.lists(messages(), max_size=1))
def test_what_is_spoilt_is_one_request_or_none(
    between: Between, data: st.DataObject, first: tuple[bytes, Request], behind: list[tuple[bytes, Request]]
) -> None:
    """Where another reader understands what the client sent, it understands the same of what was forwarded."""
    sent = data.draw(spoilt(first[0])) + b"".join([message for message, _ in behind])
    _, received = between.send([sent], SHORT)
    found = forwarded(received)
    for reader in (as_h11_reads, as_httptools_reads):
        if (meant := reader(sent)) is not None:
            assert found == meant[: len(found)]
