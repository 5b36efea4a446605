"""What failures have in common: a planted cause is found, noise is not."""

from collections.abc import Collection, Mapping, Sequence
from random import Random
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.domain.event import Event, Fault
from daemon.logic.common_cause import common_cause
from daemon.logic.findings import CHANCE, CIRCUMSTANCES
from tests.logic.playing import T0, an_event

RULE_SAYS = ("fault", "status", "provider_key")
"""What the alert names itself, in most of these tests."""
CHOICES: Mapping[str, Sequence[Any]] = {
    "credential": ("c3f1", "a001", "b002", "d004"),
    "requested_model": ("gpt-5.4", "gpt-5.5", "gpt-5.3-codex-spark"),
    "client": ("codex-cli", "claude-cli", "amp"),
    "stream": (True, False),
    "has_tool_use": (True, False),
    "endpoint": ("/v1/chat/completions", "/v1/responses"),
    "node_id": ("nas", "attic"),
    "prefix": ("team", None),
    "thinking_requested_level": ("high", "low", None),
}


TEN_MINUTES_MS = 600_000


def events(count: int, *, bad: bool, **changes: Any) -> list[Event]:
    """Spread evenly over the same ten minutes."""
    return [an_event(T0 + n * TEN_MINUTES_MS // count, bad=bad, **changes) for n in range(count)]


def random_events(random: Random, count: int, *, bad: bool, **planted: Any) -> list[Event]:
    """With an auth_index that says the same as the credential, as in real life."""
    found = []
    for n in range(count):
        facts = {name: random.choice(values) for name, values in CHOICES.items()} | planted
        found.append(
            an_event(T0 + n * TEN_MINUTES_MS // count, bad=bad, auth_index=f"i-{facts['credential']}", **facts)
        )
    return found


C3F1: dict[str, Any] = {"credential": "c3f1", "stream": True}
OTHERS: dict[str, Any] = {"credential": "a001", "stream": True}


@pytest.mark.parametrize(
    ("failures", "good", "says"),
    [
        pytest.param(
            events(17, bad=True, **C3F1) + events(1, bad=True, **OTHERS),
            events(4, bad=False, **C3F1) + events(190, bad=False, **OTHERS),
            "94% of failures: credential c3f1; 2% of the rest",
            id="one value",
        ),
        pytest.param(
            events(18, bad=True, **C3F1),
            events(60, bad=False, credential="c3f1", stream=False) + events(60, bad=False, **OTHERS),
            "all failures: credential c3f1, stream; none of the rest",
            id="two values together",
        ),
        pytest.param(
            events(18, bad=True, **C3F1, client="amp"),
            events(40, bad=False, **C3F1, client="codex-cli")
            + events(40, bad=False, **OTHERS, client="amp")
            + events(40, bad=False, credential="c3f1", stream=False, client="amp"),
            "all failures: credential c3f1, client amp, stream; none of the rest",
            id="three values together",
        ),
        pytest.param(
            events(4, bad=True, **C3F1),
            events(2, bad=False, **C3F1) + events(99, bad=False, **OTHERS),
            "all failures: credential c3f1; 2% of the rest",
            id="four failures are enough",
        ),
        pytest.param(
            events(9, bad=True, has_tool_result_image=True, stream=False),
            events(90, bad=False, has_tool_result_image=False, stream=False),
            "all failures: image in a tool result; none of the rest",
            id="a flag in words",
        ),
        pytest.param(
            events(9, bad=True, stream=False), events(90, bad=False, stream=True),
            "all failures: no stream; none of the rest",
            id="a flag that is off",
        ),
        pytest.param(
            events(999, bad=True, **C3F1) + events(1, bad=True, **OTHERS),
            events(1, bad=False, **C3F1) + events(999, bad=False, **OTHERS),
            "99% of failures: credential c3f1; 1% of the rest",
            id="almost all is not all and hardly any is not none",
        ),
        pytest.param(events(3, bad=True, **C3F1), events(99, bad=False, **OTHERS), "", id="three failures are not"),
        pytest.param(events(50, bad=True, **C3F1), [], "", id="nothing went well: nothing to compare with"),
        pytest.param(events(50, bad=True, **C3F1), events(500, bad=False, **C3F1), "", id="all events have it"),
        pytest.param(
            events(6, bad=True, **C3F1) + events(4, bad=True, **OTHERS),
            events(200, bad=False, credential="b002", stream=True),
            "all failures: credential c3f1 or a001; none of the rest",
            id="two of three",
        ),
        pytest.param(
            events(17, bad=True, **C3F1) + events(1, bad=True, **OTHERS),
            events(190, bad=False, credential="b002", stream=True),
            "94% of failures: credential c3f1; none of the rest",
            id="what a few have beside it is not told",
        ),
        pytest.param(
            events(6, bad=True, has_tool_use=True) + events(4, bad=True, has_tool_use=False),
            events(90, bad=False),
            "60% of failures: tool use; none of the rest",
            id="yes and no are not two of many",
        ),
        pytest.param(
            [event for name in ("c3f1", "a001", "d004", "e005") for event in events(3, bad=True, credential=name)],
            events(200, bad=False, credential="b002"),
            "",
            id="half of the failures are not most",
        ),
        pytest.param(
            events(12, bad=True, **C3F1) + events(8, bad=True, **OTHERS),
            events(80, bad=False, **C3F1) + events(120, bad=False, **OTHERS),
            "",
            id="a little more often than the rest",
        ),
        pytest.param(
            events(200, bad=True, **C3F1),
            events(300, bad=False, **C3F1) + events(200, bad=False, **OTHERS),
            "",
            id="most of the rest have it too",
        ),
        pytest.param(
            events(5, bad=True, **C3F1),
            events(4, bad=False, **C3F1) + events(6, bad=False, **OTHERS),
            "",
            id="chance would do it",
        ),
    ],
)  # fmt: skip
def test_what_stands_out(failures: Sequence[Event], good: Sequence[Event], says: str) -> None:
    assert common_cause(failures, good, RULE_SAYS) == says


def test_what_the_alert_says_itself_is_not_said_again() -> None:
    failures, good = events(18, bad=True, **C3F1), events(99, bad=False, **OTHERS)
    assert common_cause(failures, good, (*RULE_SAYS, "credential")) == ""


def test_the_fault_that_most_show_is_told_where_the_rule_does_not_say_it() -> None:
    cut = events(7, bad=True, fault=Fault.TRUNCATED, **C3F1) + events(3, bad=True, **C3F1)
    good = events(99, bad=False, **OTHERS)
    shown = "0% of failures: fault truncated, 30%: provider_rate_limited"
    assert common_cause(cut, good, ("outcome",)) == f"all failures: credential c3f1; none of the rest. 7{shown}"
    assert common_cause(cut, []) == f"7{shown}"
    assert common_cause(cut[:7], []) == "all failures: fault truncated"
    assert common_cause([*cut[:7] * 3, cut[-1]], []) == "95% of failures: fault truncated"
    assert common_cause(events(9, bad=True, fault=None, status=529), []) == "all failures: status 529"
    free = events(9, bad=False, usage_present=False)
    assert common_cause(free, events(99, bad=False), ("outcome",)) == "all such turns: usage missing"
    slow = events(9, bad=False, **C3F1)
    assert common_cause(slow, events(99, bad=False, **OTHERS)) == "all such turns: credential c3f1; none of the rest"
    assert common_cause(free, [*free, *events(99, bad=False)], ("outcome",)) == ""
    silent = events(9, bad=False, thinking_match=False)
    assert common_cause(silent, events(99, bad=False), ("thinking_match",)) == ""
    mixed = [event for fault in Fault for event in events(2, bad=True, fault=fault)]
    assert common_cause(mixed, events(99, bad=False)) == ""


def test_what_went_well_before_it_failed_tells_nothing() -> None:
    """A model that was half of the traffic begins to fail: until then it went well."""
    spark: dict[str, Any] = {"requested_model": "gpt-5.3-codex-spark"}
    before = events(60, bad=False) + events(60, bad=False, **spark)
    late = [replace(event, emitted_at=event.emitted_at + TEN_MINUTES_MS) for event in events(8, bad=True, **spark)]
    meanwhile = [replace(event, emitted_at=event.emitted_at + TEN_MINUTES_MS) for event in events(9, bad=False)]
    told = "all failures: requested_model gpt-5.3-codex-spark; none of the rest"
    assert common_cause(late, before + meanwhile, RULE_SAYS) == told
    stray = [*events(1, bad=True), *late]
    assert common_cause(stray, before + meanwhile, RULE_SAYS) == told.replace(":", " since 10:10:")
    assert common_cause(late, before, RULE_SAYS) == told.replace("none", "50%")


def test_fields_that_say_the_same_are_one_question() -> None:
    claude = {"client": "claude-code", "wire": "anthropic_messages", "endpoint": "/v1/messages", "prefix": "team"}
    codex = {"client": "codex", "wire": "openai_responses", "endpoint": "/v1/responses", "prefix": "solo"}
    told = "all failures: prefix team; none of the rest"
    split = events(3, bad=True, **claude) + events(3, bad=True, **claude | {"prefix": "two"})
    assert common_cause(split, events(9, bad=False, **codex), RULE_SAYS) == told.replace(
        "prefix team", "client claude-code"
    )
    assert common_cause(events(4, bad=True, **claude), events(5, bad=False, **codex), RULE_SAYS) == told


def test_a_value_of_a_megabyte_is_cut() -> None:
    failures = events(9, bad=True, requested_model="x" * 1_000_000)
    assert len(common_cause(failures, events(99, bad=False), RULE_SAYS)) < 200


planted = st.lists(st.sampled_from(sorted(CHOICES)), min_size=1, max_size=3, unique=True)
share_of_failures = st.sampled_from((0.9, 1.0))


@given(st.integers(), planted, share_of_failures)
def test_a_planted_cause_is_found_and_nothing_else(seed: int, names: Collection[str], share: float) -> None:
    """Good turns have each of the planted values as often as chance will have it, but hardly ever all of them. One that
    tells little beside the others need not be named."""
    random, cause = Random(seed), {name: CHOICES[name][0] for name in names}
    with_it = round(40 * share)
    failures = random_events(random, with_it, bad=True, **cause) + random_events(random, 40 - with_it, bad=True)
    good = [
        event
        for event in random_events(random, 900, bad=False)
        if random.random() < 0.03 or any(getattr(event, name) != value for name, value in cause.items())
    ]
    told = common_cause(failures, good, RULE_SAYS).partition(";")[0].partition(": ")[2].split(", ")
    words = [
        name.replace("has_tool_use", "tool use") if cause[name] is True else f"{name} {cause[name]}" for name in cause
    ]
    assert told != [""]
    assert set(told) <= set(words)


@pytest.mark.parametrize(("most_failures", "most_good"), [(10, 30), (200, 800)])
def test_noise_is_a_cause_less_than_once_in_a_hundred(most_failures: int, most_good: int) -> None:
    named = 0
    for seed in range(600):
        random = Random(seed)
        failures = random_events(random, random.randint(4, most_failures), bad=True)
        named += bool(common_cause(failures, random_events(random, random.randint(5, most_good), bad=False), RULE_SAYS))
    assert named <= 600 * CHANCE


def test_a_thousand_events_cost_little() -> None:
    random = Random(1)
    everywhere: dict[str, Any] = {name: str(random.random()) for name in CIRCUMSTANCES if name not in CHOICES}
    del everywhere["auth_index"], everywhere["wire"], everywhere["has_tool_result_image"]
    failures = random_events(random, 300, bad=True, **everywhere, **C3F1)
    good = random_events(random, 700, bad=False, **everywhere)
    took = []
    for _ in range(5):
        began = perf_counter()
        assert common_cause(failures, good)
        took.append(perf_counter() - began)
    assert min(took) < 0.02
