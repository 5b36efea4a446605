"""Sums up what was only noted in mode shadow, and how often its alert was resolved all the same."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.audit import AuditEntry
from daemon.domain.in_shadow import Left, ShadowSum, WouldAct
from daemon.domain.mitigation import Mitigation, Mode
from daemon.logic.upstream_past_firings import WOULD


def sum_up(
    began_at: int,
    now: int,
    mitigations: Iterable[Mitigation],
    story: Sequence[Alert],
    audit: Iterable[AuditEntry],
) -> ShadowSum:
    """Since the ledger began (epoch ms), or since the last time that more than shadow was in force; `story` in the
    order in which it was committed."""
    rows = sorted(mitigations, key=lambda row: row.planned_at)
    since = max((row.planned_at for row in rows if row.mode is not Mode.SHADOW), default=began_at)
    told = [alert for alert in story if alert.since >= since]
    names = {alert.fingerprint: alert.alert for alert in story}
    fired = {(alert.fingerprint, alert.fired_at): alert.severity for alert in told if alert.is_firing}
    shadows = [row for row in rows if row.mode is Mode.SHADOW and row.planned_at >= since]
    severities = Counter(fired.values())
    return ShadowSum(
        since=since,
        until=now,
        warnings=severities[Severity.WARNING],
        criticals=severities[Severity.CRITICAL],
        acts=tuple(_act(row, names, told) for row in shadows if (row.outcome or "").startswith(WOULD)),
        left=_left([row for row in shadows if not (row.outcome or "").startswith(WOULD)], names, audit, since),
    )


def _act(row: Mitigation, names: Mapping[str, str], story: Iterable[Alert]) -> WouldAct:
    ended = [alert.since for alert in story if alert.fingerprint in row.owners and alert.state is AlertState.RESOLVED]
    after = [at for at in ended if at >= row.planned_at]
    return WouldAct(
        at=row.planned_at,
        alert=_owner(row, names),
        name=row.name,
        target=row.target,
        outcome=row.outcome or "",
        alone_seconds=(min(after) - row.planned_at) / 1000 if after else None,
    )


def _left(
    rows: Iterable[Mitigation], names: Mapping[str, str], audit: Iterable[AuditEntry], since: int
) -> tuple[Left, ...]:
    refused = [(_owner(row, names), row.target, row.outcome or "") for row in rows]
    noted = [
        (entry.actor.removeprefix("rule:"), entry.subject, entry.outcome)
        for entry in audit
        if entry.action == "noted" and entry.at >= since
    ]
    counts = Counter([*refused, *noted])
    return tuple(
        Left(alert=alert, subject=subject, reason=reason, times=times)
        for (alert, subject, reason), times in counts.most_common()
    )


def _owner(row: Mitigation, names: Mapping[str, str]) -> str:
    return next((names[owner] for owner in row.owners if owner in names), "an alert that is forgotten")
