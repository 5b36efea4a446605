"""The outbox in memory: rows that wait, and what each group was told. Sans-IO."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from daemon.domain.alert import Alert, EpisodeChange, EpisodeStep
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Message, Notification, NotificationReason, NotificationStatus
from daemon.logic import messages, notifying
from daemon.logic.grouping import group_key, receiver_of
from daemon.logic.incidents import Incidents
from daemon.logic.news import News, Stories, Told, news, rank, told_after

LATELY = 1000
"""How many ended rows are known by their id."""
COMMIT_MS = 1000
"""A decision is in the ledger by then: a message that is due later will know of it."""
REMEMBERED_MS = 86_400_000
"""How long a group is known that does not fire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A group whose rows become a message to a receiver at an instant (epoch ms)."""

    group_key: str
    receiver: str
    due_at: int
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The rows of a group, the newest of them as it is sent, and the message; without a message none is needed."""

    rows: tuple[Notification, ...]
    row: Notification
    message: Message | None


class Outbox:
    """Everything that dispatch knows; rows and facts come in with decisions, messages go out."""

    def __init__(
        self, alerts: Callable[[], Sequence[Alert]], mitigations: Callable[[], Sequence[Mitigation]], public_url: str
    ) -> None:
        self._incidents = Incidents(alerts, mitigations)
        self._public_url = public_url
        self._config = AlertsConfig()
        self._queued: dict[str, dict[str, Notification]] = {}
        self._told: dict[str, Told] = {}
        self._ended: deque[str] = deque(maxlen=LATELY)
        self.sending: set[str] = set()
        """Groups whose message is on its way."""
        self.counts: Counter[NotificationStatus] = Counter()
        """What became of rows since the start."""

    def configure(self, config: AlertsConfig) -> None:
        """Rows that wait go to the receivers that there are now."""
        self._config = config

    # ---- what was committed --------------------------------------------------------------------------------------

    def restore(self, queued: Iterable[Notification], ended: Iterable[Notification], alerts: Iterable[Alert]) -> None:
        """What the ledger holds, at boot."""
        ended = sorted(ended, key=lambda row: row.delivered_at or row.not_before)
        self.adopt(Decision(alerts=tuple(alerts), notifications=(*ended, *queued)))
        self.counts.clear()

    def adopt(self, decision: Decision) -> None:
        """Takes in what was committed."""
        self._incidents.adopt(decision)
        for row in decision.notifications:
            if row.status is NotificationStatus.QUEUED:
                self._queued.setdefault(row.group_key, {})[row.id] = row
            else:
                self._end(row)

    def _end(self, row: Notification) -> None:
        waiting = self._queued.get(row.group_key, {})
        if waiting.pop(row.id, None) and not waiting:
            del self._queued[row.group_key]
        self._ended.append(row.id)
        self.counts[row.status] += 1
        if told := told_after(self._told.get(row.group_key), row):
            self._told[row.group_key] = told

    def forget(self, now: int) -> None:
        """Lets go of what ended long ago."""
        self._incidents.forget(now)
        firing = {episode for episode, story in self._incidents.stories().items() if story.alert.is_firing}
        self._told = {
            key: told
            for key, told in self._told.items()
            if told.at > now - REMEMBERED_MS or firing & (told.episodes | told.missed)
        }

    # ---- intents -------------------------------------------------------------------------------------------------

    def plan(self, steps: Sequence[EpisodeStep], now: int) -> tuple[Notification, ...]:
        """One row for each group and kind of change; it is remembered when the decision comes back."""
        gathered: defaultdict[tuple[str, EpisodeChange], list[EpisodeStep]] = defaultdict(list)
        for step in steps:
            key = self._group_of(step.episode)
            if self._is_worth_telling(step, key):
                gathered[key or group_key(step.alert, self._config.route), step.change].append(step)
        if not gathered:
            return ()
        present = self._incidents.stories()
        return self._new(
            notifying.intent(key, those, self._told.get(key), present, self._config.route, now)
            for (key, _), those in gathered.items()
        )

    def notice(self, mitigation: Mitigation, now: int) -> tuple[Notification, ...]:
        """A row that says what became of a mitigation; none when a waiting message about its episode will say it."""
        about = self._incidents.owner(mitigation)
        key = f'{{mitigation="{mitigation.name}"}}'
        if about:
            key = self._group_of(about.episode) or group_key(about, self._config.route)
        if self._will_tell(key, now):
            return ()
        return self._new((notifying.notice(key, mitigation, about, self._config.route, now),))

    def repeats(self, now: int) -> tuple[Notification, ...]:
        """Rows for groups that still fire and were told nothing for a while."""
        present = self._incidents.stories()
        return self._new(
            notifying.repetition(key, told, present, self._config.route, now)
            for key, told in self._told.items()
            if key not in self._queued
        )

    def _new(self, rows: Iterable[Notification | None]) -> tuple[Notification, ...]:
        return tuple(
            row
            for row in rows
            if row and row.id not in self._ended and row.id not in self._queued.get(row.group_key, ())
        )

    def _is_worth_telling(self, step: EpisodeStep, key: str | None) -> bool:
        if step.change is EpisodeChange.CLOSED:
            return key is not None and receiver_of(self._config).send_resolved
        return step.change is not EpisodeChange.EASED

    def _will_tell(self, key: str, now: int) -> bool:
        rows = [row for row in self._sorted(key) if row.reason is not NotificationReason.MITIGATION]
        if not rows or key in self.sending:
            return False
        return notifying.due_at(rows, self._told.get(key), self._config.route) > now + COMMIT_MS

    def _group_of(self, episode: str) -> str | None:
        """Where an episode's story is told: it stays there, also when `group_by` changes."""
        for key, rows in self._queued.items():
            if any(episode in row.episodes for row in rows.values()):
                return key
        return next((key for key, told in self._told.items() if episode in told.episodes), None)

    # ---- messages ------------------------------------------------------------------------------------------------

    def errands(self) -> list[Errand]:
        """What is to be sent, and when; the most severe first. Silenced episodes wait until they are not."""
        present = self._incidents.stories()
        errands = [
            Errand(
                group_key=key,
                receiver=receiver_of(self._config, rows[-1].receiver).name,
                due_at=notifying.due_at(rows, self._told.get(key), self._config.route),
                rank=max(rank(row.severity) for row in rows),
            )
            for key in self._queued.keys() - self.sending
            if (rows := self._rows(key, present))
        ]
        return sorted(errands, key=lambda errand: (-errand.rank, errand.due_at, errand.group_key))

    def draft(self, errand: Errand) -> Draft:
        """The message about a group, from what is true now."""
        present = self._incidents.stories()
        rows, told = self._rows(errand.group_key, present), self._told.get(errand.group_key)
        receiver = receiver_of(self._config, errand.receiver)
        found = news(rows, told, present, send_resolved=receiver.send_resolved)
        if found is None:
            return Draft(rows=rows, row=rows[-1], message=None)
        shown = (*found.firing.values(), *found.closed.values())
        since = told.at if told else min((story.opened_at for story in shown), default=0)
        notices = [row for row in rows if row.reason is NotificationReason.MITIGATION]
        message = messages.compose(found, self._incidents.measures(shown, since), notices, self._public_url)
        return Draft(rows=rows, row=_as_sent(rows[-1], found, receiver.name, message), message=message)

    def _rows(self, key: str, present: Stories) -> tuple[Notification, ...]:
        """Those that are not about silenced episodes alone."""
        silenced = {episode for episode, story in present.items() if story.alert.is_firing and story.alert.silenced}
        return tuple(row for row in self._sorted(key) if not row.episodes or not silenced.issuperset(row.episodes))

    def _sorted(self, key: str) -> list[Notification]:
        """Oldest first."""
        return sorted(self._queued.get(key, {}).values(), key=lambda row: (row.created_at, row.id))


def _as_sent(row: Notification, found: News, receiver: str, message: Message) -> Notification:
    told = found.firing or found.closed
    return replace(
        row,
        receiver=receiver,
        reason=found.reason,
        severity=max((story.alert.severity for story in told.values()), key=rank, default=row.severity),
        episodes=tuple(sorted(told)) or row.episodes,
        title=message.title,
        body=message.body,
    )
