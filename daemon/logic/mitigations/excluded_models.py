"""`excluded_models`: a model of one provider is taken out of what the upstream offers, and put back.

The upstream takes the provider's whole list: it is read just before, and one item is added to it or taken out. What a
person changes in that very moment can be lost, so that no rule does it by itself: at most it asks.
"""

from typing import Any, Literal

from pydantic import Field

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.mitigation import Call, Effect, Mode
from daemon.logic.capabilities import EXCLUDED_MODELS, obstacle
from daemon.logic.mitigation import About, Change


class ExcludedModels(MitigationOptions):
    """Hides models of a provider while the alert fires: requests for them go to other providers, or are refused."""

    kind: Literal["excluded_models"] = "excluded_models"
    provider: str = Field(pattern=r"^[^:]+$")
    """As the upstream names it: codex, claude, antigravity."""
    models: tuple[str, ...] = Field(min_length=1)
    """Ids, or the upstream's patterns: gpt-5*, *-mini."""


OPTIONS = ExcludedModels

CEILING = Mode.ASK

_PREFIX = "excluded_models:"


def plan(options: ExcludedModels, about: About) -> tuple[Change, ...]:
    """One target per model."""
    against = obstacle(about.capabilities, "PATCH", EXCLUDED_MODELS)
    return tuple(
        Change(
            target=f"{_PREFIX}{options.provider}:{model}",
            choices=(True,),
            soft=False,
            effect=Effect.UNKNOWN,
            obstacle=against,
        )
        for model in options.models
    )


def reaches(options: ExcludedModels, target: str) -> bool:
    """Its models'."""
    return target in {f"{_PREFIX}{options.provider}:{model}" for model in options.models}


def reading(target: str) -> str:
    """The lists of all providers."""
    return EXCLUDED_MODELS


def read(target: str, reply: Any) -> bool:
    """Whether the model is among those excluded; raises ValueError where there are no lists."""
    provider, model = _parts(target)
    return model in _list(reply, provider)


def amending(target: str, value: Any, reply: Any) -> Call:
    """The provider's list as it was read, with this one item or without it."""
    provider, model = _parts(target)
    others = [one for one in _list(reply, provider) if one != model]
    models = [*others, model] if value else others
    return Call(method="PATCH", path=EXCLUDED_MODELS, body={"provider": provider, "models": models})


def top_level(target: str) -> str:
    """The key of the upstream's config."""
    return EXCLUDED_MODELS


def say(target: str, value: Any) -> str:
    """The change in words."""
    provider, model = _parts(target)
    return f"exclude {model} from {provider}" if value else f"offer {model} of {provider} again"


def _parts(target: str) -> tuple[str, str]:
    provider, _, model = target.removeprefix(_PREFIX).partition(":")
    return provider, model


def _list(reply: Any, provider: str) -> list[Any]:
    lists = reply.get(EXCLUDED_MODELS, 0) if isinstance(reply, dict) else 0
    found = (lists or {}).get(provider) or [] if isinstance(lists, dict | None) else None
    if not isinstance(found, list):
        raise ValueError(f"this upstream has no list of excluded models of {provider}")
    return found
