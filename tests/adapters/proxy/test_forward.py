"""The hot path over real sockets: bytes, cuts, leaving clients, errors of our own, and one event for each request."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from daemon.adapters.spool import codec
from daemon.app.rig import free_ports
from daemon.domain.event import Event, Fault, Outcome, Source, Wire
from tests.fakes.proxy import CANARY_SECRET, RunningProxy, running_proxy
from tests.fakes.raw_server import Peer, RawServer, Script, always, raw_server, response

CHAT = b"/v1/chat/completions"
BODY = json.dumps({"model": "gpt-5.4", "messages": []}).encode()
WHOLE = json.dumps(
    {
        "id": "1",
        "object": "chat.completion",
        "model": "gpt-5.4-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
).encode()
EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(path: bytes = CHAT, body: bytes = BODY, *headers: bytes, version: bytes = b"1.1", close: bool = True) -> bytes:
    last = (b"Connection: close",) if close else ()
    lines = (b"POST " + path + b" HTTP/" + version, b"Host: x", b"Content-Length: %d" % len(body), *headers, *last)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


async def exchange(script: Script, request: bytes) -> tuple[bytes, Event, RawServer]:
    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        return await proxy.exchange(request), await proxy.sink.one(), upstream


def decoded(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return (
        int(first.split(" ")[1]),
        {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)},
        body,
    )


# ---- bytes -----------------------------------------------------------------------------------------------------------


async def test_a_request_and_its_answer_pass_unchanged() -> None:
    answer, event, upstream = await exchange(
        always(response(WHOLE, b"Content-Type: application/json", b"X-Two: a", b"X-Two: b")),
        post(
            CHAT + b"?a=%2F&a=1", BODY, b"Authorization: Bearer secret", b"X-Odd: k\xc3\xa4se", b"User-Agent: codex/1"
        ),
    )
    status, headers, body = decoded(answer)
    assert (status, body) == (200, WHOLE)
    assert answer.count(b"X-Two: ") == 2
    assert "server" not in headers
    assert "date" not in headers
    sent = bytes(upstream.peers[0].received)
    assert sent.startswith(b"POST " + CHAT + b"?a=%2F&a=1 HTTP/1.1\r\n")
    assert sent.endswith(b"\r\n\r\n" + BODY)
    lines = sent.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")[1:]
    assert sorted(line.partition(b":")[0] for line in lines) == sorted(
        [b"host", b"content-length", b"authorization", b"x-odd", b"user-agent", b"x-forwarded-for"]
    )
    assert f"host: 127.0.0.1:{upstream.port}".encode() in lines
    assert b"x-forwarded-for: 127.0.0.1" in lines
    assert (event.endpoint, event.wire, event.status) == ("/v1/chat/completions", Wire.OPENAI_CHAT, 200)
    assert (event.outcome, event.fault, event.method, event.client) == (Outcome.OK, None, "POST", "codex")
    assert (event.requested_model, event.model_id, event.response_model) == ("gpt-5.4", "gpt-5.4", "gpt-5.4-2026")
    assert (event.input_tokens, event.output_tokens, event.total_tokens) == (3, 2, 5)
    assert (event.request_bytes, event.response_bytes) == (len(BODY), len(WHOLE))
    assert event.ttfb_ms is not None
    assert event.client_key_id is not None
    assert len(event.client_key_id) == 16
    assert b"secret" not in repr(event).encode()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
async def test_a_body_of_any_size_arrives(size: int) -> None:
    body = b"z" * size
    answer, event, upstream = await exchange(always(response(b"ok")), post(b"/upload", body))
    assert decoded(answer)[2] == b"ok"
    assert bytes(upstream.peers[0].received).endswith(b"\r\n\r\n" + body)
    assert event.request_bytes == size


async def test_a_chunked_upload_stays_chunked_and_is_not_waited_for() -> None:
    first = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"first")
        first.set()
        await peer.reader.readuntil(b"0\r\n\r\n")
        await peer.send(response(b"ok"))

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"first"))
        await first.wait()
        writer.write(chunked(b"second") + b"0\r\n\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.close()
        assert (await proxy.sink.one()).request_bytes == 11


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        request = post(b"/up", b"body", b"Expect: 100-continue")
        head, _, body = request.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.read(-1)).endswith(b"ok")
        writer.close()
        assert b"expect" not in bytes(upstream.peers[0].received).lower()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_may_name_a_length(status: bytes) -> None:
    head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 9\r\nETag: x\r\n\r\n"
    answer, event, _ = await exchange(always(head), b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert decoded(answer)[0] == int(status[:3])
    assert (event.endpoint, event.outcome) == ("/v1/models", Outcome.OK)


async def test_head_keeps_the_length() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    answer, event, _ = await exchange(always(head), b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert decoded(answer)[1]["content-length"] == "9"
    assert (event.wire, event.endpoint) == (Wire.OTHER, "other")


async def test_a_connection_serves_many_requests() -> None:
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        for _ in range(3):
            writer.write(post(close=False))
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.write(post(close=False) * 3)
        for _ in range(3):
            await reader.readuntil(b"ok")
        writer.close()
        assert len(await proxy.sink.wait_for(6)) == 6
        assert len(upstream.peers) == 1


async def test_a_slow_reader_holds_the_upstream_back() -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(EVENT_STREAM)
        while True:
            await peer.send(chunked(b"x" * 65_536))
            sent += 65_536

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", proxy.port))
        await loop.sock_sendall(client, post())
        before = -1
        while sent != before or not sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 16 << 20
        client.close()
        assert (await proxy.sink.one()).outcome is Outcome.CLIENT_ABORT


# ---- cuts ------------------------------------------------------------------------------------------------------------

CUTS = {
    "chunked": EVENT_STREAM + chunked(b"data: half"),
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: half",
}


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
async def test_a_cut_never_looks_like_an_end(cut: bytes, version: bytes) -> None:
    received = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(cut)
        await received.wait()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(version=version))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"half")
        received.set()
        if b"Content-Length" in head or b"chunked" in head:
            rest = await reader.read(-1)
            assert b"0\r\n\r\n" not in body + rest
        else:
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
        writer.close()
        event = await proxy.sink.one()
        assert (event.outcome, event.fault, event.status) == (Outcome.FAILED, Fault.TRUNCATED, 200)


async def test_an_http_1_0_client_gets_no_chunks() -> None:
    script = always(EVENT_STREAM, chunked(b"data: 1\n\n", b"data: 2\n\n"), b"0\r\n\r\n")
    answer, _, _ = await exchange(script, post(version=b"1.0"))
    status, headers, body = decoded(answer)
    assert (status, body) == (200, b"data: 1\n\ndata: 2\n\n")
    assert "transfer-encoding" not in headers


async def test_a_stream_that_ends_without_its_marker_is_truncated() -> None:
    script = always(EVENT_STREAM, chunked(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'), b"0\r\n\r\n")
    answer, event, _ = await exchange(script, post())
    assert answer.endswith(b"0\r\n\r\n")
    assert (event.outcome, event.fault, event.stream) == (Outcome.FAILED, Fault.TRUNCATED, True)


# ---- clients that leave ----------------------------------------------------------------------------------------------


async def _left(proxy: RunningProxy, upstream: RawServer, writer: asyncio.StreamWriter, how: str) -> None:
    """Leaves, and sees the upstream's connection end within 50 ms."""
    if how == "reset":
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()
    async with asyncio.timeout(0.05):
        await upstream.peers[0].gone()
    event = await proxy.sink.one()
    assert (event.outcome, event.fault) == (Outcome.CLIENT_ABORT, None)


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_leaving_before_the_answer_is_passed_on(how: str) -> None:
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await asyncio.Event().wait()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        _, writer = await proxy.connect()
        writer.write(post())
        await asked.wait()
        await _left(proxy, upstream, writer, how)


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_leaving_inside_the_answer_is_passed_on(how: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM + chunked(b"data: half"))
        await asyncio.Event().wait()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post())
        await reader.readuntil(b"half")
        await _left(proxy, upstream, writer, how)


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked", b"Content-Length: 100", b"Content-Length: 900000"])
async def test_leaving_inside_the_upload_never_completes_it(framing: bytes) -> None:
    arrived = asyncio.Event()

    async def script(peer: Peer) -> None:
        arrived.set()
        await peer.request()
        await peer.send(response(b"ok"))

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        _, writer = await proxy.connect()
        piece = chunked(b"half") if b"chunked" in framing else b"half"
        writer.write(b"POST " + CHAT + b" HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n" + piece)
        await writer.drain()
        await arrived.wait()
        writer.close()
        assert (await proxy.sink.one()).outcome is Outcome.CLIENT_ABORT
        for peer in upstream.peers:
            await peer.gone()
            assert b"\r\n0\r\n\r\n" not in peer.received


