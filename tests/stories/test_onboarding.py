"""Story: a client started by `exec` is seen, a wrong key is told at once, and a prefix is let in only when clean."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from daemon.app.rig import CLIENT_KEY
from tests.stories.house import House, eventually, open_house

CLIENT = """\
import json, os, urllib.request
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
held = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "User-Agent": "my-script/1",
        "Content-Type": "application/json"}
body = json.dumps({"model": "gpt-5.4", "messages": [{"role": "user", "content": "ping"}]}).encode()
answer = urllib.request.urlopen(urllib.request.Request(url, body, held))
print(answer.status, json.load(answer)["object"])
raise SystemExit(7)
"""
MODELS = ["claude-opus-4-6", "team-b/gpt-5.4", "team-b/gpt-5.5"]


async def runbookd(house: House, *words: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "daemon", *words),
        env={**house.rig.environment(), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def onboard(house: House, *words: str) -> tuple[int, Mapping[str, Any]]:
    code, out, err = await runbookd(house, "onboard", "team-b", "--watch", "2s", "--every", "1s", "--json", *words)
    assert out, err
    return code, json.loads(out)


def bad(told: Mapping[str, Any]) -> list[str]:
    return [step["name"] for step in told["steps"] if not step["ok"]]


async def test_a_client_comes_through_and_a_wrong_key_is_told_before_it_starts() -> None:
    async with open_house() as house:
        await house.start("fake", "proxy", "control")
        words = ("exec", "--", sys.executable, "-c", CLIENT)
        assert await runbookd(house, *words, OPENAI_API_KEY=CLIENT_KEY) == (7, "200 chat.completion\n", "")
        (event,) = await eventually(lambda: house.control.events(client="my-script"))
        assert (event["outcome"], event["requested_model"]) == ("ok", "gpt-5.4")
        assert await house.control.events(client="runbookd-exec", outcome="ok")

        code, out, err = await runbookd(house, *words, OPENAI_API_KEY="wrong")
        assert (code, out) == (1, "")
        assert "the key in OPENAI_API_KEY is refused (status 401, Invalid API key)" in err
        assert len(await house.control.events(client="my-script")) == 1
        await house.rig.stop("proxy")
        code, out, err = await runbookd(house, *words, OPENAI_API_KEY=CLIENT_KEY)
        assert (code, out) == (1, "")
        assert "does not answer" in err


async def test_a_prefix_is_let_in_only_when_it_is_clean() -> None:
    async with open_house() as house:
        await house.start("fake", "proxy", "control")
        await house.fake.play({"models": [*MODELS, "gpt-5.4"]})
        code, told = await onboard(house, "--models", "gpt-5.4,gpt-6")
        assert (code, told["verdict"], bad(told)) == (1, "unclean", ["models", "aliases", "verdict"])

        limited = {"fault": "429", "match": {"model": "team-b/gpt-5.5"}}
        await house.fake.play({"models": MODELS, "rules": [limited]})
        code, told = await onboard(house)
        assert (code, bad(told), told["watch"]) == (1, ["canary", "verdict"], None)

        later = {
            "fault": "500",
            "every": 5,
            "match": {"model": "team-b/*"},
        }  # the first four are those of the step before
        await house.fake.play({"models": MODELS, "rules": [later]})
        code, told = await onboard(house)
        assert (code, bad(told)) == (1, ["watch", "verdict"])

        await house.fake.play({"models": MODELS})
        code, told = await onboard(house, "--models", "gpt-5.4")
        assert (code, told["verdict"], bad(told)) == (0, "clean", [])
        assert (told["watch"]["errors"], told["watch"]["canaries"] >= 2) == (0, True)
