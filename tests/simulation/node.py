"""The engine of a control plane, wired as in real life on what survives its death: ledger, events and upstream."""

from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from daemon.domain.alert import Alert, EpisodeStep
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.errors import Conflict, StoreFailure
from daemon.domain.event import Event
from daemon.domain.mitigation import Mitigation, Mode
from daemon.domain.notification import Delivery, Notification, NotificationStatus
from daemon.engine.desk import Desk
from daemon.engine.evaluate import Evaluate
from daemon.engine.ingest import Arrival
from daemon.engine.mitigate import Mitigate
from daemon.logic.judging import Book
from daemon.logic.notifying import concluded, superseded
from daemon.logic.outbox import Outbox
from daemon.logic.providers import LONGEST_WINDOW_SECONDS
from daemon.ports import Clock
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger
from tests.fakes.route_table import MemoryRoutes
from tests.fakes.upstream_probes import FakeProbes
from tests.simulation.laws import Court
from tests.simulation.upstream import Killed, Upstream

T = TypeVar("T")

REPEATS_MS = 30_000


class FragileLedger(MemoryLedger):
    """Kills whoever commits, just after it has committed, when `deadly`."""

    def __init__(self, court: Court) -> None:
        super().__init__()
        self._court = court
        court.deeds.rows = self.mitigation_rows
        self.deadly = False

    async def commit(self, decision: Decision) -> None:
        before, rows = dict(self.alert_rows), self._those_of(decision)
        await super().commit(decision)
        self._court.committed(decision, before, self.alert_rows)
        self._court.rows_committed(decision, rows)
        if self.deadly:
            raise Killed

    def _those_of(self, decision: Decision) -> dict[str, Mitigation]:
        rows = self.mitigation_rows
        return {row.id: rows[row.id] for row in decision.mitigations if row.id in rows}


class WatchedBook:
    """A book whose judgements are seen by the court."""

    def __init__(self, book: Book, court: Court) -> None:
        self._book = book
        self._court = court

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)

    def judge(self, at: int) -> Any:
        judgement = self._book.judge(at)
        self._court.judged(at, judgement)
        return judgement


