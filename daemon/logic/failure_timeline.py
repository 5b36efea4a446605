"""The timeline below an expectation that does not hold: of its rule, or of what it is about instead."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.expectation import Expectation
from daemon.domain.happened import Happened
from daemon.domain.units import say_duration
from daemon.logic.rule_timeline import Glimpse, timeline

MOST_LINES = 40


def concerned(wanted: Expectation, config: AlertsConfig) -> Collection[str]:
    """The alerts whose rules tell why it does not hold."""
    if (mitigation := wanted.mitigation or wanted.audit) is not None:
        asking = (rule for rule in config.rules if any(mitigation in level.mitigate for level in rule.levels.values()))
        return {rule.alert for rule in asking} | ({mitigation} if wanted.audit else set())
    counted = wanted.messages.alert if wanted.messages is not None else None
    return {name for name in (wanted.alert, wanted.never, wanted.explain, counted) if name is not None}


def failure_timeline(
    wanted: Expectation, seen: Happened, config: AlertsConfig, glimpses: Mapping[str, Sequence[Glimpse]]
) -> list[str]:
    """Lines of text."""
    told = list(_besides(wanted, seen))
    names = concerned(wanted, config)
    rules = [rule for rule in config.rules if rule.alert in names and _matters(rule.alert, wanted, seen)]
    for rule in rules:
        told += timeline(
            rule,
            glimpses.get(rule.alert, ()),
            [row for row in seen.transitions if row.alert == rule.alert],
            begins_at=seen.begins_at,
            severities=_severities(wanted, rule),
            labels=tuple(wanted.labels.items()),
            instants=[seen.begins_at + round(second * 1000) + seen.settles_ms for second in wanted.instants],
        )
    return told


def _severities(wanted: Expectation, rule: Rule) -> list[Severity]:
    """The level that is named, or those that ask for the mitigation; else all."""
    if wanted.severity is not None:
        return [wanted.severity]
    return [
        severity for severity, level in rule.levels.items() if (wanted.mitigation or wanted.audit) in level.mitigate
    ]


def _matters(alert: str, wanted: Expectation, seen: Happened) -> bool:
    """Of the rules that could have asked for a mitigation, those that were near to it."""
    is_named = alert in (wanted.alert, wanted.never, wanted.explain, wanted.audit)
    return is_named or wanted.messages is not None or any(row.alert == alert for row in seen.transitions)


def _besides(wanted: Expectation, seen: Happened) -> Iterator[str]:
    """What is about no rule alone."""
    if wanted.messages is not None or wanted.message is not None:
        yield from _listed("messages", [(one.at, f"{one.receiver}: {one.title}") for one in seen.received], seen)
    if wanted.mitigation is not None or wanted.upstream is not None:
        rows = [row for row in seen.mitigations if wanted.mitigation in (None, row[1].name)]
        told = [(at, f"{row.target} {row.state}{f': {row.outcome}' if row.outcome else ''}") for at, row in rows]
        yield from _listed("mitigations", told, seen)
    if wanted.audit is not None or wanted.upstream is not None:
        said = [(one.at, f"{one.actor} {one.action} {one.subject} {one.outcome}".rstrip()) for one in seen.audit]
        yield from _listed("audit", said, seen)


def _listed(title: str, told: Sequence[tuple[int, str]], seen: Happened) -> Iterator[str]:
    yield f"{title}:" if told else f"{title}: none"
    last = ""
    for at, text in told[:MOST_LINES]:
        if text != last:
            yield f"  {say_duration(max(0, (at - seen.begins_at) // 1000)):>8}  {text}"
        last = text
    if len(told) > MOST_LINES:
        yield f"  and {len(told) - MOST_LINES} more"
