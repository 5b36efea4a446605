"""Backtesting: rules judge the recorded events of some days again, on a stage; the store is only read."""

import asyncio
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from daemon.adapters.clock import HandClock
from daemon.adapters.config.packaged import packaged
from daemon.adapters.memory.ledger import MemoryLedger
from daemon.adapters.memory.notifier import MemoryNotifier
from daemon.adapters.memory.routes import MemoryRoutes
from daemon.adapters.memory.upstream import MemoryUpstream
from daemon.adapters.store import Store, open_store, schema_is_current
from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.backtest import DAY_MS, Played, Span
from daemon.domain.errors import CannotStart
from daemon.domain.event import Event, Outcome
from daemon.domain.explanation import Explanation
from daemon.domain.heard import HeardKind
from daemon.domain.mitigation import Mode
from daemon.engine.baselines import Baselines
from daemon.engine.core import Surroundings
from daemon.engine.replay import Happening, Replay
from daemon.engine.stage import Record, Stage
from daemon.logic.backtest_looks import Looks
from daemon.logic.judging import SECOND_MS
from daemon.logic.mitigations import upstream_toggle

LOOK_MS = 60_000
"""Between two looks at rules that do not fire."""
MOST_RECORDED = 1_000_000
"""Mitigations: all that are stored."""

Progress = Callable[[int], None]
"""Told the instant (epoch ms) that was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Those that are tried out, and the names of those that are off."""

    config: AlertsConfig
    off: Collection[str] = ()


async def backtest(store: Store, rules: Rules, span: Span, progress: Progress = lambda _: None) -> Played:
    """What these rules would have done. Raises `StoreFailure`."""
    again = _Again(store, rules, span, progress)
    watched = [rule for rule in rules.config.rules if rule.query(rules.config.selections).origin is Event]
    again.looks = {rule.alert: Looks(rule, LOOK_MS / 1000) for rule in watched}
    await again.play()
    return again.played()


async def state_log(store: Store, rules: Rules, span: Span) -> tuple[Alert, ...]:
    """Every transition in order, as live, or as it would have been: what was done then is what counts, not what would
    be done now. Raises `StoreFailure`."""
    again = _Again(store, rules, span, ceiling=Mode.SHADOW)
    await again.play()
    return again.played().transitions


async def explain_at(store: Store, rules: Rules, span: Span, alert: str, progress: Progress) -> Explanation:
    """Why an alert would have fired or not at the end of a span. Raises `StoreFailure`."""
    again = _Again(store, rules, span, progress)
    await again.play()
    return await again.stage.core.explain.at(alert, None)


def open_for_reading(database_url: str) -> Store:
    """A store that a daemon has made; it may be at work. Raises `CannotStart` and `StoreFailure`."""
    path = database_url.removeprefix("sqlite:///")
    if path != database_url and not Path(path).is_file():
        raise CannotStart(f"there is no database at {path}: nothing was recorded yet, or see RUNBOOKD_DATABASE_URL")
    if not schema_is_current(database_url, packaged("migrations")):
        raise CannotStart("the database is of another version: start the daemon of this version once")
    return open_store(database_url)


