"""Canaries: small requests that we make ourselves, on every wire, and what their replies say."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from daemon.domain.event import Fault, Outcome, Wire
from daemon.domain.facts import ResponseFacts
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.faults import classify
from daemon.logic.probe import Sight
from daemon.logic.top_providers import is_exhausted
from daemon.logic.wire import WireProtocol

TOKENS = 16
"""The least that every provider accepts as a limit; a model that thinks first needs more to say anything."""

MODES = {False: "at once", True: "as a stream"}
"""How an answer is asked for, and how that is told."""
Spoken = Literal[Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI_GENERATE_CONTENT]
"""The wires that a canary speaks."""

_FAMILIES: Mapping[Wire, str] = {
    Wire.OPENAI_CHAT: "gpt-",
    Wire.OPENAI_RESPONSES: "gpt-",
    Wire.ANTHROPIC_MESSAGES: "claude-",
    Wire.GEMINI_GENERATE_CONTENT: "gemini-",
}
_SPEECHLESS = frozenset({"image", "embedding", "tts", "audio", "live", "realtime"})
_SMALL_ONES = frozenset({"mini", "haiku", "flash", "nano", "lite"})
_PROVIDERS: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"codex", "openai"}),
    "anthropic": frozenset({"claude", "anthropic"}),
    "google": frozenset({"gemini", "gemini-cli", "vertex", "aistudio"}),
}
"""Whose credentials serve the models of an owner; those of any other have its own name."""

Body = dict[str, Any]


def _chat(model: str, text: str, tokens: int, stream: bool) -> tuple[str, Body]:
    body = {"model": model, "messages": _messages(text), "max_tokens": tokens, "stream": stream}
    return "/v1/chat/completions", {**body, "stream_options": {"include_usage": True}} if stream else body


def _responses(model: str, text: str, tokens: int, stream: bool) -> tuple[str, Body]:
    return "/v1/responses", {"model": model, "input": text, "max_output_tokens": tokens, "stream": stream}


def _anthropic(model: str, text: str, tokens: int, stream: bool) -> tuple[str, Body]:
    return "/v1/messages", {"model": model, "messages": _messages(text), "max_tokens": tokens, "stream": stream}


def _gemini(model: str, text: str, tokens: int, stream: bool) -> tuple[str, Body]:
    contents = [{"role": "user", "parts": [{"text": text}]}]
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    body = {"contents": contents, "generationConfig": {"maxOutputTokens": tokens}}
    return f"/v1beta/models/{model}:{verb}", body


def _messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


_SMALL: Mapping[Wire, Callable[[str, str, int, bool], tuple[str, Body]]] = {
    Wire.OPENAI_CHAT: _chat,
    Wire.OPENAI_RESPONSES: _responses,
    Wire.ANTHROPIC_MESSAGES: _anthropic,
    Wire.GEMINI_GENERATE_CONTENT: _gemini,
}


def canary(
    model: str,
    wire: Wire = Wire.OPENAI_CHAT,
    *,
    stream: bool = False,
    text: str = "ping",
    tokens: int = TOKENS,
    client: str | None = None,
    **fields: Any,
) -> Ask:
    """One small request to a model through our own proxy; `fields` are laid over the body."""
    path, body = _SMALL.get(wire, _chat)(model, text, tokens, stream)
    return Ask(
        door=Door.PROXY,
        method="POST",
        path=path,
        body={**body, **fields},
        wire=wire if wire in _SMALL else Wire.OPENAI_CHAT,
        client=client,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a canary's reply says. `outcome` is None where nobody knows: it was not answered by the upstream at all."""

    outcome: Outcome | None
    fault: Fault | None = None
    facts: ResponseFacts | None = None
    reason: str = ""
    """What went wrong, in words for people; nothing of a body."""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def tokens(self) -> int:
        """What it cost, as far as the upstream says it."""
        usage = self.facts.usage if self.facts else None
        return (usage.total_tokens or (usage.input_tokens or 0) + (usage.output_tokens or 0)) if usage else 0


def answer(ask: Ask, reply: Reply, wires: Mapping[Wire, WireProtocol]) -> Answer:
    """Reads a reply as the proxy reads one, and judges it as it judges one that is known to be well formed."""
    if reply.status is None:
        return Answer(outcome=None, reason=reply.error or "no answer")
    kind = reply.headers.get("content-type", "")
    tap = wires[ask.wire or Wire.OPENAI_CHAT].tap(status=reply.status, stream="event-stream" in kind)
    tap.feed(reply.body)
    facts = tap.close()
    if reply.status == 401 and facts.error is not None and facts.error.flat:
        return Answer(
            outcome=None, facts=facts, reason="the upstream refuses our client key (RUNBOOKD_UPSTREAM_API_KEY)"
        )
    outcome, fault = classify(status=reply.status, facts=facts, well_formed=True)
    said = "" if outcome is Outcome.OK else f"{fault or outcome} (status {reply.status})"
    return Answer(outcome=outcome, fault=fault, facts=facts, reason=said)


# ---- whom to ask -----------------------------------------------------------------------------------------------------


def model_for(wire: Wire, named: Mapping[Any, str], sight: Sight) -> str | None:
    """The model that is named for a wire, else one that is listed of the wire's own family: a small one, the latest."""
    if wire in named:
        return named[wire]
    family = (model for model in sight.served or () if model.startswith(_FAMILIES[wire]))
    return max((model for model in family if not _parts(model) & _SPEECHLESS), key=_preference, default=None)


def _preference(model: str) -> tuple[bool, str]:
    """By name, which goes by the version."""
    return bool(_parts(model) & _SMALL_ONES), model


def _parts(model: str) -> set[str]:
    return set(re.split(r"[-./]", model))


def has_family(model: str, sight: Sight) -> bool:
    """Whether anything is listed that is named like it: else the upstream is of another kind."""
    return any(one.startswith(model.partition("-")[0] + "-") for one in sight.served or ())


def no_quota(model: str, sight: Sight) -> str:
    """Why a model is better not asked, in words: nothing is left of any credential that is known to serve it."""
    providers = sorted(set(_serving(model, sight)))
    own = [replace(one, model_id=None) for one in sight.quota if one.model_id == model and one.quota_exhausted]
    if providers and all(is_exhausted(one, [*sight.quota, *own], sight.credentials) for one in providers):
        return f"{model} is not asked: nothing is left of the quota of {' and '.join(providers)}"
    return ""


def _serving(model: str, sight: Sight) -> Iterator[str]:
    """The providers that are known to serve it, as far as its owner tells."""
    used = {one.provider_key for one in sight.credentials or () if not one.disabled}
    seen = used or {one.provider_key for one in sight.quota}
    for entry in sight.entries:
        if entry.model_id == model and entry.owned_by:
            owner = entry.owned_by.lower()
            yield from _PROVIDERS.get(owner, frozenset({owner})) & seen


def nobody_to_ask(sight: Sight) -> str:
    """Why no model is known for a wire, in words."""
    if not sight.reachable:
        return "the upstream does not answer"
    return "no model is known that could be asked: name one under `models`"
