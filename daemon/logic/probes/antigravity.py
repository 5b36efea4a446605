"""`antigravity`: canaries of each of its models, on one wire after the other: a word, and the call of a tool.

Each model has a verdict of its own, with its share of good answers in the last ten minutes, and one on each wire: these
are the matrix of what works, and when it was seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from daemon.domain.alerts_config import ProbeBudget, ProbeOptions
from daemon.domain.event import Fault, Wire
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.units import Duration, say_duration, say_ratio
from daemon.logic.canary import Answer, Spoken, answer, canary, no_quota
from daemon.logic.canary_tools import tool_canary, tool_trouble
from daemon.logic.probe import Found, Sight, told
from daemon.logic.provider_canaries import TOKENS, is_empty, is_ours, models_of, no_models

EXAMPLE = """\
antigravity: {every: 5m}
"""
COSTS = True

WIRES: tuple[Spoken, ...] = (
    Wire.OPENAI_CHAT,
    Wire.ANTHROPIC_MESSAGES,
    Wire.GEMINI_GENERATE_CONTENT,
    Wire.OPENAI_RESPONSES,
)


class AntigravityOptions(ProbeOptions):
    """Asks each model twice in a run, on the wire whose turn it is: for one word, and for the call of a tool."""

    every: Duration = Field(300.0, ge=10.0)
    budget: ProbeBudget = ProbeBudget(requests=6000, tokens=500_000)
    models: tuple[str, ...] = ()
    """As clients ask for them; unless said, all that the upstream lists as Antigravity's."""
    wires: tuple[Spoken, ...] = Field(WIRES, min_length=1)
    """The wires that your clients speak."""
    window: Duration = 600.0
    """The share of good answers is that of so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """What a run asks of a model; every second round is streamed."""

    wire: Wire
    stream: bool


def requests(options: AntigravityOptions, sight: Sight) -> Sequence[Ask]:
    """Two of each model."""
    if not sight.reachable:
        return []
    turn = _turn(options, sight)
    asked = (model for model in models_of("antigravity", options.models, sight) if not no_quota(model, sight))
    return [ask for model in asked for ask in _asks(model, turn)]


def _turn(options: AntigravityOptions, sight: Sight) -> _Turn:
    rounds, place = divmod(sight.memory.get("runs", 0), len(options.wires))
    return _Turn(wire=options.wires[place], stream=rounds % 2 == 1)


def _asks(model: str, turn: _Turn) -> tuple[Ask, Ask]:
    plain = canary(model, turn.wire, stream=turn.stream, tokens=TOKENS)
    return plain, tool_canary(model, turn.wire, stream=turn.stream)


def verdict(options: AntigravityOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """Of each model, and of each on its wire."""
    models = models_of("antigravity", options.models, sight) if sight.reachable else ()
    if not models:
        return Found(results=[told("antigravity", sight, None, no_models("antigravity", sight))])
    rest, turn, tokens = iter(replies), _turn(options, sight), 0
    past, results = _recent(options, sight), list[ProbeResult]()
    for model in models:
        if spent := no_quota(model, sight):
            results.append(told("antigravity", sight, None, spent, subject=model))
            continue
        heard = [_Heard.of(ask, next(rest), sight) for ask in _asks(model, turn)]
        tokens += sum(one.answer.tokens for one in heard)
        if (silent := next((one.answer for one in heard if one.says_nothing), None)) is not None:
            results.append(told("antigravity", sight, None, silent.reason, subject=model))
            continue
        seen = past.setdefault(model, [])
        seen += [[sight.now, turn.wire.value, not one.trouble] for one in heard]
        results += _told(model, turn, _said(heard), seen, options, sight)
    return Found(results=results, memory={"runs": sight.memory.get("runs", 0) + 1, "seen": past}, tokens=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """One answer; `trouble` is what is wrong with it, in words."""

    answer: Answer
    trouble: str

    @classmethod
    def of(cls, ask: Ask, reply: Reply, sight: Sight) -> "_Heard":
        """As it is judged."""
        one = answer(ask, reply, sight.wires)
        return cls(answer=one, trouble=_trouble(ask, reply, one))

    @property
    def says_nothing(self) -> bool:
        """Nobody asked the model: our own proxy answered, or the upstream while it rests a credential."""
        return is_ours(self.answer) or self.answer.fault is Fault.LOCAL_COOLDOWN


def _recent(options: AntigravityOptions, sight: Sight) -> dict[str, list[Any]]:
    """By model: the instant, the wire, and whether it went well, of all answers that still count."""
    known: Mapping[str, Sequence[Any]] = sight.memory.get("seen", {})
    oldest = sight.now - options.window * 1000
    kept = {model: [one for one in seen if one[0] > oldest] for model, seen in known.items()}
    return {model: seen for model, seen in kept.items() if seen}


def _trouble(ask: Ask, reply: Reply, one: Answer) -> str:
    if not one.ok:
        return one.reason
    if is_empty(one):
        return "the answer is empty"
    return tool_trouble(ask, reply, one) if _has_tool(ask) else ""


def _has_tool(ask: Ask) -> bool:
    return "tools" in (ask.body or {})


def _said(heard: Sequence[_Heard]) -> str:
    return "; ".join(dict.fromkeys(one.trouble for one in heard if one.trouble))


def _told(
    model: str, turn: _Turn, trouble: str, seen: Sequence[Any], options: AntigravityOptions, sight: Sight
) -> Iterator[ProbeResult]:
    """A wire is bad only where the model answers well on another: else it is the model."""
    share = sum(ok for *_, ok in seen) / len(seen)
    where = f"{model}, {turn.wire.value}{', streamed' if turn.stream else ''}"
    lately = f"{say_ratio(share)} of the answers of the last {say_duration(options.window)} were good"
    reason = f"{where}: {trouble} ({lately})" if trouble else ""
    yield told("antigravity", sight, not trouble, reason, subject=model, value=share)
    elsewhere = any(ok for _, wire, ok in seen if wire != turn.wire.value)
    state = None if trouble and not elsewhere else not trouble
    said = reason if state is not None else f"{reason}: it was not seen to answer well on another wire either"
    yield told("antigravity", sight, state, said, subject=f"{model} {turn.wire.value}")


OPTIONS = AntigravityOptions