async def test_a_body_that_is_no_body_ends_the_request() -> None:
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        head = b"POST " + CHAT + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await proxy.exchange(head + chunked(b"one") + b"no length\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        await proxy.sink.one()
        for peer in upstream.peers:
            await peer.gone()
            assert b"\r\n0\r\n\r\n" not in peer.received


async def test_a_storm_of_leaving_clients_costs_nobody_a_place() -> None:
    async with raw_server(always(response(WHOLE))) as upstream, running_proxy(upstream.url) as proxy:
        for number in range(200):
            _, writer = await proxy.connect()
            writer.write(post())
            for _ in range(number % 9):
                await asyncio.sleep(0)
            writer.close()
        await proxy.sink.wait_for(100)
        for _ in range(20):
            assert decoded(await proxy.exchange(post()))[0] == 200


# ---- errors of our own -----------------------------------------------------------------------------------------------

SHAPES = {
    b"/v1/chat/completions": lambda body: body["error"]["code"],
    b"/v1/responses": lambda body: body["error"]["code"],
    b"/v1/messages": lambda body: body["type"] == "error" and body["error"]["code"],
    b"/v1beta/models/gemini-2.5-pro:generateContent": lambda body: body["error"]["details"][0]["reason"],
    b"/anything": lambda body: body["error"]["code"],
}


@pytest.mark.parametrize("path", SHAPES)
async def test_nobody_upstream_is_told_in_the_wires_own_shape(path: bytes) -> None:
    (port,) = free_ports(1)
    async with running_proxy(f"http://127.0.0.1:{port}") as proxy:
        status, headers, body = decoded(await proxy.exchange(post(path)))
        assert (status, headers["content-type"]) == (502, "application/json")
        assert SHAPES[path](json.loads(body)) == "runbookd_upstream_connect"
        event = await proxy.sink.one()
        assert (event.status, event.outcome, event.fault) == (502, Outcome.FAILED, Fault.UPSTREAM_CONNECT)
        assert event.ttfb_ms is None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
    ids=["nothing", "control byte", "status 999", "status 101"],
)
async def test_an_answer_that_is_none_is_a_bad_gateway(head: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)

    answer, event, _ = await exchange(script, post())
    assert decoded(answer)[0] == 502
    assert b"runbookd_upstream_protocol" in answer
    assert b"\x01" not in answer
    assert (event.outcome, event.fault, event.status) == (Outcome.FAILED, Fault.UPSTREAM_PROTOCOL, 502)


