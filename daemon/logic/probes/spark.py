"""`spark`: whether Spark is listed, in the plan, and answers, for each client key; it is asked only where it is listed.

What is wrong is told apart: a plan that lacks it, a list without it, a refusal, and a rest that the upstream gives the
credential after a refusal, which `reset_quota` ends.
"""

from collections.abc import Sequence

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.event import Fault, Wire
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.units import Duration, say_duration
from daemon.logic.canary import Answer, Spoken, answer, canary, has_family, no_quota
from daemon.logic.probe import Found, Sight, told
from daemon.logic.provider_canaries import TOKENS, is_empty, is_ours
from daemon.logic.providers import RATE_LIMITED

EXAMPLE = """\
spark: {every: 30m}
"""
COSTS = True
NAME = "spark"
SHORT_SECONDS = 3600.0
"""A rest that ends within so long is a limit's, not that of a plan without the model."""

_RESETS = "`reset_quota` ends that once the plan has the model"
_SILENT = RATE_LIMITED | {Fault.OVERLOADED}


class SparkOptions(ProbeOptions):
    """Asks for one word with each client key that the model is listed for."""

    every: Duration = Field(3600.0, ge=10.0)
    model: str = "gpt-5.3-codex-spark"
    wire: Spoken = Wire.OPENAI_RESPONSES
    provider_key: str = "codex"
    """Whose credentials serve it."""
    plans: tuple[str, ...] = ("plus", "pro")
    """The plans that have it."""


def requests(options: SparkOptions, sight: Sight) -> Sequence[Ask]:
    """One for each client key that it is listed for."""
    if not sight.reachable or no_quota(options.model, sight):
        return []
    return [_ask(options, client) for client in _listed_for(options, sight)]


def _ask(options: SparkOptions, client: str) -> Ask:
    return canary(options.model, options.wire, tokens=TOKENS, client=client)


def _keys(sight: Sight) -> list[str]:
    """Those that are given a list."""
    return sorted(client for client, entries in (sight.models or {}).items() if entries)


def _listed_for(options: SparkOptions, sight: Sight) -> list[str]:
    lists = sight.models or {}
    return [client for client in _keys(sight) if any(entry.model_id == options.model for entry in lists[client])]


def verdict(options: SparkOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each client key."""
    if not sight.reachable or not _keys(sight):
        said = "the upstream lists no models to us" if sight.reachable else "the upstream does not answer"
        return Found(results=[told(NAME, sight, None, said)])
    answers = {
        client: answer(_ask(options, client), reply, sight.wires)
        for client, reply in zip(_listed_for(options, sight), replies, strict=False)
    }
    results = [_one(client, answers.get(client), options, sight) for client in _keys(sight)]
    return Found(results=results, tokens=sum(one.tokens for one in answers.values()))


def _one(client: str, one: Answer | None, options: SparkOptions, sight: Sight) -> ProbeResult:
    if one is not None:
        outcome, said = _judged(one, options, sight)
    elif client in _listed_for(options, sight):
        outcome, said = None, no_quota(options.model, sight)
    else:
        outcome, said = _unlisted(options, sight)
    return told(NAME, sight, outcome, said, subject=f"key {client}")


def _plans(options: SparkOptions, sight: Sight) -> list[str]:
    """Of the credentials in use, as far as they tell."""
    used = [one for one in sight.credentials or () if one.provider_key == options.provider_key and not one.disabled]
    return sorted({one.plan_type for one in used if one.plan_type})


def _unlisted(options: SparkOptions, sight: Sight) -> tuple[bool | None, str]:
    plans, wanted = _plans(options, sight), " or ".join(options.plans)
    if not has_family(options.model, sight):
        return None, f"the upstream lists nothing of the family of {options.model}"
    if not plans:
        return False, f"{options.model} is not listed, and nobody tells the plan: it takes {wanted}"
    if not set(plans) & set(options.plans):
        return False, f"{options.model} is not in the plan: it takes {wanted}, and the plan is {' and '.join(plans)}"
    return False, f"{options.model} is not listed though the plan is {' and '.join(plans)}: is it filtered out?"


def _judged(one: Answer, options: SparkOptions, sight: Sight) -> tuple[bool | None, str]:
    model, answered = options.model, (one.facts.response_model if one.facts else None) or options.model
    if is_ours(one) or one.fault in _SILENT:
        return None, one.reason
    if one.ok and not answered.startswith(model):
        return None, f"{answered} answers in the place of {model}: an alias stands in, and the model itself is not seen"
    if one.ok:
        return not is_empty(one), f"{model} is listed, and its answer is empty" if is_empty(one) else ""
    if one.fault in (Fault.LOCAL_COOLDOWN, Fault.NO_CREDENTIAL):
        return _resting(one, options, sight)
    if one.fault is Fault.MODEL_NOT_FOUND:
        return False, f"{model} is listed and refused ({one.reason}): {_why_refused(options, sight)}"
    return False, f"{model} is listed and fails ({one.reason})"


def _why_refused(options: SparkOptions, sight: Sight) -> str:
    plans = _plans(options, sight)
    if plans and not set(plans) & set(options.plans):
        return f"it is not in the plan, which is {' and '.join(plans)}"
    return "the account's plan may lack it; the upstream now rests the credential for this model for up to 12h"


def _resting(one: Answer, options: SparkOptions, sight: Sight) -> tuple[bool | None, str]:
    """Nobody asked the model: the upstream answers for it."""
    error = one.facts.error if one.facts else None
    seconds = error.quota_reset_seconds if error else None
    if seconds is not None and seconds <= SHORT_SECONDS:
        return None, f"the upstream rests {options.model} for {say_duration(seconds)}: it was not asked"
    if one.fault is Fault.NO_CREDENTIAL and sight.credentials is not None and not _usable(options, sight):
        return False, f"no usable credential of {options.provider_key} is left for {options.model}"
    lasting = "up to 12h" if seconds is None else say_duration(seconds)
    return False, f"the upstream rests every credential for {options.model}, for {lasting}: {_RESETS}"


def _usable(options: SparkOptions, sight: Sight) -> bool:
    own = (one for one in sight.credentials or () if one.provider_key == options.provider_key)
    return any(one.is_healthy for one in own)


OPTIONS = SparkOptions
