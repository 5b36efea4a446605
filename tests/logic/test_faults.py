"""How a request ended and who is at fault, over the error shapes of all builds."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.event import Fault, Outcome
from daemon.domain.facts import ErrorFacts, ResponseFacts
from daemon.logic.error_reading import read_error
from daemon.logic.faults import classify
from tests.logic.wires.answers import WIRES, read

RECORDED: list[tuple[str, int, Any, str]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "upstream_errors.json").read_text()
)
OK = (Outcome.OK, None)
ABORT = (Outcome.CLIENT_ABORT, None)
DRAIN = (Outcome.CUT_BY_DRAIN, None)


def _failed(fault: Fault) -> tuple[Outcome, Fault]:
    return Outcome.FAILED, fault


def _body(told: Any) -> bytes:
    return b"" if told is None else told.encode() if isinstance(told, str) else json.dumps(told).encode()


@pytest.mark.parametrize(("status", "told", "fault"), [row[1:] for row in RECORDED], ids=[row[0] for row in RECORDED])
def test_recorded_errors_have_their_fault_on_every_wire(status: int, told: Any, fault: str) -> None:
    """Any vendor's body may come on any wire."""
    for wire in WIRES:
        facts = read(wire, [_body(told)], status=status, stream=False)
        assert classify(status=status, facts=facts) == _failed(Fault(fault))


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"error": {"message": "m", "type": "server_error", "code": "internal_server_error"}}, Fault.ERROR_IN_STREAM),
        ({"error": {"message": "stream closed before response.completed"}}, Fault.ERROR_IN_STREAM),
        ({"type": "error", "error": {"type": "api_error", "message": "m"}}, Fault.ERROR_IN_STREAM),
        ({"error": {"code": 500, "status": "INTERNAL", "message": "m"}}, Fault.ERROR_IN_STREAM),
        ({"error": "text"}, Fault.ERROR_IN_STREAM),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Fault.OVERLOADED),
        ({"type": "error", "code": "server_is_overloaded", "message": "m"}, Fault.OVERLOADED),
        ({"error": {"code": 529, "message": "m"}}, Fault.OVERLOADED),
        ({"error": {"message": "m", "type": "rate_limit_error", "code": "x"}}, Fault.PROVIDER_RATE_LIMITED),
        ({"response": {"error": {"code": "rate_limit_exceeded", "message": "m"}}}, Fault.PROVIDER_RATE_LIMITED),
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m"}}, Fault.PROVIDER_RATE_LIMITED),
        ({"type": "error", "code": "insufficient_quota", "message": "m"}, Fault.PROVIDER_QUOTA),
        ({"error": {"type": "usage_limit_reached", "message": "m"}}, Fault.PROVIDER_QUOTA),
        ({"error": {"type": "billing_error", "message": "m"}}, Fault.PROVIDER_QUOTA),
        ({"error": {"code": "model_cooldown", "message": "All credentials for model m"}}, Fault.LOCAL_COOLDOWN),
        ({"error": {"message": "auth_unavailable: no auth available"}}, Fault.NO_CREDENTIAL),
        ({"error": {"type": "authentication_error", "message": "m"}}, Fault.PROVIDER_AUTH),
        ({"error": {"code": "model_not_found", "message": "m"}}, Fault.MODEL_NOT_FOUND),
        ({"error": {"code": "context_length_exceeded", "message": "m"}}, Fault.CLIENT_ERROR),
        ({"error": {"type": "invalid_request_error", "message": "m"}}, Fault.CLIENT_ERROR),
    ],
)
def test_an_error_under_status_200_is_judged_by_its_own_words(told: Any, fault: Fault) -> None:
    facts = ResponseFacts(error=read_error(_body(told)), terminal=True)
    assert classify(status=200, facts=facts) == _failed(fault)
    assert classify(status=200, facts=facts, client_gone=True, drained=True) == _failed(fault)


FINISHED = ResponseFacts(terminal=True)
UNFINISHED = ResponseFacts()


