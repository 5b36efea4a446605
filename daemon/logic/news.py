"""News: what the readers of a group know, and what they do not know yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.domain.alert import Severity
from daemon.domain.notification import Notification, NotificationReason, NotificationStatus
from daemon.logic.grouping import Story

Stories = Mapping[str, Story]
"""By episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last message of a group. `at` is epoch ms."""

    at: int
    episodes: frozenset[str] = frozenset()
    """Those that it said to fire."""
    severity: str = ""
    """The highest that it said."""
    missed: frozenset[str] = frozenset()
    """Those whose message was given up: told again later when they still fire."""

    def knows(self, episode: str, story: Story) -> bool:
        """Whether its readers know that this run of the episode, not an earlier one, fires."""
        return story.alert.is_firing and episode in self.episodes and story.opened_at <= self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a message would say: the episodes that fire, those that were told and have ended, and the occasion."""

    reason: NotificationReason
    firing: Stories
    closed: Stories
    kept: frozenset[str] = frozenset()
    """Those that were told and are muted now: their readers go on believing what they were told."""


def told_after(told: Told | None, row: Notification) -> Told | None:
    """What they know after a row has ended; superseded rows and notices of mitigations teach nothing about a group."""
    if row.reason in (NotificationReason.MITIGATION, NotificationReason.TEST):
        return told
    if row.status is NotificationStatus.FAILED:
        before = told or Told(at=row.not_before)
        return replace(before, at=row.not_before, missed=before.missed.union(row.episodes))
    if row.status is not NotificationStatus.DELIVERED or row.delivered_at is None:
        return told
    if row.reason is NotificationReason.CLOSED:
        return Told(at=row.delivered_at)
    return Told(at=row.delivered_at, severity=row.severity, episodes=frozenset(row.episodes))


def news(rows: Sequence[Notification], told: Told | None, present: Stories, *, send_resolved: bool) -> News | None:
    """What there is to say about a group now; None when its readers know it, or need not know it any more."""
    told = told or Told(at=0)
    concerned = told.episodes.union(told.missed, *(row.episodes for row in rows))
    known = {episode: story for episode, story in present.items() if episode in concerned}
    firing = {episode: story for episode, story in known.items() if is_telling(story)}
    closed = {
        episode: story
        for episode, story in known.items()
        if send_resolved and episode in told.episodes and _has_ended(story)
    }
    kept = frozenset(episode for episode in told.episodes if episode in known and known[episode].alert.silenced)
    reason = _reason(rows, told, firing, closed)
    if reason is NotificationReason.CLOSED and kept:
        reason = NotificationReason.EASED
    return News(reason=reason, firing=firing, closed=closed, kept=kept) if reason else None


def is_telling(story: Story) -> bool:
    """It fires and is not muted."""
    return story.alert.is_firing and not story.alert.silenced


def _has_ended(story: Story) -> bool:
    """It fires no more, and that is told: it is not muted, and did not end silently."""
    alert = story.alert
    is_silent = alert.resolved_because is not None and alert.resolved_because.is_silent
    return not (alert.is_firing or alert.silenced or is_silent)


def rank(severity: str) -> int:
    """The order of severities as rows hold them; none ranks below all."""
    return Severity(severity).rank if severity else -1


def _reason(rows: Sequence[Notification], told: Told, firing: Stories, closed: Stories) -> NotificationReason | None:
    fresh = {episode for episode, story in firing.items() if not told.knows(episode, story)}
    if _has_risen(rows, told, {episode: story for episode, story in firing.items() if episode not in fresh}):
        return NotificationReason.ESCALATED
    if fresh:
        return NotificationReason.OPENED
    if closed:
        return NotificationReason.EASED if firing else NotificationReason.CLOSED
    meant = {row.reason for row in rows}
    if firing and NotificationReason.REPEAT in meant:
        return NotificationReason.REPEAT
    return NotificationReason.MITIGATION if NotificationReason.MITIGATION in meant else None


def _has_risen(rows: Sequence[Notification], told: Told, known: Stories) -> bool:
    """Something that was told is worse now than it was told."""
    climbed = {episode for row in rows if row.reason is NotificationReason.ESCALATED for episode in row.episodes}
    return any(
        story.alert.severity.rank > rank(told.severity)
        or (episode in climbed and story.alert.severity is Severity.CRITICAL)
        for episode, story in known.items()
    )
