"""Evaluate: judges the book at whole seconds, and commits what follows from it as one decision."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from daemon.domain.alert import Alert, AlertState, EpisodeStep
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.errors import StoreFailure
from daemon.domain.event import Event
from daemon.domain.explanation import Look
from daemon.domain.heard import PLACE, Heard, HeardKind, late_ids, told
from daemon.domain.joined import Joined
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification
from daemon.domain.probe import ProbeResult
from daemon.domain.quota import QuotaReading
from daemon.domain.rollup import Rollup
from daemon.domain.rule_figures import RuleFigures
from daemon.domain.self_reading import Condition, SelfReading
from daemon.domain.sources import Read
from daemon.engine.desk import Desk
from daemon.engine.ingest import Arrival
from daemon.logic.judging import LOSSES_SECONDS, SECOND_MS, Book
from daemon.logic.windows import COARSEST_MS, Ring
from daemon.ports import Clock

log = logging.getLogger(__name__)

GRACE_MS = 250
"""After a second ends, for its last events to arrive."""
MOST_SECONDS = 120
"""Judged one by one after a pause; older seconds are judged together, and no time is served in them."""
LONGEST_BACK_MS = 86_400_000
"""Further back than this a clock only goes when it was wrong before."""
RETRY_SECONDS = 1.0
MOST_HEARD = 5000
"""What waits for a decision to be written with; what leads to a decision is always written with it."""
EVENTS_DROPPED = "EventsDropped"
"""The built-in alert by which a process knows what the one before has lost."""

PlanMessages = Callable[[Sequence[EpisodeStep], int], tuple[Notification, ...]]
PlanMitigations = Callable[[Sequence[Alert], frozenset[str], int], Decision]


class Evaluate:
    """A guarded task, woken by arrivals and by the tick behind them."""

    def __init__(
        self, *, desk: Desk, clock: Clock, plan_messages: PlanMessages, plan_mitigations: PlanMitigations
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._plan_messages = plan_messages
        self._plan_mitigations = plan_mitigations
        self._book = Book(AlertsConfig())
        self._judged_at = 0
        self._has_judged = False
        self._last_rows: dict[str, Alert] = {}
        self._owners: dict[str, frozenset[str]] = {}
        self._changed: list[Alert] = []
        """Rows that wait to be committed, in order; an alert may have several."""
        self._steps: list[EpisodeStep] = []
        self._audit: list[AuditEntry] = []
        self._heard: list[Heard] = []
        self._shown: dict[int, int] = {}
        """The last event id of each worker."""
        self._began_at = 0
        self._said: dict[tuple[str | None, ...], Heard] = {}
        """The latest entry about each reading that waits."""
        self._waiting_heard = 0
        self._losses = Ring(COARSEST_MS, LOSSES_SECONDS)
        self._meanwhile: list[Event] | None = None
        """What arrives while a new book is being warmed."""
        self._woken = asyncio.Event()
        self._readings: dict[tuple[str | None, ...], Read] = {}
        self._failing_rules: dict[str, str] | None = None
        self._crowded: set[str] = set()
        """Rules of which it was said that they have too many label sets."""
        desk.read_by(self.adopt)

    # ---- the book ------------------------------------------------------------------------------------------------

    def remember(self, alerts: Iterable[Alert], mitigations: Iterable[Mitigation]) -> None:
        """What the ledger holds, at the start."""
        self._last_rows = {alert.fingerprint: alert for alert in alerts}
        for alert in self._last_rows.values():
            if alert.alert == EVENTS_DROPPED and alert.is_firing and alert.value:
                self._losses.add(alert.last_data_at, round(alert.value), round(alert.value))
        for row in mitigations:
            self._own(row)

    def open(self, config: AlertsConfig, waiting: Iterable[Event] = ()) -> Book:
        """A book of these rules, to be warmed with stored events and then put to use by `use`. `waiting` are events
        that have arrived and are not stored yet."""
        self._meanwhile = list(waiting)
        return Book(config, self._rules_behind, self._losses)

    @property
    def book(self) -> Book:
        """The one that is in use."""
        return self._book

    def use(self, book: Book, *, downtime_ms: int = 0, warmed: Collection[int] = ()) -> None:
        """Judges by this book from now on; alerts go on where they are. `warmed` are the ids of the latest events that
        it has counted: what arrived meanwhile and is not among them is counted now."""
        now = self._clock.now()
        meanwhile = [event for event in self._meanwhile or () if event.event_id not in warmed]
        for event in meanwhile:
            book.observe(event)
        self._meanwhile = None
        for reading in self._readings.values():
            book.warm(reading)
        ours = [alert for alert in self.alerts() if not alert.source]
        book.restore(ours, shift_ms=downtime_ms, silent_since=now if downtime_ms else 0)
        self._book = book
        self._judged_at = max(self._judged_at, now // SECOND_MS * SECOND_MS - SECOND_MS)
        if self._began_at:
            self._note(HeardKind.RULES, {})
        else:
            self._note(HeardKind.STARTED, {"downtime_ms": downtime_ms}, now)
            self._began_at, self._waiting_heard = now, MOST_HEARD  # that it began is written down at once
        if downtime_ms:
            self._write_down_waiting()
        self.wake()

    def alerts(self) -> list[Alert]:
        """The latest row of every fingerprint, with the figures of now."""
        present = {alert.fingerprint: alert for alert in self._book.alerts()}
        return list((self._last_rows | _latest(self._changed) | present).values())

    def acknowledge(self, names: Mapping[str, str | None]) -> list[Alert]:
        """Who looks after which alert, by fingerprint. Gives the rows as they are now, for the caller to commit."""
        self._note(HeardKind.ACKNOWLEDGED, {"names": dict(names)})
        self._book.acknowledge(names)
        self._last_rows = {row.fingerprint: _acknowledged(row, names) for row in self._last_rows.values()}
        self._changed = [_acknowledged(row, names) for row in self._changed]
        return [alert for alert in self.alerts() if alert.fingerprint in names]

    def look(self, alert: str) -> list[Look]:
        """What the rule of that name says at this moment."""
        return self._book.look(alert)

    def rules(self) -> list[RuleFigures]:
        """How every rule in force fares."""
        return self._book.rules()

    def observe(self, reading: Read) -> None:
        """Something about the daemon or the upstream is wrong, or right again; it stands until the next one."""
        self._note_reading(reading)
        self._take(reading)

    def _take(self, reading: Read) -> None:
        if not isinstance(reading, Joined):  # it is counted, and stands for nothing
            self._readings[_key(reading)] = reading
        self._book.observe(reading)
        self.wake()

    def adopt(self, decision: Decision) -> None:
        """Somebody committed a decision."""
        self._last_rows |= {alert.fingerprint: alert for alert in decision.alerts}
        for row in decision.mitigations:
            self._own(row)

    def forget(self, fingerprints: Collection[str]) -> None:
        """Alerts of others that ended so long ago that nobody is shown them."""
        self._last_rows = {key: row for key, row in self._last_rows.items() if key not in fingerprints}

    @property
    def has_judged(self) -> bool:
        """The first evaluation is done."""
        return self._has_judged

    @property
    def lag_seconds(self) -> float:
        """How long ago the last second was that is judged; up to a tick while nothing happens."""
        return max(0.0, (self._clock.now() - self._judged_at) / 1000) if self._has_judged else 0.0

    def own(self, owners: Mapping[str, Collection[str]]) -> None:
        """Which alerts, by name, mitigations of the past belonged to, by id."""
        self._owners |= {mitigation: frozenset(names) for mitigation, names in owners.items()}

    def start_anew(self, fingerprints: Collection[str], at: int | None = None) -> None:
        """A mitigation of these alerts was released, now or at an instant (epoch ms)."""
        at = self._clock.now() if at is None else at
        self._note(HeardKind.ANEW, {"fingerprints": sorted(fingerprints), "at": at})
        self._book.start_anew(fingerprints, at)
        self.wake()

    def learn(self, hours: Sequence[Rollup], until: int) -> None:
        """What is usual, from the hours of some days until an instant (epoch ms)."""
        self._note(HeardKind.LEARNED, {"until": until})
        self._book.learn(hours)

    def lose(self, at: int, lost: int) -> None:
        """So many events never arrived; `at` is when that was (epoch ms)."""
        self._note(HeardKind.LOST, {"at": at, "lost": lost})
        self._book.lose(at, lost, lost)

    # ---- the work ------------------------------------------------------------------------------------------------

    def arrived(self, arrival: Arrival) -> None:
        """Events were stored."""
        for event in arrival.events:
            self._book.observe(event)
            self._book.lose(event.emitted_at, 1, 0)
            self._shown[event.event_id & PLACE] = event.event_id
        judged_at = max(self._judged_at, self._began_at)
        if late := [event for event in arrival.events if event.emitted_at < judged_at]:
            self._note(HeardKind.LATE, {"ids": late_ids(late)})
        if self._meanwhile is not None:
            self._meanwhile += arrival.events
        if arrival.lost:
            self.lose(arrival.events[-1].emitted_at if arrival.events else self._clock.now(), arrival.lost)
        self.wake()

    def _note(self, kind: HeardKind, what: Mapping[str, Any], at: int | None = None) -> Heard:
        """What has to be known to judge this day again just as it was judged."""
        heard = Heard(at=self._clock.now() if at is None else at, after=self._judged_at, kind=kind, what=what)
        self._heard.append(heard)
        self._waiting_heard += 1
        return heard

    def _note_reading(self, reading: Read) -> None:
        """One that says the same again is a line in the entry of the first."""
        at, what = told(reading)
        said = self._said.get(_key(reading))
        if said is None or said.what["reading"] != what:
            said = self._said[_key(reading)] = self._note(HeardKind.READING, {"reading": what, "times": []})
        said.what["times"].append([at, self._judged_at])
        self._waiting_heard += 1

    def wake(self) -> None:
        """Look again, at the end of this second."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled. What cannot be committed is kept and committed with the next decision."""
        while True:
            await self._woken.wait()
            await self._clock_reaches_a_second()
            self._woken.clear()
            try:
                await self.step(self._clock.now())
            except StoreFailure as failure:
                log.error("a decision waits to be committed: %s", failure)
                await asyncio.sleep(RETRY_SECONDS)
                self.wake()

    async def step(self, now: int) -> None:
        """Judges every second that has ended by `now`, and commits what follows. Raises `StoreFailure`."""
        last = (now - GRACE_MS) // SECOND_MS * SECOND_MS
        if last < self._judged_at - LONGEST_BACK_MS:
            self._judged_at = last - SECOND_MS  # the clock was wrong before
        first = max(self._judged_at + SECOND_MS, last - MOST_SECONDS * SECOND_MS)
        if pause := first - self._judged_at - SECOND_MS:
            self._note(HeardKind.PAUSED, {"until": last})
            self._book.pause(pause)
            self._write_down_waiting()
        for at in range(first, last + 1, SECOND_MS):
            self._judge(at)
        await self._commit(now)
        if self._book.is_active:
            self.wake()

    def _write_down_waiting(self) -> None:
        """What they wait for has moved: whoever takes them up next must know."""
        self._changed += self._book.waiting()

    def _judge(self, at: int) -> None:
        judgement = self._book.judge(at)
        self._judged_at, self._has_judged = at, True
        self._changed += judgement.changed
        self._steps += judgement.steps
        self._audit += [_entry(alert) for alert in judgement.changed if alert.state in _TOLD]
        self._note_errors({name: f"{type(error).__name__}: {error}" for name, error in judgement.errors}, at)
        if at % COARSEST_MS == 0:
            self._note_crowds()

    def _note_crowds(self) -> None:
        for name in self._book.displaced.keys() - self._crowded:
            log.warning("%s has more label sets than max_series: the least bad ones make room", name)
            self._crowded.add(name)

    def _note_errors(self, errors: dict[str, str], at: int) -> None:
        """Only where everything is looked at, a rule that is not told can be judged again. The first such look tells
        too that there are none: the last process may have had some."""
        before, looks_at_all = self._failing_rules, at % COARSEST_MS == 0
        if not looks_at_all:
            errors = (before or {}) | errors
        if errors == before or not (errors or looks_at_all):
            return
        text = "; ".join(f"{name} keeps its state: {error}" for name, error in errors.items())
        if errors or before:
            log.log(logging.ERROR if errors else logging.INFO, "%s", text or "all rules can be judged again")
        self._failing_rules = errors
        failing = Condition.EVALUATION_FAILING
        self._take(SelfReading(condition=failing, holds=bool(errors), reason=text, emitted_at=at))

    async def _commit(self, now: int) -> None:
        mitigation = self._plan_mitigations(self._book.firing(), self._book.acting(), now)
        decision = Decision(
            alerts=tuple(self._changed),
            notifications=self._plan_messages(self._steps, now) + mitigation.notifications,
            mitigations=mitigation.mitigations,
            audit=(*self._audit, *mitigation.audit),
        )
        if decision or self._waiting_heard >= MOST_HEARD:
            await self._write_down(decision)

    async def flush(self) -> None:
        """At the end: what was heard and has led to nothing yet. Raises `StoreFailure`."""
        await self._write_down(Decision())

    async def _write_down(self, decision: Decision) -> None:
        self._note(HeardKind.JUDGED, {"shown": sorted(self._shown.values())})
        heard = tuple(self._heard)
        await self._desk.commit(replace(decision, heard=heard))
        self._changed, self._steps, self._audit = [], [], []
        del self._heard[: len(heard)]
        self._said, self._waiting_heard = {}, len(self._heard)

    async def _clock_reaches_a_second(self) -> None:
        now = self._clock.now()
        due = max(self._judged_at + SECOND_MS + GRACE_MS, now)
        await asyncio.sleep((due - now) / 1000)

    # ---- whose mitigation an event went through ------------------------------------------------------------------

    def _own(self, row: Mitigation) -> None:
        names = {self._last_rows[owner].alert for owner in row.owners if owner in self._last_rows}
        self._owners[row.id] = self._owners.get(row.id, frozenset()) | names

    def _rules_behind(self, mitigation_id: str) -> Collection[str]:
        return self._owners.get(mitigation_id, ())


def _latest(rows: Iterable[Alert]) -> dict[str, Alert]:
    return {row.fingerprint: row for row in rows}


def _acknowledged(row: Alert, names: Mapping[str, str | None]) -> Alert:
    return replace(row, acknowledged_by=names[row.fingerprint]) if row.fingerprint in names else row


def _key(reading: Read) -> tuple[str | None, ...]:
    match reading:
        case SelfReading():
            return (reading.condition,)
        case ProbeResult():
            return reading.probe, reading.subject
        case QuotaReading():
            return reading.provider_key, reading.auth_index, reading.credential, reading.model_id
        case Joined():
            return "joined", str(reading.event.event_id)


_TOLD = frozenset({AlertState.FIRING, AlertState.RESOLVED})


def _entry(alert: Alert) -> AuditEntry:
    return AuditEntry(
        id=f"{alert.fingerprint}-{alert.since}-{alert.state.value}",
        at=alert.since,
        actor=f"rule:{alert.alert}",
        subject=f"alert:{alert.alert}",
        action=alert.state.value,
        after={"severity": alert.severity.value, **dict(alert.labels)},
        reason=alert.resolved_because.value if alert.resolved_because else alert.summary,
    )
