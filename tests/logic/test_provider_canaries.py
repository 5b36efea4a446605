"""Which answers say something of a provider."""

import pytest

from daemon.domain.event import Outcome
from daemon.domain.facts import ErrorFacts, ResponseFacts
from daemon.logic.canary import Answer
from daemon.logic.provider_canaries import is_empty, is_ours


@pytest.mark.parametrize(
    ("outcome", "facts", "expected"),
    [
        (Outcome.OK, ResponseFacts(empty_payload=True, finish_reason="stop"), True),
        (Outcome.OK, ResponseFacts(empty_payload=True, finish_reason="length"), False),
        (Outcome.OK, ResponseFacts(empty_payload=False, finish_reason="stop"), False),
        (Outcome.OK, ResponseFacts(), False),
        (Outcome.FAILED, ResponseFacts(empty_payload=True), False),
        (Outcome.OK, None, False),
    ],
)
def test_empty_is_what_ended_well_and_not_by_our_limit(
    outcome: Outcome, facts: ResponseFacts | None, expected: bool
) -> None:
    assert is_empty(Answer(outcome=outcome, facts=facts)) is expected


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        (None, "", True),
        (Outcome.FAILED, "runbookd_upstream_connect", True),
        (Outcome.FAILED, "internal_server_error", False),
        (Outcome.OK, "", False),
    ],
)
def test_what_our_own_proxy_says_is_not_the_providers(outcome: Outcome | None, code: str, expected: bool) -> None:
    assert is_ours(Answer(outcome=outcome, facts=ResponseFacts(error=ErrorFacts(code=code)))) is expected
