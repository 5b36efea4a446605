"""An upstream over TLS: it is who its name says, or it gets nothing. An authority of the test vouches for it."""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest

from daemon.adapters.proxy.upstream import UpstreamPool
from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault, Outcome
from tests.adapters.proxy.test_forward import BODY, EVENT_STREAM, chunked, decoded, post
from tests.contracts.test_upstream import ask, fetch
from tests.fakes.certificates import Authority, tls_in_front
from tests.fakes.proxy import RunningProxy, running_proxy
from tests.fakes.raw_server import Peer, RawServer, always, raw_server, response

SECRET = b"Authorization: Bearer sk-very-secret"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.found()
    return authority


@pytest.fixture
def authority(founded: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The one that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(founded.root))
    return founded


def too_old(authority: Authority) -> ssl.SSLContext:
    context = authority.certify("localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def no_common_cipher(authority: Authority) -> ssl.SSLContext:
    context = authority.certify("localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256")
    return context


STRANGERS: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "expired": lambda authority: authority.certify("localhost", days=0),
    "another name": lambda authority: authority.certify("elsewhere.example"),
    "nobody vouches": lambda authority: authority.sign_itself("localhost"),
}


async def told(proxy: RunningProxy) -> Fault | None:
    """What becomes of a request; no secret is in the answer."""
    status, _, body = decoded(await proxy.exchange(post(b"/v1/chat/completions", BODY, SECRET)))
    event = await proxy.sink.one()
    assert (status, event.status, event.outcome) == (502, 502, Outcome.FAILED)
    assert json.loads(body)["error"]["code"] == f"runbookd_{event.fault}"
    assert b"secret" not in body
    return event.fault


@pytest.mark.parametrize("shown", STRANGERS.values(), ids=STRANGERS)
async def test_who_cannot_prove_its_name_gets_nothing(
    authority: Authority, shown: Callable[[Authority], ssl.SSLContext]
) -> None:
    async with (
        raw_server(always(response(b"what a stranger says"))) as stranger,
        tls_in_front(stranger.port, shown(authority)) as port,
        running_proxy(f"https://localhost:{port}") as proxy,
    ):
        assert await told(proxy) is Fault.UPSTREAM_TLS
        assert not any(peer.received for peer in stranger.peers)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
@pytest.mark.parametrize("shown", [too_old, no_common_cipher])
async def test_nothing_is_agreed_on_that_is_too_weak(
    authority: Authority, shown: Callable[[Authority], ssl.SSLContext]
) -> None:
    context = shown(authority)

    def say_why(listener: socket.socket) -> None:
        """asyncio's servers leave without an alert; those of others do not."""
        with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True):
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with running_proxy(f"https://localhost:{listener.getsockname()[1]}") as proxy:
            _, fault = await asyncio.gather(asyncio.to_thread(say_why, listener), told(proxy))
            assert fault is Fault.UPSTREAM_TLS


async def test_who_leaves_in_the_handshake_is_a_fault_of_tls(authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1 << 16)

    async with raw_server(script) as server, running_proxy(f"https://localhost:{server.port}") as proxy:
        assert await told(proxy) is Fault.UPSTREAM_TLS


async def test_plain_text_is_no_way_out(authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(response(b"in plain"))

    async with raw_server(script) as server, running_proxy(f"https://localhost:{server.port}") as proxy:
        assert await told(proxy) is Fault.UPSTREAM_TLS
        assert b"secret" not in server.peers[0].received


async def test_of_two_addresses_the_one_that_was_reached_says_what_is_wrong(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is where nobody listens."""

    async def both(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        families = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2"))
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in families]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    async with (
        raw_server(always(response(b"ok"))) as server,
        tls_in_front(server.port, authority.certify("elsewhere.example")) as port,
    ):
        with pytest.raises(UpstreamFault) as raised:
            await fetch(UpstreamPool(f"https://up.example:{port}"), ask(b"x"))
        assert raised.value.fault is Fault.UPSTREAM_TLS


async def test_who_proves_its_name_is_spoken_to_piece_by_piece(authority: Authority) -> None:
    step = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(EVENT_STREAM + chunked(b"data: one\n\n"))
            await step.wait()
            await peer.send(chunked(b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'), b"0\r\n\r\n")

    async def stream(port: int, server: RawServer) -> None:
        async with running_proxy(f"https://localhost:{port}") as proxy:
            reader, writer = await proxy.connect()
            for number in (1, 2):
                writer.write(post(close=False))
                assert (await reader.readuntil(b"one\n\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
                step.set()
                assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"[DONE]\n\n\r\n0\r\n\r\n")
                step.clear()
                assert [event.outcome for event in await proxy.sink.wait_for(number)] == [Outcome.OK] * number
            writer.close()
            assert len(server.peers) == 1
            assert bytes(server.peers[0].received).count(b"\r\nHost: localhost:%d\r\n" % port) == 2

    async with raw_server(script) as server, tls_in_front(server.port, authority.certify("localhost")) as port:
        await stream(port, server)


@pytest.mark.parametrize("size", [65_537, 3_000_000])
async def test_large_bodies_go_both_ways(authority: Authority, size: int) -> None:
    body = bytes(range(256)) * (size // 256)
    async with (
        raw_server(always(response(body))) as server,
        tls_in_front(server.port, authority.certify("localhost")) as port,
        running_proxy(f"https://localhost:{port}") as proxy,
    ):
        assert decoded(await proxy.exchange(post(b"/up", body)))[2] == body
        assert bytes(server.peers[0].received).endswith(b"\r\n\r\n" + body)
