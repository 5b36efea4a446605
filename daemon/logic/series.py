"""A series: one rule and one label set, and the alert of each of its levels."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from daemon.domain.alert import Alert, AlertState, EpisodeChange, EpisodeStep, Severity
from daemon.domain.alerts_config import Rule
from daemon.domain.labels import Labels, fingerprint, labels_of
from daemon.domain.sample import Query, Reading, Verdict
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.lifecycle import Signal, Timing, advance
from daemon.logic.tally import Track

_ENDED = frozenset({AlertState.INACTIVE, AlertState.RESOLVED})
_WAITING = frozenset({AlertState.PENDING, AlertState.CLEARING})


class Series:
    """Judges and remembers. Instants are epoch ms."""

    def __init__(self, rule: Rule, query: Query, labels: Labels) -> None:
        self.rule = rule
        self.labels = labels
        self._query = query
        self._last_data_at = 0
        self._verdicts: dict[Severity, tuple[Verdict, int]] = {}
        self._seen_at = self._told_at = 0
        self.floor = 0
        """Nothing from before this instant is evidence any more."""
        self.alerts = {severity: self._blank(severity) for severity in rule.levels}

    @property
    def is_active(self) -> bool:
        """A level is on its way: time alone can change it."""
        return any(alert.state not in _ENDED for alert in self.alerts.values())

    @property
    def is_waiting(self) -> bool:
        """A level is between two states: each second counts."""
        return any(alert.state in _WAITING for alert in self.alerts.values())

    # ---- judging -------------------------------------------------------------------------------------------------

    def look(self, track: Track, at: int) -> None:
        """The figures of an instant at which nothing could change; once for all who ask."""
        if self._seen_at == at:
            return
        self._seen_at = at
        with suppress(Exception):  # the judgement tells it
            for severity, verdict in verdicts_of(self.rule, track.reading(at, self.floor)).items():
                self._note(severity, verdict, at, degraded=self.alerts[severity].degraded)

    def advance(
        self, verdicts: Mapping[Severity, Verdict] | None, track: Track, at: int, degraded: bool
    ) -> list[Alert]:
        """The alerts whose state changed; without verdicts everything ends for want of data."""
        self._last_data_at, self._seen_at = max(self._last_data_at, track.last_at or 0), at
        changed = []
        for severity in self.rule.levels:
            verdict = verdicts[severity] if verdicts else Verdict(window_seconds=self._query.window_seconds)
            self._note(severity, verdict, at, degraded=degraded)
            before, signal = self.alerts[severity], self._signal(verdict, at) if verdicts else Signal.EXPIRED
            after = advance(before, signal, at, self._timing(severity, verdict))
            self.alerts[severity] = after
            if after.state is not before.state:
                changed.append(self._describe(severity, track))
        if changed and not self.is_active:
            self.end_evidence(at)
        return changed

    def present(self, track: Track | None) -> list[Alert]:
        """Every level's alert, with the figures of now while it is on its way."""
        if self._told_at != self._seen_at:
            self._told_at = self._seen_at
            for severity, alert in self.alerts.items():
                if alert.state not in _ENDED:
                    self._describe(severity, track)
        return list(self.alerts.values())

    def _describe(self, severity: Severity, track: Track | None) -> Alert:
        """With the figures of the latest verdict that had any."""
        alert = self.alerts[severity]
        if (seen := self._verdicts.get(severity)) is None:
            return alert
        verdict, at = seen
        told = replace(
            alert,
            value=verdict.value,
            value_text=self._say(verdict),
            samples=verdict.samples,
            bad=verdict.bad,
            lower_bound=verdict.lower_bound,
            window_seconds=verdict.window_seconds,
            last_data_at=self._last_data_at,
            summary=self._summary(verdict),
            models=self._failing_models(track, verdict, at) if track and verdict.raises else alert.models,
        )
        self.alerts[severity] = told
        return told

    def pause(self, milliseconds: int) -> None:
        """Time that nobody judged counts neither for what is waited for, nor as time without data."""
        self.alerts = {severity: _paused(alert, milliseconds) for severity, alert in self.alerts.items()}
        self._last_data_at += milliseconds
        self._told_at = -1

    def restore(self, alert: Alert, shift_ms: int, silent_since: int) -> None:
        """Takes a stored alert up again; time that was not served (`shift_ms`) does not count, and silence counts from
        `silent_since` (epoch ms) at the earliest."""
        if alert.severity not in self.alerts:
            return
        if alert.state in _ENDED:
            if alert.resolved_at is not None:
                self.end_evidence(alert.resolved_at)
        else:
            alert = _paused(replace(alert, last_data_at=alert.last_data_at + shift_ms), shift_ms)
            self._last_data_at = max(self._last_data_at, alert.last_data_at, silent_since)
        ours = self.alerts[alert.severity]
        self.alerts[alert.severity] = replace(alert, runbook=ours.runbook, mitigate=ours.mitigate)

    def acknowledge(self, names: Mapping[str, str | None]) -> None:
        """Who looks after which of its alerts, by fingerprint."""
        for severity, alert in self.alerts.items():
            if alert.fingerprint in names:
                self.alerts[severity] = replace(alert, acknowledged_by=names[alert.fingerprint])

    def acting(self) -> Iterator[Alert]:
        """The alerts that fire on evidence which is there at this moment, and seen whole."""
        for severity, alert in self.alerts.items():
            seen = self._verdicts.get(severity)
            is_seen = seen is not None and seen[0].raises and not alert.degraded
            if alert.mitigate and alert.state is AlertState.FIRING and is_seen:
                yield alert

    def end_evidence(self, resolved_at: int) -> None:
        """An incident that is over is no evidence for the next one, however far a window stretches."""
        self.floor = max(self.floor, resolved_at - round(self._query.window_seconds * 1000))

    def forget_evidence(self) -> None:
        """Nothing raises at this moment, as far as is known; the figures stay."""
        for severity, (verdict, at) in self._verdicts.items():
            self._verdicts[severity] = replace(verdict, raises=False), at

    def _note(self, severity: Severity, verdict: Verdict, at: int, *, degraded: bool) -> None:
        """Without figures, those that were last seen stay; but they raise nothing any more."""
        alert = self.alerts[severity]
        if alert.degraded is not degraded:
            self.alerts[severity] = replace(alert, degraded=degraded)
        if verdict.value is not None or verdict.raises:
            self._verdicts[severity] = verdict, at
        elif (seen := self._verdicts.get(severity)) is not None:
            self._verdicts[severity] = replace(seen[0], raises=False), seen[1]

    def _signal(self, verdict: Verdict, at: int) -> Signal:
        if verdict.raises:
            return Signal.RAISES
        if verdict.clears:
            return Signal.CLEARS
        if verdict.value is None:
            patience = 0.0 if self.rule.no_data == "resolve" else self._query.stretch_to_seconds
            return Signal.EXPIRED if at - self._last_data_at >= patience * 1000 else Signal.NO_DATA
        return Signal.SUSPECTS if verdict.suspects else Signal.BETWEEN

    def _timing(self, severity: Severity, verdict: Verdict) -> Timing:
        level = self.rule.levels[severity]
        return Timing(
            for_seconds=self.rule.for_ if level.for_ is None else level.for_,
            keep_seconds=self.rule.keep_firing_for if level.keep_firing_for is None else level.keep_firing_for,
            raised_at=verdict.since,
        )

    # ---- telling -------------------------------------------------------------------------------------------------

    def _say(self, verdict: Verdict) -> str:
        return "" if verdict.value is None else self.rule.say(verdict.value)

    def _summary(self, verdict: Verdict) -> str:
        figures = {
            "alert": self.rule.alert,
            "value": self._say(verdict),
            "samples": str(verdict.samples),
            "bad": str(verdict.bad),
            "lower_bound": say_ratio(verdict.lower_bound or 0.0),
            "window": say_duration(verdict.window_seconds),
            "reason": verdict.reason,
        }
        return (self.rule.summary or self.rule.default_summary).format_map(dict(self.labels) | figures)

    @staticmethod
    def _failing_models(track: Track, verdict: Verdict, at: int) -> tuple[str, ...]:
        """The models that fail at least as often as the series as a whole, worst first."""
        shares: dict[str, float] = {}
        whole = verdict.bad / verdict.samples if verdict.samples else 0.0
        for model, ring in track.models.items():
            samples, bad = ring.counts(at, verdict.window_seconds)
            if bad and bad / samples >= whole:
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
            expression=self._query.expression,
        )


def verdicts_of(rule: Rule, reading: Reading) -> dict[Severity, Verdict]:
    """What a rule says of each of its levels; raises whatever the rule raises."""
    return {severity: rule.judge(severity, reading) for severity in rule.levels}


def _paused(alert: Alert, milliseconds: int) -> Alert:
    """What is waited for in a state that lasts a while takes so much longer."""
    return replace(alert, since=alert.since + milliseconds) if alert.state in _WAITING else alert


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
