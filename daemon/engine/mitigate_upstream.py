"""Upstream settings: reads and writes one row's target, and knows when a write of ours may still be on its way."""

import logging
from collections.abc import Iterable

from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Call, Mitigation
from daemon.logic.journal import Reading
from daemon.logic.mitigation import amends, upstream_kind
from daemon.ports import Clock, ManagementApi

log = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
"""How late after its answer a write may show: the upstream reloads its own file."""
CHANGES_PER_HOUR = 6
HOUR_MS = 3_600_000


class UpstreamSettings:
    """The hands that touch the upstream; what to do with them is the table's business."""

    def __init__(self, management: ManagementApi | None, clock: Clock) -> None:
        self._management = management
        self._clock = clock
        self._began_at = clock.monotonic()
        self._written_at: dict[str, float] = {}
        self._writes: list[tuple[str, int]] = []

    def remember(self, rows: Iterable[Mitigation]) -> None:
        """Writes of earlier processes, by what the journal can say: an open row's may have been made just now."""
        now = self._clock.now()
        self._writes = [(row.target, row.ended_at or now) for row in rows for _ in range(row.attempts)]

    def has_room(self, row: Mitigation, rows: Iterable[Mitigation], most: int = CHANGES_PER_HOUR) -> bool:
        """Whether this hour allows another write, of `most`. To begin one there must be room for its restore too."""
        hour_ago = self._clock.now() - HOUR_MS
        self._writes = [(target, at) for target, at in self._writes if at > hour_ago]
        left = most - sum(target == row.target for target, _ in self._writes)
        if row.value_before is not None:
            return left > 0
        begun = sum(one.attempts > 0 and (one.applied_at or one.planned_at) > hour_ago for one in rows)
        return left > 1 and begun < most

    async def read(self, row: Mitigation, rows: Iterable[Mitigation]) -> Reading:
        """The target's value now. Raises `ManagementFailure`, and ValueError when there is no such setting."""
        kind, management = upstream_kind(row.kind), self._reach()
        asked_at = self._clock.monotonic()
        value = kind.read(row.target, await management.read(kind.reading(row.target)))
        prints = await management.config_fingerprints()
        return Reading(
            value=value,
            sent=row.target in self._written_at,
            settled=asked_at - self._written_at.get(row.target, self._began_at) >= SETTLE_SECONDS,
            fingerprints={key: found for key, found in prints.items() if key != kind.top_level(row.target)},
            ours=frozenset(
                key for one in rows if one.attempts and (key := upstream_kind(one.kind).top_level(one.target))
            ),
        )

    async def write(self, row: Mitigation, value: object) -> None:
        """Sends a value; whether it arrived is for a reading to say."""
        try:
            await self._reach().send(await self._call(row, value))
        except ManagementFailure as failure:
            log.warning("%s: the write was not confirmed: %s", row.target, failure)
        finally:
            self._written_at[row.target] = self._clock.monotonic()
            self._writes.append((row.target, self._clock.now()))

    async def _call(self, row: Mitigation, value: object) -> Call:
        kind = upstream_kind(row.kind)
        if not amends(row.kind):
            return kind.writing(row.target, value)
        return kind.amending(row.target, value, await self._reach().read(kind.reading(row.target)))

    def _reach(self) -> ManagementApi:
        if self._management is None:
            raise ManagementFailure("UPSTREAM_MANAGEMENT_KEY is not set")
        return self._management