def recorded_within(database_url: str, span: Span) -> Span | None:
    """From the first recorded event on, where that is within a span. Raises `StoreFailure` and `CannotStart`."""
    store = open_for_reading(database_url)
    try:
        first = next(iter(store.events.replay(span.since)), None)
    finally:
        asyncio.run(store.close())
    if first is None or first.emitted_at >= span.until:
        return None
    return Span(since=first.emitted_at // SECOND_MS * SECOND_MS, until=span.until)


class _Again:
    """One set of rules on a stage of its own. Upstream, routes, receivers and ledger are in memory."""

    def __init__(
        self,
        store: Store,
        rules: Rules,
        span: Span,
        progress: Progress = lambda _: None,
        ceiling: Mode = Mode.AUTO,
    ) -> None:
        self._store, self._rules, self._span, self._progress = store, rules, span, progress
        self._clock, self._ceiling = HandClock(span.since), ceiling
        self._ledger = MemoryLedger()
        self._failures: dict[str, array[int]] = {}
        self._went_well: dict[str | None, bool] = {}
        self._events = 0
        self.looks: Mapping[str, Looks] = {}
        self.stage = Stage(self._surroundings(), self._clock, rules.config, rules.off, is_recorded=True)

    def _surroundings(self) -> Surroundings:
        upstream = MemoryUpstream(_settings(self._rules.config), answers=lambda model: self._went_well.get(model, True))
        return Surroundings(
            clock=self._clock,
            ledger=self._ledger,
            events=self._store.events,
            routes=MemoryRoutes(),
            management=upstream,
            probes=upstream,
            notifier=MemoryNotifier(self._clock),
            ceiling=self._ceiling,
            public_url="http://127.0.0.1:8319",
        )

    async def play(self) -> None:
        """From the first event to the end of the span; what the store was told meanwhile is told again."""
        span, owners = self._span, await _owners(self._store)
        heard = await self._store.ledger.heard(span.since, span.until)
        learn = self.stage.core.evaluate.learn
        baselines = Baselines(store=self._store.events, book=lambda: self.stage.core.evaluate.book, learn=learn)
        await self.stage.start(Record(owners=owners))
        script = Replay(self.stage, heard, baselines, owners).script(self._recorded())
        learned = any(entry.kind is HeardKind.LEARNED for entry in heard)
        await self.stage.play(_merged(script, self._acts(None if learned else baselines)), span.until)

    def _recorded(self) -> Iterator[Event]:
        for event in self._store.events.replay(self._span.since):
            if event.emitted_at >= self._span.until:
                return
            self._events += 1
            self._note(event)
            yield event

    def _note(self, event: Event) -> None:
        """How the original path went: that is what a ping would have met."""
        failed = event.outcome is Outcome.FAILED
        if not event.mitigation_ids:
            self._went_well[event.requested_model] = not failed
        if failed and event.requested_model is not None:
            self._failures.setdefault(event.requested_model, array("q")).append(event.emitted_at)

    def _acts(self, teaching: Baselines | None) -> Iterator[Happening]:
        """Looks; and a lesson a day, where none were recorded."""
        for at in range(self._span.since, self._span.until, LOOK_MS):
            passed = at - self._span.since
            if teaching is not None and passed % DAY_MS == 0:
                yield at, partial(self._learn, teaching, at)
            if passed:
                yield at, partial(self._look, at)

    async def _learn(self, teaching: Baselines, until: int) -> None:
        evaluate = self.stage.core.evaluate
        if evaluate.book.history_seconds:
            evaluate.learn(await teaching.hours(until, round(evaluate.book.history_seconds * 1000)), until)

    def _look(self, at: int) -> None:
        self._progress(at)
        for alert, looks in self.looks.items():
            looks.note(at, self.stage.core.evaluate.book.verdicts(alert))

    def played(self) -> Played:
        """What became of it."""
        ledger = self._ledger
        return Played(
            span=self._span,
            events=self._events,
            transitions=tuple(ledger.transition_rows),
            notifications=tuple(ledger.notification_rows.values()),
            mitigations=tuple(ledger.mitigation_rows.values()),
            notes=tuple(row for row in ledger.audit_rows.values() if row.action == "noted"),
            watches={alert: looks.watch() for alert, looks in self.looks.items()},
            failures=self._failures,
        )


def _settings(config: AlertsConfig) -> dict[str, bool]:
    """Of an upstream on which every toggle has something to do."""
    toggles = [one for one in config.mitigations.values() if isinstance(one, upstream_toggle.UpstreamToggle)]
    return {name.replace(".", "/"): not value for one in toggles for name, value in one.set.items()}


async def _owners(store: Store) -> Mapping[str, Collection[str]]:
    """Which alerts, by name, recorded mitigations belonged to, by id: what they rewrote is no evidence for those."""
    names = {alert.fingerprint: alert.alert for alert in await store.ledger.alerts()}
    rows = await store.ledger.mitigations(MOST_RECORDED)
    return {row.id: {names[owner] for owner in row.owners if owner in names} for row in rows}


def _merged(events: Iterable[Happening], acts: Iterable[Happening]) -> Iterator[Happening]:
    """Both in the order of their instants; of the same instant, acts come first."""
    waiting = iter(acts)
    act = next(waiting, None)
    for happening in events:
        while act is not None and act[0] <= happening[0]:
            yield act
            act = next(waiting, None)
        yield happening
    if act is not None:
        yield act
    yield from waiting
