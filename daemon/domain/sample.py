"""Samples: what a rule counts, what it reads out of its windows, and its verdict."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Any, NamedTuple, Protocol

from daemon.domain.event import Event
from daemon.domain.labels import Labels
from daemon.domain.rollup import Rollup
from daemon.domain.units import say_duration


class Counts(NamedTuple):
    """Items that count, and the bad ones among them."""

    samples: int
    bad: int


PIECE_MS = 15_000


class Row(NamedTuple):
    """The bad ones since the last good one; instants are epoch ms."""

    bad: int = 0
    since: int = 0
    latest: int = 0
    pieces: int = 0
    """Of evidence: bad ones within 15 s of its first are one."""
    piece_at: int = 0

    def then(self, at: int, *, bad: bool) -> "Row":
        """The row after one more."""
        if not bad:
            return Row()
        if not self.bad:
            return Row(1, at, at, 1, at)
        is_new = at - self.piece_at >= PIECE_MS
        return Row(self.bad + 1, self.since, at, self.pieces + is_new, at if is_new else self.piece_at)


Baselines = Callable[[Sequence[Rollup]], Mapping[Labels, float]]
"""From the hours of some days to what is usual, per label set; label sets without enough hours are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which numbers a rule needs: of which items, told apart by which fields, over which windows."""

    key: str
    """Queries with the same key ask for the same numbers: they share one set of windows."""
    origin: type = Event
    """What the items are: events, or readings of another kind."""
    of: Callable[[Any], bool]
    bad: Callable[[Any], bool] = lambda _: False
    by: tuple[str, ...] = ()
    window_seconds: float
    stretch_to_seconds: float
    measure: Callable[[Any], Any] | None = None
    """What is read from an item; None where an item does not say it."""
    has_histogram: bool = False
    """Measured numbers are kept in the windows."""
    remembers: int = 0
    """So many of the latest measured values are kept."""
    only_changes: bool = False
    """Of equal values in a row only the first is remembered."""
    stands: bool = False
    """There is a series before anything was counted, for what is missing has no labels. Only without `by`."""
    baselines: Baselines | None = None
    history_seconds: float = 0.0
    """How far back the hours reach that it wants."""
    most_series: int = 1000
    """Label sets, for labels may be named by clients; where there is no room, the least bad one makes room."""

    @property
    def expression(self) -> str:
        """16 hex characters that are the same as long as the same is asked for."""
        return sha256(self.key.encode()).hexdigest()[:16]


class Reading(Protocol):
    """The numbers of one series at one instant. Instants are epoch ms."""

    @property
    def at(self) -> int: ...

    @property
    def row(self) -> Row:
        """The bad ones since the last good one."""

    @property
    def good_streak(self) -> int: ...

    @property
    def last_at(self) -> int | None:
        """When the latest item was; None when there was none as far back as we know."""

    @property
    def began_at(self) -> int:
        """Since when we look."""

    @property
    def baseline(self) -> float | None:
        """What is usual; None where that is not known."""

    def stretches(self) -> Iterable[tuple[float, Counts]]:
        """The rule's window (seconds) and what it counted, then longer and longer ones, bucket by bucket."""

    def counts(self, window_seconds: float) -> Counts:
        """What was counted in the last so many seconds."""

    def buckets(self) -> Iterator[tuple[float, Counts]]:
        """The age (seconds) at which each bucket begins, and what it holds; the newest first."""

    def histogram(self, window_seconds: float) -> "Numbers":
        """The numbers measured in the last so many seconds."""

    def recent(self) -> Sequence[tuple[int, Any]]:
        """Instants and values that are remembered, the newest first."""


class Numbers(Protocol):
    """Many numbers, each known within a few percent."""

    @property
    def count(self) -> int: ...

    def quantile(self, share: float) -> float | None: ...

    def above(self, threshold: float) -> int:
        """How many are larger."""

    def mean(self) -> float | None: ...

    def variance(self) -> float:
        """Of the numbers around their mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule says about one series at one instant; without a value it neither raises nor clears by itself.

    `suspects`: it looks like trouble, but chance is not ruled out yet. `since` is when what raises began, where that is
    known (epoch ms).
    """

    raises: bool = False
    suspects: bool = False
    clears: bool = False
    value: float | None = None
    samples: int = 0
    bad: int = 0
    lower_bound: float | None = None
    window_seconds: float
    since: int | None = None
    reason: str = ""
    """In words, where an item said it."""

    def words(self, say: Callable[[float], str]) -> list[str]:
        """What it amounts to, in words; `say` is how its rule says a value."""
        if self.value is None and not (self.raises or self.clears or self.reason):
            return [f"nothing was counted in the last {say_duration(self.window_seconds)}: no data"]
        said = [self.reason] if self.reason else []
        if self.value is not None:
            counted = f", {self.bad} of {self.samples} in {say_duration(self.window_seconds)}" if self.samples else ""
            said.append(f"it is {say(self.value)}{counted}")
        return [*said, self._amounts_to()]

    def _amounts_to(self) -> str:
        if self.raises:
            return "that raises it"
        if self.suspects:
            return "it looks like trouble, but the evidence is not there yet"
        return "that does not raise it" if self.clears else "that neither raises it nor lets it clear"


class Band(NamedTuple):
    """What must be so of some window for a level to be raised, and for it to be cleared."""

    above: float
    """The ratio is above this,"""
    bound_above: float
    """and its lower bound, at a `z` of this or less, is above this,"""
    z: float
    samples: int
    """of at least so many,"""
    bad: int
    """among them so many bad ones."""
    clear_below: float = inf
    """The ratio is below this; where that is not all it takes, it has no end."""
    row: float = inf
    """So many bad ones in a row raise it whatever the ratio is."""