async def test_a_mistake_of_our_own_is_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("mine")

    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        monkeypatch.setattr("daemon.adapters.proxy.forward.request_lines", fail)
        status, _, body = decoded(await proxy.exchange(post()))
        assert (status, json.loads(body)["error"]["code"]) == (500, "runbookd_internal")
        event = await proxy.sink.one()
        assert (event.outcome, event.fault, event.status) == (Outcome.DENIED, None, 500)


# ---- what the event says ---------------------------------------------------------------------------------------------


async def test_the_trace_names_the_credential() -> None:
    trace = b"X-CPA-TRACE-ID: 20260824120000-idx-7f-0000002a"
    _, event, _ = await exchange(always(response(WHOLE, trace)), post())
    assert (event.trace_id, event.auth_index) == ("20260824120000-idx-7f-0000002a", "idx-7f")


async def test_a_prefix_a_key_in_the_query_and_a_rate_limit() -> None:
    refusal = json.dumps({"error": {"message": "slow down", "type": "rate_limit_error"}}).encode()
    limited = response(refusal, b"Retry-After: 30", status=b"429 Too Many Requests")
    body = json.dumps({"model": "iflow/glm-4.6"}).encode()
    _, event, _ = await exchange(always(limited), post(CHAT + b"?key=abc", body))
    assert (event.prefix, event.requested_model) == ("iflow", "iflow/glm-4.6")
    assert (event.fault, event.retry_after_seconds) == (Fault.PROVIDER_RATE_LIMITED, 30.0)
    assert event.client_key_id is not None
    assert "abc" not in repr(event)


