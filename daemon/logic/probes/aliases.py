"""`aliases`: whether one id means two models: it is listed for two owners, or an alias of the upstream hides it.

An alias hides a genuine model where that id was listed before there was such an alias, or where another alias still
stands for it by that name. Which ids were listed without an alias is remembered.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.probe import Ask, Door, ProbeResult, Reply
from daemon.logic.probe import Found, Sight, told

EXAMPLE = """\
aliases: {every: 10m}
"""
COSTS = False
PATH = "oauth-model-alias"


class AliasesOptions(ProbeOptions):
    """Reads the upstream's aliases where it has some; the list of models is known already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alias:
    """In a channel, requests for `alias` go out as `name`."""

    channel: str
    name: str
    alias: str


def requests(options: AliasesOptions, sight: Sight) -> Sequence[Ask]:
    """One reading of the management API; nothing where it is known to have no aliases."""
    if not sight.capabilities.management or sight.capabilities.routes.get(PATH) is False:
        return []
    return [Ask(door=Door.MANAGEMENT, path=PATH)]


def verdict(options: AliasesOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each id that means two models, and one of each that did so at the last look; else one of all."""
    aliases = _read(replies[0]) if replies else None
    if sight.models is None and aliases is None:
        return Found(results=[told("aliases", sight, None, "neither models nor aliases are to be seen")])
    genuine = _genuine(sight, aliases)
    collisions = dict([*_owned_twice(sight), *_hidden(aliases or (), genuine)])
    results = [told("aliases", sight, False, reason, subject=one) for one, reason in sorted(collisions.items())]
    results += _gone(sight, collisions, is_whole=sight.models is not None and aliases is not None)
    bad, names = _still(sight, collisions, results), _names(sight, aliases)
    memory = {"genuine": sorted(genuine), "aliases": sorted(names), "bad": sorted(bad)}
    return Found(results=results or [_all_told(sight, bad)], memory=memory)


def _read(reply: Reply) -> Sequence[_Alias] | None:
    """None where there is no reading; what has another shape is left out."""
    said = reply.json() if reply.ok else None
    if not isinstance(said, dict):
        return None
    channels = said.get(PATH, said)
    if not isinstance(channels, dict):
        return None
    return [alias for channel, those in channels.items() if isinstance(those, list) for alias in _of(channel, those)]


def _of(channel: str, those: Sequence[Any]) -> Iterator[_Alias]:
    for one in those:
        name, alias = (one.get("name"), one.get("alias")) if isinstance(one, dict) else (None, None)
        if isinstance(name, str) and isinstance(alias, str) and name != alias:
            yield _Alias(channel=channel, name=name, alias=alias)


def _genuine(sight: Sight, aliases: Sequence[_Alias] | None) -> frozenset[str]:
    """The ids that are, or once were, listed while no alias stood for them."""
    remembered: frozenset[str] = frozenset(sight.memory.get("genuine", ()))
    if aliases is None:
        return remembered
    # One that was an alias at the last look may still be in a list of models that is a minute old.
    named = {one.alias for one in aliases} | {*sight.memory.get("aliases", ())}
    return remembered | ((sight.served or frozenset()) - named)


def _names(sight: Sight, aliases: Sequence[_Alias] | None) -> set[str]:
    """For the next look; what could not be read now is as it was."""
    return {*sight.memory.get("aliases", ())} if aliases is None else {one.alias for one in aliases}


def _owned_twice(sight: Sight) -> Iterator[tuple[str, str]]:
    owners: dict[str, set[str]] = {}
    for entry in sight.entries:
        owners.setdefault(entry.model_id, set()).update({entry.owned_by} if entry.owned_by else ())
    for model, those in owners.items():
        if len(those) > 1:
            yield model, f"{model} is served by {' and by '.join(sorted(those))}: which of them answers is open"


def _hidden(aliases: Sequence[_Alias], genuine: frozenset[str]) -> Iterator[tuple[str, str]]:
    targets = {one.name for one in aliases}
    for one in aliases:
        if one.alias in genuine | targets:
            yield one.alias, f"an alias of {one.channel} sends {one.alias} out as {one.name}, and hides the genuine one"


def _gone(sight: Sight, collisions: Mapping[str, str], *, is_whole: bool) -> list[ProbeResult]:
    """What was bad and is not any more, once all has been looked at."""
    before = sight.memory.get("bad", ()) if is_whole else ()
    return [told("aliases", sight, True, subject=one) for one in before if one not in collisions]


def _still(sight: Sight, collisions: Mapping[str, str], results: Sequence[ProbeResult]) -> set[str]:
    """What is bad, as far as it is known: what was not looked at stays so."""
    told_of = {one.subject for one in results}
    return {*collisions, *(one for one in sight.memory.get("bad", ()) if one not in told_of)}


def _all_told(sight: Sight, bad: Collection[str]) -> ProbeResult:
    return told("aliases", sight, None, "what collided cannot be looked at") if bad else told("aliases", sight, True)


OPTIONS = AliasesOptions
