"""Standing in: what a backup receiver is told while another cannot be reached."""

from collections.abc import Sequence
from dataclasses import replace

from daemon.domain.notification import Message, Notification, NotificationReason, NotificationStatus
from daemon.logic.notifying import row_id

PREFIX = "backup of "
QUIET = frozenset({NotificationReason.MITIGATION, NotificationReason.TEST})
"""Nobody else need hear of these."""


def backup_key(receiver: str, group_key: str) -> str:
    """The group of the backup's own rows: it knows of another history than the receiver whose place it takes."""
    return f"{PREFIX}{receiver}: {group_key}"


def stands_in_for(group_key: str) -> str | None:
    """Who cannot be reached; None for a group of a receiver's own."""
    return group_key.removeprefix(PREFIX).partition(": {")[0] if group_key.startswith(PREFIX) else None


def stand_in(rows: Sequence[Notification], receiver: str, backup: str, now: int) -> Notification | None:
    """The backup's row for the newest of rows that wait, oldest first: the same one, however often it is asked for.
    What is repeated is told to the backup only if it does not know it yet."""
    newest = next((row for row in reversed(rows) if row.reason not in QUIET), None)
    if newest is None:
        return None
    key = backup_key(receiver, newest.group_key)
    return replace(
        newest,
        id=row_id(key, newest.reason, (newest.id,), newest.created_at),
        receiver=backup,
        group_key=key,
        reason=NotificationReason.OPENED if newest.reason is NotificationReason.REPEAT else newest.reason,
        status=NotificationStatus.QUEUED,
        attempts=0,
        error=None,
        created_at=now,
        not_before=now,
    )


def marked(message: Message, group_key: str) -> Message:
    """As the backup reads it."""
    absent = stands_in_for(group_key)
    return message if absent is None else replace(message, body=f"{absent} cannot be reached.\n\n{message.body}")
