"""Thinking is read in every shape that clients use."""

import pytest

from daemon.domain.thinking import ThinkingSetting
from daemon.logic.thinking_reading import from_claude, from_effort, from_gemini, from_suffix, split_suffix

NONE, AUTO = ThinkingSetting(mode="none"), ThinkingSetting(mode="auto")


def level(word: str) -> ThinkingSetting:
    return ThinkingSetting(mode="level", level=word)


def budget(tokens: int, word: str) -> ThinkingSetting:
    return ThinkingSetting(mode="budget", level=word, budget=tokens)


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ("gpt-5.5(high)", level("high")),
        ("gpt-5.5(HIGH)", level("high")),
        ("gpt-5.5(8192)", budget(8192, "medium")),
        ("team/gpt-5.5(512)", budget(512, "minimal")),
        ("gpt-5.5(none)", NONE),
        ("gpt-5.5(0)", ThinkingSetting(mode="none", budget=0)),
        ("gpt-5.5(auto)", AUTO),
        ("gpt-5.5(-1)", ThinkingSetting(mode="auto", budget=-1)),
        ("gpt-5.5(-7)", None),
        ("gpt-5.5(fast)", None),
        ("gpt-5.5()", None),
        ("gpt-5.5", None),
        ("(high)", None),
        (f"m({'9' * 15})", budget(int("9" * 15), "xhigh")),
        (f"m({'9' * 99})", None),
        (None, None),
    ],
)
def test_a_suffix(model: str | None, setting: ThinkingSetting | None) -> None:
    assert from_suffix(model) == setting


def test_a_suffix_is_split_off() -> None:
    assert split_suffix("a(b)(high)") == ("a(b)", "high")
    assert split_suffix("a") == ("a", "")


@pytest.mark.parametrize(
    ("thinking", "output_config", "setting"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, None, budget(1024, "low")),
        ({"type": "enabled", "budget_tokens": 64000}, None, budget(64000, "xhigh")),
        ({"type": "enabled"}, None, AUTO),
        ({"type": "enabled", "effort": "low"}, None, level("low")),
        ({"type": "enabled", "budget_tokens": "many"}, None, AUTO),
        ({"type": "disabled"}, {"effort": "high"}, NONE),
        ({"type": "adaptive"}, {"effort": "high"}, level("high")),
        ({"type": "adaptive"}, {"effort": "max"}, level("max")),
        ({"type": "adaptive"}, None, AUTO),
        ({"type": "auto"}, {}, AUTO),
        (None, {"effort": "high"}, None),
        ("enabled", None, None),
        ([], [], None),
    ],
)
def test_claude(thinking: object, output_config: object, setting: ThinkingSetting | None) -> None:
    assert from_claude(thinking, output_config) == setting


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        ({"thinkingBudget": 24576}, budget(24576, "high")),
        ({"thinking_budget": 1024}, budget(1024, "low")),
        ({"thinkingBudget": -1}, ThinkingSetting(mode="auto", budget=-1)),
        ({"thinkingLevel": "LOW", "thinkingBudget": 9}, level("low")),
        ({"thinking_level": "minimal"}, level("minimal")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
        ({"thinkingBudget": True}, None),
        ({"includeThoughts": True}, None),
        (None, None),
    ],
)
def test_gemini(config: object, setting: ThinkingSetting | None) -> None:
    assert from_gemini(config) == setting


@pytest.mark.parametrize(
    ("efforts", "setting"),
    [
        (("high",), level("high")),
        ((None, "minimal"), level("minimal")),
        (("none", "high"), NONE),
        (("auto",), AUTO),
        (("odd", None), None),
        (({"effort": "high"},), None),
        ((), None),
    ],
)
def test_effort(efforts: tuple[object, ...], setting: ThinkingSetting | None) -> None:
    assert from_effort(*efforts) == setting
