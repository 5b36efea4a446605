"""Upstreams that are slow, broken or hostile: the client gets what they sent or a broken transfer, nothing between."""

import asyncio
import gzip
import json
import logging
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import h11
import pytest

from daemon.adapters.clock import SystemClock
from daemon.adapters.fake import wires as spoken
from daemon.app.rig import free_ports
from daemon.domain.event import Fault, Outcome, Wire
from daemon.logic.wire import WireProtocol
from tests.adapters.proxy.test_forward import BODY, CHAT, EVENT_STREAM, WHOLE, chunked, decoded, exchange, post
from tests.fakes.proxy import PATIENCE_SECONDS, RunningProxy, running_proxy
from tests.fakes.raw_server import Peer, RawServer, Script, always, raw_server, response
from tests.logic.wires.answers import CODEX_ERROR, IDS, WIRES, ask, frames, reply, streamed

LAST_CHUNK = b"0\r\n\r\n"
TERMINAL = b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HOUR_SECONDS = 3600.0
SLOW = 120
PATHS = {
    Wire.OPENAI_CHAT: CHAT,
    Wire.OPENAI_RESPONSES: b"/v1/responses",
    Wire.ANTHROPIC_MESSAGES: b"/v1/messages",
    Wire.GEMINI_GENERATE_CONTENT: b"/v1beta/models/gpt-5.4:streamGenerateContent?alt=sse",
}

Talk = tuple[RunningProxy, RawServer]


@asynccontextmanager
async def before(script: Script) -> AsyncIterator[Talk]:
    """A proxy before such an upstream."""
    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        yield proxy, upstream


def once(*pieces: bytes, then: bytes = response(b"clean")) -> Script:
    """Answers the first request of all in its own way, and all later ones as it should."""
    is_first = True

    async def script(peer: Peer) -> None:
        nonlocal is_first
        while await peer.request():
            sent, is_first = pieces if is_first else (then,), False
            await peer.send(*sent)

    return script


