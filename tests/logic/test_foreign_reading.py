"""What others send is read for what it is, bounded, and refused in words where it is not understood."""

from typing import Any

import pytest

from daemon.domain.alert import Severity
from daemon.logic.foreign_reading import (
    LONGEST_SUMMARY,
    LONGEST_VALUE,
    MOST_ALERTS,
    MOST_LABELS,
    RESOLVE_SECONDS,
    UNTOLD_SECONDS,
    alertmanager,
    slack,
)


def an_alert(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "instance": "nas", "severity": "critical"},
        "annotations": {"summary": "disk of nas is full"},
        "startsAt": "2026-11-24T10:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "b1b2",
    }
    return facts | changes


def a_body(*alerts: Any, **changes: Any) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "alerts": list(alerts)} | changes


def labels(**changes: str) -> dict[str, str]:
    return {"alertname": "DiskFull", "instance": "nas"} | changes


def test_an_alert_of_alertmanager_keeps_its_name_labels_and_words() -> None:
    [told] = alertmanager(a_body(an_alert()))
    assert (told.alert, told.severity, told.labels) == ("DiskFull", Severity.CRITICAL, (("instance", "nas"),))
    assert (told.summary, told.is_firing, told.source) == ("disk of nas is full", True, "alertmanager")


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", "critical"),
        ("page", "critical"),
        ("ERROR", "critical"),
        ("warning", "warning"),
        ("info", "warning"),
    ],
)
def test_severities_of_others_become_ours(word: str, severity: str) -> None:
    assert alertmanager(a_body(an_alert(labels=labels(severity=word))))[0].severity == severity


def test_both_severities_of_an_alert_are_one_episode_and_what_others_name_differently_is_another() -> None:
    told = alertmanager(a_body(*(an_alert(labels=labels(severity=word)) for word in ("warning", "critical", "page"))))
    warning, critical, page = told
    assert warning.episode == critical.episode != page.episode
    assert len({one.fingerprint for one in told}) == 3


@pytest.mark.parametrize(
    ("text", "ends_at", "stands"),
    [
        ("0001-01-01T00:00:00Z", None, UNTOLD_SECONDS),
        (None, None, UNTOLD_SECONDS),
        ("2026-11-24T10:00:00Z", 1_795_514_400_000, RESOLVE_SECONDS),
        ("2026-11-24T11:00:00.123456789+01:00", 1_795_514_400_123, RESOLVE_SECONDS),
    ],
)
def test_an_end_that_is_no_end_is_none(text: str | None, ends_at: int | None, stands: float) -> None:
    [told] = alertmanager(a_body(an_alert(endsAt=text)))
    assert (told.ends_at, told.stands_seconds) == (ends_at, stands)


def test_labels_are_bounded_and_still_tell_alerts_apart() -> None:
    many = {f"l{place:02}": "x" * 999 for place in range(50)}
    one, other = alertmanager(
        a_body(an_alert(labels=labels(**many)), an_alert(labels=labels(**many | {"l49": "y" * 999})))
    )
    assert len(one.labels) == MOST_LABELS
    assert max(len(value) for _, value in one.labels) == LONGEST_VALUE
    assert one.labels == other.labels
    assert one.fingerprint != other.fingerprint


def test_words_are_one_line_that_no_terminal_obeys_and_bounded() -> None:
    [told] = alertmanager(a_body(an_alert(annotations={"summary": "a\x1b[31m\r\n" + "b" * 9999, "runbook_url": "x:y"})))
    assert told.summary.startswith("a [31m b")
    assert len(told.summary) == LONGEST_SUMMARY
    assert told.runbook is None
    [told] = alertmanager(a_body(an_alert(annotations={"runbook_url": "https://example.org/r"})))
    assert told.runbook == "https://example.org/r"


def test_halves_of_characters_are_replaced() -> None:
    [told] = alertmanager(a_body(an_alert(labels=labels(pod="a\ud800"), annotations={"summary": "\udfff"})))
    assert (told.labels[1], told.summary) == (("pod", "a?"), "?")
    assert slack({"text": "x\ud800"})[0].summary == "x?"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "a list of `alerts`"),
        ({"alerts": {}}, "a list of `alerts`"),
        (a_body(version="3"), "only version 4"),
        (a_body(*[{}] * (MOST_ALERTS + 1)), "max_alerts"),
        (a_body(an_alert(status="maybe")), "alerts[0].status"),
        (a_body(an_alert(labels={"alertname": 1})), "alerts[0].labels"),
        (a_body(an_alert(annotations=[])), "alerts[0].annotations"),
        (a_body("text"), "alerts[0].labels"),
        (a_body(an_alert(endsAt="soon")), "alerts[0].endsAt"),
        (a_body(an_alert(endsAt="2026-11-24T10:00:00")), "alerts[0].endsAt"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(body: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        alertmanager(body)


def test_a_message_is_an_alert_of_truenas_with_its_entities_undone() -> None:
    [told] = slack({"text": "Pool &lt;tank&gt; is DEGRADED &amp;amp; slow\n* one"})
    assert (told.alert, told.severity, told.source) == ("TrueNAS", Severity.WARNING, "slack")
    assert told.summary == "Pool <tank> is DEGRADED &amp; slow * one"
    assert told.stands_seconds == RESOLVE_SECONDS
    assert told.episode != slack({"text": "another"})[0].episode


@pytest.mark.parametrize("body", [None, "text", {}, {"text": 1}, {"text": " \n"}])
def test_a_message_without_a_text_is_none(body: Any) -> None:
    with pytest.raises(ValueError, match="`text`"):
        slack(body)
