"""What an upstream can do, by its version and by what it answered."""

from typing import Any

import pytest

from daemon.domain.capabilities import INERT, Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.event import Wire
from daemon.domain.front import Front
from daemon.domain.probe import Reply
from daemon.logic.capabilities import flavour_of, front_of, learned, obstacle, version_of

FILE = CredentialFile(auth_index="1", name="a", provider_key="codex")
RANKED = CredentialFile(auth_index="1", name="a", provider_key="codex", priority=2)
STATUS, FIELDS, RESET = "auth-files/status", "auth-files/fields", "reset-quota"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7.2.142", (7, 2, 142)),
        ("v6.8.38-0", (6, 8, 38)),
        ("7.2", (7, 2, 0)),
        ("dev", None),
        ("", None),
        (None, None),
    ],
)
def test_a_version(text: str | None, number: Any) -> None:
    assert version_of(text) == number


@pytest.mark.parametrize(
    ("version", "has_queue", "served"),
    [
        ("7.2.142", True, {STATUS: True, FIELDS: True, RESET: True}),
        ("7.2.21", True, {STATUS: True, FIELDS: True}),
        ("6.9.2", False, {STATUS: True, FIELDS: True, RESET: False}),
        ("6.8.19", False, {STATUS: True, FIELDS: False, RESET: False}),
        ("6.6.9", False, {STATUS: False, FIELDS: False, RESET: False}),
        ("dev", True, {STATUS: True, FIELDS: True}),
        (None, False, {}),
    ],
)
def test_writing_paths_are_known_by_the_version_and_unknown_ones_are_tried(
    version: str | None, has_queue: bool, served: dict[str, bool]
) -> None:
    known = learned(version, {"usage-queue": has_queue}, [FILE], models=False)
    assert {path: told for path, told in known.routes.items() if path != "usage-queue"} == served


@pytest.mark.parametrize(
    ("version", "has_queue", "file", "is_hidden"),
    [
        ("7.2.142", True, FILE, False),
        ("6.9.4", False, FILE, False),
        ("6.9.2", False, FILE, True),
        ("6.9.2", False, RANKED, False),
        ("6.8.38", False, FILE, True),
        ("6.8.38", False, RANKED, False),
        ("dev", True, FILE, False),
        (None, False, FILE, True),
    ],
)
def test_a_priority_that_is_not_shown(
    version: str | None, has_queue: bool, file: CredentialFile, is_hidden: bool
) -> None:
    known = learned(version, {"usage-queue": has_queue}, [file], models=False)
    assert ("priority" in known.hidden) is is_hidden


@pytest.mark.parametrize(("version", "inert"), [("6.6.9", INERT), ("7.3.1", INERT), (None, INERT), ("8.0.0", set())])
def test_what_is_ignored_is_known_of_what_was_read(version: str | None, inert: set[str]) -> None:
    assert learned(version, {}, [], models=False).inert == inert


@pytest.mark.parametrize(
    ("routes", "words"),
    [({}, ""), ({RESET: True}, ""), ({RESET: False}, "this upstream 7.0.1 does not serve POST reset-quota")],
)
def test_only_what_is_known_stands_against_a_lever(routes: dict[str, bool], words: str) -> None:
    assert obstacle(Capabilities(version="7.0.1", routes=routes), "POST", RESET) == words


def test_how_it_is_shown() -> None:
    shown = learned("7.2.142", {"ampcode": False}, [RANKED], models=True).shown()
    assert (shown["models"], shown["management"], shown["version"]) == (True, True, "7.2.142")
    assert (shown["routes"]["ampcode"], shown["routes"][RESET]) == (False, True)
    assert shown["no_effect_known"] == ["quota-exceeded.switch-preview-model", "quota-exceeded.switch-project"]
    assert shown["not_shown"] == []


@pytest.mark.parametrize(
    ("known", "flavour"),
    [
        (Capabilities(), None),
        (Capabilities(management=True), "CLIProxyAPI"),
        (Capabilities(management=True, version="v7.2.142", routes={"usage-queue": True}), "CLIProxyAPI 7.2.142"),
        (
            Capabilities(version="6.9.2", routes={"usage-queue": False}),
            "CLIProxyAPI 6.9.2 (older half of the management API)",
        ),
        (Capabilities(front=Front(introduces=True, dialect=Wire.OPENAI_CHAT)), "CLIProxyAPI"),
        (Capabilities(front=Front(dialect=Wire.OPENAI_CHAT)), "OpenAI-compatible"),
        (Capabilities(front=Front(dialect=Wire.ANTHROPIC_MESSAGES)), "Anthropic-compatible"),
        (Capabilities(front=Front(dialect=Wire.GEMINI_GENERATE_CONTENT)), "Gemini-compatible"),
    ],
)
def test_what_it_is_follows_from_what_it_can(known: Capabilities, flavour: str | None) -> None:
    assert flavour_of(known) == flavour


PAGE = Reply(status=200, body=b'{"message": "x", "endpoints": ["GET /v1/models", "GET /v1/metrics/providers"]}')
LIST, NOTHING = Reply(status=200, body=b'{"data": []}'), Reply(status=404)


@pytest.mark.parametrize(
    ("replies", "front"),
    [
        (
            (PAGE, Reply(status=200), Reply(status=401)),
            Front(introduces=True, provider_metrics=True, healthz=True, open_without_key=False),
        ),
        ((NOTHING, NOTHING, LIST), Front(healthz=False, open_without_key=True)),
        ((NOTHING, NOTHING, Reply(status=200, body=b"<html>")), Front(healthz=False)),
        ((NOTHING, NOTHING, Reply(status=503)), Front(healthz=False)),
        ((Reply(status=200, body=b"[]"), Reply(), Reply()), Front()),
    ],
)
def test_a_front_is_what_its_replies_say(replies: tuple[Reply, Reply, Reply], front: Front) -> None:
    assert front_of(*replies) == front
