"""The traffic of a simulated day: phases of turns, healthy or failing, which two workers pass on in pieces."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from daemon.domain.event import Event, Fault, Outcome, Wire, id_floor

DAY_SECONDS = 86_400
MODELS = {"gpt-5.4": "codex", "gpt-5.5": "codex", "claude-x": "claude", "gem-3": "gemini"}
DELAYS_MS = ((0.86, 30, 700), (0.96, 700, 5_000), (1.0, 5_000, 30_000))
"""Of the pieces on their way: up to which share, from and up to how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A request that ends `at` so many ms after the day began."""

    at: int
    worker: int
    model: str
    outcome: Outcome
    fault: Fault | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of steady traffic; `failing` is the share of each provider's turns that fail."""

    seconds: int
    per_hour: int
    failing: dict[str, float]


def a_day(random: Random, *, healthy: bool) -> list[Turn]:
    """All turns of a day, oldest first."""
    turns: list[Turn] = []
    second = 0
    while second < DAY_SECONDS:
        second += random.choice((random.randint(0, 900), *(random.randint(7200, 14_400) for _ in range(3))))
        for phase in _busy(random, healthy=healthy):
            turns += _turns(random, phase, second)
            second += phase.seconds
    return turns


def _busy(random: Random, *, healthy: bool) -> Iterator[Phase]:
    per_hour = random.choice((120, 300, 600, 900))
    for trouble in (False, random.random() < 0.6, False):
        share = random.choice((1.0, 1.0, random.uniform(0.1, 0.4))) if trouble and not healthy else 0.0
        ill = random.choice(sorted(set(MODELS.values())))
        yield Phase(seconds=random.randint(20, 150), per_hour=per_hour, failing={ill: share})


def _turns(random: Random, phase: Phase, second: int) -> Iterator[Turn]:
    at = second * 1000.0
    while (at := at + random.expovariate(phase.per_hour / 3_600_000)) < (second + phase.seconds) * 1000:
        model = random.choice(sorted(MODELS))
        outcome, fault = Outcome.OK, None
        if random.random() < phase.failing.get(MODELS[model], 0.0):
            outcome, fault = Outcome.FAILED, random.choice((Fault.PROVIDER_RATE_LIMITED, Fault.PROVIDER_ERROR))
        elif random.random() < 0.02:
            outcome, fault = random.choice(((Outcome.CLIENT_ABORT, None), (Outcome.FAILED, Fault.CLIENT_ERROR)))
        yield Turn(at=int(at), worker=random.randrange(2), model=model, outcome=outcome, fault=fault)


@dataclass(slots=True)
class Piece:
    """Events that arrive together, `due` ms after the day began; so many were lost on the way before them."""

    due: int
    events: list[Event] = field(default_factory=list)
    lost: int = 0


class Worker:
    """The spool of one worker of the data plane: it outlives the control plane, which reads it from where it stored."""

    def __init__(self, number: int, random: Random, *, punctual: bool) -> None:
        self._number = number
        self._random = random
        self._punctual = punctual
        self._last_id = 0
        self._lost = 0
        self.losing = False
        self.pieces: list[Piece] = []
        self.read = self.stored = 0

    def emit(self, turn: Turn, now: int) -> Event:
        """A turn ended, at an instant of the wall clock (epoch ms)."""
        self._last_id = max(self._last_id + 1, id_floor(now) + (self._number << 12))
        event = _event(turn, self._last_id, now)
        if self.losing and self._random.random() < 0.5:
            self._lost += 1
            return event
        if not self.pieces or len(self.pieces) == self.read or self.pieces[-1].due < turn.at:
            self.pieces.append(Piece(due=self._due(turn.at), lost=self._lost))
            self._lost = 0
        self.pieces[-1].events.append(event)
        return event

    def arrived(self, at: int) -> list[Piece]:
        """What is there now and was not read yet."""
        first = self.read
        while self.read < len(self.pieces) and self.pieces[self.read].due <= at:
            self.read += 1
        return self.pieces[first : self.read]

    @property
    def next_due(self) -> int | None:
        return self.pieces[self.read].due if self.read < len(self.pieces) else None

    def _due(self, at: int) -> int:
        after = self.pieces[-1].due if self.pieces else 0
        if self._punctual:
            return max(after, min(at + self._random.randint(0, 900), at // 1000 * 1000 + 1200))
        draw = self._random.random()
        low, high = next((low, high) for share, low, high in DELAYS_MS if draw <= share)
        return max(after, at + self._random.randint(low, high))


def _event(turn: Turn, event_id: int, now: int) -> Event:
    return Event(
        event_id=event_id,
        emitted_at=now,
        started_at=now - 100,
        duration_ms=100,
        method="POST",
        endpoint="/v1/chat/completions",
        wire=Wire.OPENAI_CHAT,
        status=200 if turn.outcome is Outcome.OK else 429,
        outcome=turn.outcome,
        fault=turn.fault,
        requested_model=turn.model,
        provider_key=MODELS[turn.model],
    )
