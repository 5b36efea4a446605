"""The small request as each family would make it, and why a client would not work."""

import json
from typing import Any

import pytest

from daemon.domain.probe import Reply
from daemon.logic.client_check import first_request, is_our_proxy, trouble
from daemon.logic.client_env import client_setup

URL = "http://h:1"


@pytest.mark.parametrize(
    ("family", "method", "url", "header"),
    [
        ("openai-sdk", "GET", "http://h:1/v1/models", ("Authorization", "Bearer k")),
        ("codex", "GET", "http://h:1/v1/models", ("Authorization", "Bearer k")),
        ("claude-code", "GET", "http://h:1/v1/models", ("X-Api-Key", "k")),
        ("gemini-cli", "GET", "http://h:1/v1beta/models", ("X-Goog-Api-Key", "k")),
        ("amp", "POST", "http://h:1/api/internal?getUserInfo", ("Authorization", "Bearer k")),
        ("any", "GET", "http://h:1/v1/models", ("Authorization", "Bearer k")),
    ],
)
def test_it_is_asked_as_the_client_would(family: str, method: str, url: str, header: tuple[str, str]) -> None:
    asked = first_request(client_setup(family, URL), "k")
    assert (asked.method, asked.url) == (method, url)
    assert header in asked.headers.items()


def reply(status: int, body: Any = None) -> Reply:
    return Reply(status=status, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("family", "answer", "said"),
    [
        ("openai-sdk", reply(200, {"data": []}), ""),
        ("openai-sdk", reply(404), ""),  # it came through: not every upstream lists its models
        ("openai-sdk", reply(401, {"error": "Invalid API key"}), "MY_KEY is refused (status 401, Invalid API key)"),
        ("openai-sdk", reply(403, {"error": {"message": "no"}}), "MY_KEY is refused (status 403, no)"),
        ("openai-sdk", reply(502, "?"), "the upstream is down (status 502)"),
        ("openai-sdk", Reply(error="timed out"), "gives no answer (timed out)"),
        ("amp", reply(404), "serves nothing of Amp's"),
        ("amp", reply(200), ""),
    ],
)
def test_what_stands_in_the_way_is_said(family: str, answer: Reply, said: str) -> None:
    found = trouble(client_setup(family, URL), answer, "MY_KEY")
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("answer", "ours"),
    [
        (reply(200, {"status": "ok", "version": "1", "control": {}, "upstream": {}}), True),
        (reply(200, {"status": "ok"}), False),
        (reply(200, ["version", "control", "upstream"]), False),
        (reply(503, {"version": "1", "control": {}, "upstream": {}}), False),
        (Reply(error="refused"), False),
    ],
)
def test_our_proxy_is_known_by_its_health(answer: Reply, ours: bool) -> None:
    assert is_our_proxy(answer) is ours
