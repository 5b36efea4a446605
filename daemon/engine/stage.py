"""Stage: the engine on a clock that is moved by hand, where rules are tried out on made up or recorded traffic.

What judges, tells and acts here is what does so live; only time, the upstream and the receivers are not real.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Protocol

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.event import Event
from daemon.domain.notification import Channel
from daemon.domain.sources import Read
from daemon.engine.core import Core, Surroundings
from daemon.engine.dispatch import IDLE_SECONDS
from daemon.engine.evaluate import GRACE_MS
from daemon.engine.ingest import Arrival
from daemon.engine.inventory import EVERY_SECONDS
from daemon.engine.looking import Looking
from daemon.logic.judging import SECOND_MS
from daemon.logic.probe import ProbeKind
from daemon.logic.providers import LONGEST_WINDOW_SECONDS
from daemon.ports import Clock

TICK_MS = 10_000
"""While nothing is on its way, it is looked at so often."""

Act = Callable[[], Awaitable[object] | None]
"""Something that happens: a person who changes something, an upstream that breaks, a turn that ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a start."""

    downtime_ms: int = 0
    is_late: Callable[[Event], bool] = lambda _: False
    """Whether a stored event was not stored yet."""
    readings: Sequence[Read] = ()
    """What was learned before the rules were in force."""
    owners: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Which alerts, by name, earlier mitigations belonged to, by id."""


class MovableClock(Clock, Protocol):
    """A clock that stands where somebody set it."""

    instant: int


