"""`models`: which models each client key is offered, how many there are, and which of them are gone.

What was never offered is not missing; an empty list says that nobody knows, not that all are gone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field

from daemon.domain.inventory import USUAL
from daemon.domain.probe import Ask, Door, ProbeResult, Reply
from daemon.domain.units import Duration
from daemon.logic.capabilities import EXCLUDED_MODELS
from daemon.logic.probe import Found, LookOptions, Sight, told

EXAMPLE = """\
models: {ignore: ["*-preview"], forget_after: 7d}
"""
COSTS = False
NAMED = 5
"""More filters or credentials are not named."""

Known = dict[str, dict[str, int | None]]
"""By client key: each model it was ever offered, and since when it is not any more (epoch ms); None where it is."""


class ModelsOptions(LookOptions):
    """Judges each look at the upstream, for each client key that there is (`probe_keys`)."""

    ignore: tuple[str, ...] = ()
    """Models, as globs, that nobody misses."""
    forget_after: Duration = Field(7 * 86_400.0, gt=0)
    """What is gone for longer is not missed any more."""


def requests(options: ModelsOptions, sight: Sight) -> Sequence[Ask]:
    """Where a model is missing, what the upstream itself leaves out; the look has asked for the rest."""
    is_served = sight.capabilities.routes.get(EXCLUDED_MODELS)
    is_missing = sight.served and _gone(_learn(options, sight), options)
    return [Ask(door=Door.MANAGEMENT, path=EXCLUDED_MODELS)] if is_served and is_missing else []


def verdict(options: ModelsOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each model, of each key that lost its list, and of how many there are."""
    if not sight.served:
        return Found(results=[told("models", sight, None, _why_none(sight))])
    known = _learn(options, sight)
    filters = _filters(replies[0].json() if replies and replies[0].ok else None)
    said = [*_of_models(known, _gone(known, options), sight, filters), *_of_keys(known, sight)]
    said.append(told("models", sight, True, value=float(len(sight.served))))
    return Found(results=said, memory={"known": known})


def _why_none(sight: Sight) -> str:
    if not sight.reachable:
        return "the upstream does not answer"
    if sight.models is None and not sight.clients:
        return "there is no client key to ask with: set RUNBOOKD_UPSTREAM_API_KEY, or the secret `probe_keys`"
    return "the upstream lists no models to us"


def _learn(options: ModelsOptions, sight: Sight) -> Known:
    """A key that there is no more is forgotten, and so is a model that is gone for long."""
    remembered = sight.memory.get("known") or {}
    known: Known = {client: those for client, those in remembered.items() if client in (sight.clients or remembered)}
    for client, entries in (sight.models or {}).items():
        if served := {entry.model_id for entry in entries}:
            since = known.get(client, {})
            gone = {model: since[model] or sight.now for model in since if model not in served}
            kept = {model: at for model, at in gone.items() if sight.now - at < options.forget_after * 1000}
            known[client] = dict(sorted({**kept, **dict.fromkeys(served)}.items()))
    return known


def _gone(known: Known, options: ModelsOptions) -> dict[str, list[str]]:
    """The client keys that lost it, by model."""
    found: dict[str, list[str]] = {}
    for client, models in known.items():
        for model, at in models.items():
            if at is not None and not any(fnmatchcase(model, glob) for glob in options.ignore):
                found.setdefault(model, []).append(client)
    return found


def _of_models(
    known: Known, gone: Mapping[str, Sequence[str]], sight: Sight, filters: Mapping[str, Sequence[str]]
) -> Iterator[ProbeResult]:
    for model in sorted({model for models in known.values() for model in models}):
        if clients := gone.get(model):
            reason = f"{model} is not served any more{_to(clients, known)}{_seen(model, sight, filters)}"
            yield told("models", sight, False, reason, subject=model)
        else:
            yield told("models", sight, True, subject=model)


def _of_keys(known: Known, sight: Sight) -> Iterator[ProbeResult]:
    """A key that had a list and gets none, while others get theirs."""
    for client in sorted(known):
        listed = (sight.models or {}).get(client)
        if client == USUAL and len(known) == 1:
            continue
        said = "" if listed else f"the client key {client} is given no list of models any more"
        yield told("models", sight, bool(listed), said, subject=f"key {client}")


def _to(clients: Sequence[str], known: Collection[str]) -> str:
    return "" if len(known) == 1 else f" to {', '.join(clients)}"


def _seen(model: str, sight: Sight, filters: Mapping[str, Sequence[str]]) -> str:
    """What may be the cause: filters that leave it out, and credentials that are switched off."""
    leaving = [f"{one} of {provider}" for provider, all_ in filters.items() for one in all_ if _leaves_out(one, model)]
    off = [file.name for file in sight.credentials or () if file.disabled]
    return "".join(
        f"; {words}: {', '.join(those[:NAMED])}"
        for words, those in (("left out by", leaving), ("switched off", off))
        if those
    )


def _leaves_out(pattern: str, model: str) -> bool:
    return fnmatchcase(model.rpartition("/")[2], pattern) or fnmatchcase(model, pattern)


def _filters(body: Any) -> dict[str, list[str]]:
    """By provider. The map may stand alone, or under its own name."""
    said = body.get(EXCLUDED_MODELS, body) if isinstance(body, dict) else None
    found = said.items() if isinstance(said, dict) else ()
    return {name: [one for one in those if isinstance(one, str)] for name, those in found if isinstance(those, list)}


OPTIONS = ModelsOptions
