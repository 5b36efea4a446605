"""The proxy port's own part: what it refuses, what it answers itself, how it ends."""

import asyncio
import json
from pathlib import Path

import pytest

from daemon.adapters.proxy.connection import PATIENCE_SECONDS, Phase
from daemon.app.rig import free_ports
from daemon.domain.event import Fault, Outcome
from tests.adapters.proxy.test_forward import EVENT_STREAM, chunked, decoded, post
from tests.fakes.proxy import running_proxy
from tests.fakes.raw_server import Peer, always, raw_server, response
from tests.stories.house import eventually


def get(path: bytes, *headers: bytes, host: bytes = b"Host: x", version: bytes = b"1.1") -> bytes:
    lines = (b"GET " + path + b" HTTP/" + version, host, *headers, b"Connection: close")
    return b"\r\n".join(line for line in lines if line) + b"\r\n\r\n"


# ---- the guard -------------------------------------------------------------------------------------------------------

DENIED = [
    b"/v0/management/config",
    b"/V0/management/config",
    b"/v0",
    b"//v0/x",
    b"/./v0/x",
    b"/v1/../v0/x",
    b"/v1/..%2fv0%2fx",
    b"/%76%30/x",
    b"/%2576%2530/x",
    b"/v0;a=b/x",
    b"/;x/v0/x",
    b"/\\v0\\x",
    b"/%5cv0%5cx",
    b"/v0%00/x",
    b"/management.html",
    b"/management/x?y",
    b"/keep-alive",
    b"/v1internal:stream",
    b"/debug/pprof/",
    b"/codex/callback",
    b"/a/b/callback?code=1",
]


@pytest.mark.parametrize("path", DENIED)
async def test_what_only_a_local_caller_may_is_denied_in_any_encoding(path: bytes) -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        status, headers, body = decoded(await proxy.exchange(get(path)))
        assert (status, headers["content-type"]) == (403, "application/json")
        assert "RUNBOOKD_PROXY_ALLOW_MANAGEMENT" in json.loads(body)["error"]["message"]
        event = await proxy.sink.one()
        assert (event.outcome, event.fault, event.status) == (Outcome.DENIED, Fault.DENIED, 403)
        assert (event.endpoint, event.is_judged) == ("other", False)
        assert upstream.peers == []


async def test_it_is_allowed_when_the_operator_says_so() -> None:
    async with (
        raw_server(always(response(b"reached"))) as upstream,
        running_proxy(upstream.url, allow_management=True) as proxy,
    ):
        assert decoded(await proxy.exchange(get(b"/v0/management/config")))[2] == b"reached"


REJECTED = {
    "absolute target": get(b"http://x/v1/models"),
    "fragment": get(b"/a#b"),
    "no host": get(b"/", host=b""),
    "two hosts": get(b"/", b"Host: y"),
    "host with a path": get(b"/", host=b"Host: x/y"),
    "many headers": get(b"/", *[b"X-%d: y" % number for number in range(200)]),
    "large headers": get(b"/", b"X: " + b"y" * 70_000),
    "upgrade with a body": post(b"/", b"x", b"Connection: upgrade", b"Upgrade: h2c"),
    "1.0 with chunks": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length and chunks": post(b"/", b"0\r\n\r\n", b"Transfer-Encoding: chunked"),
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "signed length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx",
    "odd coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "folded": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "nul": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "connect": b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
    "bytes in the target": get(b"/\xff\xfe"),
}


@pytest.mark.parametrize("request_", REJECTED.values(), ids=REJECTED)
async def test_what_has_two_meanings_is_rejected_and_nothing_is_forwarded(request_: bytes) -> None:
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        status, headers, body = decoded(await proxy.exchange(request_))
        expected = (
            405 if request_.startswith(b"CONNECT") else 431 if b"X-199" in request_ or len(request_) > 65536 else 400
        )
        assert (status, headers["connection"]) == (expected, "close")
        assert json.loads(body)["error"]["code"] == "runbookd_rejected_framing"
        event = await proxy.sink.one()
        assert (event.outcome, event.fault, event.status) == (Outcome.DENIED, Fault.REJECTED_FRAMING, expected)
        assert upstream.peers == []


async def test_a_head_without_an_end_is_cut_off() -> None:
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        answer = await proxy.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000)
        assert decoded(answer)[0] == 431
        assert (await proxy.sink.one()).status == 431


async def test_a_head_that_dribbles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATIENCE_SECONDS, Phase.HEAD, 0.1)
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        assert decoded(await proxy.exchange(b"GET / HTTP/1.1\r\nHos"))[0] == 408
        assert (await proxy.sink.one()).fault is Fault.REJECTED_FRAMING
        assert await proxy.exchange(b"") == b""
        assert len(proxy.sink.events) == 1


