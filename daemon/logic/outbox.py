"""The outbox in memory: rows that wait, and what each group was told. Sans-IO."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.domain.alert import Alert, EpisodeChange, EpisodeStep
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Message, Notification, NotificationReason, NotificationStatus
from daemon.logic import alertmanager, messages, notifying
from daemon.logic.common_cause import NOTHING_SEEN, Evidence
from daemon.logic.flapping import Flaps
from daemon.logic.grouping import Story, group_key, receiver_of
from daemon.logic.incidents import Incidents
from daemon.logic.news import News, Stories, Told, news, rank, told_after
from daemon.logic.standing_in import backup_key, marked, stand_in, stands_in_for

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
    row: Notification | None
    """None where all of them have come to wait for the end of a silence."""
    message: Message | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An alert that a message is about, and what was done about it."""

    alert: Alert
    mitigations: tuple[Mitigation, ...]


class Outbox:
    """Everything that dispatch knows; rows and facts come in with decisions, messages go out."""

    def __init__(
        self,
        alerts: Callable[[], Sequence[Alert]],
        mitigations: Callable[[], Sequence[Mitigation]],
        public_url: str,
        link: messages.ApprovalLink = messages.no_link,
    ) -> None:
        self._incidents = Incidents(alerts, mitigations)
        self._public_url = public_url
        self._link = link
        self._config = AlertsConfig()
        self._queued: dict[str, dict[str, Notification]] = {}
        self._told: dict[str, Told] = {}
        self._ended: deque[str] = deque(maxlen=LATELY)
        self._flaps = Flaps()
        self._passed: dict[str, str] = {}
        """Episodes whose rows have just ended, and their groups."""
        self.sending: set[str] = set()
        """Groups whose message is on its way."""
        self.counts: Counter[NotificationStatus] = Counter()
        """What became of rows since the start."""

    def configure(self, config: AlertsConfig) -> None:
        """Rows that wait go to the receivers that there are now."""
        self._config = config
        self._flaps.configure(config.route.flap)

    # ---- what was committed --------------------------------------------------------------------------------------

    def restore(self, queued: Iterable[Notification], ended: Iterable[Notification], alerts: Iterable[Alert]) -> None:
        """What the ledger holds, at boot."""
        ended = sorted(ended, key=lambda row: row.delivered_at or row.not_before)
        rows = (*ended, *queued)
        self.adopt(Decision(alerts=tuple(alerts), notifications=rows))
        self._flaps.recall(rows)
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
        meant = waiting.pop(row.id, None)
        if meant and not waiting:
            del self._queued[row.group_key]
        if meant:
            self._passed |= dict.fromkeys(meant.episodes, row.group_key)
        self._ended.append(row.id)
        self.counts[row.status] += 1
        if told := told_after(self._told.get(row.group_key), row):
            self._told[row.group_key] = told

    def forget(self, now: int) -> None:
        """Lets go of what ended long ago."""
        self._incidents.forget(now)
        self._flaps.forget(now)
        firing = {episode for episode, story in self._incidents.stories().items() if story.alert.is_firing}
        self._told = {
            key: told
            for key, told in self._told.items()
            if told.at > now - REMEMBERED_MS or firing & (told.episodes | told.missed)
        }

    # ---- intents -------------------------------------------------------------------------------------------------

    def plan(self, steps: Sequence[EpisodeStep], now: int) -> tuple[Notification, ...]:
        """One row for each group and kind of change; it is remembered when the decision comes back. What is muted or
        flaps has rows of its own: they wait longer."""
        present = self._incidents.stories() if steps else {}
        gathered: defaultdict[tuple[str, EpisodeChange, str], list[EpisodeStep]] = defaultdict(list)
        for step in steps:
            self._flaps.note(step)
            key = self._group_of(step.episode)
            if self._is_worth_telling(step, key):
                key = key or group_key(step.alert, self._config.route)
                story = present.get(step.episode)
                is_apart = self._is_damped(step, key) or (story is not None and story.alert.silenced)
                gathered[key, step.change, step.episode if is_apart else ""].append(step)
        return tuple(row for (key, *_), those in gathered.items() for row in self._intents(key, those, present, now))

    def _intents(self, key: str, steps: Sequence[EpisodeStep], present: Stories, now: int) -> tuple[Notification, ...]:
        """The row for steps of one kind; for what flaps one that waits until it is calm, instead of the one before."""
        row = notifying.intent(key, steps, self._told.get(key), present, self._config.route, now)
        if not self._is_damped(steps[0], key):
            return self._new((row,))
        before = [one for one in self._sorted(key) if self._waits_for_calm(one) and one.episodes == row.episodes]
        calm = replace(row, not_before=now + self._flaps.within_ms)
        return (*self._new((calm,)), *notifying.superseded(one for one in before if one.id != row.id))

    def _is_damped(self, step: EpisodeStep, key: str) -> bool:
        return self._flaps.is_damped(step, self._told.get(key))

    def _waits_for_calm(self, row: Notification) -> bool:
        return not row.attempts and row.not_before - row.created_at > self._config.route.group_wait * 1000

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
        """Rows for groups that still fire and were told nothing for a while, or nothing since a part of them was
        muted."""
        present = self._incidents.stories()
        return self._left_behind(present, now) + self._new(
            notifying.repetition(key, told, present, self._config.route, now)
            for key, told in self._told.items()
            if not self._rows(key, present) and stands_in_for(key) is None
        )

    def _left_behind(self, present: Stories, now: int) -> tuple[Notification, ...]:
        """Rows for what was muted when the message came that its row waited for: it will be told later."""
        passed, self._passed = self._passed, {}
        waiting = {episode for rows in self._queued.values() for row in rows.values() for episode in row.episodes}
        left = {episode: key for episode, key in passed.items() if episode in present and episode not in waiting}
        return self._new(
            notifying.intent(key, (_latest(episode, story),), self._told.get(key), present, self._config.route, now)
            for episode, key in left.items()
            if (story := present[episode]).alert.silenced and stands_in_for(key) is None
        )

    def tests(self, now: int) -> tuple[Notification, ...]:
        """A row for each receiver, where the route wants to be tested and it is time."""
        every = self._config.route.test
        return self._new(notifying.test(one, every.every, now) for one in self._config.receivers) if every else ()

    def stand_ins(self, cut_off: Collection[str], now: int) -> tuple[Notification, ...]:
        """Rows for the backups of receivers that cannot be reached; and who was told so is told of the end too."""
        present = self._incidents.stories()
        return self._new(self._stand_in(key, cut_off, present, now) for key in self._queued)

    def _stand_in(self, key: str, cut_off: Collection[str], present: Stories, now: int) -> Notification | None:
        rows = self._rows(key, present)
        if not rows or key in self.sending or stands_in_for(key) is not None:
            return None
        receiver = receiver_of(self._config, rows[-1].receiver)
        backup = self._config.receiver(receiver.backup or "")
        is_due = notifying.due_at(rows, self._told.get(key), self._config.route) <= now
        if backup is None or not (is_due or any(row.attempts for row in rows)):
            return None
        if receiver.name not in cut_off and not self._was_told(backup_key(receiver.name, key), rows):
            return None
        return stand_in(rows, receiver.name, backup.name, now)

    def _was_told(self, key: str, ends: Sequence[Notification]) -> bool:
        told = self._told.get(key)
        ended = {episode for row in ends if row.reason is NotificationReason.CLOSED for episode in row.episodes}
        return told is not None and not ended.isdisjoint(told.episodes)

    def retry_now(self, receiver: str, now: int) -> None:
        """It works again: what waits for its next try need not wait."""
        for rows in self._queued.values():
            for row in rows.values():
                if row.attempts and row.not_before > now and receiver_of(self._config, row.receiver).name == receiver:
                    rows[row.id] = replace(row, not_before=now)

    @property
    def failing(self) -> Mapping[str, int]:
        """How often each receiver was tried in vain for what waits."""
        found: Counter[str] = Counter()
        for row in (row for rows in self._queued.values() for row in rows.values()):
            name = receiver_of(self._config, row.receiver).name
            found[name] = max(found[name], row.attempts)
        return found

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
        rows = [row for row in rows if not self._waits_for_calm(row)]
        if not rows or key in self.sending:
            return False
        return notifying.due_at(rows, self._told.get(key), self._config.route) > now + COMMIT_MS

    def _group_of(self, episode: str) -> str | None:
        """Where an episode's story is told: it stays there, also when `group_by` changes."""
        for key, rows in self._queued.items():
            if stands_in_for(key) is None and any(episode in row.episodes for row in rows.values()):
                return key
        own = ((key, told) for key, told in self._told.items() if stands_in_for(key) is None)
        return next((key for key, told in own if episode in told.episodes), None)

    # ---- messages ------------------------------------------------------------------------------------------------

    def errands(self) -> list[Errand]:
        """What is to be sent, and when; the most severe first. Muted episodes wait until they are not."""
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

    def subjects(self, errand: Errand) -> tuple[Subject, ...]:
        """The alerts that a message about a group tells in full, the worst first."""
        present = self._incidents.stories()
        rows, told = self._rows(errand.group_key, present), self._told.get(errand.group_key)
        send_resolved = receiver_of(self._config, errand.receiver).send_resolved
        found = news(rows, told, present, send_resolved=send_resolved) if rows else None
        return tuple(
            Subject(alert=story.alert, mitigations=tuple(self._incidents.measures((story,), story.opened_at)))
            for story in (messages.in_full(found) if found else ())
        )

    def draft(self, errand: Errand, evidence: Mapping[str, Evidence] = NOTHING_SEEN) -> Draft:
        """The message about a group, from what is true now; `evidence` by episode."""
        present = self._incidents.stories()
        rows, told = self._rows(errand.group_key, present), self._told.get(errand.group_key)
        if not rows:
            return Draft(rows=(), row=None, message=None)
        receiver = receiver_of(self._config, errand.receiver)
        if rows[-1].reason is NotificationReason.TEST:
            return Draft(rows=rows, row=rows[-1], message=alertmanager.test(rows[-1], self._public_url))
        found = news(rows, told, present, send_resolved=receiver.send_resolved)
        if found is None:
            return Draft(rows=rows, row=rows[-1], message=None)
        shown = (*found.firing.values(), *found.closed.values())
        since = told.at if told else min((story.opened_at for story in shown), default=0)
        notices = [row for row in rows if row.reason is NotificationReason.MITIGATION]
        measures = self._incidents.measures(shown, since)
        message = messages.compose(found, measures, notices, self._public_url, evidence, rows[-1].id, self._link)
        message = self._flaps.mark(message, found, told)
        message = self._for_programs(
            marked(message, errand.group_key), found, receiver.name, errand.group_key, rows[-1]
        )
        return Draft(rows=rows, row=_as_sent(rows[-1], found, receiver.name, message), message=message)

    def _for_programs(self, message: Message, found: News, receiver: str, key: str, row: Notification) -> Message:
        structured = alertmanager.payload(
            found,
            message,
            receiver=receiver,
            group_key=key,
            group_by=self._config.route.group_by,
            public_url=self._public_url,
        )
        return replace(message, id=row.id, structured=structured)

    def _rows(self, key: str, present: Stories) -> tuple[Notification, ...]:
        """Those that are not about muted episodes alone. What ended before it was told waits for nothing."""
        told = self._told.get(key) or Told(at=0)
        muted = {
            episode
            for episode, story in present.items()
            if story.alert.silenced and (story.alert.is_firing or episode in told.episodes)
        }
        return tuple(row for row in self._sorted(key) if not row.episodes or not muted.issuperset(row.episodes))

    def _sorted(self, key: str) -> list[Notification]:
        """Oldest first."""
        return sorted(self._queued.get(key, {}).values(), key=lambda row: (row.created_at, row.id))


def _latest(episode: str, story: Story) -> EpisodeStep:
    """Its opening; when that is over, its end."""
    alert, at = story.alert, story.opened_at
    if alert.is_firing:
        return EpisodeStep(
            change=EpisodeChange.OPENED, episode=episode, at=at, before=None, after=alert.severity, alert=alert
        )
    return EpisodeStep(
        change=EpisodeChange.CLOSED, episode=episode, at=alert.since, before=alert.severity, after=None, alert=alert
    )


def _as_sent(row: Notification, found: News, receiver: str, message: Message) -> Notification:
    told = found.firing or found.closed
    return replace(
        row,
        receiver=receiver,
        reason=found.reason,
        severity=max((story.alert.severity for story in told.values()), key=rank, default=row.severity),
        episodes=tuple(sorted(found.kept.union(found.firing))) or tuple(sorted(told)) or row.episodes,
        title=message.title,
        body=message.body,
    )
