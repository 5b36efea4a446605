"""Usage: takes the upstream's records of its attempts, joins them to our events, and hands on what they tell."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from daemon.domain.alerts_config import AlertsConfig, UsageRecords
from daemon.domain.errors import ManagementFailure, StoreFailure
from daemon.domain.event import Event, Source
from daemon.domain.joined import Joined, UsageRecord
from daemon.domain.quota import QuotaReading
from daemon.logic.joining import Joins, learned
from daemon.logic.quota_headers import readings_from_headers
from daemon.logic.usage_reading import read_record
from daemon.ports import Clock

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 60.0
ALL, NONE = 0.9, 0.02
"""Of the turns that have a record: more than this is all of them, less is none."""
SOURCE = "usage_queue"


class UsageSource(Protocol):
    """Where records come from."""

    async def next(self) -> Sequence[Any]:
        """What has come, decoded, after a moment at most. Raises `ManagementFailure`."""

    async def close(self) -> None: ...


class Usage:
    """A guarded task, idle until the alerts file asks for it. `name_of` gives the file of a credential by its index."""

    def __init__(
        self,
        *,
        open_source: Callable[[UsageRecords], UsageSource],
        observe: Callable[[Joined], None],
        take_quota: Callable[[Sequence[QuotaReading]], Awaitable[None]],
        name_of: Callable[[str], str | None],
        clock: Clock,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open_source = open_source
        self._observe = observe
        self._take_quota = take_quota
        self._name_of = name_of
        self._clock = clock
        self._pause = pause
        self._options: UsageRecords | None = None
        self._changed = asyncio.Event()
        self._joins = Joins()
        self.trouble = ""
        """Why no records come, in words."""

    def configure(self, config: AlertsConfig) -> None:
        """At boot and at each reload."""
        if config.usage_records != self._options:
            self._options, self._joins, self.trouble = config.usage_records, Joins(), ""
            self._changed.set()

    def turn(self, event: Event) -> None:
        """A turn ended."""
        if self._options is not None and event.source is not Source.DRILL:
            self._joins.turn(event, self._clock.now())

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._changed.clear()
            options = self._options
            if options is None:
                await self._changed.wait()
                continue
            source = self._open_source(options)
            try:
                await self._follow(source)
            finally:
                await source.close()

    async def _follow(self, source: UsageSource) -> None:
        failures = 0
        while not self._changed.is_set():
            try:
                told = await source.next()
                failures, self.trouble = 0, ""
            except ManagementFailure as failure:
                if self.trouble != (text := str(failure)):
                    self.trouble = text
                    log.warning("no usage records: %s", text)
                failures += 1
                await self._pause(min(2.0**failures, LONGEST_PAUSE_SECONDS))
                told = ()
            await self.take(told)

    async def take(self, told: Sequence[Any]) -> None:
        """What has come, and what has found its other half by now."""
        now, records = self._clock.now(), [record for one in told if (record := read_record(one)) is not None]
        self._joins.take(records, now)
        for event, attempts in self._joins.due(now):
            if (joined := learned(event, attempts, now)) is not None:
                self._observe(joined)
        if readings := [reading for record in records for reading in self._quota(record)]:
            try:
                await self._take_quota(readings)
            except StoreFailure as failure:
                log.error("quotas of usage records are not stored: %s", failure)

    def _quota(self, record: UsageRecord) -> Sequence[QuotaReading]:
        if not record.headers:
            return ()
        return readings_from_headers(
            record.headers,
            provider_key=record.provider_key,
            auth_index=record.auth_index,
            credential=self._name_of(record.auth_index or ""),
            observed_at=min(record.at, self._clock.now()),
            source=SOURCE,
        )

    def told(self) -> Mapping[str, Any] | None:
        """For the status; None while nobody asked for records."""
        if self._options is None:
            return None
        coverage = self._joins.coverage(self._clock.now())
        return {
            "from": self._options.from_,
            "records": self._joins.records,
            "hidden_attempts": self._joins.hidden_attempts,
            "coverage": coverage,
            "other_consumers_suspected": coverage is not None and NONE < coverage < ALL,
            "trouble": self.trouble,
        }
