"""The book of all rules: takes events in, and judges them at whole seconds of event time."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.domain.alert import Alert, AlertState, EpisodeStep, ResolvedBecause, Severity
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.event import Event
from daemon.domain.labels import Labels
from daemon.logic.lifecycle import end
from daemon.logic.series import Series, episode_step
from daemon.logic.windows import COARSEST_MS, Ring

MOST_SERIES = 1000
"""Of one rule: labels may be named by clients. What comes after is counted together, under `other`."""
WHOLE_COVERAGE = 0.8
"""Below this share of the emitted events nothing new is acted on."""
SECOND_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one instant changed. `errors` are rules that could not be judged: their state is kept."""

    changed: tuple[Alert, ...] = ()
    steps: tuple[EpisodeStep, ...] = ()
    errors: tuple[tuple[str, Exception], ...] = ()


class _Account:
    """One rule with its series."""

    def __init__(self, rule: Rule, selections: Mapping[str, dict[str, Any]]) -> None:
        self.rule = rule
        self.query = rule.query(selections)
        self.series: dict[Labels, Series] = {}
        self.dirty: set[Labels] = set()
        self.lost = Ring(COARSEST_MS, self.query.stretch_to_seconds)

    def of(self, labels: Labels) -> Series:
        series = self.series.get(labels)
        if series is None:
            if len(self.series) >= MOST_SERIES:
                labels = tuple((name, "other") for name, _ in labels)
            series = self.series.setdefault(labels, Series(self.rule, self.query, labels))
        return series

    def count(self, event: Event) -> None:
        if self.query.of(event):
            labels = tuple(sorted((name, _label(getattr(event, name))) for name in self.query.by))
            series = self.of(labels)
            series.count(event, bad=self.query.bad(event))
            self.dirty.add(series.labels)

    def due(self, *, everything: bool) -> list[Series]:
        dirty, self.dirty = self.dirty, set()
        return [series for key, series in self.series.items() if everything or key in dirty or series.is_active]

    def is_degraded(self, at: int) -> bool:
        emitted, lost = self.lost.counts(at, self.query.window_seconds)
        return emitted > 0 and (emitted - lost) / emitted < WHOLE_COVERAGE