def done(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something")


class Node:
    """One process. Everything raises `StoreFailure` while the store fails, and `Killed` when the ledger is deadly."""

    def __init__(
        self, ledger: FragileLedger, events: MemoryEventStore, clock: Clock, court: Court, upstream: Upstream
    ) -> None:
        self._ledger, self._events, self._clock, self._court = ledger, events, clock, court
        self._upstream = upstream
        self._desk = Desk(ledger)
        self._evaluate = Evaluate(
            desk=self._desk, clock=clock, plan_messages=self._plan_messages, plan_mitigations=self._plan_mitigations
        )
        self._mitigate = Mitigate(
            ledger=ledger,
            routes=MemoryRoutes(),
            management=upstream,
            probes=FakeProbes(),
            clock=clock,
            commit=self._commit_of_acting,
            notice=lambda row, now: self._outbox.notice(row, now),
            ceiling=Mode.AUTO,
            on_release=self._evaluate.start_anew,
            export=lambda _: None,
        )
        self._outbox = Outbox(self._evaluate.alerts, self._mitigate.rows, "http://nas:8319")
        self._desk.read_by(self._outbox.adopt)
        self._desk.read_by(self._mitigate.adopt)
        self._desk.read_by(self._look_again)
        self._repeats_at = 0
        self._posts_at: int | None = 0
        self.is_behind = False
        """Something waits to be judged or committed."""

    def start(self, config: AlertsConfig) -> None:
        rows = done(self._ledger.notifications(1000))
        alerts = done(self._ledger.alerts())
        ended = [row for row in rows if row.status is not NotificationStatus.QUEUED]
        self._evaluate.remember(alerts, done(self._ledger.mitigations()))
        self._outbox.configure(config)
        self._outbox.restore(done(self._ledger.queued()), ended, alerts)
        self._mitigate.configure(config)
        done(self._mitigate.load())
        last_alive = done(self._events.last_alive())
        warmed = self._open(config, ())
        self._evaluate.use(
            self.book, warmed=warmed, downtime_ms=0 if last_alive is None else max(0, self._clock.now() - last_alive)
        )  # type: ignore[arg-type]

    def reload(self, config: AlertsConfig, waiting: Sequence[Event]) -> None:
        warmed = self._open(config, waiting)
        self._outbox.configure(config)
        self._mitigate.configure(config)
        self._evaluate.use(self.book, warmed=warmed)  # type: ignore[arg-type]
        self.is_behind = True

    def _open(self, config: AlertsConfig, waiting: Sequence[Event]) -> set[int]:
        """Gives the ids of the events that the new book has counted."""
        book = self._evaluate.open(config, waiting)
        seconds = max(book.longest_window_seconds, LONGEST_WINDOW_SECONDS)
        stored = list(self._events.replay(self._clock.now() - round(seconds * 1000)))
        for event in stored:
            book.warm(event)
        self.book = WatchedBook(book, self._court)
        return {event.event_id for event in stored}

    def arrived(self, events: Sequence[Event], lost: int) -> None:
        self._court.history.arrived(events, lost)
        self._evaluate.arrived(Arrival(events=tuple(events), lost=lost))

    def step(self) -> None:
        """Judges what has ended, and sends what is due."""
        self.is_behind = True
        done(self._evaluate.step(self._clock.now()))
        self._court.stepped(self._evaluate.alerts)
        self._post()
        self._act()
        self.is_behind = self._court.history.looks > 0

    @property
    def bare_book(self) -> Book:
        """Not watched."""
        return self.book._book

    @property
    def is_active(self) -> bool:
        return self.is_behind or self.book.is_active or self._posts_at is not None or self._mitigate.is_busy

    def _plan_messages(self, steps: Sequence[EpisodeStep], now: int) -> tuple[Notification, ...]:
        self._court.history.offered = list(steps)
        return self._outbox.plan(steps, now) if steps else ()

    def _plan_mitigations(self, firing: Sequence[Alert], acting: frozenset[str], now: int) -> Decision:
        self._court.history.firing, self._court.history.acting = list(firing), acting
        return self._mitigate.plan(firing, acting, now)

    def act(self, action: str) -> None:
        """What a human wants done to whatever there is."""
        with suppress(Conflict, StoreFailure):
            done(self._mitigate.act("switch", action, "human:jo"))

    def _act(self) -> None:
        """As its task does again and again."""
        judging, self._court.is_judging = self._court.is_judging, False
        try:
            if self._mitigate.is_busy:
                done(self._mitigate.carry_out())
        except StoreFailure:
            return
        finally:
            self._court.is_judging = judging
        self._upstream.look()
        self._court.acted()

    async def _commit_of_acting(self, decision: Decision) -> None:
        await self._desk.commit(decision)
        self._upstream.survive()

    def _post(self) -> None:
        now = self._clock.now()
        if now >= self._repeats_at or self._repeats_at > now + REPEATS_MS:
            self._repeats_at = now + REPEATS_MS
            done(self._desk.commit(Decision(notifications=self._outbox.repeats(now))))
        if self._posts_at is not None and now >= self._posts_at:
            self._send(now)
            self._posts_at = min((errand.due_at for errand in self._outbox.errands()), default=None)

    def _send(self, now: int) -> None:
        for errand in [errand for errand in self._outbox.errands() if errand.due_at <= now]:
            draft = self._outbox.draft(errand)
            ended = superseded(draft.rows)
            if draft.message is not None:
                ended = concluded(draft.rows, draft.row, Delivery(delivered=True), now)
            done(self._desk.commit(Decision(notifications=ended)))

    def _look_again(self, decision: Decision) -> None:
        if decision.notifications:
            self._posts_at = 0
