"""One answer of the fake upstream: what is said, and how the scenario's fault spoils it."""

from dataclasses import dataclass
from math import ceil

from starlette.responses import JSONResponse, Response

from daemon.adapters.fake import errors, wires
from daemon.adapters.fake.credentials import Credential
from daemon.adapters.fake.playback import Break, Playback
from daemon.adapters.fake.record import Record
from daemon.adapters.fake.scenario import FakeFault, FaultRule, Scenario
from daemon.domain.event import Wire

WORDS = ("All", " systems", " are", " nominal", ".")
OUTPUT_TOKENS = 12
DRIFT = 500
"""So many tokens are counted that were not there."""

_JSON = {"content-type": "application/json"}
_SSE = {"content-type": "text/event-stream", "cache-control": "no-cache"}
_BREAKS = {FakeFault.CONNECT_DROP: Break.BEFORE, FakeFault.TRUNCATE: Break.AFTER}
_IN_BAND = errors.error_of("upstream stream broke", "server_error", "internal_server_error")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets; `now` is epoch ms."""

    record: Record
    ask: wires.Ask
    rule: FaultRule | None
    scenario: Scenario
    now: int

    @property
    def fault(self) -> FakeFault | None:
        return self.rule.fault if self.rule else None

    def play(self, credential: Credential | None) -> Response:
        """The response, ready to be sent."""
        if self.fault in errors.STATUS:
            provider = credential.provider if credential else "none"
            body = errors.refusal(self.fault, self.ask, provider)
            return JSONResponse(body, status_code=errors.STATUS[self.fault], headers=self._retry_after())
        return self._stream() if self.ask.stream else self._whole()

    def _whole(self) -> Response:
        body = wires.whole(self.ask, self._reply())
        pieces = _spoilt_body(self.ask, body, self.fault)
        length = body if self.fault is FakeFault.TRUNCATE else b"".join(pieces)
        return self._playback(pieces, {**_JSON, "content-length": str(len(length))})

    def _retry_after(self) -> dict[str, str]:
        wait = self.rule.retry_after if self.rule else None
        return {} if wait is None else {"retry-after": str(ceil(wait))}

    def _stream(self) -> Response:
        pieces = _spoilt_frames(self.ask, wires.frames(self.ask, self._reply()), self.fault)
        return self._playback(pieces, _SSE if self.ask.sse else _JSON)

    def _playback(self, pieces: list[bytes], headers: dict[str, str]) -> Response:
        return Playback(
            self.record,
            pieces,
            headers=headers,
            delay=self.rule.delay if self.rule and self.fault is FakeFault.SLOW else 0.0,
            pace=self.scenario.pace,
            breaks=_BREAKS.get(self.fault, Break.NEVER) if self.fault else Break.NEVER,
        )

    def _reply(self) -> wires.Reply:
        self.record.applied = effort = self._effort()
        return wires.Reply(
            id=f"fake{self.record.number:08x}",
            created=self.now // 1000,
            words=() if self.fault is FakeFault.EMPTY or self.ask.tool else self._words(),
            usage=self._usage(wires.REASONING_TOKENS.get(effort or "none", 0)),
            effort=effort,
            tool=self._tool(),
        )

    def _tool(self) -> wires.ToolCall | None:
        """Where the request insists on one."""
        if self.ask.tool is None or self.fault is FakeFault.EMPTY:
            return None
        is_cut = self.fault is FakeFault.TOOL_WITHOUT_ARGUMENTS
        return wires.ToolCall(
            name=self.ask.tool,
            arguments="" if is_cut else '{"city":"Paris"}',
            stops_for_it=self.fault is not FakeFault.TOOL_AS_STOP,
        )

    def _words(self) -> tuple[str, ...]:
        return tuple(WORDS[number % len(WORDS)] for number in range(self.scenario.words))

    def _effort(self) -> str | None:
        if self.fault is FakeFault.THINKING_DRIFT:
            return "high" if self.ask.effort == "low" else "low"
        if self.fault is FakeFault.NO_THINKING:
            return "none"
        return self.ask.effort

    def _usage(self, reasoning: int) -> wires.Tokens | None:
        if self.fault is FakeFault.NO_USAGE:
            return None
        if self.fault is FakeFault.ZERO_USAGE:
            return wires.Tokens(input=0, output=0)
        more_input = DRIFT if self.fault is FakeFault.INPUT_DRIFT else 0
        more_output = DRIFT if self.fault is FakeFault.OUTPUT_DRIFT else 0
        tokens = wires.Tokens(
            input=self.ask.input_tokens + more_input,
            output=OUTPUT_TOKENS + reasoning + more_output,
            reasoning=reasoning,
        )
        self.record.tokens = {
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "reasoning_tokens": tokens.reasoning,
            "total_tokens": tokens.input + tokens.output,
        }
        return tokens


def _spoilt_body(ask: wires.Ask, body: bytes, fault: FakeFault | None) -> list[bytes]:
    """A non-stream answer; the status of an in-band error is 200, because a keep-alive line was sent before it."""
    if fault is FakeFault.IN_BAND_ERROR:
        kind = {"type": "error"} if ask.wire is Wire.ANTHROPIC_MESSAGES else {}
        return [b"\n", wires.encode({**kind, "error": _IN_BAND})]
    if fault is FakeFault.TRUNCATE or fault is FakeFault.CLEAN_CUT:
        return [body[: len(body) // 2]]
    return [body]


def _spoilt_frames(ask: wires.Ask, frames: wires.Frames, fault: FakeFault | None) -> list[bytes]:
    """A truncated stream ends inside a frame; a cleanly cut one after a frame, without its terminal marker."""
    whole, half = [*frames.body, *frames.ending], (len(frames.body) + 1) // 2
    if fault is FakeFault.IN_BAND_ERROR:
        return [*whole[:half], wires.error_frame(ask, _IN_BAND, half)]
    if fault is FakeFault.TRUNCATE:
        return [*whole[:half], whole[half][:20]]
    if fault is FakeFault.CLEAN_CUT:
        return list(frames.body)
    return whole
