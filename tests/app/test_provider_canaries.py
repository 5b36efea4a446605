"""Canaries of providers through our own proxy to a fake upstream: healthy is ok, each fault is what it should be."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from daemon.adapters.clock import SystemClock
from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.playback import serving
from daemon.adapters.fake.scenario import read_scenario
from daemon.adapters.management.probes import HttpProbes
from daemon.app import shelf
from daemon.app.serving import listen
from daemon.domain.event import Wire
from daemon.domain.probe import ProbeResult
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import antigravity, iflow, thinking
from tests.fakes.proxy import CANARY_SECRET, running_proxy

KEY = "client-key"
GLM, PRO = "iflow/glm-4.6", "antigravity/gemini-3-pro"
ANTIGRAVITY = antigravity.WIRES
ALONE = "it was not seen to answer well on another wire either"
KINDS: Mapping[str, Any] = {"iflow": iflow, "antigravity": antigravity, "thinking": thinking}


class House:
    """A fake upstream, our proxy before it, and what asks through it."""

    def __init__(self, upstream: FakeUpstream, probes: HttpProbes) -> None:
        self._upstream, self._probes = upstream, probes
        self._memory: Mapping[str, Any] = {}
        self._now = 0

    def play(self, *rules: Mapping[str, Any]) -> None:
        self._upstream._director.play(read_scenario({"rules": list(rules)}))

    async def run(self, probe: str, **options: Any) -> dict[str, tuple[str, str]]:
        """By subject: the outcome and the reason. Each run is a minute after the one before."""
        return {one.subject: (one.outcome.value, one.reason) for one in (await self.found(probe, **options)).results}

    async def found(self, probe: str, **options: Any) -> Found:
        self._now += 60_000
        kind, said = KINDS[probe], KINDS[probe].OPTIONS(**options)
        sight = Sight(
            now=self._now,
            models=await self._probes.models(),
            wires={wire.WIRE: wire for wire in shelf.wires()},
            memory=self._memory,
        )
        replies = [await self._probes.ask(ask) for ask in kind.requests(said, sight)]
        found: Found = kind.verdict(said, sight, replies)
        self._memory = found.memory or {}
        return found


@pytest.fixture
async def house() -> AsyncIterator[House]:
    clock = SystemClock()
    upstream = FakeUpstream(clock=clock, api_keys=[KEY])
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(upstream, listen("127.0.0.1", 0, setting="port")))
        proxy = await stack.enter_async_context(running_proxy(url))
        probes = HttpProbes(url, f"http://127.0.0.1:{proxy.port}", KEY, CANARY_SECRET.decode(), clock)
        stack.push_async_callback(probes.close)
        yield House(upstream, probes)


# ---- iflow -----------------------------------------------------------------------------------------------------------


async def test_a_healthy_iflow_is_ok(house: House) -> None:
    found = await house.found("iflow")
    assert [(one.subject, one.outcome.value) for one in found.results] == [(GLM, "ok")]
    assert found.tokens > 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", f"{GLM}: iFlow refuses the account (provider_auth (status 401))"),
        ("403", f"{GLM}: iFlow refuses the account (provider_auth (status 403))"),
        ("406", f"{GLM}: iFlow fails (provider_error (status 406))"),
        ("429", f"{GLM}: iFlow limits the account (provider_rate_limited (status 429))"),
        ("429_quota", f"{GLM}: the account's quota is spent (provider_quota (status 429))"),
        ("500", f"{GLM}: iFlow fails (provider_error (status 500))"),
        ("500_no_api_key", f"{GLM}: the upstream has no API key of iFlow: its own setting, not the account's fault"),
        (
            "503_auth_unavailable",
            f"{GLM}: the upstream has no usable credential of iFlow: sign in anew (no_credential (status 503))",
        ),
        (
            "404_model_not_found",
            f"{GLM}: the account is not offered this model: ask for one that the upstream lists "
            "(model_not_found (status 404))",
        ),
        ("empty", f"{GLM}: the answer is empty"),
    ],
)
async def test_each_fault_of_iflow_says_whose_it_is(house: House, fault: str, said: str) -> None:
    house.play({"match": {"model": "iflow/*"}, "fault": fault})
    assert await house.run("iflow") == {GLM: ("bad", said)}


async def test_one_mode_is_enough(house: House) -> None:
    house.play({"match": {"stream": True}, "fault": "truncate"})
    assert await house.run("iflow") == {GLM: ("bad", f"{GLM}: as a stream: iFlow fails (truncated (status 200))")}


async def test_a_cooldown_says_nothing_of_iflow_until_it_lasts_too_long(house: House) -> None:
    house.play({"fault": "429_cooldown"})
    seen = [(await house.run("iflow", patience=120.0))[GLM] for _ in range(3)]
    assert seen == [
        ("unknown", "the upstream rests the account: iFlow was not asked"),
        ("unknown", "the upstream rests the account: iFlow was not asked"),
        ("bad", f"{GLM}: the upstream has rested the account for 2m"),
    ]
    house.play()
    assert (await house.run("iflow"))[GLM] == ("ok", "")
    house.play({"fault": "429_cooldown"})
    assert (await house.run("iflow"))[GLM][0] == "unknown"


@pytest.mark.parametrize(
    ("probe", "options"),
    [("iflow", {}), ("antigravity", {}), ("thinking", {"models": ("gpt-5.4",), "shapes": ("reasoning_effort",)})],
)
async def test_an_upstream_that_does_not_answer_says_nothing_of_a_provider(
    house: House, probe: str, options: dict[str, Any]
) -> None:
    house.play({"fault": "connect_drop"})
    found = await house.run(probe, **options)
    assert {outcome for outcome, _ in found.values()} == {"unknown"}


# ---- antigravity -----------------------------------------------------------------------------------------------------


async def test_a_healthy_antigravity_is_ok_on_each_wire_in_turn(house: House) -> None:
    for stream in range(2):
        for wire in ANTIGRAVITY:
            found = await house.run("antigravity")
            assert found == {PRO: ("ok", ""), f"{PRO} {wire}": ("ok", "")}, stream


@pytest.mark.parametrize("wire", ANTIGRAVITY)
@pytest.mark.parametrize(
    ("fault", "said", "share"),
    [
        ("empty", "the answer is empty", "0%"),
        ("tool_without_arguments", "the tool is called without arguments", "50%"),
        ("500", "provider_error (status 500)", "0%"),
    ],
)
async def test_each_fault_of_antigravity_on_each_wire_in_both_modes(
    house: House, wire: Wire, fault: str, said: str, share: str
) -> None:
    house.play({"match": {"model": "antigravity/*"}, "fault": fault})
    for mode in ("", ", streamed"):
        reason = f"{PRO}, {wire}{mode}: {said} ({share} of the answers of the last 10m were good)"
        found = await house.run("antigravity", wires=(wire,))
        assert found == {PRO: ("bad", reason), f"{PRO} {wire}": ("unknown", f"{reason}: {ALONE}")}


@pytest.mark.parametrize(
    ("wire", "said"),
    [(Wire.OPENAI_CHAT, "stop"), (Wire.ANTHROPIC_MESSAGES, "end_turn")],
)
async def test_an_answer_that_does_not_end_for_its_tool_is_bad(house: House, wire: Wire, said: str) -> None:
    house.play({"fault": "tool_as_stop"})
    for _ in range(2):
        outcome, reason = (await house.run("antigravity", wires=(wire,)))[PRO]
        assert outcome == "bad"
        assert f"the tool is called, and the answer ends as if it were not ({said})" in reason


async def test_a_wire_is_bad_where_the_model_does_well_on_another(house: House) -> None:
    house.play({"match": {"wire": "anthropic_messages"}, "fault": "tool_without_arguments"})
    runs = [await house.run("antigravity") for _ in ANTIGRAVITY]
    outcomes = [{subject.removeprefix(PRO): outcome for subject, (outcome, _) in run.items()} for run in runs]
    assert outcomes == [
        {"": "ok", " openai_chat": "ok"},
        {"": "bad", " anthropic_messages": "bad"},
        {"": "ok", " gemini_generate_content": "ok"},
        {"": "ok", " openai_responses": "ok"},
    ]


async def test_a_cooldown_says_nothing_of_antigravity(house: House) -> None:
    house.play({"fault": "429_cooldown"})
    assert await house.run("antigravity") == {PRO: ("unknown", "local_cooldown (status 429)")}


async def test_its_value_is_the_share_of_good_answers_of_the_last_ten_minutes(house: House) -> None:
    def value(results: Any) -> float | None:
        found: ProbeResult = next(one for one in results if one.subject == PRO)
        return found.value

    house.play({"fault": "500", "first": 4})
    values = [value((await house.found("antigravity")).results) for _ in range(12)]
    assert values == [pytest.approx(one) for one in (0, 0, *(1 - 2 / n for n in range(3, 11)), 0.9, 1)]


# ---- thinking --------------------------------------------------------------------------------------------------------

EACH = {
    "gpt-5.4-mini reasoning.effort": ("gpt-5.4-mini", "openai_responses"),
    "gpt-5.4-mini reasoning_effort": ("gpt-5.4-mini", "openai_chat"),
    "claude-haiku-4-5 budget_tokens": ("claude-*", "anthropic_messages"),
    "gemini-2.5-flash thinkingBudget": ("gemini-*", "gemini_generate_content"),
    "gemini-2.5-flash thinking_budget": ("gemini-*", "gemini_generate_content"),
    "gpt-5.4-mini suffix": ("gpt-5.4-mini(high)", "openai_chat"),
}


async def test_a_level_is_heard_in_every_shape_and_mode(house: House) -> None:
    assert await house.run("thinking") == dict.fromkeys(EACH, ("ok", ""))


@pytest.mark.parametrize("subject", EACH)
async def test_a_level_that_is_dropped_is_seen_in_its_shape(house: House, subject: str) -> None:
    model, wire = EACH[subject]
    shape = subject.partition(" ")[2]
    house.play({"match": {"model": model, "wire": wire}, "fault": "no_thinking"})
    echo = "none was applied" if shape == "reasoning.effort" else "and no token was spent on thinking"
    said = f"{subject.replace(' ', ', ')}: high was asked for, {echo}"
    assert await house.run("thinking", shapes=(shape,)) == {subject: ("bad", said)}


async def test_a_level_that_only_one_mode_drops_is_seen(house: House) -> None:
    house.play({"match": {"stream": True}, "fault": "thinking_drift"})
    subject = "gpt-5.4-mini reasoning.effort"
    found = await house.run("thinking", shapes=("reasoning.effort",))
    assert found == {
        subject: ("bad", "gpt-5.4-mini, reasoning.effort: as a stream high was asked for, low was applied")
    }
    assert (await house.run("thinking", shapes=("reasoning.effort",), accepts={"gpt-5.4-mini": ("low",)}))[subject] == (
        "ok",
        "",
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no_usage", "the answer does not say how it was thought about"),
        ("500", "provider_error (status 500)"),
        ("in_band_error", "error_in_stream (status 200)"),
    ],
)
async def test_what_an_answer_does_not_say_is_not_known(house: House, fault: str, said: str) -> None:
    house.play({"fault": fault})
    found = await house.run("thinking", shapes=("reasoning_effort",))
    assert found == {"gpt-5.4-mini reasoning_effort": ("unknown", f"gpt-5.4-mini, reasoning_effort: {said}")}