async def test_a_websocket_is_sent_away_at_once() -> None:
    upgrade = get(b"/v1/responses", b"Upgrade: WebSocket", b"Sec-WebSocket-Key: x").replace(b": close", b": Upgrade")
    async with raw_server(always(response(b"reached"))) as upstream, running_proxy(upstream.url) as proxy:
        status, headers, _ = decoded(await proxy.exchange(upgrade))
        assert (status, headers["connection"]) == (426, "close")
        event = await proxy.sink.one()
        assert (event.outcome, event.status) == (Outcome.DENIED, 426)
        assert upstream.peers == []


async def test_any_other_upgrade_is_not_taken_up() -> None:
    upgrade = get(b"/v1/models", b"Upgrade: h2c").replace(b": close", b": Upgrade, close")
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        assert decoded(await proxy.exchange(upgrade))[2] == b"ok"
        assert b"upgrade" not in bytes(upstream.peers[0].received).lower()


async def test_who_somebody_claims_to_be_is_not_passed_on() -> None:
    claims = (
        b"X-Forwarded-For: 10.0.0.1",
        b"X_Forwarded_For: 10.0.0.1",
        b"X-Real-IP: 10.0.0.1",
        b"Forwarded: for=10.0.0.1",
    )
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        await proxy.exchange(get(b"/v1/models", *claims))
        sent = bytes(upstream.peers[0].received).lower()
        assert b"10.0.0.1" not in sent
        assert b"x-forwarded-for: 127.0.0.1\r\n" in sent


# ---- our own answers -------------------------------------------------------------------------------------------------


async def test_health_says_what_is_there_and_makes_no_event() -> None:
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        status, _, body = decoded(await proxy.exchange(get(b"/health")))
        assert (status, json.loads(body)) == (
            200,
            {
                "status": "ok",
                "version": "1.2.3",
                "upstream": {"reachable": True},
                "control": {"alive": True},
                "spool": {"dropped": 0, "failure": None},
            },
        )
        assert proxy.sink.events == []


async def test_health_is_degraded_without_an_upstream_and_still_an_answer() -> None:
    (port,) = free_ports(1)
    async with running_proxy(f"http://127.0.0.1:{port}") as proxy:
        status, _, body = decoded(await proxy.exchange(get(b"/health")))
        said = json.loads(body)
        assert (status, said["status"], said["upstream"]) == (200, "degraded", {"reachable": False})


async def test_the_upstream_is_tried_at_most_once_in_five_seconds() -> None:
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url) as proxy:
        for _ in range(5):
            await proxy.exchange(get(b"/health"))
        assert len(upstream.peers) == 1


async def test_provider_figures_are_those_the_control_plane_wrote(tmp_path: Path) -> None:
    file = tmp_path / "providers.json"
    async with raw_server(always(response(b"ok"))) as upstream, running_proxy(upstream.url, providers=file) as proxy:
        assert json.loads(decoded(await proxy.exchange(get(b"/v1/metrics/providers")))[2]) == {}
        file.write_text('{"codex": {"request_count": 3}}')
        _, headers, body = decoded(await proxy.exchange(get(b"/v1/metrics/providers?window=10m")))
        assert json.loads(body) == {"codex": {"request_count": 3}}
        assert headers["content-type"] == "application/json"
        assert proxy.sink.events == []
        assert upstream.peers == []


# ---- the end ---------------------------------------------------------------------------------------------------------


async def test_a_stream_may_end_by_itself_while_nobody_new_gets_in() -> None:
    step = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM + chunked(b"data: 1\n\n"))
        await step.wait()
        await peer.send(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    async with raw_server(script) as upstream, running_proxy(upstream.url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post(close=False))
        await reader.readuntil(b"data: 1")
        proxy.server.stop()
        await eventually(lambda: _refuses(proxy.port))
        step.set()
        assert (await reader.read(-1)).endswith(b"0\r\n\r\n")
        writer.close()
        assert (await proxy.sink.one()).outcome is Outcome.OK


@pytest.mark.parametrize("how", ["drain is over", "second signal"])
async def test_the_rest_is_cut(how: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENT_STREAM + chunked(b"data: 1\n\n"))
        await peer.gone()

    drain_seconds = 0.1 if how == "drain is over" else 60.0
    async with raw_server(script) as upstream, running_proxy(upstream.url, drain_seconds=drain_seconds) as proxy:
        reader, writer = await proxy.connect()
        writer.write(post())
        await reader.readuntil(b"data: 1")
        proxy.server.stop()
        if how == "second signal":
            proxy.server.stop()
        assert not (await reader.read(-1)).endswith(b"0\r\n\r\n")
        writer.close()
        assert (await proxy.sink.one()).outcome is Outcome.CUT_BY_DRAIN


async def _refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_a_proxy_whose_upstream_is_itself_says_so(caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    async with running_proxy(f"http://127.0.0.1:{port}", port=port) as proxy:
        status, _, body = decoded(await proxy.exchange(get(b"/v1/models")))
        assert (status, b"leads back" in body) == (508, True)
    assert "RUNBOOKD_UPSTREAM_URL leads back to this proxy" in caplog.text