async def test_the_same_turn_after_its_failure_is_a_retry() -> None:
    answers = iter(
        [response(b"{}", status=b"500 Oops"), response(b"{}", status=b"500 Oops"), response(WHOLE), response(WHOLE)]
    )

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(next(answers))

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        for _ in range(4):
            await proxy.exchange(post(CHAT, BODY, b"Idempotency-Key: turn-1"))
        events = await proxy.sink.wait_for(4)
        assert [event.attempt for event in events] == [0, 1, 2, 0]
        assert len({event.turn_key for event in events}) == 1
        assert "turn-1" not in repr(events)


async def test_a_retry_that_the_client_marks() -> None:
    _, event, _ = await exchange(always(response(WHOLE)), post(CHAT, BODY, b"X-Stainless-Retry-Count: 2"))
    assert event.attempt == 2


@pytest.mark.parametrize(("mark", "source"), [(CANARY_SECRET, Source.CANARY), (b"guess", Source.CLIENT)])
async def test_a_canary_is_known_by_its_secret_which_goes_no_further(mark: bytes, source: Source) -> None:
    _, event, upstream = await exchange(always(response(WHOLE)), post(CHAT, BODY, b"X-Runbookd-Canary: " + mark))
    assert event.source is source
    assert b"canary" not in bytes(upstream.peers[0].received).lower()


@pytest.mark.parametrize("name", ["\\ud800", "x" * 100_000, "a\\u0000b"])
async def test_any_model_name_passes_and_is_written_down_in_bounds(name: str) -> None:
    body = f'{{"model": "{name}"}}'.encode()
    answer, event, upstream = await exchange(always(response(WHOLE)), post(CHAT, body))
    assert decoded(answer)[0] == 200
    assert bytes(upstream.peers[0].received).endswith(body)
    assert len(codec.encode([event])) < 5000


@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize("size", [100_000, 3_000_000])
async def test_a_body_of_any_length_names_its_model(where: str, size: int) -> None:
    rest = {"messages": [{"role": "user", "content": "x" * size}], "stream": True}
    members = {"model": "gpt-5.4", **rest} if where == "first" else {**rest, "model": "gpt-5.4"}
    _, event, _ = await exchange(always(response(WHOLE)), post(CHAT, json.dumps(members).encode()))
    assert event.requested_model == "gpt-5.4"


