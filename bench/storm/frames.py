"""The few websocket frames that a storm needs."""

import json
import os
from asyncio import StreamReader

from daemon.logic.websocket import accept_of

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
CLOSE = 8


def opening(path: str, more: bytes = b"") -> bytes:
    return (
        b"GET %b HTTP/1.1\r\nHost: storm\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n" % (path.encode(), KEY, more)
    )


def opened(key: bytes) -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_of(key)
    )


def frame(payload: bytes, *, masked: bool = False, opcode: int = 1) -> bytes:
    bit, length = (0x80 if masked else 0), len(payload)
    short = bytes([bit | length]) if length < 126 else bytes([bit | 126]) + length.to_bytes(2)
    if not masked:
        return bytes([0x80 | opcode]) + short + payload
    mask = os.urandom(4)
    return bytes([0x80 | opcode]) + short + mask + _under(mask, payload)


async def read(reader: StreamReader) -> tuple[int, bytes]:
    """Opcode and payload. Raises IncompleteReadError."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2))
    mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
    return first & 0x0F, _under(mask, await reader.readexactly(length))


def ask(turn: int, deltas: int) -> bytes:
    return json.dumps({"type": "response.create", "model": "gpt-5.4", "turn": turn, "deltas": deltas}).encode()


def answer(turn: int, deltas: int) -> list[bytes]:
    """The events of a turn."""
    said = [
        {"type": "response.output_text.delta", "delta": f"{turn}:{one} " + "x" * (one * 37 % 300)}
        for one in range(deltas)
    ]
    done = {"type": "response.completed", "response": {"id": f"r{turn}", "status": "completed", "model": "gpt-5.4"}}
    return [
        json.dumps(event).encode()
        for event in ({"type": "response.created", "response": {"id": f"r{turn}"}}, *said, done)
    ]


def _under(mask: bytes, data: bytes) -> bytes:
    return bytes(byte ^ mask[at & 3] for at, byte in enumerate(data))
