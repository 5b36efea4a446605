"""Blast radius: how much of a provider may be changed at once, so that something healthy is always left."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from daemon.domain.mitigation import Mitigation
from daemon.domain.units import say_ratio
from daemon.logic.proof import NOTHING_HEALTHY
from daemon.logic.situation import Situation
from daemon.logic.wishes import Wish

KINDS = ("credential_priority", "credential_disable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a change is not made, in words."""

    words: str
    panic: bool = False
    """There is nothing left to change to: people have to know."""


def refusal(situation: Situation, wish: Wish, rows: Sequence[Mitigation]) -> Refusal | None:
    """What stands against changing a credential; None for other changes, and where nothing does.

    `rows` are open, or are about to be.
    """
    kind, _, name = wish.change.target.partition(":")
    if kind not in KINDS:
        return None
    provider_key = next((one.provider_key for one in situation.credentials if one.name == name), None)
    if provider_key is None:
        return Refusal(words=f"the upstream lists no credential {name}")
    peers = [one for one in situation.credentials if one.provider_key == provider_key]
    healthy = {one.name for one in peers if one.is_healthy} - {*situation.failing.get(provider_key, ())}
    if not healthy:
        return Refusal(words=f"{NOTHING_HEALTHY}: every credential of {provider_key} fails", panic=True)
    names = {one.name for one in peers}
    changed = {what for how, _, what in (row.target.partition(":") for row in rows) if how in KINDS and what in names}
    if not healthy - changed - {name}:
        return Refusal(words=f"no healthy credential of {provider_key} would be left: {name} stays as it is")
    return _too_many(len(changed | {name}), len(names), wish.options.max_share, provider_key)


def _too_many(changed: int, known: int, max_share: float, provider_key: str) -> Refusal | None:
    if changed <= floor(known * max_share):
        return None
    share = f"{changed} of {known} credentials of {provider_key}"
    return Refusal(words=f"{share} would be changed at once, `max_share` is {say_ratio(max_share)}")
