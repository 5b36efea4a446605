"""Clients that mean no good, or know no better: what has two meanings goes nowhere, and one message in is one out.

Raw bytes over real sockets, to an upstream that keeps whatever reaches it.
"""

import asyncio
import json
import logging
import tracemalloc

import pytest

from daemon.domain.event import Event, Fault, Outcome
from tests.adapters.proxy.test_forward import BODY, CHAT, EVENT_STREAM, WHOLE, chunked, decoded, post
from tests.adapters.proxy.test_patience import until
from tests.fakes.proxy import running_proxy
from tests.fakes.raw_server import Peer, always, raw_server, response

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"


def head(*lines: bytes, first: bytes = b"POST /up HTTP/1.1", host: bytes = b"Host: x\r\n") -> bytes:
    return first + b"\r\n" + host + b"".join([line + b"\r\n" for line in lines]) + b"\r\n"


# ---- heads -----------------------------------------------------------------------------------------------------------

TWO_MEANINGS = {
    # of two lengths
    "a length and chunks": head(b"Content-Length: 5", CHUNKED) + END,
    "chunks and a length": head(CHUNKED, b"Content-Length: 5") + END,
    "two lengths": head(b"Content-Length: 5", b"Content-Length: 6") + b"hello",
    "the same length twice": head(b"Content-Length: 5", b"Content-Length: 5") + b"hello",
    "a list of lengths": head(b"Content-Length: 5, 5") + b"hello",
    "a length with a sign": head(b"Content-Length: +5") + b"hello",
    "a negative length": head(b"Content-Length: -5") + b"hello",
    "a length in hex": head(b"Content-Length: 0x5") + b"hello",
    "a length with an underscore": head(b"Content-Length: 1_0") + b"hellohello",
    "no length where one is named": head(b"Content-Length: ") + b"hello",
    "a length beyond 64 bits": head(b"Content-Length: 99999999999999999999") + b"hello",
    "chunks of something": head(b"Transfer-Encoding: xchunked") + END,
    "chunks and then something": head(b"Transfer-Encoding: chunked, identity") + END,
    "something and then chunks": head(b"Transfer-Encoding: gzip, chunked") + END,
    "chunks twice": head(b"Transfer-Encoding: chunked, chunked") + END,
    "chunks on two lines": head(CHUNKED, CHUNKED) + END,
    "chunks behind a tab": head(b"Transfer-Encoding:\x0bchunked") + END,
    "chunks in HTTP/1.0": head(CHUNKED, first=b"POST /up HTTP/1.0") + END,
    "identity": head(b"Transfer-Encoding: identity") + b"hello",
    # of two lines
    "bare line feeds": b"GET /up HTTP/1.1\nHost: x\n\n",
    "one bare line feed": b"GET /up HTTP/1.1\r\nHost: x\nX: 1\r\n\r\n",
    "a bare carriage return": b"GET /up HTTP/1.1\r\nHost: x\rX: 1\r\n\r\n",
    "a folded line": head(b"X: 1\r\n Content-Length: 5"),
    "a folded length": head(b"Content-Length:\r\n 5") + b"hello",
    "a folded first line": b"GET /up HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n",
    "a blank before the colon": head(b"Content-Length : 5") + b"hello",
    "a blank before the name": head(b" Content-Length: 5") + b"hello",
    "a line without a colon": head(b"Content-Length"),
    "a line without a name": head(b": 5"),
    "a name in brackets": head(b"(X): 5"),
    "nothing in a name": head(b"X\x00Y: 5"),
    "nothing in a value": head(b"X: a\x00b"),
    "a bell in a value": head(b"X: a\x07b"),
    # of two targets
    "another's address": head(first=b"GET http://example.com/up HTTP/1.1"),
    "our own address": head(first=b"GET http://x/v0/management/config HTTP/1.1"),
    "an authority": head(first=b"GET example.com:80 HTTP/1.1"),
    "an asterisk": head(first=b"OPTIONS * HTTP/1.1"),
    "a relative path": head(first=b"GET up HTTP/1.1"),
    "a fragment": head(first=b"GET /up#x HTTP/1.1"),
    "a blank in the path": head(first=b"GET /u p HTTP/1.1"),
    "a tab in the path": head(first=b"GET /u\tp HTTP/1.1"),
    "nothing in the path": head(first=b"GET /u\x00p HTTP/1.1"),
    "no path": head(first=b"GET  HTTP/1.1"),
    # of two hosts
    "no host": head(host=b""),
    "two hosts": head(b"Host: y"),
    "the same host twice": head(b"Host: x"),
    "a host with a path": head(host=b"Host: x/v0/management\r\n"),
    "a host with a question": head(host=b"Host: x?/v1\r\n"),
    "a host with a user": head(host=b"Host: me@x\r\n"),
    "a list of hosts": head(host=b"Host: x y\r\n"),
    "an empty host": head(host=b"Host:\r\n"),
    "a host with a letter for a port": head(host=b"Host: x:y\r\n"),
    # of two protocols
    "HTTP/0.9": b"GET /up\r\n\r\n",
    "HTTP/1.2": head(first=b"GET /up HTTP/1.2"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP in lower case": head(first=b"GET /up http/1.1"),
    "a method of its own": head(first=b"SMUGGLE /up HTTP/1.1"),
    "a method in lower case": head(first=b"get /up HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    "an upgrade with a body": head(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 5") + b"hello",
    "two upgrades": head(b"Connection: upgrade", b"Upgrade: websocket", b"Upgrade: h2c", first=b"GET /up HTTP/1.1"),
    "two expectations": head(b"Expect: 100-continue", b"Expect: x", b"Content-Length: 5") + b"hello",
}
NOT_FORWARDED = {
    "CONNECT": head(first=b"CONNECT example.com:443 HTTP/1.1"),
    "CONNECT with a path": head(first=b"CONNECT /up HTTP/1.1"),
    "TRACE": head(first=b"TRACE /up HTTP/1.1"),
}
TOO_MUCH = {
    "1000 headers": head(*[b"X-%d: 1" % number for number in range(1000)]),
    "129 headers": head(*[b"X-%d: 1" % number for number in range(128)]),
    "a header of 1 MB": head(b"X: " + b"x" * 1_000_000),
    "a name of 1 MB": head(b"x" * 1_000_000 + b": 1"),
    "a path of 1 MB": head(first=b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1"),
    "a head of 1 MB without an end": b"GET /up HTTP/1.1\r\n" + b"X: 1\r\n" * 170_000,
}
REFUSED = {
    **{name: (sent, 400) for name, sent in TWO_MEANINGS.items()},
    **{name: (sent, 405) for name, sent in NOT_FORWARDED.items()},
    **{name: (sent, 431) for name, sent in TOO_MUCH.items()},
}


async def refused(sent: bytes) -> tuple[int, list[Event]]:
    """What a client gets that sends this, and a good request behind it; nothing has reached the upstream."""
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(sent + SMUGGLED)
        assert answer.count(b"\r\nConnection: close\r\n") == 1
        assert upstream.peers == []
        return decoded(answer)[0], proxy.sink.events


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_plain_request_is_refused_and_nothing_of_it_is_forwarded(sent: bytes, status: int) -> None:
    said, events = await refused(sent)
    assert said == status
    assert [(event.outcome, event.fault) for event in events] == [(Outcome.DENIED, Fault.REJECTED_FRAMING)]


@pytest.mark.parametrize("cut", range(1, 40, 3))
async def test_nor_does_it_matter_how_it_is_split(cut: int) -> None:
    sent = TWO_MEANINGS["a length and chunks"] + SMUGGLED
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        for start in range(0, len(sent), cut):
            writer.write(sent[start : start + cut])
            await asyncio.sleep(0)
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 400 ")
        writer.close()
        assert upstream.peers == []


async def test_a_head_without_an_end_is_held_no_further_than_its_limit() -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        piece = b"X: " + b"y" * 995 + b"\r\n"
        writer.write(b"GET /up HTTP/1.1\r\n")
        tracemalloc.start()
        try:
            for _ in range(4000):
                writer.write(piece)
                await writer.drain()
            assert (await reader.read(-1)).startswith(b"HTTP/1.1 431 ")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            writer.close()
        assert peak < 2 << 20


async def test_128_headers_are_not_too_many() -> None:
    lines = [b"X-%d: 1" % number for number in range(125)]
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        assert (await proxy.exchange(post(b"/up", b"", *lines))).endswith(b"reached")
        assert bytes(upstream.peers[0].received).count(b"\r\nX-") == 126  # and X-Forwarded-For


@pytest.mark.parametrize("twin", [b"Content_Length: 3", b"Transfer_Encoding: chunked", b"transfer-encoding_: chunked"])
async def test_a_twin_of_a_length_is_not_taken_for_one(twin: bytes) -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        assert (await proxy.exchange(post(b"/up", b"hello", twin))).endswith(b"reached")
        sent = bytes(upstream.peers[0].received)
        assert sent.endswith(b"\r\n\r\nhello")
        assert b"Content_Length" not in sent
        assert b"Transfer_Encoding" not in sent


async def test_bare_line_feeds_are_refused_at_once() -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        assert (await proxy.exchange(TWO_MEANINGS["bare line feeds"])).startswith(b"HTTP/1.1 400 ")
        assert (await proxy.exchange(b"GET /up HTTP/1.1\r\nHost: x\n")).startswith(b"HTTP/1.1 400 ")
        assert upstream.peers == []


@pytest.mark.parametrize("named", [b"upgrade, HTTP2-Settings, close", b"HTTP2-Settings, close"])
@pytest.mark.parametrize("protocol", [b"h2c", b"TLS/1.0", b"IRC/6.9, x"])
async def test_another_protocol_than_websocket_is_not_switched_to(protocol: bytes, named: bytes) -> None:
    """A server may pass over what it does not speak; the request is then as any other."""
    lines = (b"Upgrade: " + protocol, b"Connection: " + named, b"HTTP2-Settings: AAMAAABk")
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(head(*lines, first=b"GET /up HTTP/1.1"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        sent = bytes(upstream.peers[0].received).lower()
        assert b"upgrade" not in sent
        assert b"http2-settings" not in sent


# ---- bodies ----------------------------------------------------------------------------------------------------------

NO_CHUNKS = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a size that is none": b"xyz\r\nhello\r\n0\r\n\r\n",
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size that is marked as hex": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "a blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a size too small": b"3\r\nhello\r\n0\r\n\r\n",
    "a line feed behind the size": b"5\nhello\r\n0\r\n\r\n",
    "a line feed behind the chunk": b"5\r\nhello\n0\r\n\r\n",
    "nothing behind the chunk": b"5\r\nhello0\r\n\r\n",
    "a line feed in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a folded trailer": b"5\r\nhello\r\n0\r\nX: 1\r\n 2\r\n\r\n",
    "a trailer without a colon": b"5\r\nhello\r\n0\r\nX\r\n\r\n",
    "a trailer with a bare line feed": b"5\r\nhello\r\n0\r\nX: 1\nY: 2\r\n\r\n",
}


@pytest.mark.parametrize("body", NO_CHUNKS.values(), ids=NO_CHUNKS)
async def test_a_body_that_is_no_body_never_comes_to_an_end(body: bytes) -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(head(CHUNKED) + body + SMUGGLED)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        event = await proxy.sink.one()
        assert (event.outcome, event.fault) == (Outcome.DENIED, Fault.REJECTED_FRAMING)
        for peer in upstream.peers:
            await peer.gone()
            assert b"0\r\n" not in peer.received
            assert b"smuggled" not in peer.received


BEHIND = {
    "a request with a body": post(b"/next", b"evil"),
    "a request in chunks": head(CHUNKED, first=b"POST /next HTTP/1.1") + chunked(b"evil") + END,
    "a request that asks for an upgrade": head(
        b"Connection: upgrade", b"Upgrade: websocket", first=b"GET /v1 HTTP/1.1"
    ),
    "a tunnel": head(first=b"CONNECT evil:1 HTTP/1.1"),
    "rubbish": b"\x00\x01evil\r\n\r\n",
    "half a request": b"POST /next HTTP/1.1\r\nContent-Length: 4\r\n",
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
async def test_what_stands_behind_a_chunked_body_is_no_part_of_it(behind: bytes) -> None:
    """It is left unanswered on a connection that closes, as if it had come too late."""
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(head(CHUNKED) + chunked(b"one") + END + behind)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"\r\nConnection: close\r\n") == 1
        (peer,) = upstream.peers
        assert bytes(peer.received).endswith(b"\r\n\r\n" + chunked(b"one") + END)
        assert [event.request_bytes for event in proxy.sink.events if event.status == 200] == [3]


@pytest.mark.parametrize("endless", [b"X: 1\r\n", b"y" * 64], ids=["many trailers", "one long trailer"])
async def test_trailers_without_an_end_are_not_held(endless: bytes) -> None:
    async def swallow(peer: Peer) -> None:
        await peer.gone()

    async with raw_server(swallow) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(head(CHUNKED) + chunked(b"one") + b"0\r\nX: ")
        piece, sent = endless * 200, 0
        while sent < 4 << 20 and not reader.at_eof():
            writer.write(piece)
            try:
                await writer.drain()
            except ConnectionError:
                break
            sent += len(piece)
        async with asyncio.timeout(5.0):
            assert (await reader.read(-1))[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")
        writer.close()
        assert (await proxy.sink.one()).fault is Fault.REJECTED_FRAMING


# ---- what need not be waited for -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framing", "piece"),
    [(CHUNKED, chunked(b"x" * 1000)), (b"Content-Length: 50000000", b"x" * 1000)],
    ids=["chunks", "a length"],
)
async def test_an_early_answer_reaches_a_client_that_still_sends(framing: bytes, piece: bytes) -> None:
    """It ends the connection, for the rest of the body is still to come; and nobody waits for that."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(response(b"too large", status=b"413 Content Too Large"))
        await peer.gone()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(head(framing) + piece)
        status, headers, _ = decoded(await reader.readuntil(b"\r\n\r\n"))
        assert (status, headers["connection"]) == (413, "close")
        writer.write(piece)
        assert await reader.read(-1) == b"too large"
        writer.close()
        await upstream.peers[0].gone()
        assert (await proxy.sink.one()).status == 413


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_client_that_expects_to_be_asked_and_does_not_wait_is_not_asked(version: bytes) -> None:
    body = b"z" * 3_000_000
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(post(b"/up", body, b"Expect: 100-continue", version=version))
        assert answer.startswith(b"HTTP/1.1 200 ")
        sent = bytes(upstream.peers[0].received)
        assert sent.partition(b"\r\n\r\n")[2] == body
        assert len(upstream.peers) == 1


async def test_a_refusal_comes_before_the_body_that_a_client_waits_to_send() -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(head(b"Expect: 100-continue", b"Content-Length: 9", first=b"POST /v0/x HTTP/1.1"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert upstream.peers == []


# ---- JSON ------------------------------------------------------------------------------------------------------------

DEEP = 100_000
ODD_JSON = {
    "nested deeply": b'{"messages":' + b"[" * DEEP + b"]" * DEEP + b',"model":"spark"}',
    "nested deeply before its end": b'{"x":' * DEEP,
    "two models": b'{"model":"spark","messages":[],"model":"gpt-5.4"}',
    "two models, the other way round": b'{"model":"gpt-5.4","messages":[],"model":"spark"}',
    "a model twice": b'{"model":"spark","model":"spark"}',
    "two models, one in disguise": b'{"model":"gpt-5.4","mod\\u0065l":"spark"}',
    "half a character": b'{"model":"\\ud800spark"}',
    "50 MB on one line": b'{"messages":"' + b"x" * 50_000_000 + b'","model":"spark"}',
    "no JSON": b"\x00\xff{model:spark}",
    "a list": b'[{"model":"spark"}]',
    "a number for a model": b'{"model":1e999}',
    "no text": b'{"model":"\xff\xfe"}',
}


@pytest.mark.parametrize("body", ODD_JSON.values(), ids=ODD_JSON)
async def test_odd_json_passes_unchanged(body: bytes) -> None:
    async with raw_server(always(response(WHOLE))) as upstream, running_proxy(upstream.url) as proxy:
        assert decoded(await proxy.exchange(post(CHAT, body)))[0] == 200
        sent = bytes(upstream.peers[0].received)
        assert sent[-len(body) :] == body
        event = await proxy.sink.one()
        assert (event.outcome, event.request_bytes) == (Outcome.OK, len(body))


@pytest.mark.parametrize("name", [name for name in ODD_JSON if name != "nested deeply"])
async def test_and_is_led_to_no_other_model(name: str) -> None:
    body = ODD_JSON[name]
    async with raw_server(always(response(WHOLE))) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.alias("spark", "gpt-5.5")
        assert decoded(await proxy.exchange(post(CHAT, body)))[0] == 200
        assert bytes(upstream.peers[0].received)[-len(body) :] == body
        assert (await proxy.sink.one()).mitigation_ids == ()


# ---- leaving, and asking in vain -------------------------------------------------------------------------------------


async def test_who_leaves_inside_an_answer_has_used_what_it_said_so_far() -> None:
    start = {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 9, "output_tokens": 1}}}

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM + chunked(b"event: message_start\ndata: " + json.dumps(start).encode() + b"\n\n"))
        await peer.gone()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(b"/v1/messages", b'{"model":"claude","stream":true}'))
        await reader.readuntil(b"message_start")
        writer.close()
        event = await proxy.sink.one()
        assert (event.outcome, event.fault, event.input_tokens) == (Outcome.CLIENT_ABORT, None, 9)


async def test_who_leaves_takes_tasks_and_connections_along() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM + chunked(b"data: half"))
        await peer.gone()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        before = len(asyncio.all_tasks())
        for number in range(100):
            reader, writer = await proxy.connect()
            writer.write(post())
            if number % 2:
                await reader.readuntil(b"half")
            writer.close()
        await proxy.sink.wait_for(50)
        await until(lambda: not proxy.server._connections and not proxy.upstream._connecting)
        await until(lambda: len(asyncio.all_tasks()) <= before + 1)
        assert all(connection.idle_since is None and connection._call is None for connection in proxy.upstream._open)


async def test_a_flood_with_a_wrong_key_is_forwarded_and_the_log_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = response(b'{"error":"Invalid API key"}', status=b"401 Unauthorized")
    async with raw_server(always(answer)) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        with caplog.at_level(logging.INFO):
            for _ in range(500):
                writer.write(post(CHAT, BODY, b"Authorization: Bearer wrong", close=False))
                await reader.readuntil(b'key"}')
            events = await proxy.sink.wait_for(500)
        writer.close()
        assert sum(bytes(peer.received).count(b"POST ") for peer in upstream.peers) == 500
        assert {(event.status, event.fault) for event in events} == {(401, Fault.CLIENT_UNAUTHORIZED)}
        assert len({event.client_key_id for event in events}) == 1
        assert caplog.records == []
