"""Flapping: which series come and go so often that their comings and goings are told together. Sans-IO."""

from collections.abc import Iterable
from dataclasses import replace

from daemon.domain.alert import EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import Flap
from daemon.domain.notification import Message, Notification, NotificationReason, NotificationStatus
from daemon.domain.units import say_duration
from daemon.logic.messages import LONGEST_TITLE
from daemon.logic.news import News, Told
from daemon.logic.plain_text import clean

MARK = " (flapping)"


class Flaps:
    """Openings of each series, by its episode. A spell of flapping begins with the first one too many and ends when it
    was calm. What is noted twice counts once."""

    def __init__(self) -> None:
        self._flap: Flap | None = None
        self._openings: dict[str, list[int]] = {}
        self._spells: dict[str, int] = {}
        self._rises: dict[str, int] = {}
        """When a series first was critical in its spell."""

    def configure(self, flap: Flap | None) -> None:
        """None: nothing flaps."""
        self._flap = flap
        if flap is None:
            self._openings, self._spells, self._rises = {}, {}, {}

    @property
    def within_ms(self) -> int:
        """For so long it must be calm."""
        return round(self._flap.within * 1000) if self._flap else 0

    def note(self, step: EpisodeStep) -> None:
        """One change of an episode."""
        if step.change is EpisodeChange.OPENED:
            self._opened(step.episode, step.at)
        if _is_rise(step) and step.episode in self._spells:
            self._rises.setdefault(step.episode, step.at)

    def recall(self, rows: Iterable[Notification]) -> None:
        """What the rows of an earlier process tell of openings; one about several series tells of none."""
        for row in sorted(rows, key=lambda row: row.created_at):
            if row.reason is NotificationReason.OPENED and len(row.episodes) == 1:
                self._opened(row.episodes[0], row.created_at)
            if row.severity == Severity.CRITICAL and row.status is NotificationStatus.DELIVERED:
                for episode in self._spells.keys() & set(row.episodes):
                    self._rises.setdefault(episode, row.created_at)

    def is_damped(self, step: EpisodeStep, told: Told | None) -> bool:
        """Whether its readers know that it flaps, and it was as bad before in this spell."""
        began_at = self._spells.get(step.episode)
        if began_at is None or told is None or told.at < began_at:
            return False
        return not (_is_rise(step) and self._rises.get(step.episode) == step.at)

    def mark(self, message: Message, found: News, told: Told | None) -> Message:
        """With what flaps, where its readers do not know it yet."""
        fresh = {
            episode: story.alert.alert
            for episode, story in (*found.firing.items(), *found.closed.items())
            if (began_at := self._spells.get(episode)) is not None and (told is None or told.at < began_at)
        }
        if not fresh:
            return message
        lines = dict.fromkeys(self._say(episode, name) for episode, name in fresh.items())
        title = clean(message.title, LONGEST_TITLE - len(MARK)) + MARK
        return replace(message, title=title, body="\n".join((*list(lines)[:3], "", message.body)))

    def _say(self, episode: str, name: str) -> str:
        within = say_duration(self.within_ms / 1000)
        return (
            f"{name} is flapping: it began {len(self._openings[episode])} times within {within}. "
            f"It is told of again when it has been calm for {within}, or when it gets worse."
        )

    def forget(self, now: int) -> None:
        """Lets go of what has been calm."""
        calm = [episode for episode, openings in self._openings.items() if openings[-1] <= now - self.within_ms]
        for episode in calm:
            del self._openings[episode]
            self._calm(episode)

    def _opened(self, episode: str, at: int) -> None:
        if self._flap is None:
            return
        recent = {one for one in self._openings.get(episode, ()) if one > at - self.within_ms} | {at}
        self._openings[episode] = sorted(recent)
        if len(recent) <= self._flap.episodes:
            self._calm(episode)
        else:
            self._spells.setdefault(episode, at)

    def _calm(self, episode: str) -> None:
        self._spells.pop(episode, None)
        self._rises.pop(episode, None)


def _is_rise(step: EpisodeStep) -> bool:
    return step.after is Severity.CRITICAL and step.change in (EpisodeChange.OPENED, EpisodeChange.ESCALATED)
