"""Canaries that ask for a level of thinking in every shape that clients use, and whether they were heard."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from daemon.domain.event import Wire
from daemon.domain.probe import Ask
from daemon.domain.thinking import MUST_THINK, ThinkingSetting, thinking_match
from daemon.logic.canary import Answer, canary
from daemon.logic.thinking_reading import from_level

BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 128_000}
"""What the upstream takes a level for."""
OVERDRAWN = 1.5
"""So many times its budget, and a model thinks without bounds."""
ROOM = 1024
"""For the answer, beside the thinking."""
_TEXT = "A bat and a ball cost 1.10 together. The bat costs 1 more than the ball. What does the ball cost?"


class Shape(StrEnum):
    """How a client says it."""

    RESPONSES = "reasoning.effort"
    CHAT = "reasoning_effort"
    ANTHROPIC = "budget_tokens"
    GEMINI_CAMEL = "thinkingBudget"
    GEMINI_SNAKE = "thinking_budget"
    SUFFIX = "suffix"


WIRE_OF: Mapping[Shape, Wire] = {
    Shape.RESPONSES: Wire.OPENAI_RESPONSES,
    Shape.CHAT: Wire.OPENAI_CHAT,
    Shape.ANTHROPIC: Wire.ANTHROPIC_MESSAGES,
    Shape.GEMINI_CAMEL: Wire.GEMINI_GENERATE_CONTENT,
    Shape.GEMINI_SNAKE: Wire.GEMINI_GENERATE_CONTENT,
    Shape.SUFFIX: Wire.OPENAI_CHAT,
}
_BUDGETED = frozenset({Shape.ANTHROPIC, Shape.GEMINI_CAMEL, Shape.GEMINI_SNAKE})


def thinking_canary(model: str, shape: Shape, level: str, *, stream: bool) -> Ask:
    """A small question that asks for a level, or for its budget where the shape has budgets."""
    asked = f"{model}({level})" if shape is Shape.SUFFIX else model
    room = BUDGETS[level] + ROOM
    return canary(asked, WIRE_OF[shape], stream=stream, text=_TEXT, tokens=room, **_fields(shape, level, room))


def _fields(shape: Shape, level: str, room: int) -> dict[str, Any]:
    budget = BUDGETS[level]
    match shape:
        case Shape.RESPONSES:
            return {"reasoning": {"effort": level}}
        case Shape.CHAT:
            return {"reasoning_effort": level}
        case Shape.ANTHROPIC:
            return {"thinking": {"type": "enabled", "budget_tokens": budget}}
        case Shape.GEMINI_CAMEL:
            return _config(room, thinkingBudget=budget)
        case Shape.GEMINI_SNAKE:
            return _config(room, thinking_budget=budget)
        case Shape.SUFFIX:
            return {}


def _config(room: int, **thinking: int) -> dict[str, Any]:
    return {"generationConfig": {"maxOutputTokens": room, "thinkingConfig": thinking}}


def heard(shape: Shape, level: str, answer: Answer, also: Collection[str] = ()) -> tuple[bool | None, str]:
    """Whether a good answer was thought about as asked, and why not; None where it does not say.

    `also` are levels that the model has instead: to be given one of them is no drift.
    """
    facts = answer.facts
    applied = facts.thinking_processed if facts else None
    if applied is not None:
        return _echoed(level, applied, also)
    tokens = facts.usage.reasoning_tokens if facts and facts.usage else None
    if tokens is None:
        return None, "the answer does not say how it was thought about"
    if tokens == 0:
        if level in MUST_THINK:
            return False, f"{level} was asked for, and no token was spent on thinking"
        return None, "no token was spent on thinking, which so low a level allows"
    if shape in _BUDGETED and tokens > OVERDRAWN * BUDGETS[level]:
        return False, f"a budget of {BUDGETS[level]} was asked for, and {tokens} tokens were spent on thinking"
    return True, ""


def _echoed(level: str, applied: ThinkingSetting, also: Collection[str]) -> tuple[bool | None, str]:
    fits = applied.canonical in also or thinking_match(from_level(level), applied)
    return fits, "" if fits else f"{level} was asked for, {applied.canonical} was applied"
