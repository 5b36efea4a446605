"""Which messages of a websocket make one turn: its request, its events for a wire's tap, its end."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from daemon.logic.json_peek import decode_members, inside, mended, says, text
from daemon.logic.websocket_frames import DATA, Kind, Message

MOST_OPEN_TURNS = 128
"""Of one connection. Who asks for more without an answer speaks something else."""

_BEGINS = frozenset({"response.create", "response.append"})
_ENDS = frozenset({"response.completed", "response.done", "response.incomplete", "response.failed", "error"})
_OF_LATER_TURNS = ("response.steer.", "response.inject.")
"""Events about input that waits; an error in one fails no turn."""
_TURN_METADATA = "x-codex-turn-metadata"
_LONGEST_SETTING = 1024


class TurnBegan(NamedTuple):
    """A turn begins: its request, for a wire to read, and those of its headers that its client sends with it.

    The headers of the connection are those of its first turn, at best.
    """

    turn: int
    request: bytes
    headers: Mapping[bytes, bytes]


class TurnSaid(NamedTuple):
    """A turn's answer goes on: an event for a wire's tap."""

    turn: int
    event: bytes


class TurnEnded(NamedTuple):
    """A turn has come to its own end, good or bad: its tap knows."""

    turn: int


Step = TurnBegan | TurnSaid | TurnEnded


class _Asked(msgspec.Struct):
    """A client's message."""

    type: str = ""
    stream_id: Any = None
    event_id: Any = None
    generate: Any = None
    prompt_cache_options: Any = None
    client_metadata: Any = None
    model: msgspec.Raw = msgspec.Raw()
    reasoning: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct):
    id: Any = None
    status: Any = None
    status_details: Any = None


class _Told(msgspec.Struct):
    """A server's message; only in the realtime API it has an `event_id`."""

    type: str = ""
    stream_id: Any = None
    event_id: Any = None
    response_id: Any = None
    response: _Response | None = None
    error: Any = None
    session: Any = None

    @property
    def name(self) -> str | None:
        """Of the response that it is about, where it says so."""
        return text(self.response.id if self.response else self.response_id)


_ASKED = msgspec.json.Decoder(_Asked)
_TOLD = msgspec.json.Decoder(_Told)
_T = TypeVar("_T")


class _Turn:
    """A turn that has not ended: the stream it is on, the message that asked for it, the response it got."""

    __slots__ = ("asked_by", "is_warm_up", "number", "response", "stream")

    def __init__(self, number: int, stream: str | None, asked_by: str | None, *, is_warm_up: bool = False) -> None:
        self.number = number
        self.stream = stream
        self.asked_by = asked_by
        self.is_warm_up = is_warm_up
        self.response: str | None = None


