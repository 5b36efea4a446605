"""Dispatch: sends what waits in the outbox when it is due, and writes down what became of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain

from daemon.domain.alert import Alert, EpisodeStep
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Channel, Delivery, Message, Notification, NotificationStatus
from daemon.engine.evidence import GatherEvidence, nothing_seen
from daemon.engine.supervise import RESTART_SECONDS
from daemon.logic.breaker import Breaker
from daemon.logic.messages import ApprovalLink, no_link
from daemon.logic.notifying import NO_URLS, concluded, superseded
from daemon.logic.outbox import LATELY, Errand, Outbox
from daemon.ports import Clock, Ledger, Notifier

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 15.0
"""For one send, the start of the notifier's process included."""
IDLE_SECONDS = 30.0
"""Repetitions and silences are looked at so often."""


class Dispatch:
    """At least once, deduplicated: a row is sent until its outcome is in the ledger.

    One message at a time to each receiver, the most severe first; a receiver that hangs delays no other. One that
    fails three times in a row is left alone for a while, and its backup hears what fires.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        notifier: Notifier,
        clock: Clock,
        commit: Callable[[Decision], Awaitable[None]],
        alerts: Callable[[], Sequence[Alert]],
        mitigations: Callable[[], Sequence[Mitigation]],
        public_url: str,
        evidence: GatherEvidence = nothing_seen,
        link: ApprovalLink = no_link,
    ) -> None:
        self._ledger = ledger
        self._notifier = notifier
        self._clock = clock
        self._commit = commit
        self._evidence = evidence
        self._outbox = Outbox(alerts, mitigations, public_url, link)
        self._channels: Mapping[str, Sequence[Channel]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._busy: set[str] = set()
        self._wake = asyncio.Event()

    def configure(self, config: AlertsConfig, channels: Mapping[str, Sequence[Channel]]) -> None:
        """At boot and at each reload; `channels` by the receiver's name. Who has other ones is tried anew."""
        self._outbox.configure(config)
        kept = {name for name in channels if channels[name] == self._channels.get(name)}
        self._breakers = {name: breaker for name, breaker in self._breakers.items() if name in kept}
        self._channels = channels
        self._wake.set()

    async def load(self) -> None:
        """Takes up rows that wait, and what was told lately. Raises `StoreFailure`."""
        rows = await self._ledger.notifications(LATELY)
        ended = [row for row in rows if row.status is not NotificationStatus.QUEUED]
        self._outbox.restore(await self._ledger.queued(), ended, await self._ledger.alerts())
        self._breakers |= {name: Breaker(failures=failures) for name, failures in self._outbox.failing.items()}

    def plan(self, steps: Sequence[EpisodeStep], now: int) -> tuple[Notification, ...]:
        """The rows that belong into the decision of these steps; one that is there already is not planned again."""
        return self._outbox.plan(steps, now)

    def notice(self, mitigation: Mitigation, now: int) -> tuple[Notification, ...]:
        """The row for a mitigation that was applied, undone, abandoned or failed; none where a message that waits
        will tell it."""
        return self._outbox.notice(mitigation, now)

    def adopt(self, decision: Decision) -> None:
        """Called after every commit, ours included."""
        self._outbox.adopt(decision)
        self._wake.set()

    def counters(self) -> Mapping[str, float]:
        """Rows that ended since the start, by what became of them."""
        ended = [status for status in NotificationStatus if status is not NotificationStatus.QUEUED]
        return {f'notifications_total{{status="{status}"}}': float(self._outbox.counts[status]) for status in ended}

    @property
    def cut_off(self) -> frozenset[str]:
        """The receivers that cannot be reached."""
        return frozenset(name for name, breaker in self._breakers.items() if breaker.is_open)

    @property
    def is_mute(self) -> bool:
        """Whether not one of the receivers that were tried can be reached."""
        return bool(self._breakers) and len(self.cut_off) == len(self._breakers)

    async def run(self) -> None:
        """Sends for ever. What was on its way when this is cancelled is sent again after the next start."""
        async with asyncio.TaskGroup() as senders:
            while True:
                self._wake.clear()
                now = self._clock.now()
                for errand in await self._due(now):
                    if errand.receiver not in self._busy:
                        self._busy.add(errand.receiver)
                        self._outbox.sending.add(errand.group_key)
                        senders.create_task(self._serve(errand), name=f"notify {errand.receiver}")
                await self._pause(now)

    async def send_due(self) -> None:
        """One round of all that `run` does again and again, one message after the other."""
        for errand in await self._due(self._clock.now()):
            await self._serve(errand)

    @property
    def next_due(self) -> int | None:
        """When the next message is to be sent (epoch ms); None while none waits."""
        return min(map(self._due_at, self._outbox.errands()), default=None)

    async def _due(self, now: int) -> list[Errand]:
        own = self._outbox.repeats(now), self._outbox.tests(now), self._outbox.stand_ins(self.cut_off, now)
        if rows := tuple(chain.from_iterable(own)):
            await self._record(rows)
        return [errand for errand in self._outbox.errands() if self._due_at(errand) <= now]

    async def _pause(self, now: int) -> None:
        """Until something is due or has changed; whoever waits for a busy receiver is looked at when that is free."""
        waiting = (self._due_at(errand) for errand in self._outbox.errands() if errand.receiver not in self._busy)
        seconds = (min(waiting, default=now + IDLE_SECONDS * 1000) - now) / 1000
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), min(seconds, IDLE_SECONDS))

    def _due_at(self, errand: Errand) -> int:
        breaker = self._breakers.get(errand.receiver)
        return max(errand.due_at, breaker.rests_until) if breaker else errand.due_at

    async def _serve(self, errand: Errand) -> None:
        try:
            await self._tell(errand)
        finally:
            self._busy.discard(errand.receiver)
            self._outbox.sending.discard(errand.group_key)
            self._wake.set()

    async def _tell(self, errand: Errand) -> None:
        draft = self._outbox.draft(errand, await self._evidence(self._outbox.subjects(errand)))
        if draft.message is None or draft.row is None:
            await self._record(superseded(draft.rows))
            return
        delivery = await self._send(errand.receiver, draft.message)
        log.log(
            logging.INFO if delivery.delivered else logging.WARNING,
            "message to %s %s: %s%s",
            errand.receiver,
            "delivered" if delivery.delivered else "not delivered",
            draft.message.title,
            f" ({delivery.error})" if delivery.error else "",
        )
        await self._record(concluded(draft.rows, draft.row, delivery, self._clock.now()))
        self._outbox.forget(self._clock.now())

    async def _send(self, receiver: str, message: Message) -> Delivery:
        channels = self._channels.get(receiver, ())
        if not channels:
            return Delivery(delivered=False, error=NO_URLS)
        delivery = await self._notifier.send(channels, message, DEADLINE_SECONDS)
        before, now = self._breakers.get(receiver, Breaker()), self._clock.now()
        self._breakers[receiver] = before.after(delivery, now)
        if delivery.delivered and before.failures:
            self._outbox.retry_now(receiver, now)
        return delivery

    async def _record(self, rows: tuple[Notification, ...]) -> None:
        """Tried until the ledger has it: what was sent must not be sent again."""
        failures = 0
        while True:
            try:
                return await self._commit(Decision(notifications=rows))
            except StoreFailure as failure:
                log.warning("what became of a message cannot be written yet: %s", failure)
                await asyncio.sleep(RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)])
                failures += 1