async def left(peer: Peer) -> None:
    """Returns when the proxy has closed its connection."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not peer.reader.at_eof() and peer.reader.exception() is None:  # noqa: ASYNC110 - its script reads it
            await asyncio.sleep(0.001)


def get(path: bytes = b"/x", method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (method, path)


def unchunked(body: bytes) -> bytes:
    """What is in the chunks that are there in full."""
    plain = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        plain, body = plain + rest[:length], rest[length + 2 :]
    return plain


@contextmanager
def most_memory(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


# ---- slow ------------------------------------------------------------------------------------------------------------


@dataclass
class Hours:
    """Lets time pass at once, for the loop and for who measures."""

    ahead: float = 0.0

    async def one_passes(self, proxy: RunningProxy) -> None:
        """The proxy has looked at the clock when it has left a client that said nothing."""
        reader, writer = await proxy.connect()
        self.ahead += HOUR_SECONDS
        assert await reader.read(-1) == b""
        writer.close()


@pytest.fixture
async def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    made, loop = Hours(), asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + made.ahead)
    monkeypatch.setattr(SystemClock, "monotonic", lambda _: time.monotonic() + made.ahead)
    return made


async def test_a_refused_connect_is_told_at_once() -> None:
    (port,) = free_ports(1)
    async with running_proxy(f"http://127.0.0.1:{port}") as proxy:
        took = []
        for _ in range(5):
            began = time.perf_counter()
            status, _, body = decoded(await proxy.exchange(post()))
            took.append(time.perf_counter() - began)
            assert (status, json.loads(body)["error"]["code"]) == (502, "runbookd_upstream_connect")
            assert len(body) < 200
        assert min(took) < 0.05


async def test_who_accepts_and_never_answers_is_waited_for(hours: Hours) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await go_on.wait()
        await peer.send(response(WHOLE))

    async with before(script) as (proxy, upstream):
        client = asyncio.ensure_future(read(proxy, post()))
        await asked.wait()
        await hours.one_passes(proxy)
        assert not client.done()
        go_on.set()
        assert decoded(await client)[2] == WHOLE
        event = await proxy.sink.one()
        assert event.outcome is Outcome.OK
        assert (event.ttfb_ms or 0) >= HOUR_SECONDS * 1000
        assert len(upstream.peers) == 1


async def read(proxy: RunningProxy, request: bytes) -> bytes:
    """All of it, however long that takes."""
    reader, writer = await proxy.connect()
    writer.write(request)
    answer = await reader.read(-1)
    writer.close()
    return answer


async def test_who_stops_inside_a_stream_is_waited_for_and_nothing_is_made_up(hours: Hours) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM, *(chunked(b": %d\n\n" % number) for number in range(5)))
        asked.set()
        await go_on.wait()
        await peer.send(chunked(TERMINAL), LAST_CHUNK)

    async with before(script) as (proxy, _):
        client = asyncio.ensure_future(read(proxy, post()))
        await asked.wait()
        await hours.one_passes(proxy)
        assert not client.done()
        go_on.set()
        body = unchunked(decoded(await client)[2])
        assert body == b"".join(b": %d\n\n" % number for number in range(5)) + TERMINAL
        event = await proxy.sink.one()
        assert event.outcome is Outcome.OK
        assert (event.largest_gap_ms or 0) >= HOUR_SECONDS * 1000


async def test_slow_answers_do_not_slow_a_quick_one() -> None:
    """There is no number of requests that may wait."""
    arrived, go_on = 0, asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal arrived
        while head := await peer.request():
            if b"/slow" in head:
                arrived += 1
                await go_on.wait()
            await peer.send(response(b"ok"))

    async with before(script) as (proxy, _):
        slow = [asyncio.ensure_future(read(proxy, get(b"/slow"))) for _ in range(SLOW)]
        while arrived < SLOW:
            assert decoded(await proxy.exchange(get(b"/quick")))[0] == 200
        assert not any(one.done() for one in slow)
        go_on.set()
        assert {decoded(answer)[0] for answer in await asyncio.gather(*slow)} == {200}


async def test_an_early_answer_reaches_who_is_still_sending() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"first")
        await peer.send(response(b"too large", b"Connection: close", status=b"413 Too Large"))

    async with before(script) as (proxy, _):
        reader, writer = await proxy.connect()
        writer.write(b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\nfirst")
        async with asyncio.timeout(PATIENCE_SECONDS):
            status, headers, body = decoded(await reader.read(-1))
        assert (status, headers["connection"], body) == (413, "close", b"too large")
        writer.close()
        assert (await proxy.sink.one()).status == 413


# ---- cut -------------------------------------------------------------------------------------------------------------

SHORT = streamed(Wire.OPENAI_CHAT, reply(("hi",)))
RECORDED = EVENT_STREAM + chunked(SHORT[:100], SHORT[100:]) + LAST_CHUNK


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_answer_cut_at_any_byte_never_looks_whole(how: str) -> None:
    upto = 0

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(RECORDED[:upto])
        if how == "reset":
            peer.reset()

    async with before(script) as (proxy, _):
        for upto in range(len(RECORDED)):
            answer = await proxy.exchange(post())
            if answer.startswith(b"HTTP/1.1 502 "):
                assert b"runbookd_upstream_protocol" in answer
                continue
            assert upto >= len(EVENT_STREAM)
            assert not answer.endswith(LAST_CHUNK)
            body = unchunked(answer.partition(b"\r\n\r\n")[2])
            assert SHORT.startswith(body)
            if how == "closed":
                assert len(body) >= upto - len(EVENT_STREAM) - len(b"64\r\n\r\n3e8\r\n\r\n0\r\n\r\n")
        events = await proxy.sink.wait_for(len(RECORDED))
    done = RECORDED.index(b'"finish_reason":"stop"')
    assert {event.outcome for event in events[:done]} == {Outcome.FAILED}
    faults = {event.fault for event in events[len(EVENT_STREAM) : done]}
    assert faults == {Fault.TRUNCATED} if how == "closed" else faults <= {Fault.TRUNCATED, Fault.UPSTREAM_PROTOCOL}


@pytest.mark.parametrize("codex", [False, True], ids=["plain", "codex"])
@pytest.mark.parametrize("wire", WIRES, ids=IDS)
@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (CODEX_ERROR, Fault.ERROR_IN_STREAM),
        ({"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}, None),
    ],
    ids=["broke", "rate limit"],
)
async def test_an_error_inside_a_stream_is_a_failure_under_status_200(
    wire: WireProtocol, codex: bool, error: dict[str, str], fault: Fault | None
) -> None:
    told = spoken.error_frame(ask(wire.WIRE, codex=codex), error, 3)
    body = b"".join((*frames(wire.WIRE).body, told))
    answer, event, _ = await exchange(always(EVENT_STREAM, chunked(body), LAST_CHUNK), post(PATHS[wire.WIRE]))
    status, _, passed = decoded(answer)
    assert (status, unchunked(passed)) == (200, body)
    assert (event.status, event.outcome, event.is_judged) == (200, Outcome.FAILED, True)
    assert event.fault in ((fault,) if fault else (Fault.PROVIDER_RATE_LIMITED, Fault.ERROR_IN_STREAM))


# ---- malformed -------------------------------------------------------------------------------------------------------

NO_HEAD = {
    "no status": b"HTTP/1.1\r\n\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "status 600": b"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok",
    "no http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "http 0.9": b"<html>hello</html>",
    "no colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "no name": b"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\nok",
    "blank behind the name": b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "chunks and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n4\r\nhalf\r\n",
}


@pytest.mark.parametrize("sent", NO_HEAD.values(), ids=NO_HEAD)
async def test_a_head_that_is_none_is_a_bad_gateway_and_its_connection_is_left(sent: bytes) -> None:
    async with before(once(sent)) as (proxy, upstream):
        answer = await proxy.exchange(post())
        assert decoded(answer)[0] == 502
        assert b"runbookd_upstream_protocol" in answer
        await left(upstream.peers[0])
        assert decoded(await proxy.exchange(post()))[2] == b"clean"
        assert len(upstream.peers) == 2
        first, _ = await proxy.sink.wait_for(2)
        assert (first.outcome, first.fault) == (Outcome.FAILED, Fault.UPSTREAM_PROTOCOL)


NO_CHUNK = [
    b"zz\r\n",
    b"-1\r\n",
    b"4\r\nhalfX",
    b"fffffffffffffffff\r\nhalf",
    b"4\nhalf\n",
    b"4\rhalf",
    b"0\r\nX : a\r\n\r\n",
    b"0\r\nX: \0\r\n\r\n",
    b"0\r\n\nHTTP",
]


@pytest.mark.parametrize("sent", NO_CHUNK)
async def test_a_chunk_that_is_none_breaks_the_transfer_and_its_connection_is_left(sent: bytes) -> None:
    received, is_first = asyncio.Event(), True

    async def script(peer: Peer) -> None:
        nonlocal is_first
        while await peer.request():
            if is_first:
                is_first = False
                await peer.send(EVENT_STREAM + chunked(b"data: one\n\n"))
                await received.wait()
                await peer.send(sent)
            else:
                await peer.send(response(b"clean"))

    async with before(script) as (proxy, upstream):
        reader, writer = await proxy.connect()
        writer.write(post())
        await reader.readuntil(b"one\n\n\r\n")
        received.set()
        rest = unchunked(await reader.read(-1))
        assert b"half".startswith(rest)
        writer.close()
        await left(upstream.peers[0])
        assert decoded(await proxy.exchange(post()))[2] == b"clean"
        assert len(upstream.peers) == 2
        first, _ = await proxy.sink.wait_for(2)
        assert (first.outcome, first.fault, first.status) == (Outcome.FAILED, Fault.UPSTREAM_PROTOCOL, 200)


# ---- what must not be said again -------------------------------------------------------------------------------------

PLAIN_HEAD = b"HTTP/1.1 200 Fine\r\nX-Odd: a b\r\nContent-Length: 2\r\n\r\n"
ODD_BYTES = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n ",
    b"\r\n\t",
    b"\x0b",
    b"\x1b",
    b"\x7f",
    b" ",
    b":",
    b"\r\nY: z",
    b"\xff",
]


@pytest.mark.parametrize("odd", ODD_BYTES)
async def test_a_byte_out_of_place_in_a_head_is_not_passed_on(odd: bytes) -> None:
    """Wherever it stands: the client's reader is told one whole answer in plain lines, or nothing."""
    place = 0

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(PLAIN_HEAD[:place] + odd + PLAIN_HEAD[place:] + b"ok")

    async with before(script) as (proxy, _):
        for place in range(len(PLAIN_HEAD)):
            answer = await proxy.exchange(post())
            for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n") if answer else ():
                assert not set(line) & {*range(9), *range(10, 32), 127}, (place, answer)
                assert not line.startswith((b" ", b"\t", b":")), (place, answer)
            if answer:
                assert_whole(answer, place)


