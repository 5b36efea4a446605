"""What the canaries of providers ask, as tables; what becomes of replies is seen before a proxy and an upstream."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from daemon.app import shelf
from daemon.domain.event import Wire
from daemon.domain.inventory import ModelEntry
from daemon.domain.probe import Ask, ProbeOutcome, Reply
from daemon.domain.quota import QuotaReading
from daemon.logic.probe import Sight
from daemon.logic.probes import antigravity, iflow, thinking

LISTED = {
    "default": [
        ModelEntry(model_id="glm-4.6", owned_by="iFlow"),
        ModelEntry(model_id="iflow/qwen3", owned_by="somebody"),
        ModelEntry(model_id="kimi-k2", owned_by="iflow"),
        ModelEntry(model_id="antigravity/gemini-3-pro", owned_by="antigravity"),
        ModelEntry(model_id="claude-opus-4-6-thinking", owned_by="antigravity"),
        ModelEntry(model_id="gpt-5.5", owned_by="openai"),
        ModelEntry(model_id="gpt-image-2", owned_by="openai"),
        ModelEntry(model_id="gpt-5.4", owned_by="openai"),
        ModelEntry(model_id="gemini-2.5-pro"),
    ],
    "second": [ModelEntry(model_id="glm-4.6", owned_by="iflow")],
}
WIRES = {wire.WIRE: wire for wire in shelf.wires()}
KINDS: Mapping[str, Any] = {"iflow": iflow, "antigravity": antigravity, "thinking": thinking}
PRO, OPUS = "antigravity/gemini-3-pro", "claude-opus-4-6-thinking"


def asks(probe: str, memory: Mapping[str, Any] | None = None, listed: Any = LISTED, **said: Any) -> Sequence[Ask]:
    sight = Sight(now=0, models=listed, wires=WIRES, memory=memory or {})
    found: Sequence[Ask] = KINDS[probe].requests(KINDS[probe].OPTIONS(**said), sight)
    return found


def model_of(ask: Ask) -> str:
    return (
        WIRES[ask.wire or Wire.OTHER].read_request(ask.path.partition("?")[0], json.dumps(ask.body).encode()).model
        or ""
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["glm-4.6", "iflow/qwen3"]),
        ({"most": 1}, ["glm-4.6"]),
        ({"models": ("a", "b", "c")}, ["a", "b", "c"]),
    ],
)
def test_iflow_asks_known_good_models_in_both_modes(said: dict[str, Any], expected: list[str]) -> None:
    found = asks("iflow", **said)
    assert [(model_of(ask), ask.stream) for ask in found] == [(m, s) for m in expected for s in (False, True)]


@pytest.mark.parametrize(
    ("runs", "wire", "stream"),
    [
        (0, Wire.OPENAI_CHAT, False),
        (1, Wire.ANTHROPIC_MESSAGES, False),
        (3, Wire.OPENAI_RESPONSES, False),
        (4, Wire.OPENAI_CHAT, True),
        (8, Wire.OPENAI_CHAT, False),
    ],
)
def test_antigravity_asks_each_model_for_a_word_and_a_tool_on_the_wire_whose_turn_it_is(
    runs: int, wire: Wire, stream: bool
) -> None:
    found = asks("antigravity", {"runs": runs})
    assert [(model_of(ask), "tools" in (ask.body or {})) for ask in found] == [
        (model, has_tool) for model in (PRO, OPUS) for has_tool in (False, True)
    ]
    assert {(ask.wire, ask.stream) for ask in found} == {(wire, stream)}


@pytest.mark.parametrize(
    ("said", "models"),
    [
        ({}, ["gpt-5.5", "gpt-5.5", OPUS, "gemini-2.5-pro", "gemini-2.5-pro", "gpt-5.5(high)"]),
        ({"level": "low"}, ["gpt-5.5", "gpt-5.5", OPUS, "gemini-2.5-pro", "gemini-2.5-pro", "gpt-5.5(low)"]),
        ({"models": ("a",), "shapes": ("budget_tokens", "suffix")}, ["a", "a(high)"]),
    ],
)
def test_thinking_asks_in_each_shape_and_both_modes(said: dict[str, Any], models: list[str]) -> None:
    found = asks("thinking", **said)
    assert [(model_of(ask), ask.stream) for ask in found] == [(m, s) for m in models for s in (False, True)]
    level = said.get("level", "high")
    read = [WIRES[ask.wire or Wire.OTHER].read_request(ask.path, json.dumps(ask.body).encode()) for ask in found]
    assert {one.thinking.canonical if one.thinking else None for one in read} == {level}


@pytest.mark.parametrize("probe", KINDS)
def test_where_nothing_is_listed_nothing_is_asked_and_why_is_said(probe: str) -> None:
    kind = KINDS[probe]
    for sight in (
        Sight(now=7, wires=WIRES),
        Sight(now=7, wires=WIRES, models={"default": []}),
        Sight(now=7, wires=WIRES, models=LISTED, reachable=False),
    ):
        assert kind.requests(kind.OPTIONS(), sight) == []
        (one,) = kind.verdict(kind.OPTIONS(), sight, []).results
        assert (one.probe, one.subject, one.outcome, bool(one.reason)) == (probe, "", ProbeOutcome.UNKNOWN, True)


NONSENSE = [
    Reply(status=200, headers={"content-type": kind}, body=body)
    for kind in ("application/json", "text/event-stream")
    for body in (
        b"",
        b"null",
        b"[]",
        b"7",
        b'{"choices": 7, "output": 7, "content": 7, "candidates": 7}',
        b'{"choices": [{"message": {"tool_calls": [7]}}], "content": [7], "output": [7], "candidates": [[7]]}',
        b"data: [DONE]\n\n",
        b"data: {\n\n",
        b'data: {"choices": [7], "delta": 7, "type": "response.completed", "response": 7}\n\n',
        b"\xff\xfe",
    )
]


@pytest.mark.parametrize("probe", KINDS)
@pytest.mark.parametrize("reply", NONSENSE, ids=lambda reply: f"{reply.headers['content-type']} {reply.body!r}")
def test_nothing_that_an_upstream_says_breaks_them(probe: str, reply: Reply) -> None:
    kind = KINDS[probe]
    for runs in range(4):
        sight = Sight(now=0, models=LISTED, wires=WIRES, memory={"runs": runs})
        wanted = kind.requests(kind.OPTIONS(), sight)
        found = kind.verdict(kind.OPTIONS(), sight, [reply] * len(wanted))
        assert found.results
        assert probe == "iflow" or ProbeOutcome.OK not in {one.outcome for one in found.results}


@pytest.mark.parametrize("probe", KINDS)
def test_what_it_remembers_is_plain_json_and_is_read_again(probe: str) -> None:
    kind, memory = KINDS[probe], {}
    for _ in range(3):
        sight = Sight(now=0, models=LISTED, wires=WIRES, memory=memory)
        found = kind.verdict(kind.OPTIONS(), sight, [Reply(status=500)] * len(kind.requests(kind.OPTIONS(), sight)))
        memory = json.loads(json.dumps(dict(found.memory or {})))
    assert len(json.dumps(memory)) < 4000


@pytest.mark.parametrize(
    ("probe", "said", "owner", "subjects"),
    [
        ("iflow", {"models": ("glm-4.6",)}, "iflow", ["glm-4.6"]),
        ("antigravity", {"models": (PRO,)}, "antigravity", [PRO]),
        ("thinking", {"models": ("glm-4.6",), "shapes": ("suffix",)}, "iflow", ["glm-4.6 suffix"]),
    ],
)
def test_what_has_no_quota_left_is_not_asked_and_not_judged(
    probe: str, said: dict[str, Any], owner: str, subjects: list[str]
) -> None:
    spent = QuotaReading(provider_key=owner, auth_index="a", quota_exhausted=True, observed_at=0, source="here")
    kind = KINDS[probe]
    sight = Sight(now=0, models=LISTED, wires=WIRES, quota=[spent])
    assert kind.requests(kind.OPTIONS(**said), sight) == []
    found = kind.verdict(kind.OPTIONS(**said), sight, []).results
    assert [(one.subject, one.outcome) for one in found] == [(one, ProbeOutcome.UNKNOWN) for one in subjects]
    assert "nothing is left of the quota" in found[0].reason
