"""Expected states: whether alerts, mitigations and the upstream were as expected; else how they were, in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from math import inf
from typing import NamedTuple

from daemon.domain.alert import Alert, AlertState
from daemon.domain.expectation import Expectation
from daemon.domain.happened import Happened
from daemon.domain.mitigation import Mitigation

MOST_SHOWN = 6
FIRING, PENDING = AlertState.FIRING.value, AlertState.PENDING.value


class Stay(NamedTuple):
    """An alert was in a state from an instant on, and before another (epoch ms)."""

    alert: Alert
    since: float
    until: float

    @property
    def state(self) -> str:
        """As others see it."""
        return self.alert.state.shown


def stays(rows: Iterable[Alert]) -> Iterator[Stay]:
    """The states that alerts went through, alert by alert."""
    in_order = sorted(rows, key=lambda row: (row.fingerprint, row.since))
    for _, same in groupby(in_order, key=lambda row: row.fingerprint):
        own = list(same)
        for row, following in zip(own, [*own[1:], None], strict=True):
            yield Stay(row, row.since, inf if following is None else following.since)


def _rows_of(name: str, wanted: Expectation, seen: Happened) -> list[Stay]:
    rows = (row for row in seen.transitions if row.alert == name)
    fitting = (row for row in rows if wanted.severity in (None, row.severity) and _is_labelled(row, wanted.labels))
    return list(stays(fitting))


def _is_labelled(row: Alert, labels: Mapping[str, str]) -> bool:
    return labels.items() <= dict(row.labels).items()


def alert_is(wanted: Expectation, seen: Happened) -> str | None:
    """At the instant, or at one of those up to it."""
    own, state = _rows_of(wanted.alert or "", wanted, seen), wanted.state or ""
    if wanted.at is not None:
        is_so = _is_in(state, own, seen.instant(wanted.at))
    else:
        until = seen.instant(wanted.by or 0.0)
        moments = [seen.begins_at, *(stay.since for stay in own if stay.since <= until)]
        is_so = any(_is_in(state, own, moment) for moment in moments)
    return None if is_so else _story(own, seen)


def _is_in(state: str, own: Iterable[Stay], at: float) -> bool:
    """One that has been resolved is inactive too."""
    present = {stay.state for stay in own if stay.since <= at < stay.until}
    if state == AlertState.INACTIVE:
        return not present & {PENDING, FIRING}
    return state in present and not (state == AlertState.RESOLVED and FIRING in present)


def never_fires(wanted: Expectation, seen: Happened) -> str | None:
    """In the span."""
    first, last = seen.span(wanted.from_, wanted.to)
    own = _rows_of(wanted.never or "", wanted, seen)
    fired = [stay for stay in own if stay.state == FIRING and stay.since <= last and stay.until > first]
    return _story(own, seen) if fired else None


def _story(own: Sequence[Stay], seen: Happened) -> str:
    """`warning was pending from 12m, firing from 13m`."""
    if not own:
        return "it was inactive all the time"
    told = []
    alerts = [list(same) for _, same in groupby(own, key=lambda stay: stay.alert.fingerprint)]
    for those in sorted(alerts, key=lambda those: those[0].since):
        states = [(state, next(group)) for state, group in groupby(those, key=lambda stay: stay.state)]
        words = ", ".join(f"{state} from {seen.after(stay.since)}" for state, stay in states)
        told.append(f"{_name(those[0].alert)} was {words}")
    return "; ".join(told[:MOST_SHOWN])


def _name(alert: Alert) -> str:
    labels = ", ".join(f"{name} {value}" for name, value in alert.labels)
    return f"{alert.severity} ({labels})" if labels else str(alert.severity)


def mitigation_is(wanted: Expectation, seen: Happened) -> str | None:
    """At the instant, or by then."""
    until = seen.instant(wanted.at if wanted.at is not None else wanted.by or 0.0)
    rows = [(at, row) for at, row in seen.mitigations if _is_meant(row, wanted)]
    past = [row for at, row in rows if at <= until]
    reached = {row.id: row.target for row in past if row.state == wanted.state}
    if wanted.times is not None:
        times = [sum(target == one for one in reached.values()) for target in {row.target for row in past}]
        is_so = all(count == wanted.times for count in times or [0])
    elif wanted.by is not None:
        is_so = bool(reached)
    else:
        newest = {row.target: row for row in past}
        is_so = any(row.state == wanted.state for row in newest.values())
    return None if is_so else _told_mitigations(rows, seen)


def _is_meant(row: Mitigation, wanted: Expectation) -> bool:
    target = wanted.target
    return row.name == wanted.mitigation and (target is None or fnmatchcase(row.target, target))


def _told_mitigations(rows: Sequence[tuple[int, Mitigation]], seen: Happened) -> str:
    if not rows:
        return "nothing of it was ever planned"
    told = []
    for target in dict.fromkeys(row.target for _, row in rows):
        own = [(at, row.state.value) for at, row in rows if row.target == target]
        changes = [(state, next(group)[0]) for state, group in groupby(own, key=lambda one: one[1])]
        told.append(f"{target} was " + ", ".join(f"{state} at {seen.after(at)}" for state, at in changes))
    return "; ".join(told[:MOST_SHOWN])


def upstream_has(wanted: Expectation, seen: Happened) -> str | None:
    """At the instant."""
    found = seen.settings.get(wanted.at or 0.0, {})
    other = [
        f"{name} was {_value(found[name])}" if name in found else f"there was no setting {name}"
        for name, value in (wanted.upstream or {}).items()
        if found.get(name) != value or name not in found
    ]
    return "; ".join(other) or None


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
