"""The websocket, read from copies of its bytes: the handshake, the frames, and which messages make one turn.

Frames are read as they are: no extension may have been agreed on. What passes through is neither checked nor mended;
where it is not what this module knows, reading ends for good, and the bytes go on unread.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from enum import IntEnum
from hashlib import sha1
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from daemon.logic.forwarding import Headers
from daemon.logic.json_peek import decode_members, inside, mended, says, text
from daemon.logic.sse import MOST_EVENT_BYTES

# ---- the handshake ---------------------------------------------------------------------------------------------------

VERSION = b"13"
"""What `Sec-WebSocket-Version` must say; a refusal with 426 says it too."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_ENDPOINT = re.compile(
    r"(/v1/responses(?:/ws)?|/backend-api/codex/responses|/v1/ws|/v1/realtime(?:/translations)?|/v1/live)"
    r"|(/v1/realtime/calls|/v1/live)/[^/]+|(/v1/(?:realtime|live))/.+"
)
_WITHOUT_TURNS = "/v1/ws"
"""A provider connects here and serves the upstream: what is asked on it was asked elsewhere first."""


def websocket_endpoint(path: str) -> str | None:
    """The endpoint's pattern (`/v1/responses`, `/v1/realtime/calls/{call_id}`) if websockets are spoken there."""
    match = _ENDPOINT.fullmatch(path)
    if match is None:
        return None
    return match[1] or (f"{match[2]}/{{call_id}}" if match[2] else f"{match[3]}/*")


def is_websocket_path(path: str) -> bool:
    """Whether the upstream speaks websocket there."""
    return websocket_endpoint(path) is not None


def has_turns(path: str) -> bool:
    """Whether `Turns` can read what is said there."""
    return is_websocket_path(path) and path != _WITHOUT_TURNS


def handshake_fault(method: str, version: str, headers: Headers) -> tuple[int, str] | None:
    """What is wrong with a client's opening: a status, and words for its sender; None when nothing is."""
    keys = _values(headers, b"sec-websocket-key")
    if method != "GET" or version != "1.1":
        return 400, "a websocket is opened by GET in HTTP/1.1"
    if not _is_upgrade(headers):
        return 400, "a websocket needs the headers Upgrade: websocket and Connection: Upgrade"
    if _values(headers, b"sec-websocket-version") != [VERSION]:
        return 426, "Sec-WebSocket-Version must be 13"
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        return 400, "Sec-WebSocket-Key must be 16 bytes in base64"
    return None


def answer_fault(headers: Headers, key: bytes) -> str | None:
    """What is wrong with an upstream's 101, in words; None when nothing is. `key` is the one it was sent."""
    if not _is_upgrade(headers):
        return "it switched to something else than websocket"
    if _values(headers, b"sec-websocket-accept") != [accept_of(key)]:
        return "its Sec-WebSocket-Accept does not answer the key"
    if any(_values(headers, b"sec-websocket-extensions")):
        return "it uses an extension that was not offered"
    return None


def _is_upgrade(headers: Headers) -> bool:
    return b"websocket" in _tokens(headers, b"upgrade") and b"upgrade" in _tokens(headers, b"connection")


def _tokens(headers: Headers, wanted: bytes) -> list[bytes]:
    return [token.strip().lower() for value in _values(headers, wanted) for token in value.split(b",")]


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value.strip() for name, value in headers if name.lower() == wanted]


