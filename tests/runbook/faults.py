"""What an upstream can do wrong, and what the runbook's probes and rules are to say of it: no more, and no less."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.adapters.fake.app import CATALOGUE
from daemon.adapters.fake.flavours import BUILDS, Flavour
from daemon.domain.event import Wire
from daemon.domain.probe import Ask
from daemon.logic.canary import canary
from daemon.logic.canary_images import image_canary

GLM, PRO, SPARK = "iflow/glm-4.6", "antigravity/gemini-3-pro", "gpt-5.3-codex-spark"
ANTIGRAVITY = {PRO, f"{PRO} anthropic_messages"}
"""A model, and the wire that it is asked on in the round after the first."""
SCENARIO, QUOTA = "/_fake/scenario", "/_fake/quota"
STATUS, ALIASES = "/v0/management/auth-files/status", "/v0/management/oauth-model-alias"

OURS = tuple(flavour.name for flavour in BUILDS.values() if flavour.plain is None)
"""The builds that have a management API and all wires."""
PLAIN = tuple(flavour.name for flavour in BUILDS.values() if flavour.plain is not None)


def those(**facts: Any) -> tuple[str, ...]:
    """The builds of which this is so."""
    return tuple(name for name in OURS if _is(BUILDS[name], facts))


def _is(flavour: Flavour, facts: Mapping[str, Any]) -> bool:
    return all(getattr(flavour, name) == value for name, value in facts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """One change at the upstream: what is sent to which of its doors."""

    path: str = SCENARIO
    said: Mapping[str, Any]
    method: str = "PUT"


SETTLED = (
    Spoilt(path="/v0/management/logging-to-file", said={"value": True}),
    Spoilt(path=QUOTA, said={"*": {"used": 20}}),
)
"""How every upstream is here before anything is wrong."""


def scenario(fault: str, **match: Any) -> Spoilt:
    """A fault of all requests that fit."""
    return Spoilt(said={"pace": "0s", "rules": [{"match": match, "fault": fault}]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is seen by probes. `alerts`: all that fire when it has lasted for some rounds."""

    name: str
    spoilt: Spoilt
    bad: Mapping[str, frozenset[str]]
    """By probe: the subjects that are bad; of no other probe any is."""
    alerts: frozenset[str] = frozenset()
    builds: tuple[str, ...] = OURS
    rounds: int = 1
    """It is seen in this one."""
    turns_of: str | None = None
    """The model that a client has asked in vain, many times, before each round."""


def bad(**subjects: set[str]) -> Mapping[str, frozenset[str]]:
    return {probe: frozenset(those_) for probe, those_ in subjects.items()}


