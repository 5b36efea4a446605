"""What every wire on the shelf offers: claim a request, read it, tap its response, speak its errors."""

from typing import Protocol

import msgspec
from msgspec.structs import replace

from daemon.domain.event import Wire
from daemon.domain.facts import RequestFacts, ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.logic.json_peek import DECODE_ERRORS, last_member, mended, text


class Tap(Protocol):
    """Reads one response from copies of its chunks, in bounded memory, however the bytes are split."""

    content_started: bool
    """The first content (text, thinking or a tool call) was seen."""

    def feed(self, chunk: bytes) -> None: ...

    def close(self) -> ResponseFacts: ...


class WireProtocol(Protocol):
    """A wire's module, seen as an object: these are module-level names of `logic/wires/<name>.py`."""

    WIRE: Wire

    def claims(self, method: str, path: str) -> str | None:
        """The endpoint pattern (`/v1/chat/completions`, `/v1beta/models/{model}:generateContent`) if it is ours."""

    def read_request(self, path: str, body: bytes) -> RequestFacts:
        """Never raises; `body` is decoded (inflated) and may be cut short at the observer's limit."""

    def tap(self, *, status: int, stream: bool) -> Tap:
        """A tap for one response; `stream` is what the response is (an event stream), not what was asked."""

    def with_model(self, target: bytes, body: bytes, model: str) -> tuple[bytes, bytes]:
        """Request target and body with the model replaced and not one other byte changed."""

    def with_thinking(self, target: bytes, body: bytes, thinking: ThinkingSetting) -> tuple[bytes, bytes]:
        """Request target and body with the wire's own field for thinking set, whatever stood there."""

    def error_body(self, status: int, reason: str, message: str) -> bytes:
        """An error of our own in the wire's own JSON shape; `reason` starts with `runbookd_`."""


def read_long(wire: WireProtocol, path: str, head: bytes, tail: bytes) -> RequestFacts:
    """What the two ends of a request say that is too long to be parsed: clients put its model first, or last."""
    facts = wire.read_request(path, mended(head))
    if facts.model is not None:
        return facts
    try:
        named = msgspec.json.decode(last_member(tail, b'"model"') or b"null")
    except DECODE_ERRORS:
        return facts
    return replace(facts, model=text(named))