class Turns:
    """Makes turns of the messages of one connection, in the responses API (Codex's too) and in the realtime API.

    What is asked on one stream is answered in that order; streams, and responses with names, go side by side. The
    answer to a warm-up is told from that to a turn, and not passed on. A response that nobody asked for (to speech, or
    to steering) is a turn with the settings of the one before. What never ends is for the caller to judge.
    """

    __slots__ = ("_count", "_ended", "_model", "_open", "_reasoning", "gave_up")

    def __init__(self, model: str | None = None) -> None:
        self.gave_up = False
        self._count = 0
        self._open: list[_Turn] = []
        self._ended: str | None = None
        """The response that ended last; some servers end one once more behind its error."""
        self._model = msgspec.json.encode(model) if model else b""
        self._reasoning = b""

    @property
    def open(self) -> Sequence[int]:
        """The turns that have not ended."""
        return [turn.number for turn in self._open if not turn.is_warm_up]

    def asked(self, message: Message) -> Sequence[Step]:
        """What a client's message begins. Never raises."""
        asked, request = _read(_ASKED, message), message.known
        if asked is None or asked.type not in _BEGINS:
            return ()
        turn = self._begin(text(asked.stream_id), text(asked.event_id), is_warm_up=_is_warm_up(asked))
        if (inner := bytes(asked.response))[:1] == b"{":
            asked, request = decode_members(_ASKED, inner) or asked, inner
        model, self._reasoning = _setting(asked.model), _setting(asked.reasoning)
        self._model = model or self._model
        if turn is None or turn.is_warm_up:
            return ()
        request = request if model else _with_settings(request, model=self._model)
        return (TurnBegan(turn.number, request, _turn_headers(asked.client_metadata)),)

    def told(self, message: Message) -> Sequence[Step]:
        """What a server's message means to a turn. Never raises."""
        told = _read(_TOLD, message)
        if told is None or told.type.startswith(_OF_LATER_TURNS):
            return ()
        if told.type == "error":
            turn = self._turn_of_error(told)
        elif told.type.startswith("response."):
            turn = self._turn_of(told)
        else:
            self._learn(told)
            return ()
        if turn is None and told.type == "response.created" and told.name != self._ended:
            return self._begin_unasked(told, message)
        return self._tell(turn, told, message) if turn else ()

    def _learn(self, told: _Told) -> None:
        """In the realtime API the model is a setting of the session."""
        if told.type.startswith("session.") and (model := text(inside(told.session, "model"))):
            self._model = msgspec.json.encode(model)

    def _begin(self, stream: str | None, asked_by: str | None, *, is_warm_up: bool = False) -> _Turn | None:
        if self.gave_up or len(self._open) >= MOST_OPEN_TURNS:
            self.gave_up = True
            return None
        self._count += 1
        turn = _Turn(self._count, stream, asked_by, is_warm_up=is_warm_up)
        self._open.append(turn)
        return turn

    def _begin_unasked(self, told: _Told, message: Message) -> Sequence[Step]:
        turn = self._begin(text(told.stream_id), None)
        if turn is None:
            return ()
        turn.response = told.name
        request = _with_settings(b"{}", model=self._model, reasoning=self._reasoning)
        return (TurnBegan(turn.number, request, {}), *self._tell(turn, told, message))

    def _tell(self, turn: _Turn, told: _Told, message: Message) -> Sequence[Step]:
        said = () if turn.is_warm_up else (TurnSaid(turn.number, _event(told, message)),)
        if told.type not in _ENDS:
            return said
        self._open.remove(turn)
        self._ended = turn.response
        return () if turn.is_warm_up else (*said, TurnEnded(turn.number))

    def _turn_of(self, told: _Told) -> _Turn | None:
        """The turn whose response is named; the first that has none yet gets it; without a name, the current one."""
        stream, name = self._stream(told), told.name
        if name is None:
            return _current(stream)
        if named := next((turn for turn in self._open if turn.response == name), None):
            return named
        if name == self._ended:
            return None
        if waiting := next((turn for turn in stream if turn.response is None), None):
            waiting.response = name
            return waiting
        return None if told.type == "response.created" else _current(stream)

    def _turn_of_error(self, told: _Told) -> _Turn | None:
        """In the realtime API most errors are about other messages, and none ends a response that has begun."""
        if told.event_id is None:
            return _current(self._stream(told))
        cause = text(inside(told.error, "event_id"))
        waiting = (turn for turn in self._open if turn.response is None)
        return next((turn for turn in waiting if cause in (None, turn.asked_by)), None)

    def _stream(self, told: _Told) -> Sequence[_Turn]:
        """The turns of the stream that is named; where none is, and none was asked for without a stream, all."""
        name = text(told.stream_id)
        turns = [turn for turn in self._open if turn.stream == name]
        return turns if turns or name else self._open


def as_sse(payload: bytes) -> bytes:
    """A message as a server-sent event; a line end in JSON is but a blank."""
    return DATA + payload.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n\n"


def _event(told: _Told, message: Message) -> bytes:
    """For the tap; of a message that is too long, what is whole. The realtime API hides a failure in its end."""
    event = as_sse(mended(message.head) if message.payload is None else message.payload)
    if told.type == "response.done" and told.response and told.response.status == "failed":
        cause = inside(told.response.status_details, "error")
        event = b"event: error\n" + as_sse(msgspec.json.encode({"error": cause or {}})) + event
    return event


def _read(decoder: msgspec.json.Decoder[_T], message: Message) -> _T | None:
    is_said = message.kind is Kind.TEXT or message.kind is Kind.BINARY
    return decode_members(decoder, message.known) if is_said else None


def _is_warm_up(asked: _Asked) -> bool:
    return asked.generate is False or inside(asked.prompt_cache_options, "prewarm") is True


def _current(stream: Sequence[_Turn]) -> _Turn | None:
    """Of those whose response has begun the last, else the first that waits."""
    begun = [turn for turn in stream if turn.response is not None]
    return begun[-1] if begun else next(iter(stream), None)


def _setting(raw: msgspec.Raw) -> bytes:
    value = bytes(raw) if says(raw) else b""
    return value if len(value) <= _LONGEST_SETTING else b""


def _with_settings(request: bytes, **settings: bytes) -> bytes:
    """The request with settings that stood elsewhere."""
    members = [b'"%s":%s' % (name.encode(), value) for name, value in settings.items() if value]
    rest = request.lstrip()[1:].lstrip()
    return b"{" + b",".join(members if rest[:1] == b"}" else [*members, b""]) + rest if members else request


def _turn_headers(metadata: object) -> dict[bytes, bytes]:
    value = inside(metadata, _TURN_METADATA)
    return {_TURN_METADATA.encode(): value.encode(errors="replace")} if isinstance(value, str) else {}
