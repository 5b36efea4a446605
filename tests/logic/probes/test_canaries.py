"""What the canaries of usage, pictures, Spark and a path ask, and what replies come to, as tables."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from daemon.app import shelf
from daemon.domain.credential import CredentialFile
from daemon.domain.event import Wire
from daemon.domain.inventory import ModelEntry
from daemon.domain.probe import Ask, ProbeOutcome, Reply
from daemon.domain.quota import QuotaReading
from daemon.logic.canary import model_for, no_quota
from daemon.logic.canary_images import image_canary
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import negotiation, spark, tool_image, usage_parity

WIRES = {wire.WIRE: wire for wire in shelf.wires()}
KINDS: Mapping[str, Any] = {
    "usage_parity": usage_parity,
    "tool_image": tool_image,
    "spark": spark,
    "negotiation": negotiation,
}
CODEX, SPARK, MINI = "gpt-5.3-codex", "gpt-5.3-codex-spark", "gpt-5.4-mini"
OWNERS = {"gpt": "openai", "claude": "anthropic", "gemini": "google"}
SERVED = ("gpt-5.5", MINI, "gpt-image-9-mini", CODEX, SPARK, "claude-opus-4-6", "claude-haiku-4-5", "gemini-2.5-flash")
SPENT = QuotaReading(
    provider_key="codex", auth_index="1", quota_exhausted=True, usage_percentage=100, observed_at=0, source="probe"
)


def lists(*models: str) -> list[ModelEntry]:
    return [ModelEntry(model_id=model, owned_by=OWNERS.get(model.partition("-")[0])) for model in models]


def codex(index: str = "1", **said: Any) -> CredentialFile:
    return CredentialFile(auth_index=index, name=f"codex-{index}.json", provider_key="codex", **said)


def a_sight(*models: str, **said: Any) -> Sight:
    return Sight(**{"now": 7, "wires": WIRES, "models": {"default": lists(*(models or SERVED))}, **said})


def asks(probe: str, sight: Sight | None = None, **said: Any) -> Sequence[Ask]:
    found: Sequence[Ask] = KINDS[probe].requests(KINDS[probe].OPTIONS(**said), sight or a_sight())
    return found


def judged(probe: str, replies: Sequence[Reply], sight: Sight | None = None, **said: Any) -> dict[str, tuple[str, str]]:
    found: Found = KINDS[probe].verdict(KINDS[probe].OPTIONS(**said), sight or a_sight(), replies)
    return {one.subject: (one.outcome.value, one.reason) for one in found.results}


def model_of(ask: Ask) -> str | None:
    read = WIRES[ask.wire or Wire.OTHER].read_request(ask.path.partition("?")[0], json.dumps(ask.body).encode())
    return read.model


def reply(body: Any, status: int = 200) -> Reply:
    return Reply(status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode())


# ---- whom to ask -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "served", "expected"),
    [
        (Wire.OPENAI_CHAT, SERVED, MINI),
        (Wire.ANTHROPIC_MESSAGES, SERVED, "claude-haiku-4-5"),
        (Wire.ANTHROPIC_MESSAGES, ("claude-opus-4-5", "claude-opus-4-6"), "claude-opus-4-6"),
        (Wire.GEMINI_GENERATE_CONTENT, ("gemini-3-pro", "gemini-2.5-flash"), "gemini-2.5-flash"),
        (Wire.GEMINI_GENERATE_CONTENT, ("gpt-5.4",), None),
    ],
)
def test_a_small_model_of_the_wires_family_is_asked_if_none_is_named(
    wire: Wire, served: Sequence[str], expected: str | None
) -> None:
    assert model_for(wire, {}, a_sight(*served)) == expected
    assert model_for(wire, {wire: "mine"}, a_sight(*served)) == "mine"


@pytest.mark.parametrize(
    ("said", "spent"),
    [
        ({"quota": [SPENT]}, True),
        ({"quota": [SPENT], "credentials": [codex()]}, True),
        ({"quota": [SPENT], "credentials": [codex(), codex("2", disabled=True)]}, True),
        ({"quota": [SPENT], "credentials": [codex(), codex("2")]}, False),
        ({"credentials": [codex()]}, False),
        ({"quota": [SPENT], "models": {"default": [ModelEntry(model_id=CODEX)]}}, False),
    ],
)
def test_a_model_is_not_asked_where_nothing_is_left_of_all_that_serve_it(said: Mapping[str, Any], spent: bool) -> None:
    sight = a_sight(**said)
    assert bool(no_quota(CODEX, sight)) is spent
    assert not no_quota("claude-haiku-4-5", sight)


def test_the_quota_of_one_model_holds_for_that_model_alone() -> None:
    own = QuotaReading(
        provider_key="codex", auth_index="1", model_id=SPARK, quota_exhausted=True, observed_at=0, source="probe"
    )
    left = QuotaReading(provider_key="codex", auth_index="1", quota_exhausted=False, observed_at=0, source="probe")
    sight = a_sight(quota=[left, own], credentials=[codex()])
    assert [bool(no_quota(model, sight)) for model in (SPARK, CODEX)] == [True, False]


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ("usage_parity", {"wires": ("openai_chat",)}),
        ("tool_image", {"wires": ("openai_responses",)}),
        ("spark", {}),
        ("negotiation", {}),
    ],
)
def test_no_canary_is_sent_where_the_quota_is_spent_or_nobody_answers(probe: str, said: Mapping[str, Any]) -> None:
    for sight, word in (
        (a_sight(quota=[SPENT], credentials=[codex()]), "quota"),
        (a_sight(reachable=False), "does not answer"),
    ):
        assert asks(probe, sight, **said) == []
        ((outcome, reason),) = judged(probe, [], sight, **said).values()
        assert (outcome, word in reason) == ("unknown", True)
    assert asks(probe, a_sight(quota=[SPENT], credentials=[codex(), codex("2")]), **said)


# ---- usage_parity ----------------------------------------------------------------------------------------------------


def test_usage_parity_asks_both_modes_of_each_wire_with_room_to_think() -> None:
    found = asks("usage_parity")
    assert [(ask.wire, model_of(ask), ask.stream) for ask in found] == [
        (wire, model, stream)
        for wire, model in (
            (Wire.OPENAI_RESPONSES, MINI),
            (Wire.OPENAI_CHAT, MINI),
            (Wire.ANTHROPIC_MESSAGES, "claude-haiku-4-5"),
            (Wire.GEMINI_GENERATE_CONTENT, "gemini-2.5-flash"),
        )
        for stream in (False, True)
    ]
    assert found[0].body is not None
    assert found[0].body["max_output_tokens"] == 2048


def chat(usage: Mapping[str, Any] | None, finish: str = "stop") -> Reply:
    body: dict[str, Any] = {
        "model": MINI,
        "choices": [{"message": {"role": "assistant", "content": "pong"}, "finish_reason": finish}],
    }
    return reply(body if usage is None else {**body, "usage": usage})


def counted(given: int, put: int, thought: int | None = None) -> dict[str, Any]:
    details = {} if thought is None else {"completion_tokens_details": {"reasoning_tokens": thought}}
    return {"prompt_tokens": given, "completion_tokens": put, "total_tokens": given + put, **details}


@pytest.mark.parametrize(
    ("at_once", "streamed", "outcome", "said"),
    [
        (chat(counted(9, 5)), chat(counted(9, 5)), "ok", ""),
        (chat(counted(9, 5)), chat(counted(9, 60)), "ok", ""),
        (chat(counted(9, 300)), chat(counted(9, 590)), "ok", ""),
        (chat(counted(9, 300)), chat(counted(9, 610)), "bad", "300 tokens of output at once, 610 as a stream"),
        (chat(counted(9, 305, 300)), chat(counted(9, 905, 900)), "ok", ""),
        (chat(counted(9, 305, 300)), chat(counted(9, 905)), "bad", "305 tokens of output at once, 905 as a stream"),
        (chat(counted(9, 5)), chat(counted(10, 5)), "bad", "9 tokens of input at once, 10 as a stream"),
        (chat(counted(9, 5)), chat(None), "bad", "as a stream there is no usage"),
        (chat(counted(0, 0)), chat(counted(9, 5)), "bad", "at once the usage is zero"),
        (chat(None), chat(None), "bad", "at once there is no usage and as a stream there is no usage"),
        (
            chat(counted(9, 5)),
            chat(None, "length"),
            "unknown",
            "as a stream there is no usage; the limit of 2048 tokens ended the answer as a stream",
        ),
        (chat(counted(9, 2048)), chat(counted(9, 5), "length"), "unknown", ""),
        (chat(counted(9, 5), "length"), chat(counted(9, 5)), "ok", ""),
        (
            chat(counted(9, 5)),
            Reply(status=200, headers={"content-type": "text/event-stream"}, body=b'data: {"choices": []}\n\n'),
            "unknown",
            "as a stream the answer broke off: not compared",
        ),
        (
            reply({"error": {"message": "x", "type": "server_error"}}, 500),
            chat(counted(9, 5)),
            "unknown",
            "at once the request failed (provider_error (status 500)): not compared",
        ),
    ],
)
def test_usage_has_to_be_there_and_equal_and_what_explains_a_difference_is_not_bad(
    at_once: Reply, streamed: Reply, outcome: str, said: str
) -> None:
    found = judged("usage_parity", [at_once, streamed], wires=("openai_chat",))["openai_chat"]
    assert found[0] == outcome
    assert found[1].endswith(said)
    assert bool(found[1]) is (outcome != "ok")


def test_what_claude_reads_from_its_cache_is_input_too() -> None:
    def claude(given: int, cached: int) -> Reply:
        usage = {"input_tokens": given, "output_tokens": 5, "cache_read_input_tokens": cached}
        body = {"type": "message", "model": "claude", "content": [{"type": "text", "text": "pong"}], "usage": usage}
        return reply({**body, "stop_reason": "end_turn"})

    said: dict[str, Any] = {"wires": ("anthropic_messages",)}
    assert judged("usage_parity", [claude(90, 0), claude(10, 80)], **said)["anthropic_messages"] == ("ok", "")
    assert judged("usage_parity", [claude(90, 0), claude(10, 70)], **said)["anthropic_messages"][0] == "bad"


def test_what_gemini_thinks_is_output_too() -> None:
    def gemini(put: int, thought: int | None) -> Reply:
        usage = {"promptTokenCount": 9, "candidatesTokenCount": put, "totalTokenCount": 9 + put + (thought or 0)}
        told = usage if thought is None else {**usage, "thoughtsTokenCount": thought}
        answered = {"content": {"role": "model", "parts": [{"text": "pong"}]}, "finishReason": "STOP"}
        return reply({"candidates": [answered], "usageMetadata": told})

    said: dict[str, Any] = {"wires": ("gemini_generate_content",)}
    for at_once, streamed, outcome in (
        (gemini(5, 900), gemini(905, None), "ok"),
        (gemini(5, 900), gemini(5, None), "bad"),
        (gemini(0, 900), gemini(0, 900), "ok"),
    ):
        assert judged("usage_parity", [at_once, streamed], **said)["gemini_generate_content"][0] == outcome


# ---- tool_image ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", [Wire.OPENAI_RESPONSES, Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES])
def test_a_picture_stands_in_the_result_of_a_tool_as_our_own_proxy_reads_it(wire: Wire) -> None:
    for image in (True, False):
        ask = image_canary("m", wire, image=image)
        assert WIRES[wire].read_request(ask.path, json.dumps(ask.body).encode()).has_tool_result_image is image


def test_tool_image_asks_both_modes_and_once_without_a_picture() -> None:
    found = asks("tool_image")
    assert [(ask.wire, model_of(ask), ask.stream, "image/png" in json.dumps(ask.body)) for ask in found] == [
        (wire, model, stream, image)
        for wire, model in ((Wire.OPENAI_RESPONSES, MINI), (Wire.ANTHROPIC_MESSAGES, "claude-haiku-4-5"))
        for stream, image in ((False, True), (True, True), (False, False))
    ]


GOOD = chat(counted(9, 5))
REFUSED = reply({"error": {"message": "x", "type": "invalid_request_error"}}, 400)
BROKEN = reply({"error": {"message": "x", "type": "server_error"}}, 500)
LIMITED = reply({"error": {"message": "x", "type": "rate_limit_error"}}, 429)


@pytest.mark.parametrize(
    ("replies", "outcome", "said"),
    [
        ([GOOD, GOOD, GOOD], "ok", ""),
        ([GOOD, GOOD, BROKEN], "ok", ""),
        ([REFUSED, REFUSED, GOOD], "bad", "at once translation (status 400); as a stream translation (status 400)"),
        ([GOOD, REFUSED, GOOD], "bad", "does not come through: as a stream translation (status 400)"),
        ([BROKEN, GOOD, GOOD], "bad", "does not come through: at once provider_error (status 500)"),
        ([BROKEN, BROKEN, BROKEN], "unknown", "without a picture fails too: provider_error (status 500)"),
        ([LIMITED, GOOD, GOOD], "unknown", "provider_rate_limited (status 429)"),
        ([Reply(error="timed out"), GOOD, GOOD], "unknown", "timed out"),
    ],
)
def test_only_what_a_picture_breaks_is_bad(replies: Sequence[Reply], outcome: str, said: str) -> None:
    found = judged("tool_image", replies, wires=("openai_chat",))["openai_chat"]
    assert (found[0], found[1].endswith(said)) == (outcome, True)


# ---- spark -----------------------------------------------------------------------------------------------------------


def test_spark_is_asked_with_each_client_key_that_it_is_listed_for() -> None:
    sight = a_sight(models={"default": lists(*SERVED), "other": lists(CODEX), "third": lists(SPARK), "none": []})
    assert [(model_of(ask), ask.client) for ask in asks("spark", sight)] == [(SPARK, "default"), (SPARK, "third")]
    found = judged("spark", [GOOD, GOOD], sight, wire="openai_chat")
    assert set(found) == {"key default", "key other", "key third"}


@pytest.mark.parametrize(
    ("credentials", "outcome", "said"),
    [
        (None, "bad", f"{SPARK} is not listed, and nobody tells the plan: it takes plus or pro"),
        ([codex(plan_type="free"), codex("2", plan_type="team")], "bad", "plus or pro, and the plan is free and team"),
        ([codex(plan_type="plus")], "bad", f"{SPARK} is not listed though the plan is plus: is it filtered out?"),
        ([codex(plan_type="plus", disabled=True), codex("2", plan_type="free")], "bad", "the plan is free"),
    ],
)
def test_why_spark_is_not_listed(credentials: Sequence[CredentialFile] | None, outcome: str, said: str) -> None:
    found = judged("spark", [], a_sight(CODEX, credentials=credentials))["key default"]
    assert (found[0], found[1].endswith(said)) == (outcome, True)


def error(status: int, code: str, message: str = "x", **more: Any) -> Reply:
    return reply({"error": {"code": code, "message": message, **more}}, status)


ALIASED = reply({**json.loads(GOOD.body), "model": CODEX})
ANSWERED = reply({**json.loads(GOOD.body), "model": f"{SPARK}-2026-02-12"})
PLUS = [codex(plan_type="plus")]


@pytest.mark.parametrize(
    ("one", "credentials", "outcome", "said"),
    [
        (ANSWERED, PLUS, "ok", ""),
        (ALIASED, PLUS, "unknown", f"{CODEX} answers in the place of {SPARK}"),
        (error(404, "model_not_found"), PLUS, "bad", "the account's plan may lack it"),
        (error(400, "model_not_found"), [codex(plan_type="free")], "bad", "it is not in the plan, which is free"),
        (error(503, "", "auth_unavailable: no auth available"), PLUS, "bad", "for up to 12h: `reset_quota` ends that"),
        (error(429, "model_cooldown", reset_seconds=43200), None, "bad", "for 12h: `reset_quota` ends that"),
        (error(429, "model_cooldown", reset_seconds=60), PLUS, "unknown", "for 1m: it was not asked"),
        (
            error(503, "", "auth_unavailable: no auth available"),
            [codex(unavailable=True)],
            "bad",
            "no usable credential of codex is left",
        ),
        (LIMITED, PLUS, "unknown", "provider_rate_limited"),
        (BROKEN, PLUS, "bad", "is listed and fails (provider_error (status 500))"),
    ],
)
def test_what_is_wrong_with_spark_is_told_apart(
    one: Reply, credentials: Sequence[CredentialFile] | None, outcome: str, said: str
) -> None:
    found = judged("spark", [one], a_sight(credentials=credentials), wire="openai_chat")["key default"]
    assert (found[0], said in found[1]) == (outcome, True)


# ---- negotiation -----------------------------------------------------------------------------------------------------


def test_negotiation_makes_one_request_of_the_first_model_where_all_are_listed() -> None:
    assert [(model_of(ask), ask.wire, ask.stream) for ask in asks("negotiation")] == [
        (CODEX, Wire.OPENAI_RESPONSES, True)
    ]
    assert asks("negotiation", a_sight(CODEX)) == []
    assert [model_of(ask) for ask in asks("negotiation", a_sight(CODEX), models=(CODEX,))] == [CODEX]


@pytest.mark.parametrize(
    ("one", "served", "outcome", "said"),
    [
        (GOOD, SERVED, "ok", ""),
        (None, (CODEX,), "bad", f"the upstream does not list {SPARK}"),
        (None, ("claude-opus-4-6",), "unknown", f"the upstream does not list {CODEX} and {SPARK}"),
        (BROKEN, SERVED, "bad", f"{CODEX} is listed and does not answer: provider_error (status 500)"),
        (LIMITED, SERVED, "bad", f"{CODEX} is listed and does not answer: provider_rate_limited (status 429)"),
        (Reply(error="timed out"), SERVED, "unknown", "timed out"),
    ],
)
def test_negotiation_is_ok_only_where_all_of_it_works(
    one: Reply | None, served: Sequence[str], outcome: str, said: str
) -> None:
    found = judged("negotiation", [one] if one else [], a_sight(*served), wire="openai_chat")
    assert found == {"": (outcome, said)}


# ---- all of them -----------------------------------------------------------------------------------------------------

NONSENSE = [
    Reply(status=status, headers={"content-type": kind}, body=body)
    for status in (200, 400)
    for kind in ("application/json", "text/event-stream")
    for body in (b"", b"null", b"[]", b"7", b'{"usage": 7, "choices": 7}', b"data: {\n\n", b"\xff\xfe")
]


@pytest.mark.parametrize("probe", KINDS)
@pytest.mark.parametrize("one", NONSENSE, ids=lambda one: f"{one.status} {one.headers['content-type']} {one.body!r}")
def test_nothing_that_an_upstream_says_breaks_them(probe: str, one: Reply) -> None:
    kind = KINDS[probe]
    found = kind.verdict(kind.OPTIONS(), a_sight(), [one] * len(asks(probe)))
    assert found.results
    assert ProbeOutcome.OK not in {each.outcome for each in found.results}
