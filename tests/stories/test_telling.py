"""Telling on real processes: what is decided is told, at most twice with one id, whatever is killed, hangs or leaks."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from daemon.domain.event import Wire
from tests.fakes.receivers import Service, post_office, service
from tests.stories.house import House, eventually, open_house

TOKEN = "token-canary-4711"
ROW_ID = re.compile(r"n-[0-9a-f]{16}")
STORM, CALM = {"rules": [{"fault": "429", "share": 1.0}]}, {"rules": []}


def alerts(*receivers: str, wait: str = "0s", more: str = "") -> str:
    """One alert, that so many refusals in a row raise."""
    lines = "".join(f"  - {{{receiver}}}\n" for receiver in receivers)
    return f"""\
version: 1
receivers:
{lines}\
route:
  group_by: [alert, requested_model]
  group_wait: {wait}
  group_interval: 0s
{more}\
rules:
  - alert: Limited
    kind: burst
    bad: {{status: 429}}
    by: [requested_model]
    keep_firing_for: 0s
    levels: {{warning: {{at_least: 3}}, critical: {{at_least: 12}}}}
    summary: "{{requested_model}}: {{value}}"
    runbook: https://runbook/limited
"""


def webhook(there: Service, *more: str) -> str:
    url = f"{there.url}/{TOKEN}?key={TOKEN}"
    return ", ".join(("name: operators, kind: webhook", f"urls: ['{url}']", *more))


@asynccontextmanager
async def a_house(text: str, **settings: str) -> AsyncIterator[House]:
    async with open_house(alerts=text, **settings) as house:
        await house.start("fake", "proxy", "control")
        yield house


@pytest.fixture
async def there() -> AsyncIterator[Service]:
    async with service() as there:
        yield there


async def refused(house: House, count: int = 3, model: str = "gpt-5.4") -> None:
    await house.fake.play(STORM)
    assert (await house.send(count, Wire.OPENAI_CHAT, model, at_once=1)).count == {"429": count}


async def served(house: House, model: str = "gpt-5.4") -> None:
    await house.fake.play(CALM)
    assert (await house.send(3, Wire.OPENAI_CHAT, model, at_once=1)).count == {"ok": 3}


async def rows(house: House, status: str) -> list[dict[str, Any]]:
    found = (await house.control.get("notifications"))["notifications"]
    return [row for row in found if row["status"] == status]


def ids(there: Service) -> list[str]:
    return [got.headers["idempotency-key"] for got in there.got]


def told(there: Service) -> list[tuple[str, str]]:
    """Status and severity of each webhook message."""
    return [(got.json["status"], got.json["commonLabels"]["severity"]) for got in there.got]


# ---- each way, each step ---------------------------------------------------------------------------------------------


async def a_storm(house: House, count: Callable[[], int]) -> None:
    """Opened, escalated, resolved; each is told before the next begins."""
    await refused(house, 3)
    await eventually(lambda: count() == 1)
    await refused(house, 12)
    await eventually(lambda: count() == 2)
    await served(house)
    await eventually(lambda: count() == 3)
    assert await eventually(lambda: rows(house, "delivered"))
    assert await rows(house, "queued") == []
    assert count() == 3


async def test_by_mail_and_ntfy_a_storm_is_one_readable_message_a_step(there: Service) -> None:
    async with post_office() as post:
        urls = f"name: operators, urls: ['{post.apprise_url}', 'ntfy://127.0.0.1:{there.port}/{TOKEN}']"
        async with a_house(alerts(urls)) as house:
            await a_storm(house, lambda: min(len(post.mails), len(there.got)))
        mails = [(str(mail["subject"]), mail.get_body().get_content()) for mail in post.mails]  # type: ignore[union-attr]
        pushed = [(got.json["title"], got.json["message"]) for got in there.got]
    for said in (mails, pushed):
        assert [title.partition("]")[0] for title, _ in said] == ["[warning", "[critical", "[resolved"]
        for title, body in said:
            assert "Limited" in title
            assert "gpt-5.4" in body
            assert ROW_ID.search(body)
        assert "https://runbook/limited" in said[1][1]
        assert len({ROW_ID.findall(body)[-1] for _, body in said}) == 3


async def test_by_webhook_a_storm_is_one_message_a_step_in_alertmanagers_words(there: Service) -> None:
    async with a_house(alerts(webhook(there, "headers: {Authorization: 'Bearer x'}"))) as house:
        await a_storm(house, lambda: len(there.got))
    assert told(there) == [("firing", "warning"), ("firing", "critical"), ("resolved", "critical")]
    assert len(set(ids(there))) == 3
    assert {got.headers["authorization"] for got in there.got} == {"Bearer x"}
    (alert,) = there.got[0].json["alerts"]
    assert alert["labels"] == {"alertname": "Limited", "severity": "warning", "requested_model": "gpt-5.4"}
    assert alert["annotations"]["runbook_url"] == "https://runbook/limited"
    assert there.got[0].json["version"] == "4"


# ---- killed at each point --------------------------------------------------------------------------------------------


async def restarted(house: House) -> None:
    house.rig.kill("control")
    await house.rig.start("control")


async def nothing_more_comes(house: House, there: Service, count: int) -> None:
    """Also after another message has passed and another restart."""
    await restarted(house)
    await refused(house, 3, "gpt-5.5")
    await eventually(lambda: len(there.got) == count + 1)
    assert there.got[-1].json["commonLabels"]["requested_model"] == "gpt-5.5"
    assert await eventually(lambda: _none_waits(house))


async def _none_waits(house: House) -> bool:
    return await rows(house, "queued") == []


async def test_killed_between_decision_and_send_nothing_is_lost_and_nothing_told_twice(there: Service) -> None:
    async with a_house(alerts(webhook(there), wait="3s")) as house:
        await refused(house)
        [row] = await eventually(lambda: rows(house, "queued"))
        house.rig.kill("control")
        assert there.got == []
        await house.rig.start("control")
        await eventually(lambda: len(there.got) == 1)
        assert ids(there) == [row["id"]]
        await eventually(lambda: rows(house, "delivered"))
        await nothing_more_comes(house, there, 1)


async def test_killed_between_send_and_record_it_is_told_once_more_with_the_same_id(there: Service) -> None:
    there.hangs = True
    async with a_house(alerts(webhook(there))) as house:
        await refused(house)
        await eventually(lambda: len(there.got) == 1)
        house.rig.kill("control")
        there.hangs = False
        await house.rig.start("control")
        await eventually(lambda: rows(house, "delivered"))
        assert len(there.got) == 2
        assert len(set(ids(there))) == 1
        await nothing_more_comes(house, there, 2)


async def test_killed_after_the_record_nothing_is_told_again(there: Service) -> None:
    async with a_house(alerts(webhook(there))) as house:
        await refused(house)
        await eventually(lambda: rows(house, "delivered"))
        await nothing_more_comes(house, there, 1)


async def test_killed_at_every_step_each_alert_is_told_in_order(there: Service) -> None:
    async with a_house(alerts(webhook(there))) as house:
        await refused(house)
        await eventually(lambda: rows(house, "delivered"))
        await restarted(house)
        await refused(house, 12)
        await eventually(lambda: len(there.got) == 2)
        await restarted(house)
        await served(house)
        await eventually(lambda: told(there)[-1][0] == "resolved")
    steps = list(dict.fromkeys(told(there)))
    assert steps == [("firing", "warning"), ("firing", "critical"), ("resolved", "critical")]
    assert len(there.got) - len(set(ids(there))) <= 1


async def test_killed_while_it_is_down_it_is_told_when_it_works_again(there: Service) -> None:
    there.status = 500
    async with a_house(alerts(webhook(there))) as house:
        await refused(house)
        [row] = await eventually(lambda: _tried(house))
        await restarted(house)
        there.status = 200
        there.got.clear()
        await eventually(lambda: rows(house, "delivered"), within=20.0)
        assert ids(there) == [row["id"]]


async def _tried(house: House) -> list[dict[str, Any]]:
    return [row for row in await rows(house, "queued") if row["attempts"]]


async def test_a_silence_outlives_a_kill(there: Service) -> None:
    async with a_house(alerts(webhook(there))) as house:
        headers = {"Authorization": f"Bearer {house.rig.token()}"}
        asked = {"matchers": {"alert": "Limited"}, "for": "1h", "comment": "known"}
        answer = await house.http.post(f"{house.rig.control_url}/api/v1/silences", json=asked, headers=headers)
        assert answer.is_success, answer.text
        house.rig.kill("control")
        await house.rig.start("control")
        await refused(house)
        [alert] = await eventually(lambda: house.control.alerts(alert="Limited", state="firing"))
        assert alert["silenced"]
        assert there.got == []


# ---- nobody can be reached -------------------------------------------------------------------------------------------


async def test_while_every_channel_hangs_no_request_waits_for_a_send(there: Service) -> None:
    there.hangs = True
    urls = f"name: operators, urls: ['json://127.0.0.1:{there.port}/', 'ntfy://127.0.0.1:{there.port}/x']"
    async with a_house(alerts(urls)) as house:
        await refused(house)
        await eventually(lambda: len(there.got) == 2)
        await house.fake.play(CALM)
        assert (await house.send(400, Wire.OPENAI_CHAT, "gpt-5.5", stream=True)).count == {"ok": 400}
        assert await rows(house, "delivered") == []


async def test_when_no_receiver_can_be_reached_the_heartbeat_stops_and_the_page_says_so(there: Service) -> None:
    there.status = 503
    async with service() as outside, service() as backup:
        backup.status = 500
        more = f"  heartbeat: {{url: '{outside.url}/{TOKEN}', every: 1s}}\n"
        names = (webhook(there, "backup: pager"), f"name: pager, kind: webhook, urls: ['{backup.url}/{TOKEN}']")
        async with a_house(alerts(*names, more=more)) as house:
            await eventually(lambda: len(outside.got) >= 2)
            for number in range(3):
                await refused(house, 3, f"gpt-5.{number}")
            assert await eventually(lambda: house.control.alerts(alert="NotifierFailing", state="firing"), within=40)
            await eventually(lambda: _says(house, "no receiver can be reached"), within=40)
            beats = len(outside.got)
            page = await house.http.get(
                house.rig.control_url, headers={"Authorization": f"Bearer {house.rig.token()}"}, follow_redirects=True
            )
            assert "messages do not arrive: operators, pager cannot be reached" in page.text
            assert (await house.http.get(f"{house.rig.control_url}/readyz")).status_code == 200
            await asyncio.sleep(2.5)  # two beats would have been
            assert len(outside.got) == beats
            assert told_to(backup)[0].startswith("operators cannot be reached.")


def told_to(backup: Service) -> list[str]:
    return [got.json["commonAnnotations"]["description"] for got in backup.got]


def _says(house: House, text: str) -> bool:
    return text in house.rig.output("control")


# ---- secrets ---------------------------------------------------------------------------------------------------------


def _everything(house: House) -> Iterator[tuple[str, str]]:
    """Every file of the house but its alerts file, and what `ps` shows."""
    for file in house.rig.directory.rglob("*"):
        if file.is_file() and "alerts" not in file.name:
            yield str(file), file.read_bytes().decode("latin-1")
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield str(line), line.read_text()
        except OSError:
            continue


async def test_no_secret_of_a_channel_is_ever_shown_or_kept(there: Service) -> None:
    there.status = 500
    async with AsyncExitStack() as stack:
        secrets = Path(stack.enter_context(TemporaryDirectory(prefix="rb")))
        working = await stack.enter_async_context(service())
        (secrets / "hook").write_text(f"{there.url}/{TOKEN}?key={TOKEN}")
        (secrets / "word").write_text(f"Bearer {TOKEN}")
        (secrets / "beat").write_text(f"{there.url}/{TOKEN}?beat={TOKEN}")
        (secrets / "chat").write_text(
            f"json://user:{TOKEN}@127.0.0.1:{working.port}/{TOKEN}?+X-Key={TOKEN} tgram://{TOKEN} jsno://{TOKEN}"
        )
        text = alerts(
            "name: operators, kind: webhook, urls: ['secret:hook'], backup: chat, headers: {A: 'secret:word'}",
            "name: chat, urls: ['secret:chat']",
            more="  heartbeat: {url: 'secret:beat', every: 1s}\n",
        )
        house = await stack.enter_async_context(a_house(text, SECRETS_DIR=str(secrets), LOG_LEVEL="debug"))
        for number in range(3):
            await refused(house, 3, f"gpt-5.{number}")
        await eventually(lambda: _cut_off(house))
        await eventually(lambda: rows(house, "delivered"), within=20)
        assert TOKEN in working.got[0].headers["x-key"]
        said = [json.dumps(await house.control.get(path)) for path in ("status", "notifications", "alerts", "audit")]
        for path in ("/", "/metrics"):
            headers = {"Authorization": f"Bearer {house.rig.token()}"}
            said.append((await house.http.get(house.rig.control_url + path, headers=headers)).text)
        assert _says(house, "receiver 'chat': tgram://*** is refused: Apprise does not take this URL")
        assert [name for name, text in _everything(house) if TOKEN in text] == []
        assert TOKEN not in "".join(said)
        assert any(TOKEN in got.line for got in there.got)


async def _cut_off(house: House) -> bool:
    return "operators" in (await house.control.get("status"))["receivers"]["cut_off"]
