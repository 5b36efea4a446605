"""Messages for programs: the JSON of Alertmanager's webhook, version 4."""

import json
from dataclasses import replace

from daemon.domain.alert import AlertState, Severity
from daemon.domain.notification import Message, NotificationReason
from daemon.logic.alertmanager import NEVER, payload, plain
from daemon.logic.grouping import stories
from daemon.logic.news import News
from tests.logic.timeline import an_alert

MESSAGE = Message(title="[critical] A codex", body="words\n")
FIRED, ENDED = 1_767_225_600_000, 1_767_225_661_500


def firing(name: str = "A", provider: str = "codex", **more: object) -> News:
    alert = replace(
        an_alert(name, Severity.CRITICAL),
        labels=(("provider_key", provider),),
        state=AlertState.FIRING,
        fired_at=FIRED,
        summary="many fail",
        runbook="https://runbook",
        **more,  # type: ignore[arg-type]
    )
    return News(reason=NotificationReason.OPENED, firing=stories([alert]), closed={})


def said(found: News) -> dict[str, object]:
    group = {"receiver": "hook", "group_key": "{}", "group_by": ("alert", "provider_key", "model_id")}
    return dict(payload(found, MESSAGE, public_url="http://nas:8319", **group))  # type: ignore[arg-type]


def test_it_has_every_field_that_alertmanager_sends() -> None:
    labels = {"alertname": "A", "severity": "critical", "provider_key": "codex"}
    annotations = {"summary": "many fail", "runbook_url": "https://runbook"}
    found = said(firing())
    (told,) = found.pop("alerts")  # type: ignore[misc]
    assert told.pop("fingerprint")
    assert told == {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2026-01-01T00:00:00.000Z",
        "endsAt": NEVER,
        "generatorURL": "http://nas:8319",
    }
    assert found == {
        "version": "4",
        "groupKey": "{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "hook",
        "groupLabels": {"alertname": "A", "provider_key": "codex"},
        "commonLabels": labels,
        "commonAnnotations": {**annotations, "title": MESSAGE.title, "description": MESSAGE.body},
        "externalURL": "http://nas:8319",
    }


def test_what_has_ended_says_when() -> None:
    found = firing()
    (story,) = found.firing.values()
    ended = replace(story.alert, state=AlertState.RESOLVED, resolved_at=ENDED)
    whole = said(News(reason=NotificationReason.CLOSED, firing={}, closed=stories([ended])))
    (told,) = whole["alerts"]  # type: ignore[misc]
    assert (whole["status"], told["status"]) == ("resolved", "resolved")
    assert told["endsAt"] == "2026-01-01T00:01:01.500Z"


def test_common_is_what_all_of_them_say() -> None:
    one, other = firing(), firing("B", "codex")
    both = News(reason=NotificationReason.OPENED, firing={**one.firing, **other.firing}, closed={})
    assert said(both)["commonLabels"] == {"severity": "critical", "provider_key": "codex"}
    assert said(both)["groupLabels"] == {"provider_key": "codex"}


def test_of_very_many_a_hundred_are_told_and_the_rest_are_counted() -> None:
    many = {f"e{number}": story for number in range(1000) for story in firing(f"A{number}").firing.values()}
    whole = said(News(reason=NotificationReason.OPENED, firing=many, closed={}))
    assert (len(whole["alerts"]), whole["truncatedAlerts"]) == (100, 900)  # type: ignore[arg-type]


def test_hostile_words_stay_short_and_are_never_interpreted() -> None:
    hostile = "</script>{{x}} %s \x1b\u202e@everyone" + "A" * 1_000_000
    whole = said(firing(provider=hostile))
    assert len(json.dumps(whole)) < 5000
    assert whole["commonLabels"]["provider_key"].startswith("</script>{{x}} %s")  # type: ignore[index]


def test_a_notice_alone_opens_nothing() -> None:
    whole = said(News(reason=NotificationReason.MITIGATION, firing={}, closed={}))
    assert (whole["status"], whole["alerts"], whole["commonLabels"]) == ("resolved", [], {})


def test_a_test_is_an_alert_of_its_own() -> None:
    whole = plain(MESSAGE, "hook")
    assert (whole["status"], whole["receiver"], whole["groupLabels"]["alertname"]) == (
        "firing",
        "hook",
        "RunbookdTest",
    )
