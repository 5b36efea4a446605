"""Notifications: one row of the outbox, from the intent to the delivery."""

from dataclasses import dataclass
from enum import StrEnum


class NotificationStatus(StrEnum):
    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class NotificationReason(StrEnum):
    """Why a message is sent; the first four are changes of an episode."""

    OPENED = "opened"
    ESCALATED = "escalated"
    EASED = "eased"
    CLOSED = "closed"
    REPEAT = "repeat"
    MITIGATION = "mitigation"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one receiver about one group. Title and body are set when it is sent, not when it is meant."""

    id: str
    receiver: str
    group_key: str
    reason: NotificationReason
    severity: str
    episodes: tuple[str, ...] = ()
    status: NotificationStatus = NotificationStatus.QUEUED
    attempts: int = 0
    title: str = ""
    body: str = ""
    created_at: int
    not_before: int
    delivered_at: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel is given. `kind` is Apprise's: info, success, warning, failure."""

    title: str
    body: str
    kind: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one send to all URLs of a receiver; `error` names channels, never URLs."""

    delivered: bool
    error: str | None = None
