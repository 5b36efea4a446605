"""What came of a rule that was played: when each of its alerts fired, what it did, and what it could not do."""

from collections.abc import Iterable, Iterator, Sequence

from daemon.domain.alert import Alert, AlertState
from daemon.domain.audit import AuditEntry
from daemon.domain.mitigation import Mitigation
from daemon.domain.upstream_past import Firing
from daemon.logic.wishes import FALLBACK

WOULD = "would "
NO_MODEL = f"{FALLBACK}: of which model is not known"


def firings(
    alert: str, transitions: Iterable[Alert], mitigations: Sequence[Mitigation], audit: Sequence[AuditEntry]
) -> tuple[Firing, ...]:
    """In the order in which they began; `transitions` in the order in which they were committed."""
    fired: dict[tuple[str, int], Alert] = {}
    ended: dict[tuple[str, int], int] = {}
    for row in transitions:
        if row.alert == alert and row.fired_at is not None:
            key = row.fingerprint, row.fired_at
            if row.is_firing:
                fired[key] = _worse(fired.get(key), row)
            elif row.state is AlertState.RESOLVED:
                ended[key] = row.resolved_at or row.since
    return tuple(_firing(row, ended.get(key), mitigations, audit) for key, row in fired.items())


def done(row: Mitigation) -> str:
    """`fallback of gpt-5.4`; the name and the target of a mitigation."""
    return f"{row.name} of {target_words(row.target)}"


def target_words(target: str) -> str:
    """`gpt-5.4` of `model_alias:gpt-5.4`."""
    return target.partition(":")[2] or target


def _worse(before: Alert | None, row: Alert) -> Alert:
    """The row with the most bad ones tells most."""
    return row if before is None or row.bad > before.bad else before


def _firing(row: Alert, until: int | None, mitigations: Sequence[Mitigation], audit: Sequence[AuditEntry]) -> Firing:
    since = row.fired_at or row.since
    those = [one for one in mitigations if row.fingerprint in one.owners and _is_within(one.planned_at, since, until)]
    those.sort(key=lambda one: one.planned_at)
    acted = [one for one in those if (one.outcome or "").startswith(WOULD)]
    return Firing(
        severity=row.severity,
        labels=row.labels,
        since=since,
        until=until,
        summary=row.summary,
        acts=tuple(dict.fromkeys(map(done, acted))),
        left=tuple(dict.fromkeys(_left(row, since, until, [one for one in those if one not in acted], audit))),
    )


def _left(
    row: Alert, since: int, until: int | None, refused: Sequence[Mitigation], audit: Sequence[AuditEntry]
) -> Iterator[str]:
    if not row.mitigate:
        return
    yield from (f"{done(one)}: {one.outcome}" for one in refused)
    for said in audit:
        if said.action == "noted" and said.actor == f"rule:{row.alert}" and _is_within(said.at, since, until):
            yield f"{said.subject}: {said.outcome}"
    if FALLBACK in row.mitigate and not row.models:
        yield NO_MODEL


def _is_within(at: int, since: int, until: int | None) -> bool:
    return since <= at and (until is None or at <= until)
