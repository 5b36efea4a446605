"""Webhooks in the notifier's process: what is posted, and what is made of each answer."""

import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.adapters.notify.outcome import retry_after
from daemon.adapters.notify.process import AppriseProcess
from daemon.domain.notification import Channel, Delivery, Message
from tests.fakes.certificates import Authority, tls_in_front
from tests.fakes.receivers import Service, service

TOKEN = "token-canary-4711"
MESSAGE = Message(title="[critical] A", body="A\n", id="n-1", structured={"version": "4", "alerts": []})
DEADLINE_SECONDS = 20.0


@pytest.fixture
async def notifier() -> AsyncIterator[AppriseProcess]:
    notifier = AppriseProcess()
    yield notifier
    await notifier.close()


@pytest.fixture
async def there() -> AsyncIterator[Service]:
    async with service() as there:
        yield there


def webhook(url: str) -> Channel:
    return Channel(url=f"{url}/{TOKEN}?key={TOKEN}", kind="webhook", headers={"Authorization": f"Bearer {TOKEN}"})


async def test_it_posts_the_structured_message_with_its_headers(notifier: AppriseProcess, there: Service) -> None:
    assert await notifier.send([webhook(there.url)], MESSAGE, DEADLINE_SECONDS) == Delivery(delivered=True)
    (got,) = there.got
    assert got.line.startswith(f"POST /{TOKEN}?key={TOKEN} ")
    assert got.json == MESSAGE.structured
    assert got.headers["content-type"] == "application/json"
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    assert got.headers["idempotency-key"] == "n-1"


@pytest.mark.parametrize(
    ("status", "headers", "error", "wait", "tries"),
    [
        (204, {}, None, None, 1),
        (400, {}, "http: answered 400", None, 1),
        (500, {}, "http: answered 500", None, 2),
        (500, {"Retry-After": "30"}, "http: answered 500", None, 2),
        (429, {}, "http: answered 429", None, 1),
        (429, {"Retry-After": "30"}, "http: answered 429", 30.0, 1),
        (503, {"Retry-After": "7"}, "http: answered 503", 7.0, 1),
        (302, {"Location": "http://127.0.0.1:1/"}, "http: answered with a redirect, which is not followed", None, 1),
    ],
)
async def test_what_is_made_of_an_answer(
    notifier: AppriseProcess,
    there: Service,
    status: int,
    headers: dict[str, str],
    error: str | None,
    wait: float | None,
    tries: int,
) -> None:
    there.status, there.headers = status, headers
    delivery = await notifier.send([webhook(there.url)], MESSAGE, DEADLINE_SECONDS)
    assert delivery == Delivery(delivered=error is None, error=error, retry_after_seconds=wait)
    assert len(there.got) == tries


async def test_a_redirect_is_not_followed(notifier: AppriseProcess, there: Service) -> None:
    async with service() as inside:
        there.status, there.headers = 307, {"Location": f"{inside.url}/internal"}
        for channel in (webhook(there.url), Channel(url=f"json://127.0.0.1:{there.port}/?redirect=yes")):
            assert not (await notifier.send([channel], MESSAGE, DEADLINE_SECONDS)).delivered
        assert len(there.got) >= 2
        assert inside.got == []


async def test_an_apprise_channel_that_asks_for_patience_gets_it(notifier: AppriseProcess, there: Service) -> None:
    there.status, there.headers = 429, {"Retry-After": "40"}
    channel = Channel(url=f"json://127.0.0.1:{there.port}/")
    delivery = await notifier.send([channel], MESSAGE, DEADLINE_SECONDS)
    assert (delivery.delivered, delivery.retry_after_seconds, len(there.got)) == (False, 40.0, 1)


async def test_no_proxy_of_the_environment_stands_between(there: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service() as between:
        monkeypatch.setenv("HTTP_PROXY", between.url)
        monkeypatch.setenv("http_proxy", between.url)
        notifier = AppriseProcess()
        assert (await notifier.send([webhook(there.url)], MESSAGE, DEADLINE_SECONDS)).delivered
        await notifier.close()
        assert between.got == []


async def test_who_hangs_or_drips_costs_only_his_own_message(notifier: AppriseProcess, there: Service) -> None:
    async with service() as slow, service() as silent:
        slow.drips, silent.hangs = True, True
        for bad in (slow, silent):
            for channel in (webhook(bad.url), Channel(url=f"json://127.0.0.1:{bad.port}/")):
                delivery = await notifier.send([channel, webhook(there.url)], MESSAGE, 2.0)
                assert delivery.delivered
                assert delivery.error is not None
                assert "no answer within 2 s" in delivery.error
    assert len(there.got) == 4


@pytest.mark.parametrize("url", ["ftp://h", "https://", "http://[", "http://h:0/", "http://h:x/", "https://h\n/"])
async def test_what_is_no_address_is_said_and_not_tried(notifier: AppriseProcess, url: str) -> None:
    (delivery,) = [await notifier.send([Channel(url=url, kind="webhook")], MESSAGE, DEADLINE_SECONDS)]
    assert not delivery.delivered
    ((_, ok, _),) = await notifier.instantiates([Channel(url="ftp://h", kind="webhook")])
    assert not ok


async def test_tls_is_never_downgraded(tmp_path: Path, there: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    authority.found()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.root))
    for context, trusted in (
        (authority.certify("localhost"), True),
        (authority.certify("elsewhere"), False),
        (authority.certify("localhost", days=0), False),
        (authority.sign_itself("localhost"), False),
    ):
        assert isinstance(context, ssl.SSLContext)
        there.got.clear()
        async with tls_in_front(there.port, context) as port:
            notifier = AppriseProcess()
            ours = await notifier.send([webhook(f"https://localhost:{port}")], MESSAGE, DEADLINE_SECONDS)
            theirs = await notifier.send([Channel(url=f"jsons://localhost:{port}/")], MESSAGE, DEADLINE_SECONDS)
            await notifier.close()
        assert (ours.delivered, theirs.delivered) == (trusted, trusted)
        assert ours.error == (None if trusted else "https: TLS failed")
        assert len(there.got) == 2 * trusted


async def test_nothing_of_a_webhook_is_ever_written(
    notifier: AppriseProcess, there: Service, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[object] = [webhook(there.url)]
    for status in (200, 302, 500):
        there.status = status
        told.append(await notifier.send([webhook(there.url)], MESSAGE, DEADLINE_SECONDS))
    told.append(await notifier.send([webhook("http://127.0.0.1:1"), webhook("http://[")], MESSAGE, DEADLINE_SECONDS))
    out, err = capfd.readouterr()
    assert out == err == ""
    assert TOKEN not in repr(told) + caplog.text


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "120"}, 120.0),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:29:30 GMT", "date": DATE}, 90.0),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:20:00 GMT", "date": DATE}, 0.0),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:29:30 GMT"}, None),
        (429, {"retry-after": "soon"}, None),
        (429, {"retry-after": "-5"}, None),
        (429, {"retry-after": "٣"}, None),
        (429, {}, None),
        (500, {"retry-after": "120"}, None),
    ],
)
def test_how_long_an_answer_asks_us_to_wait(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(status, headers) == seconds
