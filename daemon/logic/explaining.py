"""Explaining: why an alert fired or did not, was sent or was not, acted or did not, at any moment that is kept."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import groupby
from typing import Any

from daemon.domain.alert import Alert, AlertState
from daemon.domain.explanation import Decided, Explanation, Look
from daemon.domain.known import Known
from daemon.domain.units import say_ratio
from daemon.logic.story import name_of, story
from daemon.logic.unacted import unacted
from daemon.logic.unsent import unsent

MOST_TOLD = 5
"""Label sets that are told of; the rest are counted."""

DECIDED = {
    AlertState.INACTIVE: Decided.QUIET,
    AlertState.PENDING: Decided.PENDING,
    AlertState.FIRING: Decided.FIRING,
    AlertState.CLEARING: Decided.CLEARING,
    AlertState.RESOLVED: Decided.RESOLVED,
}


def explain(known: Known) -> Explanation:
    """In words that are understood at night; the worst label set stands first."""
    rows = known.latest()
    alert = rows[0] if rows else None
    is_strange = alert is None and known.rule is None
    decided = Decided.UNKNOWN if is_strange else DECIDED[alert.state] if alert else Decided.QUIET
    silent = "nothing fires, so there is nothing to say"
    return Explanation(
        alert=known.alert,
        at=known.at,
        decision=decided,
        because=tuple(_because(known, rows)),
        figures=_figures(known, alert),
        not_notified_because=unsent(known, alert) if alert else silent,
        not_acted_because=unacted(known, alert) if alert else "nothing fires, so there is nothing to do",
    )


def _because(known: Known, rows: list[Alert]) -> list[str]:
    told = [line for row in rows[:MOST_TOLD] for line in story(known, row)]
    if len(rows) > MOST_TOLD:
        told.append(f"and {len(rows) - MOST_TOLD} more, which are no worse")
    told += _said_now(known.looks)
    if known.rule is None:
        told += _without_a_rule(known, is_foreign=any(row.source for row in rows))
    elif not told and known.present is None:
        told.append("no change of it is stored from before then: it had not fired")
    elif not known.looks and known.present is not None:
        told.append("nothing was counted as far back as its windows reach: no data")
    return told + _degraded(known)


def _without_a_rule(known: Known, *, is_foreign: bool) -> list[str]:
    if known.alert in known.off:
        return ["the rule is off: `enabled: false`"]
    if is_foreign:
        return []
    near = get_close_matches(known.alert, [*(rule.alert for rule in known.config.rules), *known.off], n=1)
    return [f"there is no such rule{f': did you mean {near[0]}?' if near else ''}"]


def _degraded(known: Known) -> list[str]:
    coverage = min((look.coverage for look in known.looks), default=1.0)
    if known.rule is None or not known.rule.is_degraded(coverage):
        return []
    return [f"only {say_ratio(coverage)} of what was emitted arrived: the rule is degraded"]


# ---- what the rule says now ------------------------------------------------------------------------------------------


def _said_now(looks: Iterable[Look]) -> list[str]:
    """Levels that say the same of a label set share a line."""
    sets = [list(those) for _, those in groupby(looks, key=lambda look: look.labels)]
    lines = [line for those in sets[:MOST_TOLD] for line in _said_of(those)]
    return [*lines, f"and {len(sets) - MOST_TOLD} more label sets"] if len(sets) > MOST_TOLD else lines


def _said_of(looks: list[Look]) -> list[str]:
    if len({look.why for look in looks}) == 1:
        return [f"now {name_of('', looks[0].labels)}: {'; '.join(looks[0].why)}"]
    return [f"now {name_of(look.severity, look.labels)}: {'; '.join(look.why)}" for look in looks]


def _figures(known: Known, alert: Alert | None) -> Mapping[str, Any]:
    figures: dict[str, Any] = {"series": [_look(look) for look in known.looks]}
    if alert is not None:
        figures |= {
            "labels": dict(alert.labels),
            "severity": alert.severity.value,
            "fired_at": alert.fired_at,
            "resolved_at": alert.resolved_at,
            "value": alert.value,
            "value_text": alert.value_text,
            "samples": alert.samples,
            "bad": alert.bad,
            "lower_bound": alert.lower_bound,
            "window_seconds": alert.window_seconds,
        }
    return figures


def _look(look: Look) -> dict[str, Any]:
    verdict = look.verdict
    return {
        "labels": dict(look.labels),
        "severity": look.severity.value,
        "raises": verdict is not None and verdict.raises,
        "suspects": verdict is not None and verdict.suspects,
        "value": verdict and verdict.value,
        "samples": verdict.samples if verdict else 0,
        "bad": verdict.bad if verdict else 0,
        "lower_bound": verdict and verdict.lower_bound,
        "window_seconds": verdict and verdict.window_seconds,
        "row": look.row,
        "coverage": look.coverage,
        "why": list(look.why),
    }