class Stage:
    """A process that is started, and may die and be started again, over surroundings that outlive it.

    `is_recorded`: what happens is in the store already, with its labels; nothing is asked of an upstream of today.
    `looks` are the probes that judge each look at the upstream.
    """

    def __init__(
        self,
        around: Surroundings,
        clock: MovableClock,
        config: AlertsConfig,
        off: Collection[str] = (),
        *,
        is_recorded: bool = False,
        looks: Mapping[str, ProbeKind] | None = None,
    ) -> None:
        self._around, self._clock, self._is_recorded = around, clock, is_recorded
        self._rules = config, off
        self._looking = Looking(looks or {})
        self._spool: list[Event] = []
        self._looks_at = self._tells_at = 0
        self._sleeps = False
        self.is_up = False
        self.core = Core(around, lambda: self._rules)

    # ---- start and stop ------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Epoch ms."""
        return self._clock.now()

    async def start(self, record: Record | None = None) -> None:
        """Takes up what the ledger and the stored events hold, as a process does, or as one did."""
        around, now = self._around, self._clock.now()
        self.core = core = Core(around, lambda: self._rules)
        core.evaluate.remember(await around.ledger.alerts(), await around.ledger.mitigations())
        self._configure()
        await core.silences.load()
        await core.dispatch.load()
        await core.mitigate.load()
        await self._look(now)
        if record is None:
            last_alive = None if self._is_recorded else await around.events.last_alive()
            record = Record(downtime_ms=0 if last_alive is None else max(0, now - last_alive))
        core.evaluate.own(record.owners)
        for reading in record.readings:
            core.evaluate.observe(reading)
        self._open(record)
        self._tells_at, self.is_up, self._sleeps = now, True, False
        if self._is_recorded:
            self._spool.clear()

    def stop(self) -> None:
        """Dies without a word; what happens meanwhile waits for the next start."""
        self.is_up = False

    def sleep(self) -> None:
        """Nothing is judged until `wake`."""
        self._sleeps = True

    async def wake(self, until: int) -> None:
        """Goes on, and judges until this second (epoch ms)."""
        self._sleeps = False
        await self.judge_until(until)

    def reload(self, config: AlertsConfig, off: Collection[str] = ()) -> None:
        """Other rules from now on."""
        self._rules = config, off
        self._configure()
        self._open(Record())

    def _configure(self) -> None:
        config, _ = self._rules
        self.core.attribution.configure(config.providers)
        self.core.silences.configure(config)
        self.core.dispatch.configure(config, {one.name: (Channel(url=one.name),) for one in config.receivers})
        self.core.mitigate.configure(config)

    def _open(self, record: Record) -> None:
        """A new book, warmed with what is stored."""
        book, warmed, now = self.core.evaluate.open(self._rules[0]), set[int](), self._clock.now()
        seconds = max(book.longest_window_seconds, LONGEST_WINDOW_SECONDS)
        self.core.credential_figures.forget()
        for event in self._around.events.replay(now - round(seconds * 1000)):
            if event.emitted_at >= now:
                break
            if not record.is_late(event):
                book.warm(event)
                self.core.credential_figures.observe(event)
                if not self.is_up:
                    self.core.mitigate.recall(event)
                self.core.attribution.recall(event)
                warmed.add(event.event_id)
        self.core.evaluate.use(book, downtime_ms=record.downtime_ms, warmed=warmed)

    # ---- living --------------------------------------------------------------------------------------------------

    async def play(self, script: Iterable[tuple[int, Event | Act]], until: int) -> None:
        """What happens, in the order of its instants (epoch ms), and the time between and after it."""
        for at, happening in chain(script, [(until, _nothing)]):
            await self._live_until(at)
            self._clock.instant = max(self._clock.instant, at)
            if isinstance(happening, Event):
                self.emit(happening)
            elif (work := happening()) is not None:
                await work

    def emit(self, event: Event) -> None:
        """A turn has ended."""
        self._spool.append(event)

    async def judge_until(self, second: int) -> None:
        """Judges every second up to this one (epoch ms)."""
        await self._arrive(self.now)
        await self.core.evaluate.step(second + GRACE_MS)

    async def _live_until(self, at: int) -> None:
        """Looks whenever a second has ended in which something can have changed."""
        while (now := self._next(at)) <= at:
            self._clock.instant = now
            if self.is_up and not self._sleeps:
                await self._step(now)

    def _next(self, at: int) -> int:
        """The next instant to look, shortly after the end of a second."""
        now = self._clock.now()
        soonest = _shortly_after((now - GRACE_MS) // SECOND_MS * SECOND_MS + SECOND_MS)
        if self._is_busy:
            return soonest
        return max(soonest, _shortly_after(min((now // TICK_MS + 1) * TICK_MS, _whole(self._tells_at))))

    @property
    def _is_busy(self) -> bool:
        """Something can change with every second."""
        core = self.core
        return self.is_up and bool(self._spool or core.evaluate.book.is_active or core.mitigate.is_busy)

    async def _step(self, now: int) -> None:
        core = self.core
        await self._arrive(now)
        if now >= self._looks_at:
            await self._look(now)
        await core.evaluate.step(now)
        if core.mitigate.is_busy:
            await core.mitigate.carry_out()
        if now >= min(self._tells_at, core.dispatch.next_due or now + 1):
            await core.dispatch.send_due()
            self._tells_at = now + round(IDLE_SECONDS * 1000)
        self._tells_at = min(self._tells_at, core.dispatch.next_due or self._tells_at)

    async def _arrive(self, now: int) -> None:
        events, self._spool = tuple(map(self._label, self._spool)), []
        if not events:
            return
        if not self._is_recorded:
            await self._around.events.append(events, {}, now)
        for event in events:
            self.core.mitigate.observe(event)
            self.core.credential_figures.observe(event)
        self.core.evaluate.arrived(Arrival(events=events, lost=0))

    def _label(self, event: Event) -> Event:
        """One that says its provider is believed."""
        is_labelled = self._is_recorded or event.provider_key != "unknown"
        return event if is_labelled else self.core.attribution.attribute(event)

    async def _look(self, now: int) -> None:
        self._looks_at = now + round(EVERY_SECONDS * 1000)
        if self._is_recorded:
            return
        await self.core.inventory.refresh()
        sight = replace(self.core.inventory.sight(), quota=self.core.quota)
        for result in self._looking.judge(sight, self._rules[0]):
            self.core.evaluate.observe(result)


def _nothing() -> None:
    """The end of a script."""


def _whole(instant: int) -> int:
    return -(-instant // SECOND_MS) * SECOND_MS


def _shortly_after(second: int) -> int:
    return second + GRACE_MS
