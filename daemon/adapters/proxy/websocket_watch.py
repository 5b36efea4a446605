"""What is seen of a websocket: copies of both directions become one event per turn."""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from daemon.adapters.proxy.observer import Observer
from daemon.adapters.proxy.tap import Ask, Ending, Observation
from daemon.domain.event import Fault, Wire
from daemon.logic.websocket import has_turns, model_in, websocket_endpoint
from daemon.logic.websocket_frames import FrameReader
from daemon.logic.websocket_turns import Step, TurnBegan, Turns, TurnSaid

_STREAM = {b"content-type": b"text/event-stream"}


class Watch:
    """Of one connection. Where no turn is seen on it, the connection itself makes the one event."""

    def __init__(self, observer: Observer, ask: Ask) -> None:
        path = ask.destination.path
        self._observer = observer
        self._wire = observer.fuses.speaking(Wire.OPENAI_RESPONSES) if has_turns(path) else None
        self._destination = replace(ask.destination, endpoint=websocket_endpoint(path) or "other")
        self._ask = replace(ask, destination=self._destination)
        self._turns = Turns(model_in(ask.query))
        self._from_client, self._from_upstream = FrameReader(), FrameReader()
        self._open: dict[int, Observation] = {}
        self._whole: Observation | None = observer.begin(self._ask)

    @property
    def is_idle(self) -> bool:
        """Whether the upstream may be interrupted: it is inside no turn, and inside no frame."""
        return not self._open and self._from_upstream.is_between

    def opened(self) -> None:
        """The upstream has taken it."""
        if self._whole is not None:
            self._whole.take_head(101, {})

    def refused(self, status: int, fault: Fault | None) -> None:
        """We have answered instead of it."""
        if self._whole is not None:
            self._whole.status, self._whole.ending.refused = status, fault

    def hear_client(self, data: bytes) -> None:
        """A copy of what goes up."""
        self._hear(self._from_client, self._turns.asked, data)

    def hear_upstream(self, data: bytes) -> None:
        """A copy of what comes down."""
        self._hear(self._from_upstream, self._turns.told, data)

    def ended(self, why: Callable[[Ending], None]) -> None:
        """The connection has ended; `why` is noted in what had not."""
        for seen in (*self._open.values(), *((self._whole,) if self._whole else ())):
            why(seen.ending)
            self._observer.finish(seen)
        self._open.clear()
        self._whole = None

    def _hear(self, reader: FrameReader, meaning: Callable[..., Sequence[Step]], data: bytes) -> None:
        if self._wire is None:
            return
        messages = self._observer.fuses.ask(self._wire, partial(reader.feed, data)) or ()
        for message in messages:
            for step in self._observer.fuses.ask(self._wire, partial(meaning, message)) or ():
                self._take(step)

    def _take(self, step: Step) -> None:
        if isinstance(step, TurnBegan):
            self._begin(step)
        elif (seen := self._open.get(step.turn)) is None:
            return
        elif isinstance(step, TurnSaid):
            if not seen.was_answered:
                seen.take_head(200, _STREAM)
            seen.take_response(step.event)
        else:
            self._observer.finish(self._open.pop(step.turn))

    def _begin(self, began: TurnBegan) -> None:
        """A turn is a request of its own, in the headers of the connection and those it brings along."""
        self._whole = None
        sent = {**self._ask.sent, **began.headers}
        ask = replace(self._ask, sent=sent, destination=replace(self._destination, wire=self._wire))
        seen = self._open[began.turn] = self._observer.begin(ask)
        seen.take_request(began.request)
        seen.request()
        seen.stream = True
