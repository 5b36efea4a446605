"""The story of an alert up to an instant, from the rows that were stored of it."""

from daemon.domain.alert import Alert, AlertState, ResolvedBecause
from daemon.domain.alerts_config import Rule
from daemon.domain.known import Known
from daemon.domain.labels import Labels
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.telling_time import say_instant

ENDED = {
    ResolvedBecause.CLEARED: "it stayed clear for as long as `keep_firing_for` asks",
    ResolvedBecause.NO_DATA: "nothing was counted any more",
    ResolvedBecause.RULE_REMOVED: "its rule was removed or switched off",
    ResolvedBecause.RULE_CHANGED: "its rule asks for something else since then",
    ResolvedBecause.ONLY_TOLD: "it was a message that says nothing of its end",
    ResolvedBecause.DISPLACED: "others raised more than there was room for",
}
FOREIGN_ENDED = {
    ResolvedBecause.CLEARED: "it was said to be resolved",
    ResolvedBecause.NO_DATA: "nobody said again that it fires",
}


def story(known: Known, row: Alert) -> list[str]:
    """What happened to one of them up to the instant."""
    name, since = name_of(row.severity, row.labels), say_instant(row.since, known.at)
    match row.state:
        case AlertState.INACTIVE:
            return [f"{name} was pending until {since}, and did not fire"]
        case AlertState.PENDING:
            wait = f": it fires when that lasts for {say_duration(_for(known.rule, row))}" if known.rule else ""
            return [f"{name} is pending since {since}{_seen(row)}{wait}"]
        case AlertState.RESOLVED:
            return [f"{_fired(known, row)}; it was resolved at {since}: {_ending(row)}"]
        case AlertState.CLEARING:
            keep = f": it is resolved when that lasts for {say_duration(_keep(known.rule, row))}" if known.rule else ""
            return [_fired(known, row), f"it is clearing since {since}{keep}"]
        case _:
            return [_fired(known, row), *_acknowledged(known, row)]


def _fired(known: Known, row: Alert) -> str:
    """With the figures of when it fired."""
    at = row.since if row.fired_at is None else row.fired_at
    same = [one for one in known.rows if one.fingerprint == row.fingerprint and one.since == at and one.is_firing]
    then = same[-1] if same else row
    said = f"{name_of(row.severity, row.labels)} fired at {say_instant(at, known.at)}{_seen(then)}"
    return f"{said}, as {row.source} told: {row.summary}" if row.source else said


def _acknowledged(known: Known, row: Alert) -> list[str]:
    if known.present is not None:
        who = row.acknowledged_by
        return [f"{who} looks after it: it is not repeated"] if who else []
    mine = {"severity": row.severity.value, **dict(row.labels)}
    said = (one for one in known.audit if one.action == "acknowledge" and one.subject == f"alert:{row.alert}")
    found = next((one for one in said if one.after == mine and one.at >= (row.fired_at or row.since)), None)
    if found is None:
        return []
    who = found.actor.removeprefix("human:")
    return [f"{who} looks after it since {say_instant(found.at, known.at)}: it is not repeated"]


def _seen(row: Alert) -> str:
    if not row.value_text:
        return ""
    counted = f"{row.bad} of {row.samples}" if row.samples else ""
    over = f" in {say_duration(row.window_seconds)}" if row.window_seconds else ""
    least = f", at least {say_ratio(row.lower_bound)}" if row.lower_bound is not None else ""
    return f" with {counted}{over} ({row.value_text}{least})" if counted else f" at {row.value_text}"


def _ending(row: Alert) -> str:
    if row.resolved_because is None:
        return "nobody noted why"
    words = ENDED | FOREIGN_ENDED if row.source else ENDED
    return words[row.resolved_because]


def _for(rule: Rule | None, row: Alert) -> float:
    level = rule.levels.get(row.severity) if rule else None
    said = level.for_ if level else None
    return said if said is not None else rule.for_ if rule else 0.0


def _keep(rule: Rule | None, row: Alert) -> float:
    level = rule.levels.get(row.severity) if rule else None
    said = level.keep_firing_for if level else None
    return said if said is not None else rule.keep_firing_for if rule else 0.0


def name_of(severity: str, labels: Labels) -> str:
    """`critical provider_key=codex`."""
    words = [severity, *(f"{name}={value}" for name, value in labels)]
    return " ".join(word for word in words if word) or "all of it"
