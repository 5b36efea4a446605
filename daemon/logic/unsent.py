"""Unsent: why nobody was told of an alert that fires, from the rows of the outbox and from what mutes it."""

from collections.abc import Sequence

from daemon.domain.alert import Alert, Severity
from daemon.domain.known import Known
from daemon.domain.notification import Notification, NotificationReason, NotificationStatus
from daemon.domain.units import say_duration
from daemon.logic.grouping import receiver_of
from daemon.logic.muting import muted
from daemon.logic.notifying import NO_URLS
from daemon.logic.telling_time import say_instant


def unsent(known: Known, alert: Alert) -> str | None:
    """None when it was told, as far as there was something to tell."""
    if not alert.is_firing:
        return _of_what_does_not_fire(known, alert)
    rows = _rows(known, alert, alert.fired_at or alert.since)
    if any(_is_delivered(row, known.at) for row in rows):
        return None
    if muting := _muting(known, alert):
        return muting
    return _waiting(known, rows) if rows else _without_a_row(known, alert)


def _of_what_does_not_fire(known: Known, alert: Alert) -> str | None:
    if alert.state.shown != "resolved":
        return "it does not fire, so there is nothing to say"
    rows = _rows(known, alert, alert.since)
    if any(_is_delivered(row, known.at) for row in rows):
        return None
    if alert.resolved_because is not None and alert.resolved_because.is_silent:
        return "nobody knows whether it has ended"
    fired = _rows(known, alert, alert.fired_at or alert.since)
    if not any(_is_delivered(row, known.at) for row in fired):
        return "nobody was told that it fired, so nobody is told that it ended"
    if not receiver_of(known.config).send_resolved:
        return "the receiver does not want to hear what is resolved: send_resolved is false"
    return _waiting(known, rows) if rows else "no message about its end was planned"


def _rows(known: Known, alert: Alert, since: int) -> list[Notification]:
    """About its episode, newest first; a notice of a mitigation does not say that it fires."""
    return [
        row
        for row in known.notifications
        if alert.episode in row.episodes
        and row.reason is not NotificationReason.MITIGATION
        and (row.created_at >= since or (row.delivered_at or 0) >= since)
    ]


def _is_delivered(row: Notification, at: int) -> bool:
    return row.status is NotificationStatus.DELIVERED and row.delivered_at is not None and row.delivered_at <= at


def _muting(known: Known, alert: Alert) -> str:
    """Of the past only what is stored is known: silences, and quiet hours as they are set now."""
    if known.present is not None:
        return alert.muted_by or ("silenced" if alert.silenced else "")
    rows = muted(known.latest(), known.silences, known.config, known.at)
    return next((row.muted_by for row in rows if row.fingerprint == alert.fingerprint), "")


def _waiting(known: Known, rows: Sequence[Notification]) -> str:
    """What the newest row waits for, or what became of it."""
    row = rows[0]
    if row.status is NotificationStatus.FAILED and known.at >= row.not_before:
        return _given_up(row)
    if row.status is NotificationStatus.SUPERSEDED and known.present is not None:
        return "superseded: when the message was due, another one had said it, or there was no news any more"
    if row.attempts and row.status is NotificationStatus.QUEUED:
        first, then = (say_instant(one, known.at) for one in (row.created_at, row.not_before))
        return f"retrying since {first}: {row.attempts} tries failed ({row.error}); the next is at {then}"
    if row.not_before > known.at:
        wait = say_duration(known.config.route.group_wait)
        return f"group_wait of {wait} is not over: it is due at {say_instant(row.not_before, known.at)}"
    return _group_interval(known, row) or "it is due, and waits for its turn or for the receiver"


def _given_up(row: Notification) -> str:
    if row.error == NO_URLS:
        return f"receiver {row.receiver} has no URLs: set RUNBOOKD_NOTIFY_URLS, or mend its references"
    return f"given up after {row.attempts} tries: {row.error}"


def _group_interval(known: Known, row: Notification) -> str | None:
    """A group is told only so often."""
    group = (one for one in known.notifications if one.group_key == row.group_key and _is_delivered(one, known.at))
    told = max((one.delivered_at or 0 for one in group), default=0)
    interval = known.config.route.group_interval
    due = told + round(interval * 1000)
    if due <= known.at:
        return None
    last, then = say_instant(told, known.at), say_instant(due, known.at)
    return f"group_interval of {say_duration(interval)} is not over: the group was told at {last}, next at {then}"


def _without_a_row(known: Known, alert: Alert) -> str:
    firing = (row for row in known.latest() if row.episode == alert.episode and row.is_firing)
    if alert.severity is Severity.WARNING and any(row.severity is Severity.CRITICAL for row in firing):
        return "its critical fires and tells it"
    return "no message about it is stored"
