"""Canaries of several wires: one model of each is asked the same few things, and judged by what it answers to all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.domain.event import Wire
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.logic.canary import Answer, answer, model_for, no_quota, nobody_to_ask
from daemon.logic.probe import Found, Sight, told


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A wire, and the model that is asked on it."""

    wire: Wire
    model: str
    why_not: str
    """Why it is not asked, in words; empty where it is."""


Asks = Callable[[Target], Sequence[Ask]]
Judge = Callable[[Target, Sequence[Answer]], tuple[bool | None, str]]
"""What the answers, in the order of the asks, come to, and why."""


def targets(wires: Sequence[Wire], named: Mapping[Any, str], sight: Sight) -> Iterator[Target]:
    """One of each wire; `named` are models by wire."""
    for wire in wires:
        model = model_for(wire, named, sight)
        known = sight.reachable and model is not None
        yield Target(
            wire=wire, model=model or "", why_not=no_quota(model or "", sight) if known else nobody_to_ask(sight)
        )


def asked(those: Iterator[Target], asks: Asks) -> Sequence[Ask]:
    """What to ask of those that can be."""
    return [ask for one in those if not one.why_not for ask in asks(one)]


def judged(
    name: str, sight: Sight, those: Iterator[Target], replies: Sequence[Reply], asks: Asks, judge: Judge
) -> Found:
    """A verdict of each wire, which is its subject."""
    rest, results, tokens = iter(replies), list[ProbeResult](), 0
    for one in those:
        if one.why_not:
            results.append(told(name, sight, None, one.why_not, subject=one.wire.value))
            continue
        answers = [answer(ask, next(rest), sight.wires) for ask in asks(one)]
        outcome, said = judge(one, answers)
        reason = f"{one.model}, {one.wire.value}: {said}" if said else ""
        results.append(told(name, sight, outcome, reason, subject=one.wire.value))
        tokens += sum(each.tokens for each in answers)
    return Found(results=results, tokens=tokens)