class Book:
    """Every series of every rule. Sans-IO: time comes in, changes go out.

    `mitigated` tells which rules (by alert name) a mitigation id belongs to: what a mitigation rewrote is no evidence
    for them, for a fallback would cure its own signal.
    """

    def __init__(self, config: AlertsConfig, mitigated: Callable[[str], Collection[str]] = lambda _: ()) -> None:
        self._rules = {rule.alert: _Account(rule, config.selections) for rule in config.rules}
        self._mitigated = mitigated
        self._held: list[Event] = []
        self._orphans: list[Alert] = []

    @property
    def longest_window_seconds(self) -> float:
        """How far back events must be known."""
        return max((account.query.stretch_to_seconds for account in self._rules.values()), default=0.0)

    @property
    def is_active(self) -> bool:
        """Time alone can change something: judge the next second too."""
        return bool(self._held or self._orphans) or any(series.is_active for series in self._series())

    # ---- taking in -----------------------------------------------------------------------------------------------

    def observe(self, event: Event) -> None:
        """Holds an event until its second is judged."""
        self._held.append(event)

    def warm(self, event: Event) -> None:
        """Counts a stored event at once: it was judged in its time."""
        self._count(event)

    def lose(self, at: int, emitted: int, lost: int) -> None:
        """So many events were emitted, and so many of them never arrived."""
        for account in self._rules.values():
            account.lost.add(at, emitted, lost)

    def restore(self, alerts: Sequence[Alert], *, shift_ms: int = 0) -> None:
        """Stored alerts, as they were; `shift_ms` is the time in which nobody judged. Those whose rule is gone end."""
        for alert in alerts:
            account = self._rules.get(alert.alert)
            series = account and account.of(_series_labels(alert, account.rule))
            if series and any(alert.fingerprint == ours.fingerprint for ours in series.alerts.values()):
                series.restore(alert, shift_ms)
            elif alert.state not in (AlertState.INACTIVE, AlertState.RESOLVED):
                self._orphans.append(alert)
        for account in self._rules.values():
            account.dirty.update(account.series)

    def start_anew(self, fingerprints: Collection[str], at: int) -> None:
        """The windows of these alerts begin at an instant: a mitigation was released."""
        for series in self._series():
            if any(alert.fingerprint in fingerprints for alert in series.alerts.values()):
                series.start_anew(at)

    # ---- judging -------------------------------------------------------------------------------------------------

    def judge(self, at: int) -> Judgement:
        """Judges a whole second (epoch ms): counts what was emitted before it, then looks at every series that it,
        or the passing of time, could have changed."""
        self._count_before(at)
        changed, steps = self._end_orphans(at)
        errors: list[tuple[str, Exception]] = []
        everything = at % COARSEST_MS == 0
        for name, account in self._rules.items():
            try:
                degraded = account.is_degraded(at)
                for series in account.due(everything=everything):
                    _judge(series, at, degraded, changed, steps)
            except Exception as error:
                errors.append((name, error))
            if everything:
                account.series = {key: series for key, series in account.series.items() if not series.is_empty}
        return Judgement(changed=tuple(changed), steps=tuple(steps), errors=tuple(errors))

    def _count_before(self, at: int) -> None:
        due, self._held = (
            [event for event in self._held if event.emitted_at < at],
            [event for event in self._held if event.emitted_at >= at],
        )
        for event in due:
            self._count(event)

    def _count(self, event: Event) -> None:
        outside = {name for mitigation in event.mitigation_ids for name in self._mitigated(mitigation)}
        for name, account in self._rules.items():
            if name not in outside:
                account.count(event)

    def _end_orphans(self, at: int) -> tuple[list[Alert], list[EpisodeStep]]:
        """Alerts whose rule was removed: what fired is resolved, and each episode is closed once."""
        orphans, self._orphans = self._orphans, []
        changed: list[Alert] = []
        steps: dict[str, EpisodeStep] = {}
        for alert in sorted(orphans, key=lambda alert: alert.severity.rank):
            firing = alert.is_firing
            ended = end(alert, at, ResolvedBecause.RULE_REMOVED)
            changed.append(ended)
            if firing and (step := episode_step(alert.severity, None, at, ended)):
                steps[alert.episode] = step
        return changed, list(steps.values())

    # ---- showing -------------------------------------------------------------------------------------------------

    def alerts(self) -> list[Alert]:
        """The present row of every alert that has a story."""
        return [alert for series in self._series() for alert in series.alerts.values() if alert.since]

    def firing(self) -> list[Alert]:
        """Firing and clearing ones."""
        return [alert for series in self._series() for alert in series.alerts.values() if alert.is_firing]

    def acting(self) -> frozenset[str]:
        """Fingerprints of those whose evidence raises at this moment: only they may start anything."""
        return frozenset(alert.fingerprint for series in self._series() for alert in series.acting())

    def _series(self) -> Iterator[Series]:
        for account in self._rules.values():
            yield from account.series.values()


def _judge(series: Series, at: int, degraded: bool, changed: list[Alert], steps: list[EpisodeStep]) -> None:
    before = _highest(series)
    those = series.judge(at, degraded=degraded)
    changed += those
    after = _highest(series)
    tellers = [alert for alert in series.alerts.values() if alert.severity is (after or before)]
    if tellers and (step := episode_step(before, after, at, tellers[0])):
        steps.append(step)


def _highest(series: Series) -> Severity | None:
    firing = [alert.severity for alert in series.alerts.values() if alert.is_firing]
    return max(firing, key=lambda severity: severity.rank, default=None)


def _label(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _series_labels(alert: Alert, rule: Rule) -> Labels:
    """The labels that told the series apart, without those that the rule adds."""
    return tuple((name, value) for name, value in alert.labels if name in rule.by)
