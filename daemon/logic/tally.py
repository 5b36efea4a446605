"""A tally: the numbers that one query asks for, per label set; rules that ask the same share it."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import floor, inf
from typing import Any, NamedTuple

from daemon.domain.labels import Labels
from daemon.domain.sample import Counts, Query, Row
from daemon.logic.histogram import Histogram
from daemon.logic.windows import HistogramRing, Ring, bucket_ms

LATE_MS = 2000
"""What comes later than this after a younger one has its place in a window, but in no row."""
MOST_MET = 10_000
"""Label sets that are remembered as known; those beyond are new whenever they come."""
MOST_MODELS = 200
"""Of one track: models are named by clients."""

CALM_SECONDS = 120.0
"""So long at most nobody looks again whether any ratio is high."""
TINY = 1e-6
"""More than the error of the sums."""

_SUFFIX = re.compile(r"\([^()]*\)$")


class Kind(NamedTuple):
    """What a query makes of items that are alike."""

    labels: Labels
    bad: bool
    model: str | None
    """The requested one, without what was asked for in brackets."""


class Calm(NamedTuple):
    """No ratio is above `above` from one instant to another (epoch ms) while no more than `most_bad` are bad."""

    since: int
    until: int
    most_bad: float
    above: float


NOT_CALM = Calm(0, -1, 0, 0.0)
NOTHING_MERGED = (-1, 0.0, 0), Histogram()


class Track:
    """The numbers of one label set. Instants are epoch ms."""

    __slots__ = (
        "_calm",
        "_measured",
        "_merged",
        "_query",
        "_remembered",
        "bad_total",
        "baseline",
        "began_at",
        "good_streak",
        "labels",
        "last_at",
        "models",
        "ring",
        "row",
    )

    def __init__(self, query: Query, labels: Labels, began_at: int) -> None:
        self._query = query
        self.labels = labels
        self.began_at = began_at
        self.ring = self._new_ring()
        self.models: dict[str, Ring] = {}
        self._measured = HistogramRing(self._width, query.stretch_to_seconds) if query.has_histogram else None
        self._remembered: deque[tuple[int, Any]] = deque(maxlen=query.remembers)
        self.row = Row()
        self.good_streak = 0
        self.last_at: int | None = None
        self.baseline: float | None = None
        self.bad_total = 0
        """Bad ones since it began."""
        self._calm = NOT_CALM
        self._merged: tuple[tuple[int, float, int], Histogram] = NOTHING_MERGED

    def count(self, kind: Kind, at: int) -> None:
        """One item of a kind that the query counts."""
        bad, last_at = kind.bad, self.last_at
        self.ring.add(at, 1, bad)
        self.bad_total += bad
        if last_at is None or at >= last_at - LATE_MS:
            if bad or self.row.bad:
                self.row = self.row.then(at, bad=bad)
            self.good_streak = 0 if bad else self.good_streak + 1
        if last_at is None or at > last_at:
            self.last_at = at
        if kind.model is not None:
            self._count_model(kind.model, at, bad)

    def keep(self, at: int, value: Any) -> None:
        """What was measured of an item."""
        if self._measured is not None:
            self._measured.add(at, value)
            if at < self._merged[0][0]:
                self._merged = NOTHING_MERGED
        latest = self._remembered[-1][1] if self._remembered else None
        if self._query.remembers and not (self._query.only_changes and value == latest):
            self._remembered.append((at, value))

    def is_calm(self, at: int, above: float) -> bool:
        """Whether it is certain that no window has a ratio above this one. Once that is known it is for a while: until
        so many more are bad, however many are good."""
        since, until, most_bad, its_above = self._calm
        if not (since <= at <= until and above == its_above):
            since, until, most_bad, _ = self._calm = self._calm_from(at, above)
        return self.bad_total <= most_bad

    def _calm_from(self, at: int, above: float) -> "Calm":
        """A window that ends later is one that ends now, shortened by the time between, and what comes in that time."""
        ahead = min(CALM_SECONDS, self._query.window_seconds / 4)
        room = min(above * samples - bad for samples, bad in self.ring.sums(at, self._query.window_seconds - ahead))
        more = inf if above >= 1 else floor((room - TINY) / (1 - above))
        return Calm(at, at + round(ahead * 1000) - self._width, self.bad_total + more, above)

    def reading(self, at: int, floor: int) -> "TrackReading":
        """What can be read of it at an instant; nothing from before `floor`."""
        return TrackReading(self, self._query, at, floor)

    def measured(self, at: int, window_seconds: float, floor: int) -> Histogram:
        """The numbers of a window. Of its buckets only the newest still fills: the others are merged once."""
        if self._measured is None:
            return Histogram()
        begin = (at - 1) // self._width * self._width
        asked = begin, window_seconds, floor
        if self._merged[0] != asked:
            older = self._measured.histogram(begin, window_seconds - self._width / 1000, floor)
            self._merged = asked, older
        whole = Histogram()
        whole.merge(self._merged[1])
        whole.merge(self._measured.histogram(at, self._width / 1000, floor))
        return whole

    def remembered(self) -> Sequence[tuple[int, Any]]:
        """The newest first."""
        return tuple(reversed(self._remembered))

    def sums(self, at: int) -> Iterator[tuple[int, int]]:
        """Samples and bad ones of the window and all that it can be stretched to."""
        return self.ring.sums(at, self._query.window_seconds)

    def forget(self, at: int) -> None:
        """Lets go of what no window reaches any more."""
        oldest = at - round(self._query.stretch_to_seconds * 1000)
        self._forget_before(oldest)
        self.models = {model: ring for model, ring in self.models.items() if ring}

    def start_anew(self, at: int) -> None:
        """Nothing from before an instant counts any more."""
        self.row, self.good_streak, self._calm = Row(), 0, NOT_CALM
        self._forget_before(at)

    @property
    def is_empty(self) -> bool:
        """Nothing is known that any window or memory reaches."""
        return not self.ring and not self._remembered and not self._query.stands

    def _forget_before(self, at: int) -> None:
        for ring in (self.ring, *self.models.values()):
            ring.forget_before(at)
        if self._measured is not None:
            self._measured.forget_before(at)
            self._merged = NOTHING_MERGED

    def _count_model(self, model: str, at: int, bad: bool) -> None:
        ring = self.models.get(model)
        if ring is None:
            if len(self.models) >= MOST_MODELS:
                return
            ring = self.models[model] = self._new_ring()
        ring.add(at, 1, bad)

    def _new_ring(self) -> Ring:
        return Ring(self._width, self._query.stretch_to_seconds)

    @property
    def _width(self) -> int:
        return bucket_ms(self._query.window_seconds)


class TrackReading:
    """A `Reading` of a track at one instant."""

    __slots__ = ("_floor", "_query", "_track", "at")

    def __init__(self, track: Track, query: Query, at: int, floor: int) -> None:
        self._track, self._query, self.at, self._floor = track, query, at, floor

    @property
    def row(self) -> Row:
        row = self._track.row
        if not row.bad or row.since >= self._floor:
            return row
        since = [counts for _, counts in self.buckets() if counts.bad]
        return row._replace(bad=sum(counts.bad for counts in since), since=self._floor, pieces=len(since))

    @property
    def good_streak(self) -> int:
        return self._track.good_streak

    @property
    def last_at(self) -> int | None:
        return self._track.last_at

    @property
    def began_at(self) -> int:
        return self._track.began_at

    @property
    def baseline(self) -> float | None:
        return self._track.baseline

    def stretches(self) -> Iterable[tuple[float, Counts]]:
        return self._track.ring.stretches(self.at, self._query.window_seconds, self._floor)

    def counts(self, window_seconds: float) -> Counts:
        return self._track.ring.counts(self.at, window_seconds, self._floor)

    def buckets(self) -> Iterator[tuple[float, Counts]]:
        return self._track.ring.buckets(self.at, self._floor)

    def histogram(self, window_seconds: float) -> Histogram:
        return self._track.measured(self.at, window_seconds, self._floor)

    def recent(self) -> Sequence[tuple[int, Any]]:
        return self._track.remembered()


class Tally:
    """The tracks of one query."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.tracks: dict[Labels, Track] = {}
        self.dirty: set[Labels] = set()
        self.displaced_total = 0
        """Label sets that had to make room for others."""
        self._baselines: Mapping[Labels, float] = {}
        self._met: set[Labels] = set()
        """Label sets that are not new, also when they were not heard of for a while."""
        self._names = sorted(query.by)
        self._known: dict[tuple[Any, ...], Labels] = {}

    def learn(self, baselines: Mapping[Labels, float]) -> None:
        """What is usual for each label set."""
        self._baselines = baselines
        for track in self.tracks.values():
            track.baseline = baselines.get(track.labels)

    def count(self, item: Any, at: int, is_busy: Callable[[Labels], bool], *, is_past: bool = False) -> None:
        """One item, if it is counted at all. Label sets that are busy do not make room for others; those that are
        known from the past are not new ones."""
        if (kind := self.kind_of(item)) is None:
            return
        track = self.count_kind(kind, at, is_busy, is_past=is_past)
        if (measure := self.query.measure) is not None and (value := measure(item)) is not None:
            track.keep(at, value)

    def kind_of(self, item: Any) -> Kind | None:
        """What the query makes of an item; None where it is not counted."""
        if not self.query.of(item):
            return None
        model = getattr(item, "requested_model", None)
        if model is not None and model[-1:] == ")":
            model = _SUFFIX.sub("", model)
        return Kind(self._labels_of(item), bool(self.query.bad(item)), model)

    def count_kind(self, kind: Kind, at: int, is_busy: Callable[[Labels], bool], *, is_past: bool) -> Track:
        """One item of a kind."""
        track = self.tracks.get(kind.labels) or self._admit(kind.labels, 0 if is_past else at, is_busy)
        track.count(kind, at)
        self.dirty.add(track.labels)
        return track

    def track(self, labels: Labels, began_at: int) -> Track:
        """The track of a label set, made if there is none."""
        if (track := self.tracks.get(labels)) is None:
            is_back = labels in self._met and not self.query.stands
            track = self.tracks[labels] = Track(self.query, labels, 0 if is_back else began_at)
            if len(self._met) < MOST_MET:
                self._met.add(labels)
            track.baseline = self._baselines.get(labels)
        return track

    def _labels_of(self, item: Any) -> Labels:
        values = tuple([getattr(item, name, None) for name in self._names])
        if (labels := self._known.get(values)) is None:
            labels = tuple(zip(self._names, map(label_of, values), strict=True))
            if len(self._known) > 2 * self.query.most_series:
                self._known.clear()
            self._known[values] = labels
        return labels

    def _admit(self, labels: Labels, at: int, is_busy: Callable[[Labels], bool]) -> Track:
        if len(self.tracks) >= self.query.most_series:
            self._make_room(at, is_busy)
        if len(self.tracks) >= self.query.most_series:
            labels = tuple((name, "other") for name, _ in labels)
        return self.track(labels, at)

    def _make_room(self, at: int, is_busy: Callable[[Labels], bool]) -> None:
        """The least bad go, and among those the least busy: a tenth at once, for choosing takes time."""
        seconds = self.query.stretch_to_seconds
        idle = [track for key, track in self.tracks.items() if not is_busy(key)]
        idle.sort(key=lambda track: tuple(reversed(track.ring.counts(at + 1, seconds))))
        for track in idle[: self.query.most_series // 10]:
            del self.tracks[track.labels]
            self.displaced_total += 1


def label_of(value: object) -> str:
    """A field's value as a label."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
