"""`attribution`: whether turns go to the provider that their model should go to, by your patterns or its prefix.

It asks nothing: the upstream names the credential of a turn, and that is held against `providers:`. A pattern or a
prefix whose provider has no credential there says nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.routed import Routed
from daemon.domain.units import Duration, Ratio
from daemon.logic.probe import Found, Sight, told

EXAMPLE = """\
attribution: {most: 10%}
"""
COSTS = False
NAME = "attribution"
UNTOLD = "no turn was seen whose provider the upstream names and somebody expects: see `providers:`, and X-CPA-TRACE-ID"

Turns = dict[str, dict[str, int]]
"""By model, and by the provider that served them."""


class AttributionOptions(ProbeOptions):
    """Judges the turns of clients since its last run."""

    every: Duration = Field(300.0, ge=10.0)
    most: Ratio = Field(0.05, ge=0, lt=1)
    """A greater share of a model's turns must not go elsewhere."""
    least: int = Field(3, ge=1)
    """Fewer turns that go elsewhere say nothing."""


def requests(options: AttributionOptions, sight: Sight) -> Sequence[Ask]:
    """Clients have asked."""
    return []


def verdict(options: AttributionOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each model that had turns, and one of all."""
    if not sight.routed:
        return Found(results=[told(NAME, sight, None, UNTOLD)], memory={})
    turns = _turns(sight.routed)
    fresh = _since(sight.memory.get("turns") or {}, turns)
    expected = {one.model: one.expected for one in sight.routed}
    results = [told(NAME, sight, True, value=float(sum(sum(those.values()) for those in fresh.values())))]
    return Found(results=[*results, *_judged(fresh, expected, options, sight)], memory={"turns": turns})


def _turns(routed: Sequence[Routed]) -> Turns:
    found: Turns = {}
    for one in routed:
        found.setdefault(one.model, {})[one.provider_key] = one.turns
    return found


def _since(before: Mapping[str, Mapping[str, int]], now: Turns) -> Turns:
    return {model: _news(before.get(model, {}), those) for model, those in now.items()}


def _news(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Who counts less than before has begun to count anew."""
    return {key: _more(before.get(key, 0), turns) for key, turns in now.items()}


def _more(before: int, now: int) -> int:
    return now - before if now >= before else now


def _judged(
    fresh: Turns, expected: Mapping[str, str], options: AttributionOptions, sight: Sight
) -> Iterator[ProbeResult]:
    for model, those in sorted(fresh.items()):
        total, strayed = sum(those.values()), {key: n for key, n in those.items() if n and key != expected[model]}
        if not total:
            continue
        astray = sum(strayed.values())
        is_few = astray < options.least or astray <= options.most * total
        said = f"{astray} of {total} turns for {model} went to {_named(strayed)}, and not to {expected[model]}"
        yield told(NAME, sight, is_few, "" if is_few else said, subject=model, value=astray / total)


def _named(strayed: Mapping[str, int]) -> str:
    return ", ".join(sorted(strayed, key=lambda key: (-strayed[key], key)))


OPTIONS = AttributionOptions
