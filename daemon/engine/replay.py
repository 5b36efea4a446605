"""Replay: makes a script for a stage of what a store has recorded, so that its days are judged again as they were.

Events come in their time. What came late, readings, pauses and starts come where the judging stood when it heard of
them (`domain/heard`).
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from daemon.domain.decision import Decision
from daemon.domain.event import Event
from daemon.domain.heard import Heard, HeardKind, is_among, is_shown, reading_of
from daemon.engine.baselines import Baselines
from daemon.engine.evaluate import GRACE_MS, Evaluate
from daemon.engine.ingest import Arrival
from daemon.engine.stage import Act, Record, Stage

HEARD_MS = GRACE_MS + 1
"""After the end of a second: it was judged, and the next one was not."""

Happening = tuple[int, Event | Act]


class Replay:
    """`heard` is in order; `baselines` reads the hours that were learned from; `owners` says which alerts, by name,
    recorded mitigations belonged to, by id."""

    def __init__(
        self, stage: Stage, heard: Sequence[Heard], baselines: Baselines, owners: Mapping[str, Collection[str]]
    ) -> None:
        self._stage, self._heard, self._baselines, self._owners = stage, heard, baselines, owners
        self._starts = [0]
        """When lives began (epoch ms)."""
        self._late: list[tuple[int, int, list[list[int]]]] = []
        """In which life, with which entry, and which events."""
        self._waiting: dict[int, list[Event]] = {}
        """Events that come with an entry, by its place."""
        self._last: list[Heard | None] = [None]
        """The last commit of each life."""
        for place, entry in enumerate(heard):
            if entry.kind is HeardKind.STARTED:
                self._starts.append(entry.at)
                self._last.append(None)
            elif entry.kind is HeardKind.JUDGED:
                self._last[-1] = entry
            elif entry.kind is HeardKind.LATE:
                self._late.append((len(self._starts) - 1, place, entry.what["ids"]))

    def script(self, events: Iterable[Event]) -> Iterator[Happening]:
        """Events, oldest first, merged with what else happened; to be played by the stage."""
        acts = self._acts()
        following = next(acts, None)
        for event in events:
            while following is not None and following[0] <= event.emitted_at:
                yield following
                following = next(acts, None)
            if self._is_in_time(event):
                yield event.emitted_at, event
        if following is not None:
            yield following
        yield from acts

    # ---- events --------------------------------------------------------------------------------------------------

    def _is_in_time(self, event: Event) -> bool:
        if not self._late:
            return True
        for _, place, ids in self._late:
            if is_among(event, ids):
                self._waiting.setdefault(place, []).append(event)
        life = self._life_at(event.emitted_at)
        last = self._last[life]
        if last is not None and event.emitted_at < last.after and not is_shown(event, last.what["shown"]):
            return False
        return not self._is_late(event, life)

    def _life_at(self, at: int) -> int:
        return bisect_right(self._starts, at) - 1

    def _is_late(self, event: Event, life: int) -> bool:
        return any(its == life and is_among(event, ids) for its, _, ids in self._late)

    # ---- what else happened --------------------------------------------------------------------------------------

    def _acts(self) -> Iterator[tuple[int, Act]]:
        acts: list[tuple[int, Act]] = []
        readings: list[Heard] = []
        life = 0
        for place, entry in enumerate(self._heard):
            if entry.kind is HeardKind.READING and not entry.after:
                readings.append(entry)
            elif entry.kind is HeardKind.STARTED:
                life += 1
                acts += self._start(life, entry, readings)
                readings = []
            else:
                acts += self._acts_of(place, entry)
        return iter(sorted(acts, key=lambda act: act[0]))

    def _start(self, life: int, entry: Heard, before: Sequence[Heard]) -> Iterator[tuple[int, Act]]:
        if (last := self._last[life - 1]) is not None:
            yield self._once_judged(last.after, last), partial(self._catch_up, last.after, self._stage.stop)
        record = Record(
            downtime_ms=entry.what["downtime_ms"],
            is_late=lambda event: self._is_late(event, life),
            readings=[_reading(one, at) for one in before for at, after in one.what["times"] if not after],
            owners=self._owners,
        )
        yield entry.at, partial(self._stage.start, record)
        for one in before:
            yield from self._readings(one)

    def _acts_of(self, place: int, entry: Heard) -> Iterator[tuple[int, Act]]:
        match entry.kind:
            case HeardKind.PAUSED:
                yield self._once_judged(entry.after, entry), partial(self._catch_up, entry.after, self._stage.sleep)
                yield entry.what["until"] + GRACE_MS, partial(self._stage.wake, entry.what["until"])
            case HeardKind.READING:
                yield from self._readings(entry)
            case HeardKind.RULES | HeardKind.JUDGED:
                return
            case _:
                act = partial(_ACTS[entry.kind], self, entry.what, place)
                yield self._once_judged(entry.after, entry), partial(self._catch_up, entry.after, act)

    def _readings(self, entry: Heard) -> Iterator[tuple[int, Act]]:
        for at, after in entry.what["times"]:
            if after:
                act = partial(self._observe, entry, at)
                yield self._once_judged(after, entry), partial(self._catch_up, after, act)

    def _once_judged(self, second: int, entry: Heard) -> int:
        """When something was heard that was heard after this second; not before its process began."""
        return max(second + HEARD_MS, self._starts[self._life_at(entry.at)])

    async def _catch_up(self, judged: int, act: Act) -> None:
        """Does it once this second was judged; what is dead hears of nothing."""
        if self._stage.is_up:
            await self._stage.judge_until(judged)
            if (work := act()) is not None:
                await work

    @property
    def _evaluate(self) -> Evaluate:
        return self._stage.core.evaluate

    def _observe(self, entry: Heard, at: int) -> None:
        self._evaluate.observe(_reading(entry, at))

    def _come_late(self, what: Mapping[str, Any], place: int) -> None:
        self._evaluate.arrived(Arrival(events=tuple(self._waiting.pop(place, ())), lost=0))

    def _lose(self, what: Mapping[str, Any], place: int) -> None:
        self._evaluate.lose(what["at"], what["lost"])

    def _start_anew(self, what: Mapping[str, Any], place: int) -> None:
        self._evaluate.start_anew(what["fingerprints"], what["at"])

    async def _acknowledge(self, what: Mapping[str, Any], place: int) -> None:
        rows = self._evaluate.acknowledge(what["names"])
        await self._stage.core.desk.commit(Decision(alerts=tuple(rows)))

    async def _learn(self, what: Mapping[str, Any], place: int) -> None:
        history_ms = round(self._evaluate.book.history_seconds * 1000)
        self._evaluate.learn(await self._baselines.hours(what["until"], history_ms), what["until"])


_ACTS: Mapping[HeardKind, Callable[[Replay, Mapping[str, Any], int], Awaitable[object] | None]] = {
    HeardKind.LATE: Replay._come_late,
    HeardKind.LOST: Replay._lose,
    HeardKind.ANEW: Replay._start_anew,
    HeardKind.ACKNOWLEDGED: Replay._acknowledge,
    HeardKind.LEARNED: Replay._learn,
}


def _reading(entry: Heard, at: int) -> Any:
    return reading_of(at, entry.what["reading"])
