"""A message for programs: the JSON that Alertmanager's webhook sends, version 4."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from daemon.domain.alert import Alert
from daemon.domain.notification import Message, Notification
from daemon.logic.messages import ranked
from daemon.logic.news import News

NEVER = "0001-01-01T00:00:00Z"
"""How Alertmanager says that something has not ended."""
TEST = "RunbookdTest"
MOST_ALERTS = 100
"""Of a message; the rest are counted."""
LONGEST_TEXT = 400
"""Of a label or an annotation, in characters; the title and the text that people read have their own limits."""

Json = Mapping[str, Any]


def payload(
    found: News, message: Message, *, receiver: str, group_key: str, group_by: Sequence[str], public_url: str
) -> Json:
    """The news of a group, with `approvals`, which are ours, where something waits for a human. A notice about a
    mitigation alone has no alerts and is not firing."""
    alerts = [*ranked(found.firing.values()), *ranked(found.closed.values())]
    told = [_alert(alert, public_url) for alert in alerts[:MOST_ALERTS]]
    labels = _common(one["labels"] for one in told)
    grouped = {_as_theirs(name): labels[_as_theirs(name)] for name in group_by if _as_theirs(name) in labels}
    whole = _whole(told, message, receiver=receiver, group_key=group_key, group_labels=grouped, public_url=public_url)
    asked = [
        {"label": one.label, "method": "POST", "url": one.url, "until": _instant(one.until)}
        for one in message.approvals
    ]
    return {**whole, "truncatedAlerts": len(alerts) - len(told), **({"approvals": asked} if asked else {})}


def test(row: Notification, public_url: str) -> Message:
    """The message of a row that no alert stands behind."""
    message = Message(title=row.title, body=row.body, id=row.id)
    return replace(message, structured=plain(message, row.receiver, public_url))


def plain(message: Message, receiver: str = "", public_url: str = "") -> Json:
    """A message that no alert stands behind."""
    labels = {"alertname": TEST, "severity": "none"}
    told = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": message.title},
        "startsAt": NEVER,
        "endsAt": NEVER,
        "generatorURL": public_url,
        "fingerprint": "",
    }
    key = f'{{alertname="{TEST}"}}'
    return _whole([told], message, receiver=receiver, group_key=key, group_labels=labels, public_url=public_url)


def _whole(
    told: Sequence[Json],
    message: Message,
    *,
    receiver: str,
    group_key: str,
    group_labels: Mapping[str, str],
    public_url: str,
) -> Json:
    return {
        "version": "4",
        "groupKey": group_key,
        "truncatedAlerts": 0,
        "status": "firing" if any(one["status"] == "firing" for one in told) else "resolved",
        "receiver": receiver,
        "groupLabels": group_labels,
        "commonLabels": _common(one["labels"] for one in told),
        "commonAnnotations": {
            **_common(one["annotations"] for one in told),
            "title": message.title,
            "description": message.body,
        },
        "externalURL": public_url,
        "alerts": list(told),
    }


def _alert(alert: Alert, public_url: str) -> Json:
    labels = {_as_theirs(name): value[:LONGEST_TEXT] for name, value in alert.labels}
    annotations = {"summary": alert.summary[:LONGEST_TEXT], "runbook_url": alert.runbook}
    return {
        "status": "firing" if alert.is_firing else "resolved",
        "labels": {**labels, "alertname": alert.alert, "severity": alert.severity.value},
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": _instant(alert.fired_at or alert.since),
        "endsAt": NEVER if alert.is_firing else _instant(alert.resolved_at or alert.since),
        "generatorURL": public_url,
        "fingerprint": alert.fingerprint,
    }


def _as_theirs(label: str) -> str:
    return "alertname" if label == "alert" else label


def _common(maps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What all of them say."""
    first, *others = (*maps,) or ({},)
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in others)}


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
