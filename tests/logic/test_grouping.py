"""Which alerts share a message, who hears it, and which alert tells an episode's story."""

from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver, Route
from daemon.logic.grouping import group_key, receiver_of, stories
from tests.contracts.things import NOON, an_alert


@pytest.mark.parametrize(
    ("group_by", "key"),
    [
        (("alert", "provider_key"), '{alert="ProviderRateLimited",provider_key="codex"}'),
        (("model_id", "alert"), '{model_id="gpt",alert="ProviderRateLimited"}'),
        (("alert", "workload"), '{alert="ProviderRateLimited",workload=""}'),
        (("severity",), '{severity=""}'),
        ((), "{}"),
    ],
)
def test_the_key_is_the_labels_of_group_by(group_by: tuple[str, ...], key: str) -> None:
    assert group_key(an_alert(), Route(group_by=group_by)) == key


def test_no_label_can_pretend_to_be_two() -> None:
    route = Route(group_by=("a", "b"))
    forged = group_key(an_alert(labels=(("a", 'x",b="y'), ("b", ""))), route)
    assert forged != group_key(an_alert(labels=(("a", "x"), ("b", "y"))), route)


@pytest.mark.parametrize(("name", "heard_by"), [(None, "operators"), ("boss", "boss"), ("gone", "operators")])
def test_a_receiver_that_is_gone_is_the_routes(name: str | None, heard_by: str) -> None:
    config = AlertsConfig(receivers=(Receiver(name="boss"), Receiver(name="operators")))
    assert receiver_of(config, name).name == heard_by


def test_a_route_to_nobody_is_a_receiver_without_urls() -> None:
    assert receiver_of(AlertsConfig(receivers=())) == Receiver(name="operators")


def firing(severity: Severity, at: int, **changes: Any) -> Alert:
    facts: dict[str, Any] = {"state": AlertState.FIRING, "fired_at": at, "since": at} | changes
    return an_alert(severity, severity=severity, **facts)


def ended(severity: Severity, at: int) -> Alert:
    return an_alert(severity, severity=severity, state=AlertState.RESOLVED, fired_at=NOON, resolved_at=at)


@pytest.mark.parametrize(
    ("members", "teller", "opened_at"),
    [
        ([firing(Severity.WARNING, NOON)], "warning", NOON),
        ([firing(Severity.WARNING, NOON), firing(Severity.CRITICAL, NOON + 60)], "critical", NOON),
        (
            [firing(Severity.WARNING, NOON, state=AlertState.CLEARING), ended(Severity.CRITICAL, NOON + 9)],
            "warning",
            NOON,
        ),
        (
            [firing(Severity.WARNING, NOON + 7, state=AlertState.PENDING), ended(Severity.CRITICAL, NOON + 5)],
            "critical",
            NOON,
        ),
        ([ended(Severity.WARNING, NOON + 9), ended(Severity.CRITICAL, NOON + 5)], "warning", NOON),
        ([ended(Severity.WARNING, NOON + 5), ended(Severity.CRITICAL, NOON + 5)], "critical", NOON),
    ],
)
def test_one_alert_tells_the_story(members: list[Alert], teller: str, opened_at: int) -> None:
    (story,) = stories(members).values()
    assert (story.alert.severity, story.opened_at) == (teller, opened_at)
    assert story.fingerprints == {member.fingerprint for member in members}