FAULTS = (
    Fault(
        name="iFlow refuses the account",
        spoilt=scenario("403", model="iflow/*"),
        bad=bad(iflow={GLM}),
        alerts=frozenset({"IflowCanary"}),
    ),
    Fault(
        name="the upstream rests iFlow's account",
        spoilt=scenario("429_cooldown", model="iflow/*"),
        bad={},
    ),
    Fault(
        name="Antigravity answers nothing",
        spoilt=scenario("empty", model="antigravity/*"),
        bad=bad(antigravity=ANTIGRAVITY),
        alerts=frozenset({"AntigravityCanary"}),
    ),
    Fault(
        name="Antigravity loses the calls of tools",
        spoilt=scenario("tool_without_arguments", model="antigravity/*"),
        bad=bad(antigravity=ANTIGRAVITY),
        alerts=frozenset({"AntigravityCanary"}),
    ),
    Fault(
        name="a level of thinking is dropped on one wire",
        spoilt=scenario("no_thinking", model="claude-*", wire="anthropic_messages"),
        bad=bad(thinking={"claude-haiku-4-5 budget_tokens"}),
        alerts=frozenset({"ThinkingCanary"}),
    ),
    Fault(
        name="usage is missing in streams of one wire",
        spoilt=scenario("no_usage", wire="anthropic_messages", model="claude-haiku-*", stream=True),
        bad=bad(usage_parity={"anthropic_messages"}),
        alerts=frozenset({"UsageParity"}),
    ),
    Fault(
        name="pictures in the results of tools are refused",
        spoilt=scenario("400", wire="anthropic_messages", tool_image=True),
        bad=bad(tool_image={"anthropic_messages"}),
        alerts=frozenset({"ToolImageCanary"}),
    ),
    Fault(
        name="Spark is listed and not in the plan",
        spoilt=scenario("404_not_in_plan", model=SPARK),
        bad=bad(spark={"key default"}),
    ),
    Fault(
        name="Spark is gone",
        spoilt=Spoilt(said={"pace": "0s", "models": [one for one in CATALOGUE if one != SPARK]}),
        bad=bad(models={SPARK}, spark={"key default"}, negotiation={""}),
        alerts=frozenset({"ModelMissing", "SparkMissing", "NegotiationProbe"}),
    ),
    Fault(
        name="a credential is switched off",
        spoilt=Spoilt(path=STATUS, said={"name": "iflow-a.json", "disabled": True}, method="PATCH"),
        bad=bad(models={GLM}),
        alerts=frozenset({"ModelMissing"}),
        builds=those(patches_credentials=True),
    ),
    Fault(
        name="an alias hides a model",
        spoilt=Spoilt(
            path=ALIASES,
            said={"channel": "codex", "aliases": [{"name": "gpt-5.4", "alias": "gpt-5.5"}]},
            method="PATCH",
        ),
        bad=bad(aliases={"gpt-5.5"}),
        alerts=frozenset({"AliasCollision"}),
        builds=those(routes_models=True),
    ),
    Fault(
        name="a credential's quota is spent",
        spoilt=Spoilt(path=QUOTA, said={"codex-*": {"used": 100}}),
        bad=bad(quota={"codex-a@example.org.json"}),
        alerts=frozenset({"CredentialQuotaExhausted"}),
        builds=those(quota_signals=True),
    ),
    Fault(
        name="the quotas of the two busiest providers are spent",
        spoilt=Spoilt(path=QUOTA, said={"codex-*": {"used": 100}, "claude-*": {"used": 100}}),
        bad=bad(quota={"codex-a@example.org.json", "claude-a@example.org.json", "top-providers"}),
        alerts=frozenset({"CredentialQuotaExhausted", "TopProvidersQuotaExhausted"}),
        rounds=2,
        builds=those(quota_signals=True),
    ),
    Fault(
        name="the log tells of refusals",
        spoilt=scenario("403", model="gpt-5.4-mini"),
        turns_of="gpt-5.4-mini",
        rounds=2,
        bad=bad(log_scan={"*:403"}),
        alerts=frozenset({"LogRejectionBurst"}),
    ),
    Fault(
        name="Spark is not in the plan",
        spoilt=scenario("404_model_not_found", model=SPARK),
        bad=bad(spark={"key default"}),
    ),
    Fault(
        name="Codex is listed and fails",
        spoilt=scenario("500", model="gpt-5.3-codex"),
        bad=bad(negotiation={""}),
        alerts=frozenset({"NegotiationProbe"}),
    ),
    Fault(
        name="streams count nothing",
        spoilt=scenario("no_usage", wire="anthropic_messages", stream=True),
        bad=bad(usage_parity={"anthropic_messages"}),
        alerts=frozenset({"UsageParity"}),
    ),
    Fault(
        name="streams count other tokens of input",
        spoilt=scenario("input_drift", wire="openai_chat", stream=True),
        bad=bad(usage_parity={"openai_chat"}),
        alerts=frozenset({"UsageParity"}),
    ),
    Fault(
        name="pictures in the results of tools are refused",
        spoilt=scenario("400", tool_image=True, wire="anthropic_messages"),
        bad=bad(tool_image={"anthropic_messages"}),
        alerts=frozenset({"ToolImageCanary"}),
    ),
    Fault(
        name="the upstream rests a credential for its quota",
        spoilt=Spoilt(path=QUOTA, said={"codex-*": {"used": 100, "cooldown": "2h"}}),
        bad=bad(quota={"codex-a@example.org.json"}),
        alerts=frozenset({"CredentialQuotaExhausted"}),
        builds=those(shows_retry=True),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What clients' own turns show: so many of one kind, and all alerts that fire."""

    name: str
    model: str
    wire: Wire = Wire.OPENAI_CHAT
    stream: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    image: bool = False
    """The result of a tool holds a picture."""
    fault: str
    alerts: frozenset[str]

    @property
    def ask(self) -> Ask:
        """What a client asks."""
        made = image_canary if self.image else canary
        asked = made(self.model, self.wire, stream=self.stream)
        return replace(asked, body={**(asked.body or {}), **self.fields})


RATIO = "ProviderErrorRatio"
TROUBLES = (
    Trouble(
        name="a provider limits",
        model="gpt-5.4",
        fault="429",
        alerts=frozenset({"ProviderRateLimited", "RateLimitBurst"}),
    ),
    Trouble(
        name="a quota is spent",
        model="claude-sonnet-4-6",
        wire=Wire.ANTHROPIC_MESSAGES,
        fault="429_quota",
        alerts=frozenset({"ProviderRateLimited", "RateLimitBurst"}),
    ),
    Trouble(name="a provider fails", model="gemini-2.5-pro", fault="500", alerts=frozenset({RATIO})),
    Trouble(name="the upstream breaks off", model="gpt-5.4", fault="connect_drop", alerts=frozenset({RATIO})),
    Trouble(name="streams have no end", model="gpt-5.4", stream=True, fault="clean_cut", alerts=frozenset({RATIO})),
    Trouble(
        name="a credential is refused",
        model="claude-sonnet-4-6",
        wire=Wire.ANTHROPIC_MESSAGES,
        fault="403",
        alerts=frozenset({RATIO, "AuthRejectionBurst"}),
    ),
    Trouble(
        name="Spark is not in the plan",
        model=SPARK,
        fault="404_model_not_found",
        alerts=frozenset({RATIO, "SparkErrorRatio"}),
    ),
    Trouble(
        name="pictures in the results of tools are refused",
        model="claude-sonnet-4-6",
        wire=Wire.ANTHROPIC_MESSAGES,
        image=True,
        fault="400",
        alerts=frozenset({"ToolImageErrors"}),
    ),
    Trouble(name="iFlow fails", model=GLM, fault="406", alerts=frozenset({RATIO, "IflowErrorRatio"})),
    Trouble(
        name="Antigravity answers nothing",
        model=PRO,
        stream=True,
        fault="empty",
        alerts=frozenset({"AntigravityEmpty"}),
    ),
    Trouble(name="usage is zero", model="gpt-5.4", fault="zero_usage", alerts=frozenset({"ZeroUsageUnderLoad"})),
    Trouble(
        name="usage is missing in streams",
        model="gpt-5.4",
        stream=True,
        fault="no_usage",
        alerts=frozenset({"ZeroUsageUnderLoad"}),
    ),
    Trouble(
        name="thinking drifts",
        model="gpt-5.4",
        wire=Wire.OPENAI_RESPONSES,
        fields={"reasoning": {"effort": "high"}},
        fault="thinking_drift",
        alerts=frozenset({"ThinkingMismatch"}),
    ),
)
