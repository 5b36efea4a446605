"""What goes wrong on a simulated day, and when: drawn before it begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.simulation.traffic import DAY_SECONDS

KINDS = ("kill", "store", "clock", "suspend", "reload", "mood", "loss")
INSTANTS = ("before the step", "in the commit", "after the step")
SUSPENDED_SECONDS = 8 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Begins in a second of the day and lasts so many; `what` tells those of a kind apart."""

    second: int
    kind: str
    seconds: int = 0
    what: str = ""


def troubles(random: Random, kinds: Sequence[str], busy: Sequence[int]) -> list[Trouble]:
    """Of these kinds, oldest first; most of them strike near one of the `busy` seconds, where something is going on."""
    drawn = [trouble for kind in KINDS for trouble in _drawn(random, kind, busy) if kind in kinds]
    return sorted(drawn, key=lambda trouble: trouble.second)


def _drawn(random: Random, kind: str, busy: Sequence[int]) -> Iterator[Trouble]:
    most = {"kill": 6, "reload": 8, "clock": 2, "suspend": 1, "mood": 2, "store": 4, "loss": 2}[kind]
    for _ in range(random.randint(0, most)):
        second = random.randrange(DAY_SECONDS)
        if busy and random.random() < 0.9:
            second = random.choice(busy) + random.randint(0, 90)
        yield Trouble(second=second, kind=kind, seconds=_seconds(random, kind), what=_what(random, kind))


def _seconds(random: Random, kind: str) -> int:
    match kind:
        case "kill":
            return random.choice((random.randint(1, 10), random.randint(10, 600), random.randint(3600, 14_400)))
        case "clock":
            return random.choice((-1, 1)) * random.choice((7200, random.randint(1, 7200)))
        case "suspend":
            return SUSPENDED_SECONDS
        case _:
            return random.randint(5, 300)


def _what(random: Random, kind: str) -> str:
    match kind:
        case "kill":
            return random.choice(INSTANTS)
        case "reload":
            return random.choice(("delete", "restore", "edit", "ease", "nothing"))
        case _:
            return ""
