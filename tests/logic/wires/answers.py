"""Answers on each wire, as the fake upstream speaks them, and a way to tap them."""

from collections.abc import Sequence
from typing import cast

from daemon.adapters.fake import wires as spoken
from daemon.domain.event import Wire
from daemon.domain.facts import ResponseFacts
from daemon.logic.wire import WireProtocol
from daemon.logic.wires import anthropic_messages, gemini_generate_content, openai_chat, openai_responses

WIRES = [
    cast(WireProtocol, module)
    for module in (openai_chat, openai_responses, anthropic_messages, gemini_generate_content)
]
IDS = [wire.WIRE.value for wire in WIRES]
TOKENS = spoken.Tokens(input=12, output=30, reasoning=20)
CODEX_ERROR = {"message": "upstream stream broke", "type": "server_error", "code": "internal_server_error"}


def read(wire: WireProtocol, chunks: Sequence[bytes], *, status: int = 200, stream: bool = True) -> ResponseFacts:
    """The facts of one response."""
    tap = wire.tap(status=status, stream=stream)
    for chunk in chunks:
        tap.feed(chunk)
    return tap.close()


def ask(wire: Wire, *, sse: bool = True, effort: str | None = "high", codex: bool = False) -> spoken.Ask:
    return spoken.Ask(wire=wire, model="gpt-5.4", stream=True, sse=sse, effort=effort, codex=codex)


def reply(words: tuple[str, ...] = ("All", " is", " well\u2028"), usage: spoken.Tokens | None = TOKENS) -> spoken.Reply:
    return spoken.Reply(id="r1", created=1, words=words, usage=usage, effort="high")


def whole(wire: Wire, said: spoken.Reply | None = None) -> bytes:
    """A non-stream answer."""
    return spoken.whole(ask(wire), said or reply())


def frames(wire: Wire, said: spoken.Reply | None = None, *, sse: bool = True) -> spoken.Frames:
    """A stream."""
    return spoken.frames(ask(wire, sse=sse), said or reply())


def streamed(wire: Wire, said: spoken.Reply | None = None, *, sse: bool = True) -> bytes:
    parts = frames(wire, said, sse=sse)
    return b"".join((*parts.body, *parts.ending))
