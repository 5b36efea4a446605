"""What one request asks the upstream to do, in a header of it, and the answer that both sides know."""

import json
import zlib
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import Any

HEADER = "x-plan"
FAIR = ("json", "sse", "chunks", "gzip", "until_close", "empty", "429", "500", "slow", "early", "hints", "big", "sink")
FOUL = ("cut_head", "cut_body", "cut_chunks", "bad_head", "bad_chunk", "no_answer", "reset")
STATUS = {"empty": 204, "429": 429, "500": 500, "early": 413}

_numbers = count(1)


@dataclass(frozen=True)
class Plan:
    """`size` is about how many bytes of text there are in the answer; `seed` is for what the upstream may choose."""

    number: int
    does: str
    size: int
    seed: int

    @classmethod
    def new(cls, does: str, size: int, seed: int) -> "Plan":
        return cls(next(_numbers), does, size, seed)

    @classmethod
    def read(cls, text: str) -> "Plan":
        return cls(**json.loads(text))

    @property
    def line(self) -> bytes:
        return f"{HEADER}: {json.dumps(asdict(self))}\r\n".encode()

    @property
    def status(self) -> int:
        return STATUS.get(self.does, 200)

    @property
    def body(self) -> bytes:
        """Of the answer, as it stands on the wire but for its framing."""
        if self.does == "empty":
            return b""
        text = _text(self.seed, self.size)
        plain = _stream(self.number, text) if self.does == "sse" else _object(self.number, text)
        return _gzipped(plain) if self.does == "gzip" else plain


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()


@lru_cache(256)
def _text(seed: int, size: int) -> str:
    words = f"{seed:x}-" + "".join(chr(97 + (seed * one) % 26) for one in range(1, 53))
    return (words * (size // len(words) + 1))[:size]


def _object(number: int, text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return _json(number, "chat.completion", choice)


def _stream(number: int, text: str) -> bytes:
    """Events of 40 letters."""
    pieces = [text[start : start + 40] for start in range(0, len(text), 40)]
    events = [_json(number, "chat.completion.chunk", {"index": 0, "delta": {"content": one}}) for one in pieces]
    events.append(_json(number, "chat.completion.chunk", {"index": 0, "delta": {}, "finish_reason": "stop"}))
    return b"".join(b"data: %b\n\n" % event for event in (*events, b"[DONE]"))


def _json(number: int, kind: str, choice: dict[str, Any]) -> bytes:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    return json.dumps(
        {"id": f"c{number}", "object": kind, "model": "gpt-5.4", "choices": [choice], "usage": usage}
    ).encode()


def _gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()
