"""What waits for approval: buttons where the service has some, links everywhere else, on a real socket."""

from collections.abc import AsyncIterator

import pytest

from daemon.adapters.notify.buttons import dressed
from daemon.adapters.notify.process import AppriseProcess
from daemon.domain.notification import Approval, Channel, Message
from tests.fakes.receivers import Service, service

LINK = "http://nas:8319/approve/5f2c9a01d4e8b3775f2c9a01d4e8b377"
APPROVAL = Approval(label="Approve fallback", until=1_795_514_400_000, url=LINK)
MESSAGE = Message(
    title="[critical] A",
    body="A fires.\n\nhttp://nas:8319/#alert-1\nn-1",
    kind="failure",
    id="n-1",
    structured={"approvals": [{"url": LINK}]},
    approvals=(APPROVAL,),
)
AS_TEXT = f"A fires.\n\nApprove fallback (until 2026-11-24 10:00 UTC): {LINK}\n\nhttp://nas:8319/#alert-1\nn-1"
DEADLINE_SECONDS = 30.0


@pytest.fixture
async def there() -> AsyncIterator[Service]:
    async with service() as there:
        yield there


@pytest.fixture
async def notifier() -> AsyncIterator[AppriseProcess]:
    notifier = AppriseProcess()
    yield notifier
    await notifier.close()


async def test_ntfy_gets_a_button_that_posts(notifier: AppriseProcess, there: Service) -> None:
    url = f"ntfy://127.0.0.1:{there.port}/topic"
    assert (await notifier.send([Channel(url=url)], MESSAGE, DEADLINE_SECONDS)).delivered
    (got,) = there.got
    assert got.headers["x-actions"] == f'http, "Approve fallback", "{LINK}", method=POST, clear=true'
    assert got.json["message"] == MESSAGE.body  # the button is there: no link in the text


async def test_a_service_without_buttons_gets_the_link(notifier: AppriseProcess, there: Service) -> None:
    url = f"json://127.0.0.1:{there.port}/"
    assert (await notifier.send([Channel(url=url)], MESSAGE, DEADLINE_SECONDS)).delivered
    assert there.got[0].json["message"] == AS_TEXT


async def test_a_program_gets_it_as_data(notifier: AppriseProcess, there: Service) -> None:
    channel = Channel(url=there.url, kind="webhook")
    assert (await notifier.send([channel], MESSAGE, DEADLINE_SECONDS)).delivered
    assert there.got[0].json == {"approvals": [{"url": LINK}]}


@pytest.mark.parametrize(
    "url",
    ["mailto://me:pass@example.org", "https://ntfy.sh/topic", "ntfy://topic?actions=view%2C+X%2C+http%3A%2F%2Fx", "?"],
)
def test_where_there_is_no_room_for_a_button_the_link_stands_in_the_text(url: str) -> None:
    assert dressed(url, MESSAGE) == (url, AS_TEXT)


@pytest.mark.parametrize("url", ["ntfy://topic", "NTFYS://host/topic", "ntfy://host/topic?priority=high"])
def test_other_settings_of_a_url_are_kept(url: str) -> None:
    sent, text = dressed(url, MESSAGE)
    assert sent.startswith(url)
    assert sent.count("?") == 1
    assert text == MESSAGE.body


def test_what_waits_for_nobody_is_sent_as_it_is() -> None:
    plain = Message(title="t", body="b")
    assert dressed("ntfy://topic", plain) == ("ntfy://topic", "b")


def test_a_name_cannot_end_its_button() -> None:
    approval = Approval(label='a"; view, x, "http://evil', until=0, url=LINK)
    sent, _ = dressed("ntfy://topic", Message(title="t", body="b", approvals=(approval,)))
    assert sent.count("%22") == 4  # its own quotes alone


def test_a_link_is_in_no_text_of_a_message() -> None:
    assert LINK not in repr(MESSAGE.approvals)
