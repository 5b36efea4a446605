"""What has happened in a simulated world so far, as an observer beside it knows it: the laws read it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.domain.alert import Alert, AlertState, EpisodeStep, Severity
from daemon.domain.decision import Decision
from daemon.domain.event import CALLER_FAULTS, Event, Outcome
from daemon.logic.rules.ratio import RatioRule

_FINISHED = (Outcome.OK, Outcome.FAILED)


@dataclass(slots=True)
class Memory:
    """What a process knows of its alerts: the state of each, and how long the process had run when that began (ms)."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Memory":
        return Memory(dict(self.alerts), dict(self.began))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One alert before and after the judgement of a second (epoch ms); times that were run are ms."""

    at: int
    ran: int
    before: AlertState
    after: Alert
    began_ran: int


@dataclass(slots=True)
class History:
    """`ran` is how many ms a process was up so far: neither downtime nor suspension is in it."""

    rules: Mapping[str, RatioRule] = field(default_factory=dict)
    healthy: bool = False
    ran: int = 0
    ran_before: int = 0
    """At the step before this one."""
    now: int = 0
    """Of the wall clock, epoch ms."""
    emitted: dict[int, int] = field(default_factory=dict)
    """By event id: what `ran` was."""
    events: dict[int, Event] = field(default_factory=dict)
    """Counted ones that have arrived, in that order."""
    newest: int = 0
    coverage: list[tuple[int, int, int]] = field(default_factory=list)
    """At which instant (epoch ms) how many were known to be emitted, and how many of them lost."""
    runs: dict[str, list[int]] = field(default_factory=dict)
    """By provider: what `ran` was at each failure since the last success."""
    quiet_until: int = 0
    """Up to this `ran`, what must have fired is not certain: something was just restarted or changed."""
    memory: Memory = field(default_factory=Memory)
    committed: Memory = field(default_factory=Memory)
    told: dict[str, Severity | None] = field(default_factory=dict)
    """By episode: the highest severity after its last committed step."""
    openings: Counter[str] = field(default_factory=Counter)
    """By episode: how often it was opened, and at the last message that named it."""
    heard: Counter[str] = field(default_factory=Counter)
    steps: list[EpisodeStep] = field(default_factory=list)
    """Committed ones."""
    waiting: list[EpisodeStep] = field(default_factory=list)
    """Judged by this process, not committed yet."""
    offered: Sequence[EpisodeStep] = ()
    """Those of the decision in hand."""
    changes: list[Change] = field(default_factory=list)
    judged_ran: int = 0
    """What `ran` was at the last judgement."""
    looks: int = 0
    """How often it was looked since, and nothing judged."""
    errors: tuple[str, ...] = ()
    """Rules that the last judgement could not judge."""
    raising: set[str] = field(default_factory=set)
    """Rules that could not be judged now, if they were looked at."""
    errors_changed: int = 0
    """What `ran` was when they became others."""
    firing: Sequence[Alert] = ()
    acting: frozenset[str] = frozenset()
    rules_changed: bool = False
    """Since the last step that was committed."""
    decision: Decision = field(default_factory=Decision)
    """The last one, with what the ledger then held."""
    before: Mapping[str, Alert] = field(default_factory=dict)
    rows: Mapping[str, Alert] = field(default_factory=dict)

    # ---- what the world tells ------------------------------------------------------------------------------------

    def arrived(self, events: Sequence[Event], lost: int) -> None:
        self.coverage.append((events[-1].emitted_at if events else self.now, len(events) + lost, lost))
        for event in events:
            if event.event_id not in self.events and is_counted(event):
                self.events[event.event_id] = event
                self._follow(event)

    def _follow(self, event: Event) -> None:
        run = self.runs.setdefault(event.provider_key, [])
        if not is_bad(event) or event.emitted_at < self.newest:
            run.clear()
        if is_bad(event):
            run.append(self.ran)
        self.newest = max(self.newest, event.emitted_at)

    def doubt(self) -> None:
        """Nothing is certain to fire soon."""
        self.runs.clear()
        self.quiet_until = self.ran

    def died(self) -> None:
        """What was not committed is gone."""
        self.memory, self.waiting, self.changes = self.committed.copy(), [], []
        self.coverage.clear()  # in a real house it is the alert EventsDropped that remembers
        self.doubt()

    def started(self) -> None:
        """A process took up where another stopped."""
        self.judged_ran, self.ran_before = self.ran - 1, self.ran
        self.rules_changed = True  # the process before may have died over it
        self.errors, self.errors_changed = (), self.ran

    def judged(self, at: int, changed: Sequence[Alert], steps: Sequence[EpisodeStep]) -> list[Change]:
        """The changes of a judgement, each with what was before."""
        ran = max(self.ran_before, self.ran - max(0, self.now - at))
        changes = [self._change(alert, at, ran) for alert in changed]
        self.waiting += steps
        self.changes += changes
        self.judged_ran = self.ran
        return changes

    def _change(self, alert: Alert, at: int, ran: int) -> Change:
        before, memory = self.memory.alerts.get(alert.fingerprint), self.memory
        state = before.state if before else AlertState.INACTIVE
        change = Change(at=at, ran=ran, before=state, after=alert, began_ran=memory.began.get(alert.fingerprint, ran))
        memory.alerts[alert.fingerprint], memory.began[alert.fingerprint] = alert, ran
        return change

    # ---- what the laws ask ---------------------------------------------------------------------------------------

    @property
    def own(self) -> frozenset[str]:
        """Fingerprints of alerts that are not about events."""
        return frozenset(alert.fingerprint for alert in self.firing if alert.alert not in self.rules)

    def between(self, alert: Alert, since: int, until: int) -> Iterator[Event]:
        """Counted events of the series of an alert that were emitted from an instant on and before another."""
        for event in reversed(self.events.values()):
            if since <= event.emitted_at < until and belongs(event, alert):
                yield event


def is_counted(event: Event) -> bool:
    """By any rule of these worlds."""
    return event.outcome in _FINISHED and event.fault not in CALLER_FAULTS


def is_bad(event: Event) -> bool:
    """For any rule of these worlds."""
    return event.outcome is Outcome.FAILED and event.fault not in CALLER_FAULTS


def belongs(event: Event, alert: Alert) -> bool:
    """To the series of an alert."""
    return all(getattr(event, name) == value for name, value in alert.labels)
