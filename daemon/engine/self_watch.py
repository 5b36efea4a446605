"""Self watch: looks at the daemon's own health, and says what has changed since the last look."""

from collections import Counter, deque
from collections.abc import Callable

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.notification import Notification, NotificationStatus
from daemon.domain.self_reading import Condition, SelfReading
from daemon.domain.units import say_duration, say_ratio
from daemon.engine.evaluate import Evaluate
from daemon.engine.ingest import Ingest
from daemon.logic.notifying import NO_URLS
from daemon.ports import Clock

EVERY_SECONDS = 10.0
"""Between two looks."""
LOST_SECONDS = 600.0
"""Events that were lost are told of for so long."""
MISSED_TICKS = 3
"""Evaluation is late after so many."""
FAILED_ATTEMPTS = 3
"""A receiver fails after so many in a row; the first may have met a pause of the network."""


class SelfWatch:
    """A job for the schedule. An idle hour says nothing. `free_share` is that of the state directory's disk, from 0 to
    1; it may raise OSError."""

    def __init__(
        self,
        *,
        clock: Clock,
        ingest: Ingest,
        evaluate: Evaluate,
        tick_seconds: float,
        free_share: Callable[[], float],
        observe: Callable[[SelfReading], None],
    ) -> None:
        self._clock = clock
        self._ingest = ingest
        self._evaluate = evaluate
        self._late_seconds = MISSED_TICKS * tick_seconds
        self._free_share = free_share
        self._observe = observe
        self._losses: deque[tuple[int, int]] = deque()
        self._lost_total = 0
        self._failing: dict[str, str] = {}
        self._failures: Counter[str] = Counter()
        """In a row, whatever the messages."""
        self._said: dict[Condition, tuple[bool | None, float | None, str]] = {}

    def configure(self, config: AlertsConfig) -> None:
        """At boot and at each reload: receivers that are gone fail no more."""
        self._failing = {name: error for name, error in self._failing.items() if config.receiver(name)}

    async def look(self) -> None:
        """At everything."""
        now = self._clock.now()
        self._look_for_losses(now)
        self._tell(now, Condition.STORE_FAILING, holds=self._ingest.failure is not None, reason=self._ingest.failure)
        self._look_at_evaluation(now)
        failing = "; ".join(f"{name} cannot be reached: {error}" for name, error in sorted(self._failing.items()))
        self._tell(now, Condition.NOTIFIER_FAILING, holds=bool(failing), reason=failing)
        self._look_at_disk(now)

    def adopt(self, decision: Decision) -> None:
        """Called after every commit: what became of messages."""
        for row in decision.notifications:
            if row.status is NotificationStatus.DELIVERED:
                self._failing.pop(row.receiver, None)
                self._failures.pop(row.receiver, None)
            elif _was_in_vain(row):
                self._failures[row.receiver] += 1
                if row.status is NotificationStatus.FAILED or self._has_failed_often(row):
                    self._failing[row.receiver] = row.error or "no reason is known"

    def _has_failed_often(self, row: Notification) -> bool:
        return max(self._failures[row.receiver], row.attempts) >= FAILED_ATTEMPTS

    def _look_for_losses(self, now: int) -> None:
        lost, self._lost_total = self._ingest.lost_total - self._lost_total, self._ingest.lost_total
        if lost:
            self._losses.append((now, lost))
        while self._losses and self._losses[0][0] <= now - LOST_SECONDS * 1000:
            self._losses.popleft()
        total = sum(lost for _, lost in self._losses)
        reason = f"{total} events were lost in {say_duration(LOST_SECONDS)}" if total else ""
        self._tell(now, Condition.EVENTS_DROPPED, value=float(total), reason=reason)

    def _look_at_evaluation(self, now: int) -> None:
        """How late it is exactly changes at every look, and is not news."""
        is_late = self._evaluate.lag_seconds >= self._late_seconds
        reason = f"nothing was judged for {say_duration(self._late_seconds)}" if is_late else ""
        self._tell(now, Condition.EVALUATION_LATE, holds=is_late, reason=reason)

    def _look_at_disk(self, now: int) -> None:
        """Where it cannot be seen, nothing is known; a share in whole percent seldom changes."""
        try:
            share = round(self._free_share(), 2)
        except OSError:
            return
        self._tell(now, Condition.DISK_FREE, value=share, reason=f"{say_ratio(share)} of the disk is free")

    def _tell(
        self,
        now: int,
        condition: Condition,
        *,
        holds: bool | None = None,
        value: float | None = None,
        reason: str | None,
    ) -> None:
        seen = holds, value, reason or ""
        if self._said.get(condition) != seen:
            self._said[condition] = seen
            reading = SelfReading(condition=condition, holds=holds, value=value, reason=seen[2], emitted_at=now)
            self._observe(reading)


def _was_in_vain(row: Notification) -> bool:
    """A try that reached nobody. A receiver without URLs is switched off: `check` says so."""
    is_tried = row.status is NotificationStatus.QUEUED and row.attempts > 0
    return row.error != NO_URLS and (is_tried or row.status is NotificationStatus.FAILED)
