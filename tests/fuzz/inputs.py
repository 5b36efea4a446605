"""What the targets start from, and how they read a fuzzer's bytes."""

import json
import struct
from pathlib import Path
from typing import Any

from tests.logic.wires.answers import WIRES, streamed, whole

FIXTURES = Path(__file__).parents[1] / "fixtures"
EXCHANGES: list[dict[str, Any]] = json.loads((FIXTURES / "client_exchanges.json").read_text())
ERRORS: list[Any] = json.loads((FIXTURES / "upstream_errors.json").read_text())

BODIES = sorted(
    {json.dumps(one["request"]).encode() for one in EXCHANGES if one["request"]}
    | {one["response"].encode() for one in EXCHANGES if one["response"]}
    | {json.dumps(body).encode() for _, _, body, _ in ERRORS if body}
)
"""What was recorded of real clients, and of upstreams' errors."""

STREAMS = [streamed(wire.WIRE) for wire in WIRES] + [streamed(wire.WIRE, sse=False) for wire in WIRES]
STREAMS += [b"data: %b\n\n" % body for body in BODIES]
ANSWERS = [whole(wire.WIRE) for wire in WIRES]


def numbers(data: bytes, shape: str) -> tuple[tuple[int, ...], bytes]:
    """The numbers at the head of the data, 0 where it has none, and the rest."""
    layout = struct.Struct("<" + shape)
    return layout.unpack(data[: layout.size].ljust(layout.size, b"\0")), data[layout.size :]


def seed(shape: str, *values: int, rest: bytes) -> bytes:
    return struct.pack("<" + shape, *values) + rest
