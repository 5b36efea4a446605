"""Reads which thinking was asked for, in every shape that clients use, and which was echoed."""

import re

from daemon.domain.thinking import LEVELS, ThinkingSetting, level_of
from daemon.logic.json_peek import inside

_SUFFIX = re.compile(r"(.+)\(([^()]*)\)", re.DOTALL)
_MOST_BUDGET = 1 << 53


def split_suffix(model: str) -> tuple[str, str]:
    """A model and its suffix in parentheses: `gpt-5.5(high)` is `gpt-5.5` and `high`; empty without one."""
    match = _SUFFIX.fullmatch(model)
    return (match[1], match[2]) if match else (model, "")


def from_suffix(model: str | None) -> ThinkingSetting | None:
    """`model(high)`, `model(8192)`, `model(none)`, `model(auto)`, `model(-1)`; a word nobody knows says nothing."""
    if model is None or not model.endswith(")"):
        return None
    return from_word(split_suffix(model)[1].strip())


def from_word(word: str) -> ThinkingSetting | None:
    """A level by name, or a budget in digits."""
    if re.fullmatch(r"-?[0-9]{1,15}", word):
        return from_budget(int(word))
    return from_level(word)


def from_level(value: object) -> ThinkingSetting | None:
    """A level by name, also `none` and `auto`; None for any other word."""
    level = value.lower() if isinstance(value, str) else ""
    if level in ("none", "auto"):
        return ThinkingSetting(mode=level)
    return ThinkingSetting(mode="level", level=level) if level in LEVELS else None


def from_budget(value: object) -> ThinkingSetting | None:
    """A budget in tokens: 0 is none, -1 leaves it to the model."""
    if type(value) is not int or not -1 <= value < _MOST_BUDGET:
        return None
    level = level_of(value)
    if level in ("none", "auto"):
        return ThinkingSetting(mode=level, budget=value)
    return ThinkingSetting(mode="budget", level=level, budget=value)


def from_effort(*efforts: object) -> ThinkingSetting | None:
    """OpenAI's `reasoning_effort` and `reasoning.effort`: the first that says something."""
    for effort in efforts:
        if effort is not None and (setting := from_level(effort)):
            return setting
    return None


def from_claude(thinking: object, output_config: object) -> ThinkingSetting | None:
    """Anthropic's `thinking`: enabled with a budget, disabled, or adaptive with an effort beside it."""
    match inside(thinking, "type"):
        case "disabled":
            return ThinkingSetting(mode="none")
        case "enabled":
            budget = from_budget(inside(thinking, "budget_tokens"))
            return budget or from_level(inside(thinking, "effort")) or ThinkingSetting(mode="auto")
        case "adaptive" | "auto":
            return from_level(inside(output_config, "effort")) or ThinkingSetting(mode="auto")
    return None


def from_gemini(config: object) -> ThinkingSetting | None:
    """Gemini's `thinkingConfig`, in both spellings; `includeThoughts` is display only."""
    return (
        from_level(inside(config, "thinkingLevel"))
        or from_level(inside(config, "thinking_level"))
        or from_budget(inside(config, "thinkingBudget"))
        or from_budget(inside(config, "thinking_budget"))
    )
