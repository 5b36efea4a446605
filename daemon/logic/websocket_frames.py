"""Websocket frames, read from copies of the bytes that pass: messages come out, in bounded memory.

Where the bytes are not what this module knows, reading ends for good, and they go on unread.
"""

from enum import IntEnum
from typing import NamedTuple

from daemon.logic.sse import MOST_EVENT_BYTES

DATA = b"data: "
MOST_MESSAGE_BYTES = MOST_EVENT_BYTES - len(DATA)
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

    @property
    def is_between(self) -> bool:
        """Whether a frame may be put in here: none has begun that has not ended."""
        return not self._left and not self._waiting and not self.gave_up

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
