"""Foreign alerts: what others raise lives as alerts of ours, so that it is grouped, silenced and told as ours are."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from daemon.domain.alert import Alert, EpisodeStep
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure
from daemon.domain.foreign import Told
from daemon.domain.notification import Notification
from daemon.engine.desk import Desk
from daemon.logic.foreign_life import Rows, expired, heard, steps, with_room
from daemon.ports import Clock

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 10.0
"""Between two looks at what nobody renewed."""
MOST_LIVE = 1000
MOST_ENDED = 1000
"""That are shown; the ledger knows the rest."""

PlanMessages = Callable[[Sequence[EpisodeStep], int], tuple[Notification, ...]]


class Foreign:
    """Rows by fingerprint; what is in them was committed. `forget` is called with the fingerprints of those that ended
    and are shown no longer."""

    def __init__(
        self, *, desk: Desk, clock: Clock, plan_messages: PlanMessages, forget: Callable[[Collection[str]], None]
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._plan_messages = plan_messages
        self._forget = forget
        self._rows: dict[str, Alert] = {}
        self._is_flooded = False
        self._knows_the_past = False
        self._lock = asyncio.Lock()
        desk.read_by(self.adopt)

    def remember(self, alerts: Iterable[Alert], downtime_ms: int) -> None:
        """What the ledger holds, at the start; while we were down nobody could tell us anything."""
        self._take(replace(row, last_data_at=row.last_data_at + downtime_ms) for row in alerts if row.source)
        self._knows_the_past = True

    def adopt(self, decision: Decision) -> None:
        """Somebody committed a decision: we, or whoever acknowledges."""
        self._take(row for row in decision.alerts if row.source)

    async def hear(self, told: Sequence[Told]) -> int:
        """Takes in what was told at once; how many there were. Raises `StoreFailure`, and then none of it is known."""
        if not self._knows_the_past:
            raise StoreFailure("what others raised before is not read yet")  # they try again
        async with self._lock:
            now = self._clock.now()
            after = heard(self._rows, told, now)
            self._tell_of_flood(sum(row.is_firing for row in after.values()))
            await self._commit(with_room(self._rows, after, MOST_LIVE, now), now)
        return len(told)

    async def expire(self) -> None:
        """Ends what nobody renewed. Raises `StoreFailure`."""
        async with self._lock:
            now = self._clock.now()
            await self._commit(expired(self._rows, now), now)

    def _tell_of_flood(self, live: int) -> None:
        is_flooded = live > MOST_LIVE
        if is_flooded and not self._is_flooded:
            log.warning("others raise more than %d alerts at once: the oldest warnings give way", MOST_LIVE)
        self._is_flooded = is_flooded

    async def _commit(self, after: Rows, now: int) -> None:
        """Rows, messages and audit of what has changed; `adopt` gets them back."""
        changed = [row for key, row in after.items() if self._rows.get(key) is not row]
        news = steps(self._rows, after, changed, now)
        await self._desk.commit(
            Decision(
                alerts=tuple(changed),
                notifications=self._plan_messages(news, now) if news else (),
                audit=tuple(_entry(row) for row in changed if row.since == now),
            )
        )

    def _take(self, rows: Iterable[Alert]) -> None:
        self._rows |= {row.fingerprint: row for row in rows}
        ended = sorted((row for row in self._rows.values() if not row.is_firing), key=lambda row: row.since)
        if gone := {row.fingerprint for row in ended[: max(0, len(ended) - MOST_ENDED)]}:
            self._rows = {key: row for key, row in self._rows.items() if key not in gone}
            self._forget(gone)


def _entry(row: Alert) -> AuditEntry:
    return AuditEntry(
        id=f"{row.fingerprint}-{row.since}-{row.state.value}",
        at=row.since,
        actor=row.source,
        subject=f"alert:{row.alert}",
        action=row.state.value,
        after={"severity": row.severity.value, **dict(row.labels)},
        reason=row.resolved_because.value if row.resolved_because else row.summary,
    )
