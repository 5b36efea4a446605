"""Apprise's habits, mended: plug-ins that wait, share, print, hang and break, in the real process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.adapters.notify.process import AppriseProcess
from daemon.domain.notification import Channel, Delivery, Message
from tests.fakes.receivers import Service, service
from tests.stories.house import eventually

MESSAGE = Message(title="[critical] A", body="A fires.\n\nhttp://nas/", kind="failure", id="n-1")
TOKEN = "token-canary-4711"
DEADLINE_SECONDS = 15.0
REFUSED = "the channel refused the message or could not be reached"

PLUG_INS = f"""\
import os, sys, threading, time
from apprise.decorators import notify

@notify(on="prints")
def prints(body, title, notify_type, meta, *args, **kwargs):
    print("{TOKEN}", meta)
    print("{TOKEN}", meta, file=sys.stderr)
    os.write(1, b"{TOKEN}")

@notify(on="raises")
def raises(body, title, notify_type, meta, *args, **kwargs):
    raise RuntimeError(meta["url"])

@notify(on="leaves")
def leaves(body, title, notify_type, meta, *args, **kwargs):
    raise SystemExit(meta["url"])

@notify(on="hangs")
def hangs(body, title, notify_type, meta, *args, **kwargs):
    time.sleep(3600)

@notify(on="imports")
def imports(body, title, notify_type, meta, *args, **kwargs):
    import this_is_nonsense

@notify(on="dies")
def dies(body, title, notify_type, meta, *args, **kwargs):
    os._exit(1)
"""


@pytest.fixture
async def there() -> AsyncIterator[Service]:
    async with service() as there:
        yield there


@pytest.fixture
async def notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AppriseProcess]:
    """Its process has plug-ins of ours."""
    (tmp_path / "sitecustomize.py").write_text(PLUG_INS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[3]}")
    notifier = AppriseProcess()
    yield notifier
    await notifier.close()


def by(*urls: str) -> list[Channel]:
    return [Channel(url=url) for url in urls]


def good(there: Service) -> str:
    return f"json://127.0.0.1:{there.port}/"


@pytest.mark.parametrize(
    ("scheme", "error"),
    [
        ("prints", None),
        ("raises", f"raises: {REFUSED}"),
        ("imports", f"imports: {REFUSED}"),
        ("leaves", "leaves: the channel's plug-in failed"),
        ("hangs", "hangs: no answer within 2 s"),
        ("nonsense", "nonsense: Apprise does not take this URL"),
    ],
)
async def test_a_bad_plug_in_costs_only_its_own_message_and_tells_nothing(
    notifier: AppriseProcess, there: Service, capfd: pytest.CaptureFixture[str], scheme: str, error: str | None
) -> None:
    bad = f"{scheme}://{TOKEN}"
    await notifier.send(by(good(there)), MESSAGE, DEADLINE_SECONDS)
    told = [
        *await asyncio.gather(notifier.send(by(bad), MESSAGE, 2.0), notifier.send(by(good(there), bad), MESSAGE, 2.0)),
        await notifier.send(by(good(there)), MESSAGE, DEADLINE_SECONDS),
    ]
    assert [one.delivered for one in told] == [error is None, True, True]
    assert [one.error for one in told] == [error, error, None]
    assert len(there.got) == 3
    assert TOKEN not in "".join((*capfd.readouterr(), repr(told)))


async def test_a_plug_in_that_kills_the_process_costs_no_later_message(
    notifier: AppriseProcess, there: Service
) -> None:
    assert (await notifier.send(by(f"dies://{TOKEN}"), MESSAGE, DEADLINE_SECONDS)).error == (
        "dies: the notifier's process died"
    )
    assert (await notifier.send(by(good(there)), MESSAGE, DEADLINE_SECONDS)).delivered


async def test_forty_that_hang_hold_up_no_other(notifier: AppriseProcess, there: Service) -> None:
    async with service() as silent:
        silent.hangs = True
        hanging = asyncio.ensure_future(notifier.send(by(*[good(silent)] * 40), MESSAGE, 60.0))
        await eventually(lambda: len(silent.got) == 40, within=3.0)
        assert (await notifier.send(by(good(there)), MESSAGE, 3.0)).delivered
        assert not hanging.done()
        hanging.cancel()


async def test_four_targets_of_one_url_are_told_within_the_deadline_and_once_each(
    notifier: AppriseProcess, there: Service
) -> None:
    targets = ["four", "one", "three", "two"]
    delivery = await notifier.send(by(f"ntfy://127.0.0.1:{there.port}/{'/'.join(targets)}"), MESSAGE, DEADLINE_SECONDS)
    assert delivery == Delivery(delivered=True)
    assert sorted(got.json["topic"] for got in there.got) == targets


async def test_of_several_targets_of_one_url_none_is_told_twice_at_once(
    notifier: AppriseProcess, there: Service
) -> None:
    there.status = 500
    await notifier.send(by(f"ntfy://127.0.0.1:{there.port}/one/two"), MESSAGE, DEADLINE_SECONDS)
    assert len(there.got) == 2
    await notifier.send(by(f"ntfy://127.0.0.1:{there.port}/one"), MESSAGE, DEADLINE_SECONDS)
    assert len(there.got) == 4
