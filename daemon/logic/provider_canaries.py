"""Canaries of one provider: which of its models are asked, and which answers say something of it."""

from collections.abc import Sequence

from daemon.logic.canary import Answer
from daemon.logic.probe import Sight

TOKENS = 256
"""Room for a model that thinks before its first word."""
OURS = "runbookd_"
"""How the code of an error begins that our own proxy made."""
LIMITS = frozenset({"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"})
"""How wires say that an answer ended at its limit."""


def models_of(provider: str, named: Sequence[str], sight: Sight) -> tuple[str, ...]:
    """Those that are named, else those that the inventory lists under the provider's name or prefix, by name."""
    if named:
        return tuple(named)
    found = {
        entry.model_id
        for entry in sight.entries
        if (entry.owned_by or "").lower() == provider or entry.model_id.startswith(f"{provider}/")
    }
    return tuple(sorted(found))


def no_models(provider: str, sight: Sight) -> str:
    """Why there is nothing to ask, in words."""
    if not sight.reachable:
        return "the upstream does not answer"
    if sight.models is None:
        return f"the upstream lists no models to us: name those of {provider} under `models`"
    return f"the upstream lists no model of {provider}: name them under `models` where it has some"


def is_ours(answer: Answer) -> bool:
    """Our own proxy answered, or nobody did: it says nothing of a provider."""
    error = answer.facts.error if answer.facts else None
    return answer.outcome is None or (error is not None and error.code.startswith(OURS))


def is_empty(answer: Answer) -> bool:
    """It ended well and said nothing, and not because our own limit ended it."""
    facts = answer.facts
    return bool(answer.ok and facts and facts.empty_payload and facts.finish_reason not in LIMITS)
