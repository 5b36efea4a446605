"""Onboarding: what a new provider has to show before it gets traffic, step by step, and the verdict."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.domain.event import Outcome
from daemon.domain.inventory import Lists

MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One of the six, and what was seen."""

    name: str
    ok: bool
    said: str


def full_ids(prefix: str, models: Iterable[str]) -> list[str]:
    """As clients ask for them; a person may leave the prefix out."""
    return [one if one.startswith(f"{prefix}/") else f"{prefix}/{one}" for one in models]


def ids_of(prefix: str, listed: Lists | None) -> list[str]:
    """What the upstream lists under the prefix, by name."""
    return sorted({one for one, _ in _entries(listed) if one.startswith(f"{prefix}/")})


def upstream_step(*, reachable: bool) -> Step:
    return Step(name="upstream", ok=reachable, said="it answers" if reachable else "it does not answer")


def models_step(prefix: str, wanted: Sequence[str], listed: Lists | None) -> Step:
    """Whether those that are wanted are listed; without any, whether any is."""
    if listed is None:
        said = "the upstream lists no models to us (RUNBOOKD_UPSTREAM_API_KEY)"
        return Step(name="models", ok=False, said=said)
    there = ids_of(prefix, listed)
    missing = [one for one in full_ids(prefix, wanted) if one not in there]
    if missing:
        return Step(name="models", ok=False, said=f"not listed: {_named(missing)}")
    if not there:
        return Step(name="models", ok=False, said=f"no id begins with {prefix}/: is the prefix set at the upstream?")
    return Step(name="models", ok=True, said=f"{len(there)} listed: {_named(there)}")


def aliases_step(prefix: str, listed: Lists | None, collisions: Mapping[str, str]) -> Step:
    """Whether each id of the prefix means one model; `collisions` are what the probe of aliases found, by id."""
    troubles = [*_twice(prefix, listed), *_bare(prefix, listed)]
    ours = {name for one in ids_of(prefix, listed) for name in (one, one.removeprefix(f"{prefix}/"))}
    troubles += [reason for one, reason in collisions.items() if one in ours]
    said = "; ".join(dict.fromkeys(troubles)) or "each id means one model"
    return Step(name="aliases", ok=not troubles, said=said)


def _entries(listed: Lists | None) -> Iterator[tuple[str, str | None]]:
    return ((one.model_id, one.owned_by) for entries in (listed or {}).values() for one in entries)


def _twice(prefix: str, listed: Lists | None) -> Iterator[str]:
    for entries in (listed or {}).values():
        names = [one.model_id for one in entries if one.model_id.startswith(f"{prefix}/")]
        yield from (f"{one} is listed twice" for one in sorted(set(names)) if names.count(one) > 1)


def _bare(prefix: str, listed: Lists | None) -> Iterator[str]:
    """A request without the prefix could go to either."""
    owners: dict[str, set[str]] = {}
    for model, owner in _entries(listed):
        owners.setdefault(model, set()).update({owner} if owner else ())
    for one in ids_of(prefix, listed):
        bare = one.removeprefix(f"{prefix}/")
        if others := owners.get(bare, set()) - owners[one]:
            yield f"{bare} without the prefix is {' and '.join(sorted(others))}'s"


def canaries_step(reports: Sequence[Mapping[str, Any]]) -> Step:
    """Each report is one answer of the API, with `model` and `stream`: all have to be good, and to say their usage."""
    troubles = [f"{_which(one)}: {trouble}" for one in reports if (trouble := _trouble(one))]
    if troubles or not reports:
        return Step(name="canary", ok=False, said="; ".join(troubles) or "there was no model to ask")
    tokens = sum(one["tokens"] for one in reports)
    return Step(name="canary", ok=True, said=f"{len(reports)} good answers in both modes, {tokens} tokens")


def _which(report: Mapping[str, Any]) -> str:
    return f"{report['model']}{', streamed' if report['stream'] else ''}"


def _trouble(report: Mapping[str, Any]) -> str:
    if report["outcome"] != Outcome.OK.value:
        return str(report["reason"] or report["outcome"])
    return "" if report["usage_present"] else "the answer does not say its usage"


def verdict_step(prefix: str, steps: Sequence[Step]) -> Step:
    """Clean when all is: else what is not."""
    if bad := [one.name for one in steps if not one.ok]:
        return Step(name="verdict", ok=False, said=f"{prefix} must not get traffic yet: see {', '.join(bad)}")
    return Step(name="verdict", ok=True, said=f"{prefix} is clean: it may get traffic")


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