def accept_of(key: bytes) -> bytes:
    """The `Sec-WebSocket-Accept` that answers a key."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def model_in(query: bytes) -> str | None:
    """The model that a query names, as clients of the realtime API do."""
    pairs = (pair.partition(b"=") for pair in query.split(b"&"))
    named = (unquote_to_bytes(value.replace(b"+", b" ")) for name, _, value in pairs if name == b"model")
    return text(next(named, b"").decode(errors="replace"))


# ---- frames ----------------------------------------------------------------------------------------------------------

_DATA = b"data: "
MOST_MESSAGE_BYTES = MOST_EVENT_BYTES - len(_DATA)
"""A longer message would be too long an event."""
HEAD_BYTES = 256
"""What is kept of a message that is too long to be kept."""
MOST_CONTROL_BYTES = 125
_MOST_REASON_BYTES = MOST_CONTROL_BYTES - 2

_LENGTH_BYTES = {126: 2, 127: 8}
_IDENTITY = int.from_bytes(range(256))
_UNDER = [(_IDENTITY ^ int.from_bytes(bytes([key]) * 256)).to_bytes(256) for key in range(256)]
"""What every byte becomes under each byte of a mask."""


class Kind(IntEnum):
    """What a message is, by its opcode."""

    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_KINDS = {int(kind): kind for kind in Kind}


class Message(NamedTuple):
    """One message, unmasked and put together; where it was too long to be kept, only its size and its head are left."""

    kind: Kind
    payload: bytes | None
    size: int
    head: bytes = b""

    @property
    def known(self) -> bytes:
        """The payload, or what is left of it."""
        return self.head if self.payload is None else self.payload


class FrameReader:
    """Reads one direction, however its bytes are split; holds at most one unfinished message of `most` bytes.

    It takes masked and plain frames from either side, and nothing behind a close. What is no frame (reserved bits and
    opcodes, a control frame that is long or in pieces, a continuation of nothing) ends it for good: `gave_up`.
    """

    __slots__ = ("_data", "_is_last", "_is_over", "_kind", "_left", "_mask", "_most", "_size", "_waiting", "gave_up")

    def __init__(self, most: int = MOST_MESSAGE_BYTES) -> None:
        self.gave_up = False
        self._most = most
        self._is_over = False
        self._waiting = b""
        """The beginning of a frame: a head that is not all there, or a control frame."""
        self._kind: Kind | None = None
        """Of the message that has begun; its size is what its frames have announced so far."""
        self._size = 0
        self._data = bytearray()
        self._is_last = True
        self._left = 0
        self._mask = b""

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that this chunk completes, in order. Never raises."""
        messages: list[Message] = []
        data, start = self._waiting + chunk, 0
        self._waiting = b""
        while start < len(data) and not self._is_over:
            if self._left:
                start = self._take(data, start, messages)
            elif (behind := self._begin(data, start, messages)) is not None:
                start = behind
            else:
                self._waiting = data[start:]
                break
        return messages

    def _begin(self, data: bytes, start: int, messages: list[Message]) -> int | None:
        """Where it goes on behind the head of a frame, or behind a control frame; None while that is not all there."""
        if len(data) < start + 2:
            return None
        first, short = data[start], data[start + 1] & 0x7F
        behind = start + 2 + _LENGTH_BYTES.get(short, 0)
        payload = behind + (4 if data[start + 1] & 0x80 else 0)
        if not self._may_begin(first, short):
            return self._give_up(data)
        if len(data) < payload:
            return None
        length = int.from_bytes(data[start + 2 : behind]) if behind > start + 2 else short
        if length >> 63:
            return self._give_up(data)
        if first & 0x08 and len(data) < payload + length:
            return None
        if first & 0x08:
            told = unmasked(data[payload : payload + length], data[behind:payload])
            messages.append(Message(_KINDS[first & 0x0F], told, length))
            self._is_over = first & 0x0F == Kind.CLOSE
            return payload + length
        self._begin_data(first, length, data[behind:payload], messages)
        return payload

    def _may_begin(self, first: int, short: int) -> bool:
        """A control frame is whole and short; a continuation continues something, and nothing else does."""
        if first & 0x08:
            return first & 0xF0 == 0x80 and first & 0x0F in _KINDS and short <= MOST_CONTROL_BYTES
        return first & 0x7F in ((0,) if self._kind else (Kind.TEXT, Kind.BINARY))

    def _give_up(self, data: bytes) -> int:
        self.gave_up = self._is_over = True
        self._data = bytearray()
        return len(data)

    def _begin_data(self, first: int, length: int, mask: bytes, messages: list[Message]) -> None:
        self._kind = self._kind or _KINDS[first & 0x0F]
        self._is_last = first >= 0x80
        self._left, self._mask = length, mask
        self._size += length
        if self._size > self._most:
            del self._data[HEAD_BYTES:]
        if not length:
            self._end_frame(messages)

    def _take(self, data: bytes, start: int, messages: list[Message]) -> int:
        """What is there of a frame's payload; of a message that is too long only what its head lacks is kept."""
        end = min(start + self._left, len(data))
        kept = end if self._size <= self._most else min(end, start + HEAD_BYTES - len(self._data))
        self._data += unmasked(data[start:kept], self._mask)
        self._left -= end - start
        if not self._left:
            self._end_frame(messages)
        elif turned := (end - start) % 4:
            self._mask = self._mask[turned:] + self._mask[:turned]
        return end

    def _end_frame(self, messages: list[Message]) -> None:
        if self._kind is None or not self._is_last:
            return
        data, is_whole = bytes(self._data), self._size <= self._most
        messages.append(Message(self._kind, data if is_whole else None, self._size, b"" if is_whole else data))
        self._kind, self._size, self._data = None, 0, bytearray()


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """The payload without a mask of four bytes, or of none; puts one on just as well."""
    if not mask:
        return payload
    plain = bytearray(payload)
    for lane, key in enumerate(mask):
        plain[lane::4] = payload[lane::4].translate(_UNDER[key])
    return bytes(plain)


def close_frame(code: int | None = None, reason: str = "", mask: bytes = b"") -> bytes:
    """A close; its reason is cut to what fits. Towards a server it needs a mask that nobody can guess."""
    short = reason.encode(errors="replace")[:_MOST_REASON_BYTES].decode(errors="ignore").encode()
    payload = b"" if code is None else code.to_bytes(2) + short
    return bytes([0x80 | Kind.CLOSE, len(payload) | (0x80 if mask else 0)]) + mask + unmasked(payload, mask)


def read_close(payload: bytes) -> tuple[int | None, str]:
    """The code and the reason of a close; without a code there is neither."""
    code = int.from_bytes(payload[:2]) if len(payload) >= 2 else None
    return code, payload[2:].decode(errors="replace")


# ---- turns -----------------------------------------------------------------------------------------------------------

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
    return _DATA + payload.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n\n"


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
