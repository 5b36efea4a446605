"""Backtests: what was judged again on recorded traffic, and what it says about each rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from daemon.domain.alert import Alert
from daemon.domain.audit import AuditEntry
from daemon.domain.labels import Labels
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time that is judged again, in epoch ms: from `since` on and before `until`."""

    since: int
    until: int

    @property
    def days(self) -> float:
        return (self.until - self.since) / DAY_MS

    @property
    def seconds(self) -> float:
        return (self.until - self.since) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """The lowest level of one label set stood at 80 % of its threshold or above; instants are epoch ms."""

    labels: Labels
    since: int
    until: int
    peak: float
    """As a multiple of the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What regular looks at one rule saw; `seconds` lie between two of them. None: rules of its kind do not say it."""

    seconds: float
    looks: int = 0
    blind: int | None = None
    """Looks at which no label set had enough samples to judge by."""
    longest_blind: int = 0
    """So many of them in a row."""
    approaches: tuple[Approach, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Everything that a set of rules did in a span."""

    span: Span
    events: int
    transitions: tuple[Alert, ...]
    """In order."""
    notifications: tuple[Notification, ...]
    mitigations: tuple[Mitigation, ...]
    notes: tuple[AuditEntry, ...]
    """What was wanted and not begun, with the reason."""
    watches: Mapping[str, Watch] = field(default_factory=dict)
    """By rule."""
    failures: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By requested model, when its turns failed (epoch ms), in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One label set of one rule, from the first level that fired to the last that ended; instants are epoch ms."""

    alert: str
    labels: Labels
    since: int
    until: int
    is_open: bool = False
    """It still fired at the end of the span."""

    @property
    def seconds(self) -> float:
        return (self.until - self.since) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """How one rule would have fared. None is what cannot be said of this kind of rule."""

    alert: str
    kind: str
    episodes: int
    median_seconds: float | None
    longest_seconds: float | None
    share_firing: float
    """Of the span, with any of its label sets firing."""
    messages: int
    messages_per_day: float
    messages_per_night: float
    flaps: int
    """Raised anew within 10 minutes of clearing."""
    near_misses: int | None
    nearest: float | None
    """The highest peak that did not fire, as a multiple of the threshold."""
    looks: int
    blind_share: float | None
    """Of the looks, those at which no label set had enough samples."""
    longest_blind_seconds: float | None
    mitigations: int
    lease_seconds: float
    led_away: int
    """Failing turns of those models while something stood in for them."""
    refusals: Mapping[str, int]
    """Why mitigations would not have run, and how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What a person says was one; instants are epoch ms. Absent is any."""

    since: int
    until: int
    alert: str | None = None
    labels: Labels = ()

    def is_met_by(self, episode: Episode) -> bool:
        """Whether an episode is about it."""
        has_labels = set(self.labels) <= set(episode.labels)
        return self.alert in (None, episode.alert) and has_labels and self._overlaps(episode)

    def _overlaps(self, episode: Episode) -> bool:
        return episode.since <= self.until and episode.until >= self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Episodes beside what a person says were incidents."""

    incidents: int
    missed: tuple[Incident, ...]
    episodes: int
    true_episodes: int
    """Those about an incident."""
    median_lead_seconds: float | None
    """From the raise to the `from` of the incident; negative where it had begun before."""

    @property
    def precision(self) -> float | None:
        return self.true_episodes / self.episodes if self.episodes else None

    @property
    def recall(self) -> float | None:
        return 1 - len(self.missed) / self.incidents if self.incidents else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a set of rules would have done in a span."""

    span: Span
    events: int
    rules: tuple[RuleReport, ...]
    messages: int
    """Of all rules; one that tells of two is one."""
    messages_per_day: float
    messages_per_night: float
    score: Score | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    """By rule, of those that have an episode or an incident of their own."""
