"""Canaries of usage, pictures, Spark and a path through our own proxy to a fake upstream: each fault is what it is."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.credentials import CREDENTIALS
from daemon.adapters.fake.playback import serving
from daemon.adapters.fake.scenario import BUILT_IN, read_scenario
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.probes import HttpProbes
from daemon.app import shelf
from daemon.app.serving import listen
from daemon.domain.event import Outcome, Source
from daemon.domain.mitigation import Call
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import negotiation, spark, tool_image, usage_parity
from daemon.logic.providers import ProviderFigures
from tests.fakes.clock import FakeClock
from tests.fakes.proxy import CANARY_SECRET, RunningProxy, running_proxy

KEY, MANAGEMENT_KEY = "client-key", "management-key"
CODEX, SPARK = "gpt-5.3-codex", "gpt-5.3-codex-spark"
KINDS: Mapping[str, Any] = {
    "usage_parity": usage_parity,
    "tool_image": tool_image,
    "spark": spark,
    "negotiation": negotiation,
}
RESPONSES, CHAT, CLAUDE, GEMINI = (
    "openai_responses",
    "openai_chat",
    "anthropic_messages",
    "gemini_generate_content",
)
MODELS = {
    RESPONSES: "gpt-5.4-mini",
    CHAT: "gpt-5.4-mini",
    CLAUDE: "claude-haiku-4-5",
    GEMINI: "gemini-2.5-flash",
}
SHAPES = (RESPONSES, CHAT, CLAUDE)


class House:
    """A fake upstream, our proxy before it, and what asks through it."""

    def __init__(
        self, upstream: FakeUpstream, proxy: RunningProxy, probes: HttpProbes, management: ManagementClient
    ) -> None:
        self.upstream, self.proxy, self.probes, self.management = upstream, proxy, probes, management

    def play(self, *rules: Mapping[str, Any]) -> None:
        self.upstream._director.play(read_scenario({"rules": list(rules)}))

    async def run(self, probe: str, **options: Any) -> dict[str, tuple[str, str]]:
        """By subject: the outcome and the reason."""
        return {one.subject: (one.outcome.value, one.reason) for one in (await self.found(probe, **options)).results}

    async def found(self, probe: str, **options: Any) -> Found:
        kind, said = KINDS[probe], KINDS[probe].OPTIONS(**options)
        sight = Sight(
            now=1,
            models=await self.probes.models(),
            credentials=await self.management.credential_files(),
            wires={wire.WIRE: wire for wire in shelf.wires()},
        )
        replies = [await self.probes.ask(ask) for ask in kind.requests(said, sight)]
        found: Found = kind.verdict(said, sight, replies)
        return found


async def opened(stack: AsyncExitStack, clock: FakeClock, plan: str = "plus") -> House:
    plans = [replace(one, plan=plan) if one.plan else one for one in CREDENTIALS]
    upstream = FakeUpstream(clock=clock, api_keys=[KEY], management_key=MANAGEMENT_KEY, credentials=plans)
    url = await stack.enter_async_context(serving(upstream, listen("127.0.0.1", 0, setting="port")))
    proxy = await stack.enter_async_context(running_proxy(url))
    management = ManagementClient(url, MANAGEMENT_KEY, clock)
    probes = HttpProbes(url, f"http://127.0.0.1:{proxy.port}", KEY, CANARY_SECRET.decode(), clock, management)
    stack.push_async_callback(management.close)
    stack.push_async_callback(probes.close)
    return House(upstream, proxy, probes, management)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def house(clock: FakeClock) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield await opened(stack, clock)


async def test_a_healthy_upstream_is_ok(house: House) -> None:
    assert await house.run("usage_parity") == dict.fromkeys(MODELS, ("ok", ""))
    assert await house.run("tool_image", wires=SHAPES) == dict.fromkeys(SHAPES, ("ok", ""))
    assert await house.run("spark") == {"key default": ("ok", "")}
    assert await house.run("negotiation") == {"": ("ok", "")}
    assert (await house.found("usage_parity")).tokens > 0


async def test_what_they_ask_is_marked_and_is_no_clients_figure(house: House) -> None:
    house.play({"fault": "500"})
    for probe in KINDS:
        await house.run(probe)
    events, figures = await house.proxy.sink.wait_for(8 + 6 + 1 + 1), ProviderFigures()
    assert {(one.source, one.outcome) for one in events} == {(Source.CANARY, Outcome.FAILED)}
    for one in events:
        figures.observe(one)
    assert figures.figures(events[-1].emitted_at, 600) == {}


# ---- usage_parity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", MODELS)
@pytest.mark.parametrize(
    ("fault", "stream", "outcome", "said"),
    [
        ("no_usage", True, "bad", "as a stream there is no usage"),
        ("no_usage", False, "bad", "at once there is no usage"),
        ("zero_usage", True, "bad", "as a stream the usage is zero"),
        ("zero_usage", None, "bad", "at once the usage is zero and as a stream the usage is zero"),
        ("clean_cut", True, "unknown", "as a stream the answer broke off: not compared"),
        ("500", True, "unknown", "as a stream the request failed (provider_error (status 500)): not compared"),
    ],
)
async def test_each_fault_of_usage_on_each_wire(
    house: House, wire: str, fault: str, stream: bool | None, outcome: str, said: str
) -> None:
    house.play({"match": {"wire": wire, "stream": stream}, "fault": fault})
    expected = dict.fromkeys(MODELS, ("ok", ""))
    assert await house.run("usage_parity") == {**expected, wire: (outcome, f"{MODELS[wire]}, {wire}: {said}")}


@pytest.mark.parametrize("wire", MODELS)
@pytest.mark.parametrize(("fault", "what"), [("input_drift", "input"), ("output_drift", "output")])
async def test_counts_that_differ_by_mode_are_seen_on_each_wire(house: House, wire: str, fault: str, what: str) -> None:
    house.play({"match": {"wire": wire, "stream": True}, "fault": fault})
    outcome, reason = (await house.run("usage_parity", wires=(wire,)))[wire]
    assert (outcome, f"tokens of {what} at once" in reason) == ("bad", True)


# ---- tool_image ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", SHAPES)
@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (None, "at once translation (status 400); as a stream translation (status 400)"),
        (False, "at once translation (status 400)"),
        (True, "as a stream translation (status 400)"),
    ],
)
async def test_a_picture_that_is_refused_is_seen_in_its_shape_and_mode(
    house: House, wire: str, stream: bool | None, said: str
) -> None:
    house.play({"match": {"wire": wire, "tool_image": True, "stream": stream}, "fault": "400"})
    reason = f"{MODELS[wire]}, {wire}: a tool's result with a picture does not come through: {said}"
    expected = dict.fromkeys(SHAPES, ("ok", ""))
    assert await house.run("tool_image", wires=SHAPES) == {**expected, wire: ("bad", reason)}


@pytest.mark.parametrize("fault", ["500", "429", "connect_drop", "400"])
async def test_what_fails_without_a_picture_too_says_nothing_of_pictures(house: House, fault: str) -> None:
    house.play({"fault": fault})
    assert {outcome for outcome, _ in (await house.run("tool_image")).values()} == {"unknown"}


# ---- spark -----------------------------------------------------------------------------------------------------------


async def test_spark_outside_the_plan_is_refused_once_and_then_rested_until_somebody_resets_it(
    house: House, clock: FakeClock
) -> None:
    house.upstream._director.play(BUILT_IN["spark-not-in-plan"])
    refused = (
        f"{SPARK} is listed and refused (model_not_found (status 404)): the account's plan may lack it; "
        "the upstream now rests the credential for this model for up to 12h"
    )
    rested = (
        f"the upstream rests every credential for {SPARK}, for up to 12h: "
        "`reset_quota` ends that once the plan has the model"
    )
    assert await house.run("spark") == {"key default": ("bad", refused)}
    assert await house.run("spark") == {"key default": ("bad", rested)}
    await house.management.send(Call(method="POST", path="reset-quota", body={"auth_index": CREDENTIALS[0].auth_index}))
    assert await house.run("spark") == {"key default": ("bad", refused)}
    clock.instant += 43_199_000
    assert await house.run("spark") == {"key default": ("bad", rested)}
    clock.instant += 1_000
    assert await house.run("spark") == {"key default": ("bad", refused)}


async def test_spark_is_not_listed_where_no_plan_has_it(clock: FakeClock) -> None:
    async with AsyncExitStack() as stack:
        house = await opened(stack, clock, plan="team")
        said = f"{SPARK} is not in the plan: it takes plus or pro, and the plan is team"
        assert await house.run("spark") == {"key default": ("bad", said)}
        assert await house.run("negotiation") == {"": ("bad", f"the upstream does not list {SPARK}")}


@pytest.mark.parametrize(
    ("fault", "outcome", "said"),
    [
        ("500", "bad", f"{SPARK} is listed and fails (provider_error (status 500))"),
        ("429_cooldown", "unknown", f"the upstream rests {SPARK} for 1m: it was not asked"),
        ("429", "unknown", "provider_rate_limited (status 429)"),
        ("empty", "bad", f"{SPARK} is listed, and its answer is empty"),
    ],
)
async def test_each_fault_of_spark(house: House, fault: str, outcome: str, said: str) -> None:
    house.play({"match": {"model": SPARK}, "fault": fault})
    assert await house.run("spark") == {"key default": (outcome, said)}


# ---- negotiation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome", "said"),
    [
        ("500", "bad", f"{CODEX} is listed and does not answer: provider_error (status 500)"),
        ("404_model_not_found", "bad", f"{CODEX} is listed and does not answer: model_not_found (status 404)"),
        ("truncate", "bad", f"{CODEX} is listed and does not answer: truncated (status 200)"),
        ("empty", "bad", f"{CODEX} is listed and does not answer: the answer is empty"),
    ],
)
async def test_each_fault_of_a_path(house: House, fault: str, outcome: str, said: str) -> None:
    house.play({"match": {"model": CODEX}, "fault": fault})
    assert await house.run("negotiation") == {"": (outcome, said)}
