"""Spells of a made-up day: turns of clients, looks at the upstream, and the days before it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from daemon.domain.credential import CredentialFile
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.domain.rollup import Resolution, Rollup, Series, Sum, Think
from daemon.engine.inventory import Inventory
from daemon.logic.attribution import Attribution
from daemon.ports import ModelEntry
from tests.fakes.clock import FakeClock
from tests.fakes.management import FakeManagement
from tests.fakes.upstream_probes import FakeProbes
from tests.logic.playing import T0, Play, an_event

MODELS = ("gpt-5.3-codex-spark", "gpt-5.3-codex", "gpt-5.4", "claude-sonnet-4-6", "gemini-2.5-pro")
FILES = ("codex-a.json", "codex-b.json")


class _Probes(FakeProbes):
    is_up = True

    async def reachable(self) -> bool:
        return self.is_up


class _Management(FakeManagement):
    files: Sequence[str] = FILES

    async def credential_files(self) -> Sequence[CredentialFile]:
        return [
            CredentialFile(auth_index=str(at), name=name, provider_key="codex") for at, name in enumerate(self.files)
        ]


@dataclass(slots=True)
class Day(Play):
    """A play with an upstream that the real inventory looks at."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(T0))
    probes: _Probes = field(default_factory=_Probes)
    management: _Management = field(init=False)
    inventory: Inventory = field(init=False)

    def __post_init__(self) -> None:
        self.management = _Management(self.clock)
        self.inventory = Inventory(
            probes=self.probes,
            management=self.management,
            attribution=Attribution(),
            served=lambda _: None,
            observe=self.book.observe,
            clock=self.clock,
        )

    def look(self) -> None:
        """As the schedule does once a minute."""
        self.clock.instant = self.now
        asyncio.run(self.inventory.refresh())

    def live(self, *spells: "Spell") -> None:
        for spell in spells:
            spell.play(self)


class Spell(Protocol):
    """Something that happens for a while."""

    def play(self, day: Day) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Turns of clients, of which the share `bad`, evenly spread, is as `fails` says."""

    minutes: float
    per_hour: int = 600
    bad: float = 0.0
    turn: Mapping[str, Any] = field(default_factory=dict)
    fails: Mapping[str, Any] = field(default_factory=dict)

    def play(self, day: Day) -> None:
        owed = failures = 0.0
        for _ in range(round(self.minutes * 60)):
            owed += self.per_hour / 3600
            if owed >= 1 - 1e-9:
                owed -= 1
                failures += self.bad
                is_bad = failures >= 1 - 1e-9
                failures -= is_bad
                day.book.observe(an_event(day.now, **({**self.turn, **self.fails} if is_bad else self.turn)))
            day.judge()


def row(turns: int, fails: Mapping[str, Any], *, every: int = 6, **turn: Any) -> Turns:
    """So many bad ones in a row, so many seconds apart."""
    return Turns(minutes=turns * every / 60, per_hour=3600 // every, bad=1.0, turn=turn, fails=fails)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """One look at the upstream a minute, and what it finds."""

    minutes: int
    is_up: bool = True
    models: Iterable[str] = MODELS
    files: Sequence[str] = FILES

    def play(self, day: Day) -> None:
        day.probes.is_up, day.management.files = self.is_up, self.files
        day.probes.inventory = [ModelEntry(model_id=model) for model in self.models]
        for _ in range(self.minutes):
            day.look()
            day.silence(60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """Looks that could not look."""

    probe: str
    subject: str = ""
    minutes: int = 10

    def play(self, day: Day) -> None:
        for _ in range(self.minutes):
            facts = {"probe": self.probe, "subject": self.subject, "emitted_at": day.now}
            day.book.observe(ProbeResult(outcome=ProbeOutcome.UNKNOWN, **facts))
            day.silence(60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The hours of the days before, with ten turns each that thought so much."""

    days: int
    reasoning_tokens: int
    turn: Mapping[str, Any]

    def play(self, day: Day) -> None:
        day.book.learn([self._hour(ago) for ago in range(self.days * 24, 0, -1)])

    def _hour(self, ago: int) -> Rollup:
        said = an_event(T0, **self.turn)
        return Rollup(
            resolution=Resolution.HOUR,
            bucket=T0 - ago * Resolution.HOUR.ms,
            part=ago,
            series=Series(*(getattr(said, name) for name in Series._fields)),
            think=Think(*(getattr(said, name) for name in Think._fields)),
            requests=10,
            tokens={"reasoning_tokens": Sum(10 * self.reasoning_tokens, 10)},
        )
