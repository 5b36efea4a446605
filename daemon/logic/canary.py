"""Canaries: small requests that we make ourselves, on every wire, and what their replies say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.domain.event import Fault, Outcome, Wire
from daemon.domain.facts import ResponseFacts
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.faults import classify
from daemon.logic.wire import WireProtocol

TOKENS = 16
"""The least that every provider accepts as a limit; a model that thinks first needs more to say anything."""

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
