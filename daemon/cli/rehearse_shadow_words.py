"""How a time in shadow is told: in lines for people, and as one object."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from daemon.adapters.web.shapes import instant
from daemon.cli.rehearse_words import times
from daemon.domain.in_shadow import ShadowSum, WouldAct
from daemon.domain.units import say_duration
from daemon.logic.telling_time import say_instant
from daemon.logic.upstream_past_firings import target_words

SOON_SECONDS = 300.0


def lines(found: ShadowSum) -> Iterator[str]:
    """`In 6d in shadow: would have acted four times on 2 targets, three times …`."""
    span = say_duration((found.until - found.since) / 1000)
    fired = f"{_many(found.warnings, 'warning')} and {_many(found.criticals, 'critical')} fired"
    yield f"In {span} in shadow: {_summed(found.acts)}; {fired}."
    for act in found.acts:
        alone = (
            "it fires still" if act.alone_seconds is None else f"resolved alone after {say_duration(act.alone_seconds)}"
        )
        did = f"{act.name} of {target_words(act.target)}"
        yield f"  {say_instant(act.at, found.until)} {act.alert}: would have done {did}; {alone}"
    if found.left:
        yield "Asked for, and would not have been done:"
    yield from (f"  {one.alert}, {one.subject}: {one.reason} ({times(one.times)})" for one in found.left)


def _summed(acts: Sequence[WouldAct]) -> str:
    if not acts:
        return "would not have acted"
    targets = _many(len({act.target for act in acts}), "target")
    soon = len(soon_alone(acts))
    alone = f", {soon} of them while the alert resolved by itself within {say_duration(SOON_SECONDS)}" if soon else ""
    return f"would have acted {times(len(acts))} on {targets}{alone}"


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def soon_alone(acts: Iterable[WouldAct]) -> list[WouldAct]:
    """Those that were not needed: the alert was resolved soon, and nothing was done."""
    return [act for act in acts if act.alone_seconds is not None and act.alone_seconds <= SOON_SECONDS]


def as_object(found: ShadowSum) -> dict[str, Any]:
    """As JSON: instants written out."""
    return {
        "kind": "shadow",
        "since": instant(found.since),
        "until": instant(found.until),
        "warnings": found.warnings,
        "criticals": found.criticals,
        "targets": sorted({act.target for act in found.acts}),
        "resolved_alone_soon": len(soon_alone(found.acts)),
        "acts": [{**asdict(act), "at": instant(act.at)} for act in found.acts],
        "left": [asdict(one) for one in found.left],
    }
