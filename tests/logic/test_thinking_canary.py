"""Whether a level of thinking was heard: by the echo where there is one, else by what was spent."""

from collections.abc import Collection

import pytest

from daemon.domain.event import Outcome
from daemon.domain.facts import ResponseFacts
from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage
from daemon.logic.canary import Answer
from daemon.logic.thinking_canary import Shape, heard
from daemon.logic.thinking_reading import from_budget, from_level


def answered(tokens: int | None = None, applied: ThinkingSetting | None = None) -> Answer:
    usage = TokenUsage(reasoning_tokens=tokens)
    return Answer(outcome=Outcome.OK, facts=ResponseFacts(usage=usage, thinking_processed=applied))


@pytest.mark.parametrize(
    ("level", "tokens", "expected"),
    [
        ("high", 40, True),
        ("high", 1, True),
        ("high", 0, False),
        ("medium", 0, False),
        ("low", 0, None),
        ("high", None, None),
        ("low", 1536, True),
        ("low", 1537, False),  # without bounds
    ],
)
def test_by_what_was_spent(level: str, tokens: int | None, expected: bool | None) -> None:
    outcome, reason = heard(Shape.ANTHROPIC, level, answered(tokens))
    assert (outcome, bool(reason)) == (expected, expected is not True)


def test_a_level_without_a_budget_has_no_bounds() -> None:
    assert heard(Shape.CHAT, "low", answered(5000)) == (True, "")


@pytest.mark.parametrize(
    ("level", "applied", "also", "expected"),
    [
        ("high", from_level("high"), (), True),
        ("high", from_budget(20_000), (), True),
        ("max", from_level("xhigh"), (), True),
        ("high", from_level("low"), (), False),
        ("high", from_level("none"), (), False),
        ("high", from_level("auto"), (), False),
        ("high", from_level("medium"), ("medium",), True),
        ("high", from_level("low"), ("medium",), False),
    ],
)
def test_the_echo_goes_before_what_was_spent(
    level: str, applied: ThinkingSetting, also: Collection[str], expected: bool
) -> None:
    outcome, reason = heard(Shape.RESPONSES, level, answered(0, applied), also)
    assert (outcome, reason) == (
        expected,
        "" if expected else f"{level} was asked for, {applied.canonical} was applied",
    )
