"""Channels that are none are told when the rules are loaded."""

import pytest

from daemon.adapters.notify.process import AppriseProcess
from daemon.app.channel_check import check_channels
from daemon.domain.notification import Channel

TOKEN = "token-canary-4711"


async def test_a_url_that_nobody_takes_is_told_masked_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    notifier = AppriseProcess()
    receivers = {
        "operators": (Channel(url=f"json://h/{TOKEN}"), Channel(url=f"tgram://{TOKEN}")),
        "hook": (Channel(url=f"https://h/{TOKEN}", kind="webhook"), Channel(url=f"ftp://{TOKEN}", kind="webhook")),
    }
    await check_channels(notifier, receivers)
    await notifier.close()
    assert [record.message for record in caplog.records] == [
        "receiver 'operators': tgram://*** is refused: Apprise does not take this URL",
        "receiver 'hook': ftp://*** is refused: is not an http(s) address",
    ]


async def test_without_channels_no_process_is_started() -> None:
    notifier = AppriseProcess()
    await check_channels(notifier, {"deaf": ()})
    assert notifier.pid is None
