"""`thinking`: a level of thinking asked for as each kind of client does, in both modes, and what was applied."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.units import Duration
from daemon.logic.canary import MODES, Answer, answer, model_for, no_quota, nobody_to_ask
from daemon.logic.probe import Found, Sight, told
from daemon.logic.provider_canaries import is_ours
from daemon.logic.thinking_canary import WIRE_OF, Shape, heard, thinking_canary

EXAMPLE = """\
thinking: {models: [gemini-2.5-pro], shapes: [reasoning_effort, thinkingBudget], level: high}
"""
COSTS = True


class ThinkingOptions(ProbeOptions):
    """Asks a small question in each shape, in both modes; what a model thinks is paid for."""

    every: Duration = Field(7200.0, ge=10.0)
    models: tuple[str, ...] = ()
    """Each is asked in every shape; else the latest small one listed of the family that a shape belongs to."""
    shapes: tuple[Shape, ...] = Field(tuple(Shape), min_length=1)
    """How your clients say it."""
    level: Literal["minimal", "low", "medium", "high", "xhigh", "max"] = "high"
    """What is asked for; as a budget where the shape has budgets."""
    accepts: Mapping[str, tuple[str, ...]] = {}
    """By model: levels that it has instead, which are no drift."""


def requests(options: ThinkingOptions, sight: Sight) -> Sequence[Ask]:
    """Each shape of each model in both modes."""
    asked = [pair for pair in _pairs(options, sight) if not no_quota(pair[0], sight)]
    return [ask for pair in asked for ask in _asks(*pair, options)]


def _asks(model: str, shape: Shape, options: ThinkingOptions) -> list[Ask]:
    return [thinking_canary(model, shape, options.level, stream=stream) for stream in MODES]


def _pairs(options: ThinkingOptions, sight: Sight) -> list[tuple[str, Shape]]:
    if not sight.reachable:
        return []
    if options.models:
        return [(model, shape) for model in options.models for shape in options.shapes]
    found = ((model_for(WIRE_OF[shape], {}, sight), shape) for shape in options.shapes)
    return [(model, shape) for model, shape in found if model is not None]


def verdict(options: ThinkingOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each model and shape: bad where a mode was not heard, unknown where nobody can tell."""
    pairs, rest, tokens = _pairs(options, sight), iter(replies), 0
    if not pairs:
        return Found(results=[told("thinking", sight, None, nobody_to_ask(sight))])
    results: list[ProbeResult] = []
    for model, shape in pairs:
        if spent := no_quota(model, sight):
            results.append(told("thinking", sight, None, spent, subject=f"{model} {shape}"))
            continue
        answers = [answer(ask, next(rest), sight.wires) for ask in _asks(model, shape, options)]
        results.append(_one(model, shape, answers, options, sight))
        tokens += sum(one.tokens for one in answers)
    return Found(results=results, tokens=tokens)


def _one(model: str, shape: Shape, answers: Sequence[Answer], options: ThinkingOptions, sight: Sight) -> ProbeResult:
    seen = {mode: _seen(model, shape, one, options) for mode, one in zip(MODES.values(), answers, strict=True)}
    outcomes = [outcome for outcome, _ in seen.values()]
    state = False if False in outcomes else True if True in outcomes else None
    said = "; ".join(_told(seen, state))
    return told("thinking", sight, state, f"{model}, {shape}: {said}" if said else "", subject=f"{model} {shape}")


def _told(seen: Mapping[str, tuple[bool | None, str]], state: bool | None) -> Iterator[str]:
    """Of the modes that decided; what is the same in both is said once."""
    said = {mode: reason for mode, (outcome, reason) in seen.items() if outcome is state and reason}
    if len(said) == len(seen) and len(set(said.values())) == 1:
        yield next(iter(said.values()))
        return
    yield from (f"{mode} {reason}" for mode, reason in said.items())


def _seen(model: str, shape: Shape, one: Answer, options: ThinkingOptions) -> tuple[bool | None, str]:
    """A request that failed says nothing of thinking; other rules tell of it."""
    if is_ours(one) or not one.ok:
        return None, one.reason
    return heard(shape, options.level, one, options.accepts.get(model, ()))


OPTIONS = ThinkingOptions