def assert_whole(answer: bytes, place: int) -> None:
    """As another reader of HTTP takes it, on a connection that need not end behind it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(answer)
    head = client.next_event()
    while isinstance(head, h11.InformationalResponse):
        head = client.next_event()
    assert isinstance(head, h11.Response), (place, answer)
    names = {name for name, _ in head.headers}
    assert names & {b"content-length", b"transfer-encoding"} or head.status_code == 204, (place, answer)


@pytest.mark.parametrize("blank", [b"\r\n", b"\r\n\r\n"])
@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"], ids=["first", "hints"])
async def test_blank_lines_before_a_head_cost_none_of_its_headers(blank: bytes, first: bytes) -> None:
    sent = first + blank + response(b"ok", b"X-Kept: yes")
    answer, _, _ = await exchange(once(sent), post())
    headers = decoded(b"HTTP/1.1 200" + answer.partition(b"HTTP/1.1 200")[2])[1]
    assert (headers["content-length"], headers["x-kept"]) == ("2", "yes")


TOO_MUCH = {
    "headers": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(1000)) + b"\r\n",
    "a header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
    "a name": b"HTTP/1.1 200 OK\r\n" + b"X" * (1 << 20) + b": y\r\n\r\n",
    "a reason": b"HTTP/1.1 200 " + b"y" * (1 << 20) + b"\r\n\r\n",
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 30_000,
}


@pytest.mark.parametrize("sent", TOO_MUCH.values(), ids=TOO_MUCH)
async def test_a_head_beyond_all_measure_is_a_bad_gateway(sent: bytes) -> None:
    async with before(once(sent)) as (proxy, upstream):
        with most_memory(16 << 20):
            answer = await proxy.exchange(post())
        assert b"HTTP/1.1 502 " in answer
        assert b"runbookd_upstream_protocol" in answer
        await left(upstream.peers[0])
        assert (await proxy.sink.one()).fault is Fault.UPSTREAM_PROTOCOL


@pytest.mark.parametrize("line", [b"X: y\r\n", b"y" * 64], ids=["many", "long"])
async def test_trailers_without_end_are_not_kept(line: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM, chunked(b"data: one\n\n"), b"0\r\nX: ")
        for _ in range(500):
            await peer.send(line * 1000)
        await peer.send(b"\r\n\r\n")

    async with before(script) as (proxy, _):
        with most_memory(16 << 20):
            answer = await proxy.exchange(post())
        assert not answer.endswith(b"\r\n\r\n") or answer.endswith(b"one\n\n\r\n")
        assert (await proxy.sink.one()).fault is Fault.UPSTREAM_PROTOCOL


# ---- bodies ----------------------------------------------------------------------------------------------------------


async def test_a_bomb_passes_packed_and_its_usage_is_unknown() -> None:
    """What stands before the padding could be read; what is behind it, nobody knows."""
    bomb = gzip.compress(WHOLE + b" " * (128 << 20), 9)
    headers = (b"Content-Type: application/json", b"Content-Encoding: gzip")
    async with before(always(response(bomb, *headers))) as (proxy, _):
        with most_memory(16 << 20):
            assert decoded(await proxy.exchange(post()))[2] == bomb
            event = await proxy.sink.one()
    assert (event.usage_present, event.total_tokens, event.response_bytes) == (None, None, len(bomb))


async def test_bytes_that_are_no_text_pass_and_blow_no_fuse(caplog: pytest.LogCaptureFixture) -> None:
    rubbish = b"".join(b"data: %b\n\n" % os.urandom(97).replace(b"\n", b"") for _ in range(100))
    for wire in WIRES:
        sent = rubbish + streamed(wire.WIRE)
        answer, event, _ = await exchange(always(EVENT_STREAM, chunked(sent), LAST_CHUNK), post(PATHS[wire.WIRE]))
        assert unchunked(decoded(answer)[2]) == sent
        assert (event.outcome, event.total_tokens) == (Outcome.OK, 42)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_one_event_of_fifty_megabytes_passes_and_the_stream_goes_on() -> None:
    piece, size = b"y" * 65_536, 0

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM, chunked(b"data: "))
        for _ in range(800):
            await peer.send(chunked(piece))
        await peer.send(chunked(b"\n\n" + TERMINAL), LAST_CHUNK)

    async with before(script) as (proxy, _):
        reader, writer = await proxy.connect()
        writer.write(post())
        with most_memory(32 << 20):
            while data := await reader.read(1 << 20):
                size, last = size + len(data), data
        writer.close()
        assert last.endswith(TERMINAL + b"\r\n" + LAST_CHUNK)
        assert size > 800 * len(piece)
        event = await proxy.sink.one()
        assert (event.outcome, event.response_bytes) == (Outcome.OK, 800 * len(piece) + 8 + len(TERMINAL))


# ---- lengths that lie ------------------------------------------------------------------------------------------------

LEAK = response(b"somebody else's")


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_length_too_long_is_a_cut(how: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        if how == "reset":
            await peer.reader.read(1)  # not before the client has what came

    async with before(script) as (proxy, upstream):
        reader, writer = await proxy.connect()
        writer.write(post(b"/x", close=False))
        await reader.readuntil(b"half")
        if how == "reset":
            upstream.peers[0].reset()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read(-1) == b""
        writer.close()
        event = await proxy.sink.one()
        assert (event.outcome, event.fault, event.response_bytes) == (Outcome.FAILED, Fault.TRUNCATED, 4)


TOO_SHORT = {
    "an answer": response(b"mine") + LEAK,
    "rubbish": response(b"mine") + b"and more",
    "behind chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"mine") + LAST_CHUNK + LEAK,
    "behind chunks, rubbish": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n5\r\nabcde",
}


@pytest.mark.parametrize("sent", TOO_SHORT.values(), ids=TOO_SHORT)
async def test_what_stands_behind_an_answer_is_nobodys(sent: bytes) -> None:
    async with before(once(sent)) as (proxy, upstream):
        first = await proxy.exchange(post())
        assert b"mine" in first
        assert b"more" not in first
        assert b"somebody" not in first
        await left(upstream.peers[0])
        assert decoded(await proxy.exchange(post()))[2] == b"clean"
        assert len(upstream.peers) == 2


async def test_what_nobody_asked_for_is_nobodys() -> None:
    received = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"mine"))
        if not received.is_set():
            await received.wait()
            await peer.send(LEAK)
            await peer.request()

    async with before(script) as (proxy, upstream):
        assert decoded(await proxy.exchange(post()))[2] == b"mine"
        received.set()
        await left(upstream.peers[0])
        assert decoded(await proxy.exchange(post()))[2] == b"mine"
        assert len(upstream.peers) == 2


BODILESS = {
    "head": (b"HEAD", b"200 OK"),
    "204": (b"GET", b"204 No Content"),
    "304": (b"GET", b"304 Not Modified"),
}


@pytest.mark.parametrize("body", [LEAK, LEAK[:20], b"x"], ids=["an answer", "half of one", "a byte"])
@pytest.mark.parametrize(("method", "status"), BODILESS.values(), ids=BODILESS)
async def test_a_body_where_none_can_be_is_nobodys(method: bytes, status: bytes, body: bytes) -> None:
    sent = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(LEAK), body)
    async with before(once(sent)) as (proxy, upstream):
        answer = await proxy.exchange(get(method=method))
        assert answer.startswith(b"HTTP/1.1 " + status[:3])
        assert answer.endswith(b"\r\n\r\n")
        await left(upstream.peers[0])
        assert decoded(await proxy.exchange(post()))[2] == b"clean"
        assert len(upstream.peers) == 2


# ---- what HTTP allows ------------------------------------------------------------------------------------------------


async def test_hints_pass_and_a_100_nobody_asked_for_does_not() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: 1\r\n\r\n"
    answer, event, _ = await exchange(always(b"HTTP/1.1 100 Continue\r\n\r\n", hints, response(b"ok")), post())
    early, _, final = answer.partition(b"\r\n\r\n")
    assert early == b"HTTP/1.1 103 \r\nLink: </a>"
    assert decoded(final)[0:3:2] == (200, b"ok")
    assert event.status == 200


async def test_trailers_pass_both_ways_but_those_that_would_change_the_message() -> None:
    """`Trailer:` only announces them."""
    last = b"0\r\nX-Sum: 1\r\nHost: me\r\nContent-Encoding: x\r\nSet-Cookie: a=b\r\nAuthorization: me\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    received = b""

    async def script(peer: Peer) -> None:
        nonlocal received
        received = await peer.reader.readuntil(b"\r\n0\r\nX-Sum: 1\r\n\r\n")
        await peer.send(head, chunked(b"body"), last)
        await peer.request()

    request = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer, event, _ = await exchange(script, request + chunked(b"up") + last)
    assert answer.endswith(b"\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert received.endswith(b"\r\n\r\n2\r\nup\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert event.status == 200


async def test_cookies_stay_apart() -> None:
    cookies = (b"Set-Cookie: a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", b"set-cookie: a=2", b"Set-Cookie: b=3")
    answer, _, _ = await exchange(always(response(b"", *cookies)), post())
    assert b"\r\n".join(cookies) in answer


@pytest.mark.parametrize("status", [b"429 Too Many Requests", b"503 Service Unavailable"])
async def test_when_to_come_back_passes_and_is_in_the_event(status: bytes) -> None:
    lines = (b"Retry-After: 17", b"x-ratelimit-remaining-requests: 0", b"anthropic-ratelimit-tokens-reset: 2026-01-01")
    refusal = b'{"error":{"message":"slow down","type":"rate_limit_error"}}'
    answer, event, _ = await exchange(always(response(refusal, *lines, status=status)), post())
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert b"\r\n".join(lines) in answer
    assert decoded(answer)[2] == refusal
    assert (event.retry_after_seconds, event.outcome) == (17.0, Outcome.FAILED)


async def test_to_be_connected_to_is_not_to_be_well() -> None:
    """`/health` says that it is there; that it fails is in the events, which are all that a ratio counts."""

    async def script(peer: Peer) -> None:
        if await peer.request():
            await peer.send(response(b"{}", status=b"500 Oops"))

    async with before(script) as (proxy, _):
        for _ in range(3):
            assert decoded(await proxy.exchange(post(CHAT, BODY)))[0] == 500
        assert json.loads(decoded(await proxy.exchange(get(b"/health")))[2])["upstream"] == {"reachable": True}
        events = await proxy.sink.wait_for(3)
        assert {(event.outcome, event.fault) for event in events} == {(Outcome.FAILED, Fault.PROVIDER_ERROR)}
