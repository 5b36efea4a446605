"""What holds for the soft kinds that are for some requests: options, targets, and the routes that rows become."""

from typing import Any

import pytest
from pydantic import ValidationError

from daemon.domain.soft_routing import SoftRoute
from daemon.logic.mitigation import About, kind_of, soft_kind
from tests.contracts.things import a_mitigation

KEY = "0123456789abcdef"
MINIMAL: dict[str, dict[str, Any]] = {
    "reroute": {"to_model": "codex"},
    "pin_thinking": {"level": "high"},
    "block_model": {},
    "limit_concurrency": {"at_once": 4},
}
SCOPES: list[tuple[dict[str, str], str, dict[str, str]]] = [
    ({"model": "spark"}, "spark", {"from_model": "spark"}),
    ({"prefix": "iflow"}, "iflow/*", {"from_prefix": "iflow"}),
    ({"prefix": "iflow", "model": "glm"}, "iflow/glm", {"from_model": "iflow/glm"}),
    ({"workload": "nightly"}, "* workload=nightly", {"workload": "nightly"}),
    ({"client": KEY}, f"* client={KEY}", {"client": KEY}),
    (
        {"model": "a b", "workload": "w", "client": KEY},
        f"a b workload=w client={KEY}",
        {"from_model": "a b", "workload": "w", "client": KEY},
    ),
]
every_kind = pytest.mark.parametrize("kind", MINIMAL)


def options(kind: str, **said: Any) -> Any:
    module: Any = kind_of(kind)
    return module.OPTIONS.model_validate({"kind": kind, **said})


def routed(kind: str, trickle_seconds: float | None = None, **said: Any) -> SoftRoute:
    """From what stands in the file to what the data plane is told."""
    (change,) = kind_of(kind).plan(options(kind, **said), About())
    row = a_mitigation(kind=kind, target=change.target, value_wanted=change.choices[0])
    return soft_kind(kind).route(row, trickle_seconds)


@every_kind
@pytest.mark.parametrize(("scope", "what", "fields"), SCOPES)
def test_a_target_says_for_which_requests_and_the_route_reads_it(
    kind: str, scope: dict[str, str], what: str, fields: dict[str, str]
) -> None:
    own = options(kind, **MINIMAL[kind], **scope)
    (change,) = kind_of(kind).plan(own, About())
    assert (change.target, change.soft) == (f"{kind}:{what}", True)
    assert kind_of(kind).reaches(own, change.target)
    assert not kind_of(kind).reaches(own, f"{kind}:another")
    found = routed(kind, **MINIMAL[kind], **scope)
    names = ("from_model", "from_prefix", "workload", "client")
    assert {name: getattr(found, name) for name in names} == dict.fromkeys(names, "") | fields
    assert (found.kind, found.mitigation_id) == (kind, "m1")
    assert what in kind_of(kind).say(change.target, change.choices[0])


@every_kind
@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ({}, "for every request"),
        ({"model": "spark(high)"}, "leave the suffix out"),
        ({"prefix": "a/b"}, "pattern"),
        ({"client": "me"}, "pattern"),
    ],
)
def test_a_scope_that_is_none_is_refused(kind: str, scope: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        options(kind, **MINIMAL[kind], **scope)


@pytest.mark.parametrize(
    ("kind", "said", "mistake"),
    [
        ("reroute", {}, "say to_model or to_prefix"),
        ("reroute", {"to_model": "a", "to_prefix": "b"}, "say to_model or to_prefix"),
        ("reroute", {"to_model": "spark"}, "go already"),
        ("reroute", {"prefix": "x", "to_prefix": "x"}, "go already"),
        ("pin_thinking", {}, "pins nothing"),
        ("pin_thinking", {"level": -2}, "tokens"),
        ("pin_thinking", {"level": "high", "to_model": "a(low)"}, "two levels"),
        ("pin_thinking", {"level": "high", "release": {"canary": "ping"}}, "trickle"),
        ("limit_concurrency", {}, "at_once"),
        ("limit_concurrency", {"at_once": 0}, "at_once"),
        ("limit_concurrency", {"at_once": 1, "queue": 10_001}, "queue"),
        ("limit_concurrency", {"at_once": 1, "wait": 61.0}, "wait"),
        ("block_model", {"release": {}}, "release"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: str, said: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake):
        options(kind, model="spark", **said)


@pytest.mark.parametrize(
    ("kind", "said", "fields"),
    [
        ("reroute", {"to_model": "codex"}, {"to_model": "codex"}),
        ("reroute", {"to_prefix": "openrouter"}, {"to_prefix": "openrouter"}),
        ("reroute", {"to_model": "p/codex"}, {"to_model": "p/codex"}),
        ("pin_thinking", {"level": "high"}, {"thinking": "high"}),
        ("pin_thinking", {"level": 8192}, {"thinking": "8192"}),
        ("pin_thinking", {"level": 0}, {"thinking": "0"}),
        ("pin_thinking", {"level": "low", "by": "field"}, {"thinking": "low", "thinking_in_body": True}),
        ("pin_thinking", {"to_model": "p/thinker"}, {"to_model": "p/thinker"}),
        ("pin_thinking", {"to_model": "t", "level": -1}, {"to_model": "t", "thinking": "-1"}),
        ("pin_thinking", {"to_model": "t(high)"}, {"to_model": "t", "thinking": "high"}),
        ("limit_concurrency", {"at_once": 4}, {"limit": 4, "queue": 16, "wait_seconds": 5.0}),
        ("limit_concurrency", {"at_once": 1, "queue": 0, "wait": 0.25}, {"limit": 1, "wait_seconds": 0.25}),
        ("block_model", {}, {}),
    ],
)
def test_a_row_is_a_route(kind: str, said: dict[str, Any], fields: dict[str, Any]) -> None:
    wanted = SoftRoute(mitigation_id="m1", kind=kind, from_model="spark", **fields)
    assert routed(kind, model="spark", **said) == wanted


@pytest.mark.parametrize(
    ("kind", "release"),
    [
        ("reroute", {"canary": "ping", "every": 30.0, "passes": 3}),
        ("pin_thinking", {"canary": "trickle", "every": 60.0, "passes": 3}),
        ("block_model", {}),
        ("limit_concurrency", {}),
    ],
)
def test_what_has_an_original_path_is_released_by_it(kind: str, release: dict[str, Any]) -> None:
    said = {"model": "spark", **MINIMAL[kind]}
    (change,) = kind_of(kind).plan(options(kind, **said), About())
    assert change.release == release
    assert routed(kind, 60.0, **said).trickle_seconds == (60.0 if release else None)


def test_in_words() -> None:
    said = {
        "reroute": ("iflow/* workload=nightly", "openrouter/*", "send iflow/* workload=nightly out as openrouter/*"),
        "pin_thinking": ("spark", "(high)", "pin the thinking of spark to (high)"),
        "block_model": ("spark", True, "block spark"),
        "limit_concurrency": (
            "spark",
            "4 at once, 16 waiting for 5 s",
            "let spark through with 4 at once, 16 waiting for 5 s",
        ),
    }
    for kind, (what, value, words) in said.items():
        assert kind_of(kind).say(f"{kind}:{what}", value) == words
