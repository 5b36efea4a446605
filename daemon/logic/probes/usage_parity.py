"""`usage_parity`: the same small request at once and as a stream, and whether both count the same tokens."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.event import Fault, Wire
from daemon.domain.probe import Ask, Reply
from daemon.domain.units import Duration, Ratio
from daemon.domain.usage import TokenUsage
from daemon.logic.canary import MODES, Answer, Spoken, canary
from daemon.logic.probe import Found, Sight
from daemon.logic.provider_canaries import LIMITS
from daemon.logic.wire_canaries import Target, asked, judged, targets

EXAMPLE = """\
usage_parity: {wires: [openai_responses, anthropic_messages], models: {openai_responses: gpt-5.4-mini}}
"""
COSTS = True
NAME = "usage_parity"

_TEXT = "Reply with one word: pong"
_OUTSIDE = frozenset({Wire.GEMINI_GENERATE_CONTENT})
"""Here thinking is not counted inside the output."""
_State = Literal["missing", "zero", "counted"]
_SAID: Mapping[_State, str] = {"missing": "there is no usage", "zero": "the usage is zero"}


class UsageParityOptions(ProbeOptions):
    """Asks one model of each wire for one word, twice. Where usage is missing, or tokens of input differ, that is bad;
    output may differ within a band, and an answer that broke off or met its limit is not compared."""

    every: Duration = Field(3600.0, ge=10.0)
    wires: tuple[Spoken, ...] = Field(
        (Wire.OPENAI_RESPONSES, Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI_GENERATE_CONTENT), min_length=1
    )
    """The wires that your clients speak."""
    models: Mapping[Spoken, str] = {}
    """By wire; unless said, the latest small one listed of the family that a wire belongs to."""
    tokens: int = Field(2048, ge=16)
    """The limit of an answer. Small ones are not used up: the rest is for a model that thinks before its word."""
    band: Ratio = 0.5
    """Output may differ by this share of the larger."""
    slack: int = Field(64, ge=0)
    """So many tokens of output are no difference at all."""


def requests(options: UsageParityOptions, sight: Sight) -> Sequence[Ask]:
    """Both modes of each wire."""
    return asked(targets(options.wires, options.models, sight), partial(_asks, options))


def _asks(options: UsageParityOptions, one: Target) -> list[Ask]:
    return [canary(one.model, one.wire, stream=stream, text=_TEXT, tokens=options.tokens) for stream in MODES]


def verdict(options: UsageParityOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each wire."""
    those = targets(options.wires, options.models, sight)
    return judged(NAME, sight, those, replies, partial(_asks, options), partial(_compared, options))


def _compared(options: UsageParityOptions, target: Target, answers: Sequence[Answer]) -> tuple[bool | None, str]:
    """What failed, broke off or met its limit explains any difference."""
    if failed := "; ".join(f"{mode} {_why(one)}" for mode, one in _by_mode(answers) if not one.ok):
        return None, f"{failed}: not compared"
    difference = _difference(target.wire, [_usage(one) for one in answers], options)
    cut = [mode for mode, one in _by_mode(answers) if one.facts and one.facts.finish_reason in LIMITS]
    if difference and cut:
        return None, f"{difference}; the limit of {options.tokens} tokens ended the answer {' and '.join(cut)}"
    return not difference, difference


def _by_mode(answers: Sequence[Answer]) -> Iterator[tuple[str, Answer]]:
    return zip(MODES.values(), answers, strict=True)


def _why(one: Answer) -> str:
    return "the answer broke off" if one.fault is Fault.TRUNCATED else f"the request failed ({one.reason})"


def _usage(one: Answer) -> TokenUsage | None:
    return one.facts.usage if one.facts else None


def _difference(wire: Wire, usages: Sequence[TokenUsage | None], options: UsageParityOptions) -> str:
    """In words; empty where there is none. Nothing counted is a difference from what was asked."""
    states = [_state(wire, one) for one in usages]
    if wrong := [(mode, state) for mode, state in zip(MODES.values(), states, strict=True) if state != "counted"]:
        return " and ".join(f"{mode} {_SAID[state]}" for mode, state in wrong)
    at_once, streamed = [_input(wire, one) for one in usages]
    if at_once != streamed:
        return f"{at_once} tokens of input at once, {streamed} as a stream"
    return _output_difference(wire, [one for one in usages if one is not None], options)


def _state(wire: Wire, usage: TokenUsage | None) -> _State:
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return "missing"
    return "counted" if _input(wire, usage) and _output(wire, usage) else "zero"


def _input(wire: Wire, usage: TokenUsage | None) -> int:
    """What was read from a cache or written to it stands beside the input on one wire, and inside it on the others."""
    if usage is None:
        return 0
    cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    return (usage.input_tokens or 0) + (cached if wire is Wire.ANTHROPIC_MESSAGES else 0)


def _output(wire: Wire, usage: TokenUsage) -> int:
    return (usage.output_tokens or 0) + ((usage.reasoning_tokens or 0) if wire in _OUTSIDE else 0)


def _output_difference(wire: Wire, usages: Sequence[TokenUsage], options: UsageParityOptions) -> str:
    """What is thought differs from answer to answer: it is left out where both tell how much it was."""
    thought = [one.reasoning_tokens for one in usages]
    outputs = [_output(wire, one) for one in usages]
    if None not in thought:
        outputs = [max(0, all_ - (part or 0)) for all_, part in zip(outputs, thought, strict=True)]
    if max(outputs) - min(outputs) <= max(options.slack, options.band * max(outputs)):
        return ""
    return f"{outputs[0]} tokens of output at once, {outputs[1]} as a stream"


OPTIONS = UsageParityOptions
