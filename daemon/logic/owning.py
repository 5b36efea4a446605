"""Owning: who wants a change that was made, and who wants its target to be something else."""

from collections.abc import Iterable, Sequence
from typing import Any

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.mitigation import Mitigation
from daemon.logic.mitigation import About, kind_of
from daemon.logic.wishes import HUMAN, all_options, reaches, wishes


def owners(config: AlertsConfig, row: Mitigation, firing: Iterable[Alert]) -> tuple[str, ...]:
    """Who wants an open row now: a human who asked for it, and each firing alert that asks for its target.

    An owner stays one whichever models it is about by now: what was led away shows no failures any more. Who wants the
    target to be something else owns nothing.
    """
    wanting = {
        alert.fingerprint
        for alert in firing
        if reaches(config, alert.mitigate, row.kind, row.target)
        and (alert.fingerprint in row.owners or any(wish.change.target == row.target for wish in wishes(config, alert)))
        and disagreement(config, row, alert) is None
    }
    return (*(owner for owner in row.owners if owner.startswith(HUMAN)), *sorted(wanting))


def disagreement(config: AlertsConfig, row: Mitigation, alert: Alert) -> Any | None:
    """What an alert wants a row's target to be instead; None where it does not want it to be something else."""
    wanted = choices(config, alert.mitigate, row)
    return wanted[0] if wanted and row.value_wanted is not None and row.value_wanted not in wanted else None


def choices(config: AlertsConfig, names: Iterable[str], row: Mitigation) -> tuple[Any, ...]:
    """All values that mitigations of these names may give a row's target, as far as they are known beforehand."""
    of = About(models=tuple(config.fallbacks))
    changes = (change for one in all_options(config, names) for change in kind_of(one.kind).plan(one, of))
    return tuple(value for change in changes if change.target == row.target for value in change.choices)


def overruling(config: AlertsConfig, row: Mitigation, firing: Sequence[Alert]) -> Alert | None:
    """The alert that wants a row's target to be something else and is more severe than all that own it."""
    if any(owner.startswith(HUMAN) for owner in row.owners):
        return None
    ranks = [alert.severity.rank for alert in firing if alert.fingerprint in row.owners]
    above = (alert for alert in firing if alert.severity.rank > max(ranks, default=-1))
    return next((alert for alert in above if ranks and disagreement(config, row, alert) is not None), None)


def dissent(config: AlertsConfig, row: Mitigation, firing: Iterable[Alert]) -> str:
    """Who wants a row's target to be something else, in words; empty where nobody does."""
    for alert in firing:
        if (wanted := disagreement(config, row, alert)) is not None:
            return not_done(alert.alert, row, wanted)
    return ""


def not_done(rule: str, row: Mitigation, wanted: Any) -> str:
    """What a rule wants and does not get, because the target is taken."""
    return f"{rule} would {kind_of(row.kind).say(row.target, wanted)}: not done, {row.name} holds it"
