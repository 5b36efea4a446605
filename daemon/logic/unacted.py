"""Unacted: why nothing is done about an alert, from the audit, the journal, and what its level asks for."""

from collections.abc import Iterator

from daemon.domain.alert import Alert, AlertState
from daemon.domain.audit import AuditEntry
from daemon.domain.known import Known
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.logic.planning import cool_until
from daemon.logic.telling_time import say_instant
from daemon.logic.wishes import wishes

STATES = frozenset(MitigationState)
ON_ITS_WAY = frozenset(state.value for state in MitigationState if state.is_open)


def unacted(known: Known, alert: Alert) -> str | None:
    """None when something is done about it."""
    if not alert.is_firing:
        return "it does not fire, so there is nothing to do"
    if alert.source:
        return "alerts of others ask for no mitigation"
    if not alert.mitigate:
        return f"level {alert.severity} asks for no mitigation"
    said = _said(known, alert)
    if any(one.outcome in ON_ITS_WAY for one in said.values()):
        return None
    reasons = [*_at_large(known, alert), *_of_targets(known, alert), *_words(known, said)]
    return "; ".join(dict.fromkeys(reasons)) or "nothing was planned: the evidence did not raise at that moment"


def _said(known: Known, alert: Alert) -> dict[str, AuditEntry]:
    """The last word on each target that its rule spoke of since it fired."""
    since, actor = alert.fired_at or alert.since, f"rule:{alert.alert}"
    lately = [one for one in known.audit if one.at >= since and one.action not in (AlertState.FIRING, "acknowledge")]
    ours = {one.subject for one in lately if one.actor == actor and not one.subject.startswith("alert:")}
    return {one.subject: one for one in reversed(lately) if one.subject in ours}


def _at_large(known: Known, alert: Alert) -> Iterator[str]:
    if alert.degraded:
        yield "coverage is too low: too little of what was emitted arrived, so nothing new is acted on"
    if alert.state is AlertState.CLEARING:
        yield "it is clearing: nothing new is begun"


def _of_targets(known: Known, alert: Alert) -> Iterator[str]:
    """What stands in the way of each target that it asks for."""
    for wish in wishes(known.config, alert):
        target = wish.change.target
        past = [row for row in known.mitigations if row.target == target and row.planned_at <= known.at]
        yield from _in_the_way(known, target, past)
        if (until := cool_until(row for row in past if _was_over(row, known.at))) > known.at:
            yield f"{target} has its cool_off until {say_instant(until, known.at)}"


def _in_the_way(known: Known, target: str, past: list[Mitigation]) -> Iterator[str]:
    for row in past:
        if row.held_by is not None and not _was_over(row, known.at):
            yield f"{target} is held by {row.held_by.removeprefix('human:')}"


def _was_over(row: Mitigation, at: int) -> bool:
    return row.ended_at is not None and row.ended_at <= at


def _words(known: Known, said: dict[str, AuditEntry]) -> Iterator[str]:
    """The words of the audit."""
    for target, one in said.items():
        outcome = one.outcome.replace("_", " ") if one.outcome in STATES else one.outcome
        shadow = ", but in mode shadow it is only noted" if outcome.startswith("would ") and "," not in outcome else ""
        yield f"{target}: {outcome}{shadow} ({say_instant(one.at, known.at)})"
