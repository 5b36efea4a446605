"""The notifier with the real Apprise in its process, and channels that work, refuse, hang and break."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.adapters.notify import process
from daemon.adapters.notify.process import AppriseProcess, schema
from daemon.app.sink import Sink, receiving
from daemon.domain.notification import Channel, Delivery, Message

MESSAGE = Message(title="[critical] ProviderRateLimited codex", body="12.3% <b>&amp; %s {{x}} “codex”", kind="failure")
TOKEN = "token-canary-4711"
DEADLINE_SECONDS = 20.0
REFUSED = "the channel refused the message or could not be reached"


@pytest.fixture
async def notifier() -> AsyncIterator[AppriseProcess]:
    notifier = AppriseProcess()
    yield notifier
    await notifier.close()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with receiving() as sink:
        yield sink


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    """A channel that accepts and says nothing."""
    released = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/{TOKEN}"
        released.set()


def by(*urls: str) -> list[Channel]:
    return [Channel(url=url) for url in urls]


def secret(sink: Sink) -> str:
    return f"{sink.apprise_url}{TOKEN}?+X-Key={TOKEN}"


def is_running(pid: int) -> bool:
    """Neither gone nor waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def seen_by_others(pid: int) -> str:
    return "".join(Path(f"/proc/{pid}/{file}").read_text() for file in ("environ", "cmdline"))


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def process_of(notifier: AppriseProcess) -> int:
    assert notifier.pid is not None
    return notifier.pid


async def test_a_message_arrives_as_it_was_written(notifier: AppriseProcess, sink: Sink) -> None:
    assert await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS) == Delivery(delivered=True)
    (received,) = sink.messages
    assert (received["title"], received["message"], received["type"]) == (MESSAGE.title, MESSAGE.body, "failure")


async def test_no_process_before_the_first_send_and_one_for_all(notifier: AppriseProcess, sink: Sink) -> None:
    assert notifier.pid is None
    sends = (notifier.send(by(sink.apprise_url, sink.apprise_url), MESSAGE, DEADLINE_SECONDS) for _ in range(5))
    assert all(delivery.delivered for delivery in await asyncio.gather(*sends))
    pid = process_of(notifier)
    await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)
    assert notifier.pid == pid
    assert len(sink.messages) == 11


async def test_it_has_its_own_group_and_sees_little_of_ours(
    notifier: AppriseProcess, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOKD_CONTROL_TOKEN", TOKEN)
    await notifier.send(by(secret(sink)), MESSAGE, DEADLINE_SECONDS)
    pid = process_of(notifier)
    assert os.getpgid(pid) == pid
    assert TOKEN not in seen_by_others(pid)


async def test_a_channel_that_refuses_is_tried_twice_and_told_without_its_url(
    notifier: AppriseProcess, sink: Sink
) -> None:
    sink.refuses = True
    delivery = await notifier.send(by(secret(sink)), MESSAGE, DEADLINE_SECONDS)
    assert delivery == Delivery(delivered=False, error=f"json: {REFUSED}")
    assert sink.refused == 2


async def test_one_channel_of_two_is_delivered_and_the_other_is_named(notifier: AppriseProcess, sink: Sink) -> None:
    delivery = await notifier.send(by(sink.apprise_url, "form://127.0.0.1:1/x"), MESSAGE, DEADLINE_SECONDS)
    assert delivery == Delivery(delivered=True, error=f"form: {REFUSED}")
    assert len(sink.messages) == 1


async def test_a_channel_that_hangs_is_killed_at_the_deadline(notifier: AppriseProcess, sink: Sink) -> None:
    await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)
    pid = process_of(notifier)
    async with hanging() as url:
        began = asyncio.get_running_loop().time()
        delivery = await notifier.send(by(url), MESSAGE, 0.5)
        assert asyncio.get_running_loop().time() - began < 1.5
        assert delivery == Delivery(delivered=False, error="json: no answer within 0.5 s")
        await eventually(lambda: not is_running(pid))
    assert (await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)).delivered
    assert notifier.pid != pid


