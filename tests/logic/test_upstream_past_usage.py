"""Usage statistics of older upstreams: turns with models and tokens, and tallies out of them."""

from typing import Any

import pytest

from daemon.domain.event import Outcome
from daemon.domain.upstream_past import Account, Holder
from daemon.logic.upstream_past_usage import account, tallies
from tests.logic.past import MINUTE, NOW, detail, usage

HOLDERS = {"codex-1": Holder(provider_key="codex", auth_index="codex-1", name="codex.json")}


def told(**models: list[dict[str, Any]]) -> Account:
    found = account(usage(**models), HOLDERS, NOW)
    assert found is not None
    return found


def test_a_detail_is_a_turn() -> None:
    (event,) = told(
        spark=[detail(NOW - 500, input_tokens=12, output_tokens=0, cached_tokens=3, total_tokens=12)]
    ).events
    assert (event.emitted_at, event.requested_model, event.outcome) == (NOW - 500, "spark", Outcome.OK)
    assert (event.provider_key, event.credential) == ("codex", "codex.json")
    assert (event.input_tokens, event.output_tokens, event.reasoning_tokens) == (12, 0, None)
    assert (event.cache_read_tokens, event.usage) == (3, "counted")


def test_usage_that_counts_nothing_is_zero_and_of_a_failure_none_was_due() -> None:
    good, bad = told(spark=[detail(NOW - 2, total_tokens=0), detail(NOW - 1, failed=True, total_tokens=0)]).events
    assert (good.usage, bad.usage) == ("zero", None)
    assert (bad.outcome, bad.fault, bad.status) == (Outcome.FAILED, None, None)


def test_models_are_told_in_one_line_of_time() -> None:
    found = told(a=[detail(NOW - 3000)], b=[detail(NOW - 5000), detail(NOW - 1000)])
    assert [event.requested_model for event in found.events] == ["b", "a", "b"]
    assert found.since == NOW - 5000


def test_a_credential_that_is_gone_is_not_known() -> None:
    (event,) = told(spark=[detail(NOW, auth_index="gone")]).events
    assert (event.provider_key, event.credential) == ("unknown", None)


def test_tallies_are_of_ten_minutes_and_of_known_credentials() -> None:
    early, late = NOW - 15 * MINUTE, NOW - MINUTE
    found = tallies(told(a=[detail(early), detail(early, failed=True), detail(late), detail(late, auth_index="x")]))
    assert [((one.since - NOW) // MINUTE, one.succeeded, one.failed) for one in found] == [(-20, 1, 1), (-10, 1, 0)]


@pytest.mark.parametrize(
    "reply", [None, {}, {"usage": {"apis": []}}, usage(a=[{"timestamp": "today"}]), usage(a=[{"timestamp": None}])]
)
def test_what_tells_nothing_is_no_account(reply: Any) -> None:
    assert account(reply, HOLDERS, NOW) is None
