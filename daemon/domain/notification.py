"""Notifications: one row of the outbox, from the intent to the delivery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


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
class Approval:
    """A button that approves one mitigation. Its URL is a secret until it is used: it is in no text of it."""

    label: str
    until: int
    """Epoch ms."""
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel is given. `kind` is Apprise's: info, success, warning, failure."""

    title: str
    body: str
    kind: str = "info"
    id: str = ""
    """Of its row: whoever gets it twice, since we were killed meanwhile, knows it by this."""
    structured: Mapping[str, Any] | None = None
    """The same for programs, in the words of Alertmanager's webhook."""
    approvals: tuple[Approval, ...] = ()
    """What waits for a human: sent as buttons where there are some, else as links; stored nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One way to a receiver. Its URL and headers are secrets: they are in no text of it."""

    url: str = field(repr=False)
    kind: Literal["apprise", "webhook"] = "apprise"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one send to all URLs of a receiver; `error` names channels, never URLs."""

    delivered: bool
    error: str | None = None
    retry_after_seconds: float | None = None
    """What a channel asked for; it is not tried again before."""
