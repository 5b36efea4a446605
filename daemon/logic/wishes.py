"""Wishes: which changes the firing alerts ask for, and who wants a change that was made."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig, MitigationOptions
from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.event import Event
from daemon.domain.sample import Query
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
    alert: Alert | None = None
    """Whose wish it is, unless it is a human's."""


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


def about(
    alert: Alert,
    failing: Sequence[str] = (),
    credentials: Sequence[CredentialFile] = (),
    capabilities: Capabilities | None = None,
) -> About:
    """What one alert is about; `failing` are names of credentials, the worst first."""
    return About(
        models=alert.models,
        provider_key=dict(alert.labels).get("provider_key"),
        failing=tuple(failing),
        credentials=tuple(credentials),
        capabilities=capabilities or Capabilities(),
    )


def query_of(config: AlertsConfig, alert: Alert) -> Query | None:
    """Which events the alert's rule counts; None where it counts something else, or is not there any more."""
    rule = next((rule for rule in config.rules if rule.alert == alert.alert), None)
    query = None if rule is None else rule.query(config.selections)
    return query if query is not None and query.origin is Event else None


def wishes(config: AlertsConfig, alert: Alert, of: About | None = None) -> Iterator[Wish]:
    """The changes that one alert asks for. One that names neither a model nor anything else is about every model that
    has a line."""
    of = of or about(alert)
    if not of.models and not alert.labels:
        of = replace(of, models=tuple(config.fallbacks))
    since = alert.since if alert.fired_at is None else alert.fired_at
    actor = f"rule:{alert.alert}"
    for name in alert.mitigate:
        for wish in wishes_for(
            config, name, of, owner=alert.fingerprint, actor=actor, since=since, evidence=alert.summary
        ):
            yield replace(wish, alert=alert)


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
    found = all_options(config, {*config.mitigations, FALLBACK})
    return frozenset(options.from_ for options in found if isinstance(options, ModelAlias))


def stand_ins(config: AlertsConfig) -> frozenset[str]:
    """The models that may be led away, and those that may stand in."""
    found = all_options(config, {*config.mitigations, FALLBACK})
    return frozenset(model for one in found if isinstance(one, ModelAlias) for model in (one.from_, *one.to))


def targets(config: AlertsConfig, names: Iterable[str]) -> frozenset[str]:
    """The targets of mitigations of these names that are known beforehand."""
    of = About(models=tuple(config.fallbacks))
    found = all_options(config, names)
    return frozenset(change.target for options in found for change in kind_of(options.kind).plan(options, of))


def reaches(config: AlertsConfig, names: Iterable[str], kind: str, target: str) -> bool:
    """Whether mitigations of these names can change a target of this kind, whatever they are about."""
    found = all_options(config, names)
    return any(options.kind == kind and kind_of(kind).reaches(options, target) for options in found)


def all_options(config: AlertsConfig, names: Iterable[str]) -> list[MitigationOptions]:
    """What mitigations of these names stand for, whatever the models."""
    return [options for name in names for options in options_of(config, name, config.fallbacks)]