async def test_a_deadline_spoils_no_other_send(notifier: AppriseProcess, sink: Sink) -> None:
    await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)
    pid = process_of(notifier)
    async with hanging() as url, hanging() as slower:
        slow = asyncio.ensure_future(notifier.send(by(slower, sink.apprise_url), MESSAGE, 2.0))
        assert not (await notifier.send(by(url), MESSAGE, 0.3)).delivered
        assert is_running(pid)
        assert (await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)).delivered
        assert notifier.pid != pid
        assert await slow == Delivery(delivered=True, error="json: no answer within 2 s")
        await eventually(lambda: not is_running(pid))


async def test_a_process_that_dies_fails_what_it_was_sending_and_is_replaced(
    notifier: AppriseProcess, sink: Sink
) -> None:
    await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)
    pid = process_of(notifier)
    async with hanging() as url:
        sending = asyncio.ensure_future(notifier.send(by(url), MESSAGE, DEADLINE_SECONDS))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        assert await sending == Delivery(delivered=False, error="json: the notifier's process died")
    assert (await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)).delivered


async def test_a_process_that_cannot_start_is_told(notifier: AppriseProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", ("/nowhere/python",))
    delivery = await notifier.send(by("json://h/"), MESSAGE, DEADLINE_SECONDS)
    assert delivery.error == "json: the notifier's process does not start (No such file or directory)"


async def test_it_ends_when_it_is_idle_and_not_before(sink: Sink) -> None:
    notifier = AppriseProcess(idle_seconds=0.3)
    await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)
    pid = process_of(notifier)
    async with hanging() as url:
        await notifier.send(by(url, sink.apprise_url), MESSAGE, 1.0)
        assert len(sink.messages) == 2
    await eventually(lambda: not is_running(pid))
    await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)
    pid = process_of(notifier)
    await eventually(lambda: not is_running(pid))
    assert notifier.pid is None
    await notifier.close()


async def test_closing_ends_it_also_while_a_channel_hangs(notifier: AppriseProcess, sink: Sink) -> None:
    await notifier.send(by(sink.apprise_url), MESSAGE, DEADLINE_SECONDS)
    pid = process_of(notifier)
    async with hanging() as url:
        sending = asyncio.ensure_future(notifier.send(by(url), MESSAGE, DEADLINE_SECONDS))
        await asyncio.sleep(0)
        await notifier.close()
        assert not (await sending).delivered
    assert not is_running(pid)
    await notifier.close()


async def test_each_url_is_really_tried_in_a_dry_run(notifier: AppriseProcess, sink: Sink) -> None:
    why = "Apprise does not take this URL"
    urls = [secret(sink), f"tgram://{TOKEN}", f"jsno://h/{TOKEN}", TOKEN]
    assert await notifier.instantiates(by(*urls)) == [
        ("json://…", True, ""),
        ("tgram://…", False, why),
        ("jsno://…", False, why),
        ("?://…", False, why),
    ]
    assert sink.messages == []
    assert await notifier.instantiates([]) == []


async def test_no_url_is_ever_written(
    notifier: AppriseProcess, sink: Sink, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    async with hanging() as url:
        for refuses in (False, True):
            sink.refuses = refuses
            told.append(await notifier.send(by(secret(sink)), MESSAGE, DEADLINE_SECONDS))
        told.append(await notifier.send(by(url, f"tgram://{TOKEN}", TOKEN), MESSAGE, 0.5))
    out, err = capfd.readouterr()
    assert out == err == ""
    assert TOKEN not in repr(told) + caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [("tgram://1:a/2", "tgram"), ("MAILTOS://u:p@h", "mailtos"), ("nonsense", "?"), ("se cret://x", "?"), ("", "?")],
)
def test_only_the_schema_is_shown(url: str, shown: str) -> None:
    assert schema(url) == shown


async def test_the_child_answers_json_and_survives_a_plug_in_that_raises() -> None:
    child = await asyncio.create_subprocess_exec(
        *process.COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    requests = [{"id": 7, "url": "json://h/", "body": ["no", "text"]}, {"id": 8, "url": "json://h/"}]
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("".join(json.dumps(request) + "\n" for request in requests).encode())
    answers = [json.loads(await child.stdout.readline()) for _ in requests]
    child.stdin.close()
    assert await child.wait() == 0
    assert child.stderr is not None
    assert await child.stderr.read() == b""
    assert {answer["id"]: bool(answer["error"]) for answer in answers} == {7: True, 8: False}
