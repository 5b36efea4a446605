"""Nothing is sent to our own proxy, in whatever form its address is said."""

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from daemon.adapters.notify.own_address import is_ours, leads_home
from daemon.adapters.notify.process import AppriseProcess
from daemon.adapters.notify.pulse import Pulse
from daemon.domain.notification import Channel, Delivery, Message
from tests.fakes.receivers import Service, service

MESSAGE = Message(title="t", body="b", structured={})
FORMS = (
    "127.0.0.1",
    "localhost",
    "LOCALHOST.",
    "any.localhost",
    "127.1",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "0.0.0.0",
    "127.9.9.9",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}7.0.0.1",
    "127%2e0.0.1",
    "user:password@127.0.0.1",
    socket.gethostname(),
)


@pytest.mark.parametrize("form", FORMS)
def test_a_loop_is_seen_before_it_is_tried(form: str) -> None:
    assert leads_home(f"http://{form}:8318/hook", ("127.0.0.1", 8318))
    assert not leads_home(f"http://{form}:8319/hook", ("127.0.0.1", 8318))


@pytest.mark.parametrize(
    ("url", "port", "leads"),
    [
        ("http://localhost/", 80, True),
        ("https://localhost/", 443, True),
        ("json://localhost/", 8318, False),
        ("http://192.0.2.1:8318/", 8318, False),
        ("http://example.org:8318/", 8318, False),
        ("http://[:8318/", 8318, False),
        ("http://h:x/", 8318, False),
        ("tgram://123:abc/456", 8318, False),
    ],
)
def test_what_leads_elsewhere_is_no_loop(url: str, port: int, leads: bool) -> None:
    assert leads_home(url, ("127.0.0.1", port)) is leads


@pytest.mark.parametrize(
    ("address", "ours"), [("127.0.0.1", True), ("::1", True), ("fe80::1%lo", False), ("192.0.2.1", False)]
)
def test_which_addresses_are_ours(address: str, ours: bool) -> None:
    assert is_ours(address) is ours


@pytest.fixture
async def proxy() -> AsyncIterator[Service]:
    async with service() as proxy:
        yield proxy


@pytest.fixture
async def notifier(proxy: Service) -> AsyncIterator[AppriseProcess]:
    notifier = AppriseProcess(proxy=("127.0.0.1", proxy.port))
    yield notifier
    await notifier.close()


@pytest.mark.parametrize("form", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"])
async def test_nothing_connects_to_our_own_proxy(notifier: AppriseProcess, proxy: Service, form: str) -> None:
    for channel in (
        Channel(url=f"http://{form}:{proxy.port}/x", kind="webhook"),
        Channel(url=f"json://{form}:{proxy.port}/x"),
    ):
        delivery = await notifier.send([channel], MESSAGE, 15.0)
        assert not delivery.delivered
        assert delivery.error is not None
        assert delivery.error.endswith(("leads back to our own proxy", "Apprise does not take this URL"))
    assert proxy.got == []


async def test_nor_by_way_of_a_proxy_of_the_environment(proxy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy.url)
    notifier = AppriseProcess(proxy=("127.0.0.1", proxy.port))
    delivery = await notifier.send([Channel(url="json://192.0.2.1/x")], MESSAGE, 15.0)
    assert delivery.error == "json: leads back to our own proxy"
    await notifier.close()
    assert proxy.got == []


async def test_another_port_of_this_machine_is_no_loop(notifier: AppriseProcess) -> None:
    async with service() as other:
        assert await notifier.send([Channel(url=other.url, kind="webhook")], MESSAGE, 15.0) == Delivery(delivered=True)


async def test_the_heartbeat_goes_to_no_loop_follows_no_redirect_and_says_no_url(proxy: Service) -> None:
    async with service() as there:
        with ThreadPoolExecutor(1) as threads:
            pulse = Pulse(("127.0.0.1", proxy.port), threads)
            assert await pulse.beat(f"{there.url}/token?secret") is None
            assert there.got[0].line == "GET /token?secret HTTP/1.1"
            there.status, there.headers = 302, {"Location": proxy.url}
            assert await pulse.beat(f"{there.url}/token") == "the address answered 302"
            assert await pulse.beat(f"http://localhost:{proxy.port}/token") == (
                "the address leads back to our own proxy"
            )
            assert await pulse.beat("http://127.0.0.1:1/token") == "the address could not be reached"
            assert await pulse.beat("http://[/token") == "the address could not be reached"
    assert proxy.got == []


async def test_a_heartbeat_that_hangs_is_given_up(proxy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.adapters.notify.pulse.TIMEOUT_SECONDS", 0.3)
    proxy.drips = True
    with ThreadPoolExecutor(1) as threads:
        async with asyncio.timeout(5):
            said = await Pulse(("127.0.0.1", 1), threads).beat(proxy.url)
    assert said == "the address did not answer within 0.3 s"
