"""Which models are gone, of which key, and what may be the cause."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.inventory import ModelEntry
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import models
from daemon.logic.probes.models import ModelsOptions

HOUR = 3_600_000
DAY = 24 * HOUR
OFF = CredentialFile(auth_index="1", name="codex-b.json", provider_key="codex", disabled=True)
Lists = Mapping[str, Sequence[str]]


class Looks:
    """One look after the other, with the memory of the last."""

    def __init__(self, **options: Any) -> None:
        self.options = ModelsOptions(**options)
        self.memory: Mapping[str, Any] = {}
        self.now = 0

    def sight(self, lists: Lists | None, **facts: Any) -> Sight:
        served = None if lists is None else {name: [ModelEntry(model_id=m) for m in ms] for name, ms in lists.items()}
        return Sight(now=self.now, models=served, memory=self.memory, **{"clients": ("default", "ci"), **facts})

    def look(self, lists: Lists | None, replies: Sequence[Reply] = (), **facts: Any) -> Found:
        found = models.verdict(self.options, self.sight(lists, **facts), replies)
        self.memory = json.loads(json.dumps(found.memory or self.memory))
        self.now += HOUR
        return found


def bad(found: Found) -> dict[str, str]:
    return {one.subject: one.reason for one in found.results if one.outcome == "bad"}


def test_what_was_served_and_is_not_is_missing_until_it_is_back() -> None:
    looks = Looks()
    first = looks.look({"default": ["a", "b"]})
    assert [(one.subject, one.outcome.value, one.value) for one in first.results] == [
        ("a", "ok", None),
        ("b", "ok", None),
        ("", "ok", 2.0),
    ]
    assert bad(looks.look({"default": ["a"]})) == {"b": "b is not served any more"}
    assert bad(looks.look({"default": ["a", "b"]})) == {}


@pytest.mark.parametrize("lists", [None, {"default": []}, {}])
def test_where_nothing_is_listed_nobody_knows(lists: Lists | None) -> None:
    looks = Looks()
    looks.look({"default": ["a"]})
    assert [(one.subject, one.outcome.value) for one in looks.look(lists).results] == [("", "unknown")]
    assert bad(looks.look({"default": ["b"]})) == {"a": "a is not served any more"}


def test_which_key_lost_a_model_is_said() -> None:
    looks = Looks()
    looks.look({"default": ["a", "b"], "ci": ["a", "b"]})
    found = looks.look({"default": ["a", "b"], "ci": ["a"]})
    assert bad(found) == {"b": "b is not served any more to ci"}
    assert found.results[-1].value == 2.0


def test_a_key_that_is_given_no_list_is_a_matter_of_its_own() -> None:
    looks = Looks()
    looks.look({"default": ["a"], "ci": ["b"]})
    assert bad(looks.look({"default": ["a"]})) == {"key ci": "the client key ci is given no list of models any more"}
    assert bad(looks.look({"default": ["a"]}, clients=("default",))) == {}


def test_what_is_gone_for_long_or_is_not_cared_for_is_not_missed() -> None:
    looks = Looks(ignore=("*-preview",), forget_after="2d")
    looks.look({"default": ["a", "b", "c-preview"]})
    assert set(bad(looks.look({"default": ["a"]}))) == {"b"}
    looks.now += 2 * DAY
    found = looks.look({"default": ["a"]})
    assert [one.subject for one in found.results] == ["a", ""]


def test_an_unchanged_list_leaves_the_memory_as_it_was() -> None:
    looks = Looks()
    looks.look({"default": ["b", "a"]})
    before = looks.memory
    looks.look({"default": ["a", "b"]})
    assert looks.memory == before


@pytest.mark.parametrize(
    ("served", "asked"), [(["a", "b"], []), (["a"], [Ask(door=Door.MANAGEMENT, path="oauth-excluded-models")])]
)
def test_filters_are_asked_for_where_a_model_is_missing(served: Sequence[str], asked: Sequence[Ask]) -> None:
    looks = Looks()
    looks.look({"default": ["a", "b"]})
    known = Capabilities(routes={"oauth-excluded-models": True})
    assert models.requests(looks.options, looks.sight({"default": served}, capabilities=known)) == asked
    assert models.requests(looks.options, looks.sight({"default": served})) == []


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ({"oauth-excluded-models": {"codex": ["gpt-5.3*", "o3"]}}, "; left out by: gpt-5.3* of codex"),
        ({"codex": ["*spark"], "claude": ["claude-*"]}, "; left out by: *spark of codex"),
        ({"codex": "?", "claude": [3]}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_filters_and_credentials_that_are_off_are_said(body: Any, seen: str) -> None:
    looks = Looks()
    looks.look({"default": ["gpt-5.3-codex-spark", "a"]})
    reply = Reply(status=200, body=json.dumps(body).encode())
    found = looks.look({"default": ["a"]}, [reply], credentials=[OFF])
    assert bad(found) == {
        "gpt-5.3-codex-spark": f"gpt-5.3-codex-spark is not served any more{seen}; switched off: codex-b.json"
    }


def test_why_nobody_knows_is_said() -> None:
    looks = Looks()
    reasons = [
        looks.look(None, reachable=False).results[0].reason,
        looks.look(None, clients=()).results[0].reason,
        looks.look(None).results[0].reason,
    ]
    assert reasons[0] == "the upstream does not answer"
    assert "RUNBOOKD_UPSTREAM_API_KEY" in reasons[1]
    assert reasons[2] == "the upstream lists no models to us"
