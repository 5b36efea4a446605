"""Websockets through the proxy, by a real client and a real server: bytes, ends, refusals, and one event per turn."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from daemon.app.rig import free_ports
from daemon.domain.event import Fault, Outcome, Wire
from daemon.logic.websocket import accept_of
from tests.adapters.proxy.test_forward import decoded
from tests.fakes.proxy import RunningProxy, running_proxy
from tests.fakes.raw_server import always, raw_server, response

Serve = Callable[[ServerConnection], Awaitable[None]]
CREATE = {"type": "response.create", "model": "gpt-5.4", "reasoning": {"effort": "high"}, "input": "hi"}
DONE: dict[str, Any] = {
    "type": "response.completed",
    "response": {
        "id": "r1",
        "status": "completed",
        "model": "gpt-5.4-2026",
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}],
    },
}


@asynccontextmanager
async def relayed(
    script: Serve, *, path: str = "/v1/responses", drain_seconds: float = 5.0, **options: Any
) -> AsyncIterator[tuple[ClientConnection, RunningProxy]]:
    known = options.get("subprotocols", [None])[-1:] if "subprotocols" in options else None
    async with serve(script, "127.0.0.1", 0, max_size=None, subprotocols=known) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running_proxy(f"http://127.0.0.1:{port}", drain_seconds=drain_seconds) as proxy:
            url = f"ws://127.0.0.1:{proxy.port}{path}"
            async with connect(url, max_size=None, proxy=None, **options) as client:
                yield client, proxy


async def echo(server: ServerConnection) -> None:
    async for message in server:
        await server.send(message)


async def answer_turns(server: ServerConnection) -> None:
    """Each request is answered in full."""
    count = 0
    async for message in server:
        assert json.loads(message)["type"] == "response.create"
        count += 1
        await server.send(json.dumps({"type": "response.created", "response": {"id": f"r{count}"}}))
        await server.send(json.dumps({"type": "response.output_text.delta", "delta": "hi"}))
        await server.send(json.dumps({**DONE, "response": {**DONE["response"], "id": f"r{count}"}}))


@pytest.mark.parametrize("message", ["", "text ä", b"\x00\xff", "x" * 3_000_000, b"y" * 9_000_000], ids=len)
async def test_messages_of_any_size_pass_both_ways(message: str | bytes) -> None:
    async with relayed(echo) as (client, _):
        for _ in range(2):
            await client.send(message)
            assert await client.recv() == message


async def test_pieces_pings_subprotocols_and_headers_pass() -> None:
    pinged = asyncio.Event()

    async def script(server: ServerConnection) -> None:
        assert server.subprotocol == "realtime"
        assert server.request is not None
        assert server.request.headers["Authorization"] == "Bearer k"
        assert server.request.headers["X-Forwarded-For"] == "127.0.0.1"
        assert "Sec-WebSocket-Extensions" not in server.request.headers
        await (await server.ping(b"are you there"))
        pinged.set()
        await echo(server)

    headers = {"Authorization": "Bearer k", "X-Forwarded-For": "9.9.9.9"}
    async with relayed(
        script, subprotocols=["other", "realtime"], additional_headers=headers, compression="deflate"
    ) as (client, _):
        assert client.subprotocol == "realtime"
        await (await client.ping(b"and you"))
        await client.send(["in ", "pieces"])
        assert await client.recv() == "in pieces"
        await pinged.wait()


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1009, "too big"), (1012, "restart"), (4000, "own")])
async def test_the_upstreams_close_reaches_the_client(code: int, reason: str) -> None:
    async def script(server: ServerConnection) -> None:
        await server.close(code, reason)

    async with relayed(script) as (client, proxy):
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)
        event = await proxy.sink.one()
        assert (event.wire, event.endpoint, event.status) == (Wire.OTHER, "/v1/responses", 101)


async def test_the_clients_close_reaches_the_upstream() -> None:
    closed = asyncio.get_running_loop().create_future()

    async def script(server: ServerConnection) -> None:
        await server.wait_closed()
        closed.set_result((server.close_code, server.close_reason))

    async with relayed(script) as (client, _):
        await client.close(4001, "enough")
        assert await closed == (4001, "enough")


async def test_each_turn_is_an_event() -> None:
    async with relayed(answer_turns) as (client, proxy):
        for _ in range(2):
            await client.send(json.dumps({**CREATE, "generate": False}))
            assert json.loads(await client.recv())["type"] == "response.created"
            for _ in range(2):
                await client.recv()
            await client.send(json.dumps(CREATE))
            for _ in range(3):
                await client.recv()
        first, second = await proxy.sink.wait_for(2)
    for event in (first, second):
        assert (event.wire, event.endpoint, event.method) == (Wire.OPENAI_RESPONSES, "/v1/responses", "GET")
        assert (event.outcome, event.stream, event.requested_model) == (Outcome.OK, True, "gpt-5.4")
        assert (event.response_model, event.total_tokens) == ("gpt-5.4-2026", 5)
        assert event.thinking_requested_level == "high"
        assert event.ttft_ms is not None
    await asyncio.sleep(0)
    assert len(proxy.sink.events) == 2


async def test_a_turn_that_the_upstream_breaks_off_is_truncated_and_one_that_the_client_leaves_is_not() -> None:
    async def script(server: ServerConnection) -> None:
        await server.recv()
        await server.send(json.dumps({"type": "response.output_text.delta", "delta": "h"}))
        if server.request is not None and server.request.path.endswith("?cut"):
            server.transport.abort()
        await server.wait_closed()

    async with relayed(script, path="/v1/responses?cut") as (client, proxy):
        await client.send(json.dumps(CREATE))
        assert "delta" in await client.recv()
        with pytest.raises(ConnectionClosed):
            await client.recv()
        event = await proxy.sink.one()
        assert (event.outcome, event.fault) == (Outcome.FAILED, Fault.TRUNCATED)
    async with relayed(script) as (client, proxy):
        await client.send(json.dumps(CREATE))
        await client.recv()
        client.transport.abort()
        assert (await proxy.sink.one()).outcome is Outcome.CLIENT_ABORT


async def test_an_error_inside_a_turn_is_the_turns() -> None:
    async def script(server: ServerConnection) -> None:
        await server.recv()
        error = {"type": "error", "status": 429, "error": {"code": "rate_limit_exceeded", "message": "slow down"}}
        await server.send(json.dumps(error))
        await server.wait_closed()

    async with relayed(script) as (client, proxy):
        await client.send(json.dumps(CREATE))
        await client.recv()
        event = await proxy.sink.one()
        assert (event.outcome, event.fault) == (Outcome.FAILED, Fault.PROVIDER_RATE_LIMITED)


async def test_bytes_that_are_no_frames_pass_unread() -> None:
    async def script(peer: Any) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = accept_of(key.split(b": ")[1])
        await peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\xff\xffrubbish"
        )
        await peer.send(await peer.reader.readexactly(5))
        await peer.gone()

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(opening("/v1/responses"))
        assert (await reader.readuntil(b"rubbish")).endswith(b"\xff\xffrubbish")
        writer.write(b"\xfe\xfe\xfe!!")
        assert await reader.readexactly(5) == b"\xfe\xfe\xfe!!"
        writer.close()
        await proxy.sink.one()


def opening(path: str, *, version: str = "13", key: str = "dGhlIHNhbXBsZSBub25jZQ==") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (opening("/v1/chat/completions"), 426),
        (opening("/v1/responses", version="8"), 426),
        (opening("/v1/responses", key="short"), 400),
        (opening("/v0/management/ws"), 403),
    ],
)
async def test_what_is_no_opening_is_sent_away_at_once(request_: bytes, status: int) -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(request_)
        assert decoded(answer)[0] == status
        assert (await proxy.sink.one()).outcome is Outcome.DENIED
        assert upstream.peers == []


async def test_where_the_upstream_takes_none_the_client_is_told_to_use_http() -> None:
    script = always(response(b"no", status=b"404 Not Found"))
    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{proxy.port}/v1/responses", proxy=None)
        assert refused.value.response.status_code == 426
        event = await proxy.sink.one()
        assert (event.outcome, event.status) == (Outcome.DENIED, 426)


async def test_while_models_are_led_away_new_ones_go_over_http() -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.alias("gpt-5.4", "gpt-5.5")
        assert decoded(await proxy.exchange(opening("/v1/responses")))[0] == 426
        assert upstream.peers == []


async def test_nobody_upstream_is_a_bad_gateway() -> None:
    (port,) = free_ports(1)
    async with running_proxy(f"http://127.0.0.1:{port}") as proxy:
        assert decoded(await proxy.exchange(opening("/v1/responses")))[0] == 502
        assert (await proxy.sink.one()).fault is Fault.UPSTREAM_CONNECT


async def test_at_the_end_an_idle_one_is_closed_and_a_turn_may_end_first() -> None:
    step = asyncio.Event()

    async def script(server: ServerConnection) -> None:
        await server.recv()
        await server.send(json.dumps({"type": "response.created", "response": {"id": "r1"}}))
        await step.wait()
        await server.send(json.dumps(DONE))
        await server.wait_closed()

    async with relayed(script) as (client, proxy):
        await client.send(json.dumps(CREATE))
        await client.recv()
        async with connect(f"ws://127.0.0.1:{proxy.port}/v1/responses", proxy=None) as idle:
            proxy.server.stop()
            with pytest.raises(ConnectionClosed) as closed:
                await idle.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        step.set()
        assert json.loads(await client.recv())["type"] == "response.completed"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        events = await proxy.sink.wait_for(2)
        assert [event.outcome for event in events if event.wire is Wire.OPENAI_RESPONSES] == [Outcome.OK]
