"""Made-up traffic: when each turn of some spells ends, and how; evenly spread, and the same each time it is played."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any

import msgspec

from daemon.domain.event import Event, EventIds, Fault, Outcome, Wire
from daemon.domain.made_up import Ending, Mix, Spell
from daemon.domain.soft_routing import SoftRoute
from daemon.logic.retry_habits import Try, tries, trouble_of
from daemon.logic.wishes import bare

USUAL_MS = 1000
"""What a turn takes, after its first word where that is known."""
STATUSES: Mapping[Fault, int] = {
    Fault.CLIENT_UNAUTHORIZED: 401,
    Fault.PROVIDER_RATE_LIMITED: 429,
    Fault.PROVIDER_QUOTA: 402,
    Fault.LOCAL_COOLDOWN: 429,
    Fault.PROVIDER_AUTH: 401,
    Fault.MODEL_NOT_FOUND: 404,
    Fault.NO_CREDENTIAL: 503,
    Fault.PROVIDER_ERROR: 500,
    Fault.ERROR_IN_STREAM: 200,
    Fault.TRUNCATED: 200,
    Fault.OVERLOADED: 529,
    Fault.UPSTREAM_CONNECT: 502,
    Fault.UPSTREAM_TIMEOUT: 504,
    Fault.UPSTREAM_PROTOCOL: 502,
    Fault.UPSTREAM_TLS: 502,
    Fault.DENIED: 403,
}
"""What a client sees; of those that are not here, 400."""
ENDPOINTS: Mapping[str, str] = {
    Wire.OPENAI_CHAT: "/v1/chat/completions",
    Wire.OPENAI_RESPONSES: "/v1/responses",
    Wire.ANTHROPIC_MESSAGES: "/v1/messages",
    Wire.GEMINI_GENERATE_CONTENT: "/v1beta/models/{model}:generateContent",
    Wire.OTHER: "/v1/models",
}
STREAMED = frozenset({Fault.ERROR_IN_STREAM, Fault.TRUNCATED})
REFUSED = frozenset({Fault.REJECTED_FRAMING, Fault.DENIED})


def a_turn(said: Mapping[str, Any]) -> Event:
    """A turn that is as it is said to be, at the beginning of time. Raises `msgspec.ValidationError`."""
    fault = said.get("fault")
    wire = said.get("wire", Wire.OPENAI_CHAT)
    usual = {
        "event_id": 0,
        "emitted_at": 0,
        "started_at": 0,
        "duration_ms": USUAL_MS + _whole(said.get("ttft_ms")),
        "method": "POST",
        "wire": wire,
        "endpoint": ENDPOINTS.get(wire, "/"),
        "stream": fault in STREAMED,
        "status": STATUSES.get(fault, 400) if fault else 200,
        "outcome": Outcome.OK if fault is None else Outcome.DENIED if fault in REFUSED else Outcome.FAILED,
        "model_id": said.get("requested_model"),
    }
    return msgspec.convert(usual | dict(said), Event, strict=False)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def said_of(spell: Spell, name: str, ending: Ending) -> dict[str, Any]:
    """The event fields of a turn that ends so; the name of a fault says the fault."""
    fault = {"fault": name} if name in set(Fault) else {}
    return {**spell.set, **fault, **(ending.model_extra or {})}


class _Shares:
    """Gives the endings of a mix, each as often as its share says and as far apart as can be."""

    def __init__(self, spell: Spell, mix: Mix) -> None:
        self._turns = [a_turn(said_of(spell, name, ending)) for name, ending in mix.items()]
        self._parts = [round(ending.share * 1_000_000) for ending in mix.values()]
        self._owed = [0] * len(self._parts)

    def next(self) -> Event:
        self._owed = [owed + part for owed, part in zip(self._owed, self._parts, strict=True)]
        place = max(range(len(self._owed)), key=self._owed.__getitem__)
        self._owed[place] -= sum(self._parts)
        return self._turns[place]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Turn:
    """A request of a turn that ends at an instant (epoch ms)."""

    at: int
    place: int
    """Of its spell."""
    number: int
    attempt: int = 0
    rest: tuple[Try, ...] | None = None
    """When it is asked for again should it fail; None for the first request."""


class MadeUpTraffic:
    """The turns of some spells of a day that begins at an instant (epoch ms)."""

    def __init__(self, spells: Sequence[Spell], begins_at: int) -> None:
        self._spells = spells
        self._begins_at = begins_at
        self._usual = [_Shares(spell, spell.mix) for spell in spells]
        self._rerouted = [_Shares(spell, spell.rerouted) for spell in spells]
        self._ids = EventIds(0, 0)
        self._coming = sorted(self._first(place, 0) for place in range(len(spells)))

    def turns(self) -> Iterator[Turn]:
        """In the order of their instants; a turn must have ended, with `end`, before the next one is asked for."""
        while self._coming:
            turn = heappop(self._coming)
            if turn.rest is None and self._is_within(following := self._first(turn.place, turn.number + 1)):
                heappush(self._coming, following)
            yield turn

    def model_of(self, turn: Turn) -> str | None:
        """The model that it asks for."""
        model: str | None = self._spells[turn.place].set.get("requested_model")
        return model

    def end(self, turn: Turn, route: SoftRoute | None) -> Event:
        """How it ends, on its way or on the way that a soft route leads it; it may be asked for again later."""
        shares = (self._usual if route is None else self._rerouted)[turn.place]
        said = shares.next()
        ended = msgspec.structs.replace(
            said,
            event_id=self._ids.next(turn.at),
            emitted_at=turn.at,
            started_at=turn.at - said.duration_ms,
            attempt=turn.attempt,
            model_id=said.model_id if route is None else route.to_model,
            mitigation_ids=() if route is None else (route.mitigation_id,),
        )
        self._ask_again(turn, ended)
        return ended

    def _ask_again(self, turn: Turn, ended: Event) -> None:
        client, rest = self._spells[turn.place].retries, turn.rest
        if client is None or ended.outcome is not Outcome.FAILED or ended.fault is None:
            return
        if rest is None:
            trouble, asked = trouble_of(ended.fault, ended.status), ended.retry_after_seconds
            rest = tries(client, trouble, at=turn.at, retry_after_seconds=asked)[1:]
        if rest:
            heappush(self._coming, replace(turn, at=rest[0].at, attempt=rest[0].attempt, rest=rest[1:]))

    def _first(self, place: int, number: int) -> Turn:
        spell = self._spells[place]
        at = self._begins_at + round(spell.from_ * 1000 + number * spell.pause_ms)
        return Turn(at=at, place=place, number=number)

    def _is_within(self, turn: Turn) -> bool:
        return turn.at < self._begins_at + round(self._spells[turn.place].to * 1000)


def answers(spells: Iterable[Spell], model: str, seconds: float) -> bool:
    """Whether a ping of a model goes well so many seconds after the beginning, as the traffic for it does."""
    running = [spell for spell in spells if spell.from_ <= seconds < spell.to]
    asking = [spell for spell in running if bare(str(spell.set.get("requested_model", ""))) == bare(model)]
    return not any(spell.fails_mostly for spell in asking)
