"""Wishes: which changes the firing alerts ask for, and who wants a change that was made."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig, MitigationOptions
from daemon.domain.credential import CredentialFile
from daemon.domain.mitigation import Mitigation
from daemon.logic.mitigation import About, Change, kind_of
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


def about(alert: Alert, failing: Sequence[str] = (), credentials: Sequence[CredentialFile] = ()) -> About:
    """What one alert is about; `failing` are names of credentials, the worst first."""
    provider_key = dict(alert.labels).get("provider_key")
    return About(models=alert.models, provider_key=provider_key, failing=tuple(failing), credentials=tuple(credentials))


def wishes(config: AlertsConfig, alert: Alert, of: About | None = None) -> Iterator[Wish]:
    """The changes that one alert asks for."""
    since = alert.since if alert.fired_at is None else alert.fired_at
    actor = f"rule:{alert.alert}"
    for name in alert.mitigate:
        yield from wishes_for(
            config, name, of or about(alert), owner=alert.fingerprint, actor=actor, since=since, evidence=alert.summary
        )


def wishes_for(
    config: AlertsConfig, name: str, of: About, *, owner: str, actor: str, since: int, evidence: str
) -> Iterator[Wish]:
    """The changes that one mitigation stands for."""
    for options in options_of(config, name, of.models):
        for change in kind_of(options.kind).plan(options, of):
            yield Wish(
                name=name,
                options=options,
                change=change,
                owner=owner,
                actor=actor,
                since=since,
                evidence=evidence,
            )


def led_away(config: AlertsConfig) -> frozenset[str]:
    """The models that may be led away."""
    found = _options(config, {*config.mitigations, FALLBACK})
    return frozenset(options.from_ for options in found if isinstance(options, ModelAlias))


def targets(config: AlertsConfig, names: Iterable[str]) -> frozenset[str]:
    """The targets of mitigations of these names that are known beforehand."""
    of = About(models=tuple(config.fallbacks))
    found = _options(config, names)
    return frozenset(change.target for options in found for change in kind_of(options.kind).plan(options, of))


def reaches(config: AlertsConfig, names: Iterable[str], kind: str, target: str) -> bool:
    """Whether mitigations of these names can change a target of this kind, whatever they are about."""
    found = _options(config, names)
    return any(options.kind == kind and kind_of(kind).reaches(options, target) for options in found)


def _options(config: AlertsConfig, names: Iterable[str]) -> list[MitigationOptions]:
    """Whatever the models."""
    return [options for name in names for options in options_of(config, name, config.fallbacks)]


def owners(config: AlertsConfig, row: Mitigation, firing: Iterable[Alert]) -> tuple[str, ...]:
    """Who wants an open row now: a human who asked for it, and each firing alert that asks for its target.

    An owner stays one whichever models it is about by now: what was led away shows no failures any more.
    """
    wanting = {
        alert.fingerprint
        for alert in firing
        if reaches(config, alert.mitigate, row.kind, row.target)
        and (alert.fingerprint in row.owners or any(wish.change.target == row.target for wish in wishes(config, alert)))
    }
    return (*(owner for owner in row.owners if owner.startswith(HUMAN)), *sorted(wanting))
