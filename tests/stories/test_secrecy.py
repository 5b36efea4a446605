"""Nothing secret is kept: canary strings in bodies, keys, headers and queries are found nowhere afterwards."""

import json
from pathlib import Path

from daemon.app.rig import CLIENT_KEY, MANAGEMENT_KEY
from daemon.domain.event import Wire
from tests.stories.house import House, eventually, open_house

WORD = "zq9canaryw0rd"
KEY = "sk-zq9canaryk3y"
PAGES = ("/", "/metrics", "/healthz", "/readyz")
CALLS = ("status", "alerts", "providers", "events?limit=1000", "mitigations", "notifications", "audit")
ALERTS = """\
version: 1
extends: runbook
route: {group_wait: 0s}
rules:
  - alert: ProviderErrorRatio
    levels: {warning: {for: 0s}}
"""


def bodies() -> list[tuple[str, dict[str, object]]]:
    said = [{"role": "user", "content": f"tell me about {WORD}"}]
    return [
        ("/v1/chat/completions", {"model": "gpt-5.4", "messages": said, "user": WORD}),
        ("/v1/responses", {"model": "gpt-5.5", "input": said, "metadata": {"note": WORD}}),
        ("/v1/messages", {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": said}),
        (
            "/v1beta/models/gemini-2.5-pro:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": WORD}]}]},
        ),
        ("/v1/embeddings", {"input": WORD}),
        (f"/v1/{WORD}", {"input": WORD}),
        (f"/v0/management/{WORD}", {}),
    ]


async def send_everything(house: House) -> None:
    headers = {
        "Authorization": f"Bearer {KEY}",
        "X-Api-Key": KEY,
        "X-Goog-Api-Key": KEY,
        "Cookie": f"session={WORD}",
        "User-Agent": f"agent/{WORD}",
        "Session-Id": WORD,
        "X-Session-Id": WORD,
        "X-Runbookd-Canary": WORD,
    }
    for path, body in bodies():
        for stream in (False, True):
            await house.raw("POST", f"{path}?key={KEY}&q={WORD}", headers=headers, json={**body, "stream": stream})
    await house.raw("POST", "/v1/chat/completions", headers=headers, content=f'{{"broken": "{WORD}')


async def test_a_canary_string_is_found_nowhere() -> None:
    async with open_house(alerts=ALERTS, LOG_LEVEL="debug") as house:

        async def more_than_sixty_events() -> bool:
            return len(await house.control.events(limit=1000)) > 60

        await house.start("fake", "proxy", "control")
        await send_everything(house)
        await house.fake.play({"rules": [{"fault": "500"}]})
        for _ in range(4):
            await send_everything(house)
        await house.send(30, Wire.OPENAI_CHAT, "gpt-5.4")
        await eventually(lambda: house.control.alerts(state="firing"))
        await eventually(lambda: house.sink.messages)
        await eventually(more_than_sixty_events)

        token = {"Authorization": f"Bearer {house.rig.token()}"}
        urls = [house.rig.control_url + path for path in (*PAGES, *(f"/api/v1/{call}" for call in CALLS))]
        urls += [house.rig.proxy_url + path for path in ("/health", "/v1/metrics/providers")]
        places = [json.dumps(house.sink.messages), *[(await house.http.get(url, headers=token)).text for url in urls]]
        for name in ("proxy", "control"):
            assert await house.rig.stop(name) == 0
        for secret in (WORD, KEY, CLIENT_KEY, MANAGEMENT_KEY):
            assert [place[:200] for place in places if secret in place] == []
            assert files_with(house.rig.directory, secret) == []


def files_with(directory: Path, secret: str) -> list[str]:
    files = [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("fake.")]
    assert len(files) > 6
    return [path.name for path in files if secret.encode() in path.read_bytes()]
