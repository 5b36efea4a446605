"""Receivers in the alerts file: what leads nowhere or back to us is told, with its place and without its URL."""

import pytest

from daemon.domain.errors import ConfigError
from tests.adapters.config.conftest import Load

HOOK = "name: hook, kind: webhook"
SEES = "json://hunter2"


def told(load_text: Load, text: str) -> list[str]:
    """Mistakes, or else warnings, without the file's name."""
    try:
        found = load_text(f"version: 1\n{text}\n", ("secret:good", "https://hunter2", SEES)).warnings
    except ConfigError as error:
        found = error.mistakes
    return [str(one).partition(": ")[2] for one in found]


@pytest.mark.parametrize(
    ("receiver", "said"),
    [
        ("name: operators, urls: ['json://h']", None),
        ("name: operators, urls: ['json://127.1:8318/x']", "urls[0]: leads to our own proxy: it is left out"),
        ("name: operators, urls: ['http://localhost:8318/x']", "urls[0]: leads to our own proxy: it is left out"),
        ("name: operators, urls: ['json://127.0.0.1:8319/x']", None),
        ("name: operators, urls: [hunter2]", "urls[0]: should be an Apprise URL, env:NAME or secret:name"),
        (f"{HOOK}, urls: ['https://hunter2/x']", None),
        (f"{HOOK}, urls: ['secret:good']", None),
        (f"{HOOK}, urls: ['{SEES}']", "urls[0]: should be an http(s) address, for a webhook"),
        (f"{HOOK}, urls: ['https://']", "urls[0]: should be an http(s) address, for a webhook"),
        (f"{HOOK}, urls: ['https://h'], headers: {{A: 'secret:good'}}", None),
        (
            f"{HOOK}, urls: ['https://h'], headers: {{A: 'secret:bad'}}",
            "headers.A: secret:bad resolves to nothing; receiver 'hook' is switched off",
        ),
        (
            "name: operators, urls: ['json://h'], headers: {A: hunter2}",
            "headers: are only for kind: webhook; an Apprise URL has its own way to say them",
        ),
        ("name: operators, urls: ['json://h'], backup: operators", "backup: is the receiver itself"),
        ("name: operators, urls: ['json://h'], backup: pagre", "backup: 'pagre' is not a receiver"),
        ("name: operators, urls: ['json://h'], backup: pager", None),
    ],
)
def test_what_is_said_of_a_receiver(load_text: Load, receiver: str, said: str | None) -> None:
    route = "hook" if receiver.startswith(HOOK) else "operators"
    text = f"route: {{receiver: {route}}}\nreceivers:\n  - {{{receiver}}}\n  - {{name: pager, urls: ['json://p']}}"
    found = told(load_text, text)
    assert [one.partition("receivers[0].")[2].partition("; did")[0] for one in found] == ([said] if said else [])
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("secret:good", None),
        ("https://hunter2/x", None),
        ("secret:bad", "secret:bad resolves to nothing; there is no heartbeat"),
        ("hunter2", "should be an http(s) address, env:NAME or secret:name"),
        ("http://127.0.0.1:8318/x", "leads to our own proxy: it is left out"),
    ],
)
def test_what_is_said_of_a_heartbeat(load_text: Load, url: str, said: str | None) -> None:
    text = f"receivers: [{{name: operators, urls: ['json://h']}}]\nroute:\n  heartbeat: {{url: '{url}', every: 1m}}"
    assert [one.partition("route.heartbeat.url: ")[2] for one in told(load_text, text)] == ([said] if said else [])
