"""Acknowledge: somebody looks after what fires, so it is not repeated; what gets worse is told like anything new."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from daemon.domain.alert import Alert
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.errors import Conflict, StoreFailure


class Judged(Protocol):
    """Who knows the present alerts, and keeps who looks after them."""

    def alerts(self) -> Sequence[Alert]: ...

    def acknowledge(self, names: Mapping[str, str | None]) -> Sequence[Alert]: ...


async def acknowledge(
    judged: Judged, commit: Callable[[Decision], Awaitable[None]], name: str, actor: str, now: int
) -> Sequence[Alert]:
    """Every firing severity of the episode of a fingerprint, or of all episodes of an alert's name.

    It ends with the episode; a severity that fires later was not acknowledged. Raises `Conflict` when none fires, and
    `StoreFailure`, and then nothing has changed.
    """
    firing = [alert for alert in judged.alerts() if alert.is_firing]
    episodes = {alert.episode for alert in firing if name in (alert.fingerprint, alert.alert)}
    if not episodes:
        raise Conflict(f"no alert fires that is called {name[:60]}")
    before = {alert.fingerprint: alert.acknowledged_by for alert in firing if alert.episode in episodes}
    # In memory first: a judgement that is committed meanwhile must know of it too.
    rows = judged.acknowledge(dict.fromkeys(before, actor.removeprefix("human:")))
    try:
        await commit(Decision(alerts=tuple(rows), audit=tuple(_entry(row, actor, now) for row in rows)))
    except StoreFailure:
        judged.acknowledge(before)
        raise
    return rows


def _entry(alert: Alert, actor: str, at: int) -> AuditEntry:
    return AuditEntry(
        id=f"{alert.fingerprint}-ack-{at}",
        at=at,
        actor=actor,
        subject=f"alert:{alert.alert}",
        action="acknowledge",
        after={"severity": alert.severity.value, **dict(alert.labels)},
    )
