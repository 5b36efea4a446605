"""Expectations: whether one holds, given all that happened; where it does not, what happened instead, in words."""

from collections.abc import Callable, Mapping

from daemon.domain.expectation import Expectation
from daemon.domain.happened import Happened
from daemon.logic.expected_states import alert_is, mitigation_is, never_fires, upstream_has
from daemon.logic.expected_words import audit_says, explanation_says, message_says, messages_are


def unmet(wanted: Expectation, seen: Happened) -> str | None:
    """What happened instead of what is expected; None where it holds."""
    return _JUDGES[wanted.kind](wanted, seen)


_JUDGES: Mapping[str, Callable[[Expectation, Happened], str | None]] = {
    "alert": alert_is,
    "never": never_fires,
    "mitigation": mitigation_is,
    "upstream": upstream_has,
    "messages": messages_are,
    "message": message_says,
    "explain": explanation_says,
    "audit": audit_says,
}