async def test_times_are_taken() -> None:
    step = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM + chunked(b": wait\n\n"))
        await step.wait()
        await peer.send(
            chunked(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', b"data: [DONE]\n\n"), b"0\r\n\r\n"
        )

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post())
        await reader.readuntil(b"wait")
        asyncio.get_running_loop().call_later(0.1, step.set)
        await reader.read(-1)
        writer.close()
        event = await proxy.sink.one()
        assert event.ttfb_ms is not None
        assert event.ttft_ms is not None
        assert event.largest_gap_ms is not None
        assert event.ttfb_ms < event.ttft_ms <= event.duration_ms
        assert event.largest_gap_ms >= 90
        assert event.stream


# ---- soft routing ----------------------------------------------------------------------------------------------------


async def routed(proxy: RunningProxy, upstream: RawServer, request: bytes) -> tuple[bytes, Event]:
    proxy.sink.events.clear()
    await proxy.exchange(request)
    event = await proxy.sink.one()
    head, _, body = bytes(upstream.peers[-1].received).rpartition(b"\r\n\r\n")
    return head.rpartition(b"POST ")[2].partition(b" HTTP")[0] + b" " + body, event


@pytest.fixture
async def rerouting() -> AsyncIterator[tuple[RunningProxy, RawServer]]:
    async with raw_server(always(response(WHOLE))) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.alias("spark", "gpt-5.5")
        yield proxy, upstream


async def test_the_model_is_replaced_and_not_one_other_byte(rerouting: tuple[RunningProxy, RawServer]) -> None:
    body = b'{ "model" :"spark",  "messages":[{"content":"model: spark"}] }'
    sent, event = await routed(*rerouting, post(CHAT, body))
    assert sent == CHAT + b" " + body.replace(b'"spark"', b'"gpt-5.5"', 1)
    assert (event.requested_model, event.model_id, event.mitigation_ids) == ("spark", "gpt-5.5", ("m1",))


async def test_a_suffix_stays(rerouting: tuple[RunningProxy, RawServer]) -> None:
    sent, event = await routed(*rerouting, post(CHAT, b'{"model":"spark(high)"}'))
    assert sent == CHAT + b' {"model":"gpt-5.5(high)"}'
    assert event.model_id == "gpt-5.5(high)"


async def test_other_models_and_canaries_keep_their_path(rerouting: tuple[RunningProxy, RawServer]) -> None:
    for body, *headers in ((b'{"model":"gpt-5.4"}',), (b'{"model":"spark"}', b"X-Runbookd-Canary: " + CANARY_SECRET)):
        sent, event = await routed(*rerouting, post(CHAT, body, *headers))
        assert sent == CHAT + b" " + body
        assert event.mitigation_ids == ()


async def test_a_gzipped_body_is_rerouted_unpacked(rerouting: tuple[RunningProxy, RawServer]) -> None:
    sent, event = await routed(*rerouting, post(CHAT, gzip.compress(b'{"model":"spark"}'), b"Content-Encoding: gzip"))
    assert sent == CHAT + b' {"model":"gpt-5.5"}'
    assert b"content-encoding" not in bytes(rerouting[1].peers[-1].received).lower()
    assert event.mitigation_ids == ("m1",)


async def test_a_model_in_the_path(rerouting: tuple[RunningProxy, RawServer]) -> None:
    sent, event = await routed(*rerouting, post(b"/v1beta/models/spark:generateContent?key=k", b"{}"))
    assert sent == b"/v1beta/models/gpt-5.5:generateContent?key=k {}"
    assert (event.model_id, event.wire) == ("gpt-5.5", Wire.GEMINI_GENERATE_CONTENT)


async def test_a_body_too_large_to_hold_keeps_its_path(
    rerouting: tuple[RunningProxy, RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.adapters.proxy.holding.MOST_BODY_BYTES", 1000)
    body = b'{"model":"spark","x":"' + b"y" * 300_000 + b'"}'
    sent, event = await routed(*rerouting, post(CHAT, body))
    assert sent == CHAT + b" " + body
    assert (event.mitigation_ids, event.requested_model, event.request_bytes) == ((), "spark", len(body))
