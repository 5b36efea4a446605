"""`tool_image`: a small picture in the result of a tool, in the shapes of clients, at once and as a stream."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.event import Wire
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.units import Duration
from daemon.logic.canary import MODES, Answer, answer, model_for, no_quota, nobody_to_ask
from daemon.logic.canary_images import image_canary
from daemon.logic.probe import Found, Sight, told
from daemon.logic.provider_canaries import is_empty, is_ours
from daemon.logic.providers import RATE_LIMITED

EXAMPLE = """\
tool_image: {models: {anthropic_messages: claude-haiku-4-5}}
"""
COSTS = True
NAME = "tool_image"

Shaped = Literal[Wire.OPENAI_RESPONSES, Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES]


class ToolImageOptions(ProbeOptions):
    """Asks in both modes with the picture, and once more with a word in its place: what fails too says nothing of
    pictures."""

    every: Duration = Field(3600.0, ge=10.0)
    wires: tuple[Shaped, ...] = Field((Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES), min_length=1)
    """The shapes of your clients. Chat completions have no such pictures at OpenAI itself: name `openai_chat` where
    your upstream takes them."""
    models: Mapping[Shaped, str] = {}
    """By wire, one that sees; unless said, the latest small one listed of the family that a wire belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    wire: Wire
    model: str | None
    why_not: str
    """Why it is not asked, in words; empty where it is."""


def requests(options: ToolImageOptions, sight: Sight) -> Sequence[Ask]:
    """Three of each wire."""
    return [ask for one in _shapes(options, sight) if not one.why_not for ask in _asks(one)]


def _shapes(options: ToolImageOptions, sight: Sight) -> Iterator[_Shape]:
    for wire in options.wires:
        model = model_for(wire, options.models, sight)
        known = sight.reachable and model is not None
        yield _Shape(wire=wire, model=model, why_not=no_quota(model or "", sight) if known else nobody_to_ask(sight))


def _asks(one: _Shape) -> list[Ask]:
    shown = [image_canary(one.model or "", one.wire, stream=stream) for stream in MODES]
    return [*shown, image_canary(one.model or "", one.wire, image=False)]


def verdict(options: ToolImageOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each wire."""
    rest, results, tokens = iter(replies), list[ProbeResult](), 0
    for one in _shapes(options, sight):
        if one.why_not:
            results.append(told(NAME, sight, None, one.why_not, subject=one.wire.value))
            continue
        answers = [answer(ask, next(rest), sight.wires) for ask in _asks(one)]
        outcome, said = _judged(answers[:-1], answers[-1])
        reason = f"{one.model}, {one.wire.value}: {said}" if said else ""
        results.append(told(NAME, sight, outcome, reason, subject=one.wire.value))
        tokens += sum(each.tokens for each in answers)
    return Found(results=results, tokens=tokens)


def _judged(shown: Sequence[Answer], plain: Answer) -> tuple[bool | None, str]:
    """Limits, and what fails without a picture too, say nothing of pictures."""
    troubles = {mode: _trouble(one) for mode, one in zip(MODES.values(), shown, strict=True)}
    said = "; ".join(f"{mode} {trouble}" for mode, trouble in troubles.items() if trouble)
    if not said:
        return True, ""
    if silent := next((one for one in (*shown, plain) if is_ours(one) or one.fault in RATE_LIMITED), None):
        return None, silent.reason
    if trouble := _trouble(plain):
        return None, f"the same request without a picture fails too: {trouble}"
    return False, f"a tool's result with a picture does not come through: {said}"


def _trouble(one: Answer) -> str:
    if one.ok:
        return "the answer is empty" if is_empty(one) else ""
    return one.reason


OPTIONS = ToolImageOptions
