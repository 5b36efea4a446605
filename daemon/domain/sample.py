"""Samples: what a rule counts, what it reads out of its windows, and its verdict."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from daemon.domain.event import Event


class Counts(NamedTuple):
    """Events that count, and the bad ones among them."""

    samples: int
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which numbers a rule needs: of which events, told apart by which fields, over which windows."""

    of: Callable[[Event], bool]
    bad: Callable[[Event], bool]
    by: tuple[str, ...]
    window_seconds: float
    stretch_to_seconds: float


class Reading(Protocol):
    """The numbers of one series at one instant."""

    @property
    def streak(self) -> int:
        """How many bad events were counted since the last good one."""

    def stretches(self) -> Iterator[tuple[float, Counts]]:
        """The rule's window (seconds) and what it counted, then longer and longer ones, bucket by bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule says about one series at one instant. No samples: neither raises nor clears."""

    raises: bool = False
    clears: bool = False
    value: float | None = None
    samples: int = 0
    bad: int = 0
    lower_bound: float | None = None
    window_seconds: float
