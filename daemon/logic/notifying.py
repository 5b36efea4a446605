"""Notifying: when a group's message is due, and what becomes of the rows that wait for it.

A change of an episode is an intent: a queued row. Rows are added by decisions and ended by sending, never altered by
anyone else; when a group is due, the newest row becomes the message, told from what is true at that moment, and the
older ones are superseded. When there is no news any more, all of them are, and nothing is sent.

    opened      after `group_wait`, to gather; where the group is told already, `group_interval` after its last message,
                but at once when it is critical and the group was told less
    escalated   at once; in a group that was never told, `group_wait` after it opened
    eased       no message of its own: the next one says it
    closed      `group_interval` after the group's last message, if it was told and the receiver wants it
    repeat      `repeat_interval` after the last message, while it fires and nobody acknowledged it
    mitigation  after `group_wait`
    test        at its time
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256

from daemon.domain.alert import Alert, EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import Receiver, Route
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Delivery, Notification, NotificationReason, NotificationStatus
from daemon.domain.units import say_duration
from daemon.logic import messages
from daemon.logic.breaker import wait_seconds
from daemon.logic.news import Stories, Told, is_telling, rank

BACK_OFF_SECONDS = (5.0, 15.0, 60.0, 300.0, 600.0)
GIVE_UP_SECONDS = 86_400.0
NOON_MS = 43_200_000
"""Tests begin at noon (UTC): they wake nobody."""
NO_URLS = "receiver has no URLs"

REASONS = {change: NotificationReason(change.value) for change in EpisodeChange}


def row_id(group_key: str, reason: NotificationReason, things: Iterable[str], at: int) -> str:
    """The same for the same intent, however often it is planned."""
    text = "\x1f".join((group_key, reason, str(at), *things))
    return f"n-{sha256(text.encode()).hexdigest()[:16]}"


def intent(
    group_key: str,
    steps: Sequence[EpisodeStep],
    told: Told | None,
    present: Stories,
    route: Route,
    now: int,
) -> Notification:
    """The row for steps of one kind in one group."""
    reason = REASONS[steps[0].change]
    alerts = sorted((step.alert for step in steps), key=lambda alert: -alert.severity.rank)
    episodes = tuple(sorted(step.episode for step in steps))
    known = told and any(told.knows(episode, story) for episode, story in present.items())
    at_once = known or (told and reason is NotificationReason.ESCALATED)
    return Notification(
        id=row_id(group_key, reason, episodes, max(step.at for step in steps)),
        receiver=route.receiver,
        group_key=group_key,
        reason=reason,
        severity=alerts[0].severity,
        episodes=episodes,
        title=messages.title_of("resolved" if reason is NotificationReason.CLOSED else alerts[0].severity, alerts),
        created_at=now,
        not_before=now if at_once else now + round(route.group_wait * 1000),
    )


def repetition(group_key: str, told: Told | None, present: Stories, route: Route, now: int) -> Notification | None:
    """The row for a group that still fires and was not told anything for `repeat_interval`; None when none is due."""
    if told is None:
        return None
    episodes = _repeated(told, present)
    alerts = messages.ranked(present[episode] for episode in episodes)
    if not alerts:
        return None
    severity, every = alerts[0].severity, route.repeat_interval
    if now < told.at + 1000 * (every.critical if severity is Severity.CRITICAL else every.warning):
        return None
    return Notification(
        id=row_id(group_key, NotificationReason.REPEAT, episodes, told.at),
        receiver=route.receiver,
        group_key=group_key,
        reason=NotificationReason.REPEAT,
        severity=severity,
        episodes=tuple(episodes),
        title=messages.title_of(severity, alerts),
        created_at=now,
        not_before=now,
    )


def notice(group_key: str, mitigation: Mitigation, about: Alert | None, route: Route, now: int) -> Notification:
    """The row for what became of a mitigation; its words are set now, for it is in the past."""
    at = mitigation.ended_at or mitigation.applied_at or mitigation.planned_at
    what = (mitigation.id, mitigation.state, mitigation.held_by or "", *filter(None, (mitigation.note,)))
    return Notification(
        id=row_id(group_key, NotificationReason.MITIGATION, what, at),
        receiver=route.receiver,
        group_key=group_key,
        reason=NotificationReason.MITIGATION,
        severity=Severity.CRITICAL if mitigation.is_alarming else "",
        episodes=(about.episode,) if about else (),
        title=messages.notice_title(mitigation, about),
        body=messages.say_mitigation(mitigation),
        created_at=now,
        not_before=now + round(route.group_wait * 1000),
    )


def test(receiver: Receiver, every_seconds: float, now: int) -> Notification:
    """The row for a message that shows that this receiver hears us; the same for the whole of an interval."""
    every = round(every_seconds * 1000)
    began = now - (now - NOON_MS) % every
    key = f"{{test={json.dumps(receiver.name)}}}"
    return Notification(
        id=row_id(key, NotificationReason.TEST, (receiver.name,), began),
        receiver=receiver.name,
        group_key=key,
        reason=NotificationReason.TEST,
        severity="",
        title="[test] runbookd",
        body=f"Messages to {receiver.name} arrive here. The next test is in {say_duration(every_seconds)}.",
        created_at=now,
        not_before=now,
    )


def _repeated(told: Told, present: Stories) -> list[str]:
    known = {episode: present[episode] for episode in sorted(told.episodes | told.missed) if episode in present}
    return [episode for episode, story in known.items() if is_telling(story) and story.alert.acknowledged_by is None]


def due_at(rows: Sequence[Notification], told: Told | None, route: Route) -> int:
    """When a group's waiting rows, oldest first, become a message (epoch ms).

    After a send that failed all of them wait for the next try; only what is urgent and newer than that does not.
    """
    tried = max((place for place, row in enumerate(rows) if row.attempts), default=-1)
    retry = rows[tried].not_before if tried >= 0 else 0
    rest = told.at + round(route.group_interval * 1000) if told else 0
    return min(
        max(
            row.not_before,
            0 if _is_urgent(row, told) else rest,
            0 if _is_urgent(row, told) and place > tried else retry,
        )
        for place, row in enumerate(rows)
    )


def _is_urgent(row: Notification, told: Told | None) -> bool:
    if row.reason is NotificationReason.OPENED:
        return told is not None and rank(row.severity) > max(rank(told.severity), Severity.WARNING.rank)
    return row.reason in (NotificationReason.ESCALATED, NotificationReason.MITIGATION)


def superseded(rows: Iterable[Notification]) -> tuple[Notification, ...]:
    """Rows that another message has told, or that need no telling any more."""
    return tuple(replace(row, status=NotificationStatus.SUPERSEDED) for row in rows)


def concluded(
    rows: Sequence[Notification], message: Notification, delivery: Delivery, now: int
) -> tuple[Notification, ...]:
    """The rows of a group after a send: delivered; given up after a day, or at once without URLs; or to be tried again.

    `message` is the newest of the rows, as it was sent.
    """
    attempts = max(row.attempts for row in rows) + 1
    message = replace(message, attempts=attempts, error=delivery.error)
    if delivery.delivered:
        return *superseded(rows[:-1]), replace(message, status=NotificationStatus.DELIVERED, delivered_at=now)
    if delivery.error == NO_URLS or now - message.created_at >= GIVE_UP_SECONDS * 1000:
        return *superseded(rows[:-1]), replace(message, status=NotificationStatus.FAILED, not_before=now)
    pause = max(BACK_OFF_SECONDS[min(attempts, len(BACK_OFF_SECONDS)) - 1], wait_seconds(delivery))
    return (replace(rows[-1], attempts=attempts, error=delivery.error, not_before=now + round(pause * 1000)),)
