"""The upstream of a simulated world: it outlives every process, misleads, is away, and is changed by people."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Call
from daemon.ports import Clock
from tests.fakes.management import FakeManagement
from tests.simulation.laws import Court
from tests.simulation.traffic import DAY_SECONDS

SETTING = "debug"
ANSWERS = ("lost", "applied", "late", "ignored", "ok")
AWAY = ManagementFailure("no answer")
REFUSED = ManagementFailure("the management key was refused", status=401, barred=True)


class Killed(BaseException):
    """The process died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meddling:
    """What people, or the upstream itself, do in a second of the day."""

    second: int
    kind: str
    value: Any = None


def meddling(random: Random, busy: list[int]) -> list[Meddling]:
    """Oldest first; most of it soon after one of the `busy` seconds, when something may be held."""
    return sorted(_drawn(random, busy), key=lambda one: one.second)


def _drawn(random: Random, busy: list[int]) -> Iterator[Meddling]:
    most = {"set": 12, "mislead": 12, "away": 4, "back": 4, "die": 8, "hold": 2, "release": 4, "revert": 2}
    for kind, count in most.items():
        for _ in range(random.randint(0, count)):
            second = random.randrange(DAY_SECONDS)
            if busy and random.random() < 0.9:
                second = random.choice(busy) + random.randint(0, 400)
            yield Meddling(second=second, kind=kind, value=_value(random, kind))


def _value(random: Random, kind: str) -> Any:
    match kind:
        case "set":
            return random.random() < 0.5
        case "mislead":
            return random.choice(ANSWERS)
        case "away":
            return random.choice((AWAY, REFUSED))
        case "die":
            return random.randint(1, 8)
        case _:
            return None


class Upstream(FakeManagement):
    """Tells the court of each write before it is made. `die_in` counts reads, writes and commits of whoever acts."""

    def __init__(self, clock: Clock, court: Court) -> None:
        super().__init__(clock, **{SETTING: False})  # type: ignore[arg-type]
        self._court = court
        self.die_in: int | None = None
        court.deeds.may_be = {False}
        self.look()

    async def read(self, path: str) -> Any:
        answer = await super().read(path)
        self.survive()
        return answer

    async def send(self, call: Call) -> None:
        self.look()
        self._court.writes(call.body["value"])
        try:
            await super().send(call)
        finally:
            self.survive()

    def survive(self) -> None:
        """Whoever acts is killed here, when its time has come."""
        if self.die_in is not None:
            self.die_in -= 1
            if self.die_in <= 0:
                self.die_in = None
                raise Killed

    def set_by_hand(self, value: Any) -> None:
        self.look()
        if self.settings[SETTING] is not value:
            self._court.deeds.set_by_hand(value)
            self.settings[SETTING] = value

    def look(self) -> None:
        """The court sees what is there by now, with what was late."""
        now = self._clock.monotonic()
        for at, call in self._late:
            if at <= now:
                self._take(call)
        self._late = [late for late in self._late if late[0] > now]
        self._court.deeds.actual = self.settings[SETTING]
        self._court.deeds.is_on_its_way = bool(self._late)