@pytest.mark.parametrize(
    ("situation", "verdict"),
    [
        ({"status": 200, "facts": FINISHED}, OK),
        ({"status": 200, "facts": FINISHED, "client_gone": True}, OK),
        ({"status": 200, "facts": FINISHED, "upstream_fault": Fault.TRUNCATED}, OK),
        ({"status": 200, "facts": FINISHED, "drained": True}, OK),
        ({"status": 200, "facts": UNFINISHED}, _failed(Fault.TRUNCATED)),
        ({"status": 200, "facts": UNFINISHED, "client_gone": True}, ABORT),
        ({"status": 200, "facts": UNFINISHED, "client_gone": True, "upstream_fault": Fault.TRUNCATED}, ABORT),
        ({"status": 200, "facts": UNFINISHED, "drained": True}, DRAIN),
        ({"status": 200, "facts": UNFINISHED, "drained": True, "client_gone": True}, DRAIN),
        ({"status": 200, "facts": UNFINISHED, "upstream_fault": Fault.TRUNCATED}, _failed(Fault.TRUNCATED)),
        (
            {"status": 200, "facts": UNFINISHED, "upstream_fault": Fault.UPSTREAM_PROTOCOL},
            _failed(Fault.UPSTREAM_PROTOCOL),
        ),
        ({"status": 200, "facts": None}, OK),
        ({"status": 200, "facts": None, "client_gone": True}, ABORT),
        ({"status": 200, "facts": None, "upstream_fault": Fault.TRUNCATED}, _failed(Fault.TRUNCATED)),
        ({"status": 200, "facts": ResponseFacts(terminal=True, incomplete=True)}, _failed(Fault.TRUNCATED)),
        (
            {"status": 200, "facts": ResponseFacts(terminal=True, incomplete=True, finish_reason="max_output_tokens")},
            OK,
        ),
        ({"status": 307, "facts": UNFINISHED}, OK),
        ({"status": None, "facts": None, "upstream_fault": Fault.UPSTREAM_CONNECT}, _failed(Fault.UPSTREAM_CONNECT)),
        ({"status": None, "facts": None, "upstream_fault": Fault.UPSTREAM_TLS}, _failed(Fault.UPSTREAM_TLS)),
        ({"status": None, "facts": None, "upstream_fault": Fault.UPSTREAM_TIMEOUT}, _failed(Fault.UPSTREAM_TIMEOUT)),
        ({"status": None, "facts": None}, _failed(Fault.UPSTREAM_PROTOCOL)),
        ({"status": None, "facts": None, "client_gone": True}, ABORT),
        ({"status": None, "facts": None, "drained": True}, DRAIN),
        ({"status": 499, "facts": None}, ABORT),
        ({"status": 429, "facts": None}, _failed(Fault.PROVIDER_RATE_LIMITED)),
        ({"status": 429, "facts": None, "client_gone": True}, _failed(Fault.PROVIDER_RATE_LIMITED)),
        ({"status": 500, "facts": None, "upstream_fault": Fault.TRUNCATED}, _failed(Fault.PROVIDER_ERROR)),
        ({"status": 400, "facts": None}, _failed(Fault.CLIENT_ERROR)),
        ({"status": 400, "facts": None, "well_formed": True}, _failed(Fault.TRANSLATION)),
        ({"status": 422, "facts": None, "well_formed": True}, _failed(Fault.TRANSLATION)),
        ({"status": 429, "facts": None, "well_formed": True}, _failed(Fault.PROVIDER_RATE_LIMITED)),
    ],
)
def test_endings(situation: dict[str, Any], verdict: tuple[Outcome, Fault | None]) -> None:
    assert classify(**situation) == verdict


_ERRORS = st.builds(
    ErrorFacts,
    status=st.none() | st.integers(100, 599),
    type=st.text(max_size=9),
    code=st.text(max_size=9),
    message=st.text(),
)
_FACTS = st.none() | st.builds(
    ResponseFacts, terminal=st.booleans(), incomplete=st.booleans(), error=st.none() | _ERRORS
)


@given(
    st.none() | st.integers(100, 599), _FACTS, st.sampled_from([None, Fault.TRUNCATED]), st.booleans(), st.booleans()
)
def test_every_ending_is_judged_and_only_failures_have_a_fault(
    status: int | None, facts: ResponseFacts | None, upstream_fault: Fault | None, client_gone: bool, drained: bool
) -> None:
    outcome, fault = classify(
        status=status, facts=facts, upstream_fault=upstream_fault, client_gone=client_gone, drained=drained
    )
    assert (outcome is Outcome.FAILED) is (fault is not None)
