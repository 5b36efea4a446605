"""`usage_parity`: the same small request at once and as a stream, and whether both count the same tokens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.event import Fault, Wire
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.units import Duration, Ratio
from daemon.domain.usage import TokenUsage
from daemon.logic.canary import MODES, Answer, Spoken, answer, canary, model_for, no_quota, nobody_to_ask
from daemon.logic.probe import Found, Sight, told
from daemon.logic.provider_canaries import LIMITS

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    wire: Wire
    model: str | None
    why_not: str
    """Why it is not asked, in words; empty where it is."""


def requests(options: UsageParityOptions, sight: Sight) -> Sequence[Ask]:
    """Both modes of each wire."""
    asked = [one for one in _pairs(options, sight) if not one.why_not]
    return [_ask(one, stream, options) for one in asked for stream in MODES]


def _pairs(options: UsageParityOptions, sight: Sight) -> Iterator[_Pair]:
    for wire in options.wires:
        model = model_for(wire, options.models, sight)
        known = sight.reachable and model is not None
        yield _Pair(wire=wire, model=model, why_not=no_quota(model or "", sight) if known else nobody_to_ask(sight))


def _ask(one: _Pair, stream: bool, options: UsageParityOptions) -> Ask:
    return canary(one.model or "", one.wire, stream=stream, text=_TEXT, tokens=options.tokens)


def verdict(options: UsageParityOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of each wire."""
    rest, results, tokens = iter(replies), list[ProbeResult](), 0
    for one in _pairs(options, sight):
        if one.why_not:
            results.append(told(NAME, sight, None, one.why_not, subject=one.wire.value))
            continue
        answers = [answer(_ask(one, stream, options), next(rest), sight.wires) for stream in MODES]
        outcome, said = _compared(one.wire, answers, options)
        reason = f"{one.model}, {one.wire.value}: {said}" if said else ""
        results.append(told(NAME, sight, outcome, reason, subject=one.wire.value))
        tokens += sum(each.tokens for each in answers)
    return Found(results=results, tokens=tokens)


def _compared(wire: Wire, answers: Sequence[Answer], options: UsageParityOptions) -> tuple[bool | None, str]:
    """What failed, broke off or met its limit explains any difference."""
    if failed := "; ".join(f"{mode} {_why(one)}" for mode, one in _by_mode(answers) if not one.ok):
        return None, f"{failed}: not compared"
    difference = _difference(wire, [_usage(one) for one in answers], options)
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
