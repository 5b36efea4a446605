"""`negotiation`: whether what needs certain models may be switched on: the upstream answers, lists them, serves one."""

from collections.abc import Sequence

from pydantic import Field

from daemon.domain.event import Wire
from daemon.domain.probe import Ask, Reply
from daemon.domain.units import Duration
from daemon.logic.canary import Spoken, answer, canary, has_family, no_quota
from daemon.logic.probe import Found, LookOptions, Sight, told
from daemon.logic.provider_canaries import TOKENS, is_empty, is_ours

EXAMPLE = """\
negotiation: {models: [gpt-5.3-codex, gpt-5.3-codex-spark]}
"""
COSTS = True
NAME = "negotiation"


class NegotiationOptions(LookOptions):
    """Looks at the upstream, and asks the first of the models for one word, as a stream."""

    every: Duration = Field(3600.0, ge=10.0)
    models: tuple[str, ...] = Field(("gpt-5.3-codex", "gpt-5.3-codex-spark"), min_length=1)
    """All have to be listed."""
    wire: Spoken = Wire.OPENAI_RESPONSES


def requests(options: NegotiationOptions, sight: Sight) -> Sequence[Ask]:
    """One, where nothing else is amiss."""
    return [] if _early(options, sight) else [_ask(options)]


def _ask(options: NegotiationOptions) -> Ask:
    return canary(options.models[0], options.wire, stream=True, tokens=TOKENS)


def _early(options: NegotiationOptions, sight: Sight) -> tuple[bool | None, str] | None:
    """What is known without a request; None where there is one to be made."""
    if not sight.reachable:
        return None, "the upstream does not answer"
    if not sight.served:
        return None, "the upstream lists no models to us"
    if missing := [model for model in options.models if model not in sight.served]:
        known = any(has_family(model, sight) for model in missing)
        return (False if known else None), f"the upstream does not list {' and '.join(missing)}"
    spent = no_quota(options.models[0], sight)
    return (None, spent) if spent else None


def verdict(options: NegotiationOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One, for gates: ok only where all of it was seen to work."""
    if (early := _early(options, sight)) is not None:
        return Found(results=[told(NAME, sight, *early)])
    one = answer(_ask(options), replies[0], sight.wires)
    if is_ours(one):
        return Found(results=[told(NAME, sight, None, one.reason)])
    trouble = "the answer is empty" if is_empty(one) else one.reason
    said = f"{options.models[0]} is listed and does not answer: {trouble}" if trouble else ""
    return Found(results=[told(NAME, sight, not trouble, said)], tokens=one.tokens)


OPTIONS = NegotiationOptions
