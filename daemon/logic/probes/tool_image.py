"""`tool_image`: a small picture in the result of a tool, in the shapes of clients, at once and as a stream."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.event import Wire
from daemon.domain.probe import Ask, Reply
from daemon.domain.units import Duration
from daemon.logic.canary import MODES, Answer
from daemon.logic.canary_images import image_canary
from daemon.logic.probe import Found, Sight
from daemon.logic.provider_canaries import is_empty, is_ours
from daemon.logic.providers import RATE_LIMITED
from daemon.logic.wire_canaries import Target, asked, judged, targets

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


def requests(options: ToolImageOptions, sight: Sight) -> Sequence[Ask]:
    """Three of each wire."""
    return asked(targets(options.wires, options.models, sight), _asks)


def _asks(one: Target) -> list[Ask]:
    shown = [image_canary(one.model, one.wire, stream=stream) for stream in MODES]
    return [*shown, image_canary(one.model, one.wire, image=False)]


def verdict(options: ToolImageOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each wire."""
    those = targets(options.wires, options.models, sight)
    return judged(NAME, sight, those, replies, _asks, lambda _, answers: _judged(answers[:-1], answers[-1]))


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
