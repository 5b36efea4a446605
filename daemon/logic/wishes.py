"""Wishes: which changes the firing alerts ask for, and who wants a change that was made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig, MitigationOptions
from daemon.domain.mitigation import Mitigation
from daemon.logic.mitigation import Change, kind_of
from daemon.logic.mitigations.model_alias import ModelAlias

FALLBACK = "fallback"
HUMAN = "human:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change that somebody wants. `since` (epoch ms) is when its alert fired: when this episode of it began."""

    name: str
    """The mitigation's, in the alerts file."""
    options: MitigationOptions
    change: Change
    owner: str
    """The fingerprint of an alert, or a human."""
    actor: str
    since: int
    evidence: str = ""


def bare(model: str) -> str:
    """A model's name without a `(suffix)`."""
    return model.partition("(")[0]


def lines(config: AlertsConfig, models: Iterable[str]) -> dict[str, str | None]:
    """Each model with the line of `fallbacks:` that it is about; None where it has none."""
    return {
        model: next((name for name in (model, bare(model)) if name in config.fallbacks), None)
        for model in dict.fromkeys(models)
    }


def options_of(config: AlertsConfig, name: str, models: Iterable[str]) -> list[MitigationOptions]:
    """What a mitigation's name stands for; `fallback` is an alias for each model that has a line."""
    if name in config.mitigations:
        return [config.mitigations[name]]
    if name != FALLBACK:
        return []
    named = dict.fromkeys(line for line in lines(config, models).values() if line is not None)
    return [ModelAlias.model_validate({"from": line, "to": config.fallbacks[line]}) for line in named]


def wishes(config: AlertsConfig, alert: Alert) -> Iterator[Wish]:
    """The changes that one alert asks for."""
    since = alert.since if alert.fired_at is None else alert.fired_at
    actor = f"rule:{alert.alert}"
    for name in alert.mitigate:
        yield from wishes_for(
            config, name, alert.models, owner=alert.fingerprint, actor=actor, since=since, evidence=alert.summary
        )


def wishes_for(
    config: AlertsConfig, name: str, models: Iterable[str], *, owner: str, actor: str, since: int, evidence: str
) -> Iterator[Wish]:
    """The changes that one mitigation stands for."""
    for options in options_of(config, name, models):
        for change in kind_of(options.kind).plan(options):
            yield Wish(
                name=name,
                options=options,
                change=change,
                owner=owner,
                actor=actor,
                since=since,
                evidence=evidence,
            )


def targets(config: AlertsConfig, names: Iterable[str]) -> frozenset[str]:
    """Every target that mitigations of these names can reach, whatever the models."""
    found = [options for name in names for options in options_of(config, name, config.fallbacks)]
    return frozenset(change.target for options in found for change in kind_of(options.kind).plan(options))


def owners(config: AlertsConfig, row: Mitigation, firing: Iterable[Alert]) -> tuple[str, ...]:
    """Who wants an open row now: a human who asked for it, and each firing alert that asks for its target.

    An owner stays one whichever models it is about by now: what was led away shows no failures any more.
    """
    wanting = {
        alert.fingerprint
        for alert in firing
        if row.target in targets(config, alert.mitigate)
        and (alert.fingerprint in row.owners or any(wish.change.target == row.target for wish in wishes(config, alert)))
    }
    return (*(owner for owner in row.owners if owner.startswith(HUMAN)), *sorted(wanting))
