"""A name is remembered, and its last address is believed while nobody can say anything newer."""

import asyncio
import socket
from dataclasses import dataclass, field

import pytest

from daemon.adapters.proxy import upstream
from daemon.adapters.proxy.resolver import FRESH_SECONDS, Address, Resolver
from daemon.domain.event import Fault
from tests.adapters.proxy.test_forward import decoded, post
from tests.fakes.proxy import running_proxy
from tests.fakes.raw_server import always, raw_server, response

HOME: Address = (socket.AF_INET, "127.0.0.1")
AWAY: Address = (socket.AF_INET, "192.0.2.7")
PATIENCE_SECONDS = 0.02


@dataclass
class Names:
    """Stands for the loop's look-ups and for its clock."""

    knows: list[Address] | OSError | None = field(default_factory=lambda: [HOME])
    """None: it never answers."""
    asked: int = 0
    ahead: float = 0.0

    async def getaddrinfo(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        self.asked += 1
        if self.knows is None:
            await asyncio.Event().wait()
        if isinstance(self.knows, OSError):
            raise self.knows
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in self.knows or ()]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made, loop = Names(), asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "getaddrinfo", made.getaddrinfo)
    monkeypatch.setattr(loop, "time", lambda: time() + made.ahead)
    return made


async def test_an_address_is_no_name(names: Names) -> None:
    for address, family in (("192.0.2.7", socket.AF_INET), ("::1", socket.AF_INET6)):
        assert await Resolver(address, 1).addresses(PATIENCE_SECONDS) == ((family, address),)
    assert names.asked == 0


async def test_a_name_is_asked_for_once_while_it_is_fresh(names: Names) -> None:
    resolver = Resolver("up.example", 1)
    for _ in range(3):
        assert await resolver.addresses(PATIENCE_SECONDS) == (HOME,)
    assert names.asked == 1
    names.knows, names.ahead = [AWAY, HOME], FRESH_SECONDS + 1
    assert await resolver.addresses(PATIENCE_SECONDS) == (AWAY, HOME)
    assert names.asked == 2


@pytest.mark.parametrize("trouble", [socket.gaierror("no such name"), OSError("no network"), None], ids=str)
async def test_the_last_address_outlives_the_resolver(names: Names, trouble: OSError | None) -> None:
    resolver = Resolver("up.example", 1)
    await resolver.addresses(PATIENCE_SECONDS)
    names.knows, names.ahead = trouble, 86_400.0
    for _ in range(3):
        assert await resolver.addresses(PATIENCE_SECONDS) == (HOME,)
    assert names.asked == 2  # who waited has waited for those behind him too


async def test_a_name_that_was_never_known_has_no_address(names: Names) -> None:
    resolver, names.knows = Resolver("up.example", 1), socket.gaierror("no such name")
    for _ in range(2):
        with pytest.raises(OSError, match="no such name"):
            await resolver.addresses(PATIENCE_SECONDS)
    assert names.asked == 2
    names.knows = [HOME]
    assert await resolver.addresses(PATIENCE_SECONDS) == (HOME,)


async def test_requests_go_on_while_the_resolver_hangs(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each needs a new connection: their upstream closes behind each answer."""
    monkeypatch.setattr(upstream, "RESOLVE_SECONDS", PATIENCE_SECONDS)
    closing = always(response(b"ok", b"Connection: close"))
    async with raw_server(closing) as server, running_proxy(f"http://up.example:{server.port}") as proxy:
        assert decoded(await proxy.exchange(post()))[0] == 200
        names.knows, names.ahead = None, FRESH_SECONDS + 1
        for _ in range(5):
            assert decoded(await proxy.exchange(post()))[0] == 200
        assert (names.asked, len(server.peers)) == (2, 6)


async def test_a_name_that_does_not_resolve_is_told(names: Names) -> None:
    names.knows = socket.gaierror("no such name")
    async with running_proxy("http://up.example:1") as proxy:
        answer = await proxy.exchange(post())
        assert decoded(answer)[0] == 502
        assert b"runbookd_upstream_connect" in answer
        assert (await proxy.sink.one()).fault is Fault.UPSTREAM_CONNECT


async def test_a_resolver_that_hangs_from_the_start_is_given_up(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "CONNECT_SECONDS", 0.1)
    names.knows = None
    async with running_proxy("http://up.example:1") as proxy:
        answer = await proxy.exchange(post())
        assert decoded(answer)[0] == 504
        assert b"runbookd_upstream_timeout" in answer
        assert (await proxy.sink.one()).fault is Fault.UPSTREAM_TIMEOUT
