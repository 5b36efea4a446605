"""What a new provider has to show: each step as a table of what is seen and what is said."""

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.domain.inventory import Lists, ModelEntry
from daemon.logic import onboarding
from daemon.logic.onboarding import Step


def listed(*models: tuple[str, str | None]) -> Lists:
    return {"default": [ModelEntry(model_id=model, owned_by=owner) for model, owner in models]}


PLAIN = listed(("b/m1", "x"), ("b/m2", "x"), ("bb/m3", "x"))


@pytest.mark.parametrize(
    ("wanted", "lists", "ok", "said"),
    [
        ([], PLAIN, True, "2 listed: b/m1, b/m2"),
        (["m1", "b/m2"], PLAIN, True, "2 listed"),
        (["m1", "m9"], PLAIN, False, "not listed: b/m9"),
        ([], listed(("m1", "x")), False, "no id begins with b/"),
        ([], None, False, "lists no models to us"),
    ],
)
def test_the_expected_ids_are_listed(wanted: Sequence[str], lists: Lists | None, ok: bool, said: str) -> None:
    step = onboarding.models_step("b", wanted, lists)
    assert step.ok is ok
    assert said in step.said


@pytest.mark.parametrize(
    ("lists", "collisions", "ok", "said"),
    [
        (PLAIN, {}, True, "each id means one model"),
        (listed(("b/m1", "x"), ("b/m1", "x")), {}, False, "b/m1 is listed twice"),
        (listed(("b/m1", "x"), ("m1", "x")), {}, True, "each id"),
        (listed(("b/m1", "x"), ("m1", "y")), {}, False, "m1 without the prefix is y's"),
        (listed(("c/m1", "x"), ("c/m1", "x")), {}, True, "each id"),
        (PLAIN, {"m2": "an alias hides m2"}, False, "an alias hides m2"),
        (PLAIN, {"m3": "an alias hides m3"}, True, "each id"),
    ],
)
def test_each_id_means_one_model(lists: Lists, collisions: dict[str, str], ok: bool, said: str) -> None:
    step = onboarding.aliases_step("b", lists, collisions)
    assert step.ok is ok
    assert said in step.said


def test_the_same_id_for_two_client_keys_is_not_twice() -> None:
    assert onboarding.aliases_step("b", {**PLAIN, "other": PLAIN["default"]}, {}).ok


def a_report(**changes: Any) -> dict[str, Any]:
    facts = {"model": "b/m1", "stream": False, "outcome": "ok", "reason": "", "tokens": 9, "usage_present": True}
    return facts | changes


@pytest.mark.parametrize(
    ("reports", "ok", "said"),
    [
        ([a_report(), a_report(stream=True)], True, "2 good answers in both modes, 18 tokens"),
        ([a_report(), a_report(stream=True, outcome="failed", reason="truncated")], False, "b/m1, streamed: truncated"),
        ([a_report(outcome=None, reason="no key")], False, "no key"),
        ([a_report(usage_present=False)], False, "does not say its usage"),
        ([], False, "no model"),
    ],
)
def test_canaries_have_to_be_good_in_both_modes(reports: list[dict[str, Any]], ok: bool, said: str) -> None:
    step = onboarding.canaries_step(reports)
    assert step.ok is ok
    assert said in step.said


def test_the_verdict_names_what_is_not_clean() -> None:
    good, bad = Step(name="models", ok=True, said=""), Step(name="canary", ok=False, said="")
    assert onboarding.verdict_step("b", [good]).ok
    refused = onboarding.verdict_step("b", [good, bad])
    assert (refused.ok, refused.said) == (False, "b must not get traffic yet: see canary")
