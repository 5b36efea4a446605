"""A series: the windows of one rule and one label set, and the alert of each of its levels."""

import re
from collections.abc import Iterator
from dataclasses import replace

from daemon.domain.alert import Alert, AlertState, EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import Rule
from daemon.domain.event import Event
from daemon.domain.labels import Labels, fingerprint, labels_of
from daemon.domain.sample import Counts, Query, Verdict
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.lifecycle import Signal, Timing, advance
from daemon.logic.windows import Ring, bucket_ms

MOST_MODELS = 200
"""Of one series: models are named by clients."""

_SUFFIX = re.compile(r"\([^()]*\)$")
_ENDED = frozenset({AlertState.INACTIVE, AlertState.RESOLVED})


class Series:
    """Counts, judges and remembers. Instants are epoch ms."""

    def __init__(self, rule: Rule, query: Query, labels: Labels) -> None:
        self.rule = rule
        self.labels = labels
        self._query = query
        self._ring = self._new_ring()
        self._models: dict[str, Ring] = {}
        self._streak = 0
        self._counted_from = 0
        self._last_data_at = 0
        self.alerts = {severity: self._blank(severity) for severity in rule.levels}
        self._verdicts: dict[Severity, Verdict] = {}

    # ---- counting ------------------------------------------------------------------------------------------------

    def count(self, event: Event, *, bad: bool) -> None:
        """One event that the rule counts."""
        if event.emitted_at < self._counted_from:
            return
        self._ring.add(event.emitted_at, 1, int(bad))
        self._streak = self._streak + 1 if bad else 0
        self._last_data_at = max(self._last_data_at, event.emitted_at)
        if event.requested_model is not None:
            model = _SUFFIX.sub("", event.requested_model)
            if model not in self._models and len(self._models) < MOST_MODELS:
                self._models[model] = self._new_ring()
            if model in self._models:
                self._models[model].add(event.emitted_at, 1, int(bad))

    def start_anew(self, at: int) -> None:
        """Nothing from before an instant counts any more."""
        self._counted_from = max(self._counted_from, at)
        self._streak = 0
        for ring in (self._ring, *self._models.values()):
            ring.forget_before(at)

    @property
    def is_empty(self) -> bool:
        """Nothing to remember: no alert in progress, nothing counted as far back as any window reaches."""
        return not self.is_active and not self._ring

    @property
    def is_active(self) -> bool:
        """A level is on its way: time alone can change it."""
        return any(alert.state not in _ENDED for alert in self.alerts.values())

    # ---- judging -------------------------------------------------------------------------------------------------

    def judge(self, at: int, *, degraded: bool) -> list[Alert]:
        """The alerts whose state changed."""
        self._forget(at)
        reading = SeriesReading(self._ring, self._query, self._streak, at)
        changed = []
        for severity, before in self.alerts.items():
            verdict = self.rule.judge(severity, reading)
            seen = self._describe(before, verdict, at, degraded=degraded)
            after = advance(seen, self._signal(verdict, at), at, self._timing(severity))
            self._verdicts[severity], self.alerts[severity] = verdict, after
            if after.state is not before.state:
                changed.append(after)
        if changed and not self.is_active:
            self._begin_after(at)
        return changed

    def restore(self, alert: Alert, shift_ms: int) -> None:
        """Takes a stored alert up again; time that was not served (`shift_ms`) does not count."""
        if alert.severity not in self.alerts:
            return
        if alert.state in _ENDED:
            if alert.resolved_at is not None:
                self._begin_after(alert.resolved_at)
        else:
            alert = replace(alert, since=alert.since + shift_ms, last_data_at=alert.last_data_at + shift_ms)
            self._last_data_at = max(self._last_data_at, alert.last_data_at)
        ours = self.alerts[alert.severity]
        self.alerts[alert.severity] = replace(alert, runbook=ours.runbook, mitigate=ours.mitigate)

    def acting(self) -> Iterator[Alert]:
        """The alerts that fire on evidence which is there at this moment, and seen whole."""
        for severity, alert in self.alerts.items():
            verdict = self._verdicts.get(severity)
            if alert.state is AlertState.FIRING and not alert.degraded and verdict is not None and verdict.raises:
                yield alert

    def _begin_after(self, resolved_at: int) -> None:
        """An incident that is over is no evidence for the next one, however far a window stretches."""
        at = resolved_at - round(self._query.window_seconds * 1000)
        self._counted_from = max(self._counted_from, at)
        self._ring.forget_before(at)

    def _forget(self, at: int) -> None:
        oldest = at - round(self._query.stretch_to_seconds * 1000)
        self._ring.forget_before(oldest)
        for model, ring in list(self._models.items()):
            ring.forget_before(oldest)
            if not ring:
                del self._models[model]

    def _signal(self, verdict: Verdict, at: int) -> Signal:
        if verdict.raises:
            return Signal.RAISES
        if verdict.value is None:
            patience = 0.0 if self.rule.no_data == "resolve" else self._query.stretch_to_seconds
            return Signal.EXPIRED if at - self._last_data_at >= patience * 1000 else Signal.NO_DATA
        return Signal.CLEARS if verdict.clears else Signal.BETWEEN

    def _timing(self, severity: Severity) -> Timing:
        level = self.rule.levels[severity]
        return Timing(
            for_seconds=self.rule.for_ if level.for_ is None else level.for_,
            keep_seconds=self.rule.keep_firing_for if level.keep_firing_for is None else level.keep_firing_for,
        )

    # ---- telling -------------------------------------------------------------------------------------------------

    def _describe(self, alert: Alert, verdict: Verdict, at: int, *, degraded: bool) -> Alert:
        """The alert with the figures of now; without any, those that were last seen stay."""
        if verdict.value is None:
            return alert if alert.degraded is degraded else replace(alert, degraded=degraded)
        return replace(
            alert,
            value=verdict.value,
            samples=verdict.samples,
            bad=verdict.bad,
            lower_bound=verdict.lower_bound,
            window_seconds=verdict.window_seconds,
            last_data_at=self._last_data_at,
            summary=self._summary(verdict),
            models=self._failing_models(verdict, at) if verdict.raises else alert.models,
            degraded=degraded,
        )

    def _summary(self, verdict: Verdict) -> str:
        figures = {
            "alert": self.rule.alert,
            "value": say_ratio(verdict.value or 0.0),
            "samples": str(verdict.samples),
            "bad": str(verdict.bad),
            "lower_bound": say_ratio(verdict.lower_bound or 0.0),
            "window": say_duration(verdict.window_seconds),
        }
        template = self.rule.summary or "{alert}: {bad} of {samples} in {window} ({value})"
        return template.format_map(dict(self.labels) | figures)

    def _failing_models(self, verdict: Verdict, at: int) -> tuple[str, ...]:
        """The models that fail at least as often as the series as a whole, worst first."""
        shares: dict[str, float] = {}
        for model, ring in self._models.items():
            samples, bad = ring.counts(at, verdict.window_seconds)
            if bad and bad / samples >= (verdict.value or 0.0):
                shares[model] = bad / samples
        return tuple(sorted(shares, key=lambda model: (-shares[model], model)))

    def _blank(self, severity: Severity) -> Alert:
        labels = labels_of(self.rule.labels | dict(self.labels))
        return Alert(
            fingerprint=fingerprint(self.rule.alert, labels, severity),
            episode=fingerprint(self.rule.alert, labels),
            alert=self.rule.alert,
            severity=severity,
            labels=labels,
            since=0,
            last_data_at=0,
            runbook=self.rule.runbook,
            mitigate=self.rule.levels[severity].mitigate,
        )

    def _new_ring(self) -> Ring:
        return Ring(bucket_ms(self._query.window_seconds), self._query.stretch_to_seconds)


class SeriesReading:
    """A `Reading` of a series at one instant."""

    __slots__ = ("_at", "_query", "_ring", "streak")

    def __init__(self, ring: Ring, query: Query, streak: int, at: int) -> None:
        self._ring, self._query, self._at = ring, query, at
        self.streak = streak

    def stretches(self) -> Iterator[tuple[float, Counts]]:
        return self._ring.stretches(self._at, self._query.window_seconds)


def episode_step(before: Severity | None, after: Severity | None, at: int, alert: Alert) -> EpisodeStep | None:
    """What happened to an episode whose highest firing severity changed; None when it did not."""
    if before is after:
        return None
    if before is None:
        change = EpisodeChange.OPENED
    elif after is None:
        change = EpisodeChange.CLOSED
    else:
        change = EpisodeChange.ESCALATED if after.rank > before.rank else EpisodeChange.EASED
    return EpisodeStep(change=change, episode=alert.episode, at=at, before=before, after=after, alert=alert)
