"""Rule testing: plays a timed example on a stage, and says which of its expectations do not hold."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from operator import itemgetter

from daemon.adapters.memory.notifier import Sent
from daemon.app.playground import Playground
from daemon.app.rule_test_acts import Acts, as_files, as_paths
from daemon.app.rule_test_file import TestFile, read
from daemon.app.rule_test_record import Record
from daemon.domain.alert import Alert
from daemon.domain.event import Event
from daemon.domain.happened import Happened
from daemon.domain.rule_test import Case, Upstream
from daemon.engine.evaluate import GRACE_MS
from daemon.logic.expectation_words import say_expectation
from daemon.logic.expectations import unmet
from daemon.logic.failure_timeline import concerned, failure_timeline
from daemon.logic.made_up_traffic import MadeUpTraffic, Turn, answers
from daemon.logic.routing_table import Lease, Trickles, choose

__all__ = ["Failure", "Played", "TestFile", "play", "read"]

MONDAY = 1_767_571_200_000
"""2026-01-05, midnight UTC: when an example begins that does not say it."""
MINUTE_MS = 60_000
SETTLES_MS = GRACE_MS + 1
"""So long after a second it has been judged."""

Script = Iterator[tuple[int, Callable[[], Awaitable[object] | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An expectation that does not hold, or something that could not be done."""

    expectation: str
    """In words."""
    reason: str
    """What happened instead."""
    timeline: str = ""
    """To be printed below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A case that was played to its end. Instants are epoch ms."""

    case: Case
    ground: Playground
    begins_at: int
    ended_at: int
    turns: Sequence[Event]
    """As they ended, in order."""
    failures: Sequence[Failure]

    @property
    def transitions(self) -> Sequence[Alert]:
        """Every row that an alert had, in order."""
        return self.ground.ledger.transition_rows

    @property
    def sent(self) -> Sequence[Sent]:
        """Every message, in order."""
        return self.ground.notifier.sent

    @property
    def seconds(self) -> float:
        """How much time was played."""
        return (self.ended_at - self.begins_at) / 1000


def play(file: TestFile, case: Case) -> Played:
    """Plays one case of a file, with all its rules."""
    return asyncio.run(_Play(file, case).whole())


@dataclass(slots=True)
class _Play:
    file: TestFile
    case: Case
    begins_at: int = field(init=False)
    ground: Playground = field(init=False)
    traffic: MadeUpTraffic = field(init=False)
    acts: Acts = field(init=False)
    record: Record = field(init=False)
    turns: list[Event] = field(default_factory=list)
    lease: Lease = field(default_factory=Lease)
    trickles: Trickles = field(default_factory=Trickles)

    def __post_init__(self) -> None:
        file, case = self.file, self.case
        self.begins_at = MONDAY if case.begins is None else round(case.begins.timestamp() * 1000)
        self.ground = _ground(file, case.upstream, self.begins_at, self._answers)
        self.traffic = MadeUpTraffic(case.traffic, self.begins_at)
        self.record = Record(self.ground, {name for one in case.expect for name in concerned(one, file.config)})
        self.acts = Acts(self.ground, case, self.begins_at, self.record)

    async def whole(self) -> Played:
        """To the last instant that anything is said of."""
        ended_at = self.begins_at + round(_last_second(self.case) * 1000) + SETTLES_MS
        await self.acts.start()
        script = merge(self.acts.script(), self._traffic(), self._looks(ended_at), key=itemgetter(0))
        await self.ground.stage.play(script, ended_at)
        seen = self.record.happened(self.begins_at, SETTLES_MS, self.file.config)
        return Played(
            case=self.case,
            ground=self.ground,
            begins_at=self.begins_at,
            ended_at=ended_at,
            turns=self.turns,
            failures=[
                *map(_refusal, self.acts.refused),
                *map(_breakdown, self.record.errors.items()),
                *self._failures(seen),
            ],
        )

    def _failures(self, seen: Happened) -> Iterable[Failure]:
        for wanted in self.case.expect:
            if (reason := unmet(wanted, seen)) is not None:
                lines = failure_timeline(wanted, seen, self.file.config, self.record.glimpses)
                yield Failure(expectation=say_expectation(wanted), reason=reason, timeline="\n".join(lines))

    # ---- what happens --------------------------------------------------------------------------------------------

    def _traffic(self) -> Script:
        for turn in self.traffic.turns():
            yield turn.at, partial(self._end, turn)

    def _end(self, turn: Turn) -> None:
        """Takes the way that is in force now."""
        model, now = self.traffic.model_of(turn), self.ground.clock.monotonic()
        self.lease.offer(self.ground.routes.table, now)
        route = None if model is None else choose(self.lease.table(now), model, self.trickles, now)
        event = self.traffic.end(turn, route)
        self.turns.append(event)
        self.ground.stage.emit(event)

    def _looks(self, ended_at: int) -> Script:
        """Each minute, and whatever an expectation wants to know at its instant."""
        minutes = range(self._settled(0), ended_at + 1, MINUTE_MS)
        looks: list[tuple[int, Callable[[], Awaitable[object] | None]]] = [(at, self.record.look) for at in minutes]
        for wanted in self.case.expect:
            looks += [(self._settled(second), self.record.look) for second in wanted.instants]
            if wanted.upstream is not None and wanted.at is not None:
                looks.append((self._settled(wanted.at), partial(self.record.note_settings, wanted.at)))
            if wanted.explain is not None and wanted.at is not None:
                note = partial(self.record.note_explanation, wanted.at, wanted.explain)
                looks.append((self._settled(wanted.at), note))
        return iter(sorted(looks, key=itemgetter(0)))

    def _settled(self, second: float) -> int:
        return self.begins_at + round(second * 1000) + SETTLES_MS

    def _answers(self, model: str) -> bool:
        """What is said of pings, else as the traffic fares."""
        seconds = (self.ground.clock.now() - self.begins_at) / 1000
        said = [span for span in self.case.ping.get(model, ()) if span.from_ <= seconds < span.to]
        return said[-1].ok if said else answers(self.case.traffic, model, seconds)


def _ground(file: TestFile, upstream: Upstream, begins_at: int, pings: Callable[[str], bool]) -> Playground:
    ground = Playground(
        file.config,
        file.off,
        begins_at=begins_at,
        mode=file.mode,
        settings=as_paths(upstream.settings),
        models=upstream.models,
        answers=pings,
    )
    ground.upstream.files, ground.upstream.is_up = as_files(upstream.credentials), upstream.reachable
    return ground


def _last_second(case: Case) -> float:
    """The last one that anything is said of."""
    seconds = [
        *(spell.to for spell in case.traffic),
        *(restart.at + restart.for_ for restart in case.restart_at),
        *(change.at for change in case.changes),
        *(span.to for span in case.verdicts),
        *(span.to for span in case.quota),
        *(second for wanted in case.expect for second in wanted.instants),
    ]
    return max(seconds, default=0.0)


def _refusal(refused: tuple[str, str]) -> Failure:
    what, why = refused
    return Failure(expectation=f"{what} is done", reason=why)


def _breakdown(error: tuple[str, str]) -> Failure:
    name, why = error
    return Failure(expectation=f"{name} can be judged", reason=why)
