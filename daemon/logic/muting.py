"""Muting: of which alerts nobody hears now, and why: silences, inhibition and quiet hours. Nothing else heeds it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache

from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import AlertsConfig, InhibitRule
from daemon.domain.schedule import Schedule
from daemon.domain.silence import Silence

DAY_MS = 86_400_000

Facts = Mapping[str, str]
"""The labels of an alert, its name and its severity among them."""
Same = tuple[str, ...]
"""The values of the labels that must be the same."""


def muted(alerts: Sequence[Alert], silences: Iterable[Silence], config: AlertsConfig, at: int) -> list[Alert]:
    """The same alerts in the same order, each with whether nobody hears of it at an instant (epoch ms), and why."""
    active = [silence for silence in silences if silence.is_active(at)]
    quiet = quiet_hours(config, at)
    if not (active or config.inhibit_rules or quiet):
        return [_told(alert, "") for alert in alerts]
    facts = [facts_of(alert) for alert in alerts]
    firing = [those for alert, those in zip(alerts, facts, strict=True) if alert.is_firing]
    inhibitions = [_Inhibition.of(rule, firing) for rule in config.inhibit_rules]
    criticals = {alert.episode: alert for alert in alerts if alert.severity is Severity.CRITICAL}

    def why(alert: Alert, those: Facts) -> str:
        silence = next((one for one in active if one.matches(tuple(those.items()))), None)
        source = next(filter(None, (inhibition.source_of(those) for inhibition in inhibitions)), None)
        if silence is not None:
            return say_silence(silence, at)
        if source is not None:
            return f"inhibited by {source}"
        return f"quiet hours: {quiet}" if quiet and _is_mild(alert, criticals.get(alert.episode)) else ""

    return [_told(alert, why(alert, those)) for alert, those in zip(alerts, facts, strict=True)]


def quiet_hours(config: AlertsConfig, at: int) -> str | None:
    """The name of the interval in which warnings wait at an instant (epoch ms)."""
    for name in config.route.mute_time_intervals:
        interval = config.time_intervals.get(name)
        if interval is not None and _schedule(interval.schedule, interval.timezone).contains(at):
            return name
    return None


def say_silence(silence: Silence, at: int) -> str:
    """`silenced by jo until 07:00: planned work`, in UTC; the day is said too where it is a day or more away."""
    form = "%H:%M" if silence.ends_at - at < DAY_MS else "%Y-%m-%d %H:%M"
    until = datetime.fromtimestamp(silence.ends_at / 1000, UTC).strftime(form)
    said = f"silenced by {silence.author} until {until}"
    return f"{said}: {silence.comment}" if silence.comment else said


def facts_of(alert: Alert) -> Facts:
    """What matchers look at."""
    return {**dict(alert.labels), "alert": alert.alert, "severity": alert.severity.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inhibition:
    """One rule, and the sources of it that fire. What matches both sides is no source for what matches both sides, for
    it would mute itself."""

    rule: InhibitRule
    sources: Mapping[Same, str]
    pure_sources: Mapping[Same, str]
    """Those that the target does not match."""

    @classmethod
    def of(cls, rule: InhibitRule, firing: Iterable[Facts]) -> "_Inhibition":
        those = [facts for facts in firing if _matches(rule.source_matchers, facts)]
        pure = [facts for facts in those if not _matches(rule.target_matchers, facts)]
        return cls(rule=rule, sources=_by_same(rule, those), pure_sources=_by_same(rule, pure))

    def source_of(self, target: Facts) -> str | None:
        """The name of the alert that mutes it."""
        if not self.sources or not _matches(self.rule.target_matchers, target):
            return None
        sources = self.pure_sources if _matches(self.rule.source_matchers, target) else self.sources
        return sources.get(_same(self.rule, target))


def _by_same(rule: InhibitRule, sources: Iterable[Facts]) -> Mapping[Same, str]:
    return {_same(rule, facts): facts["alert"] for facts in sources}


def _same(rule: InhibitRule, facts: Facts) -> Same:
    return tuple(facts.get(name, "") for name in rule.equal)


def _matches(matchers: Mapping[str, str], facts: Facts) -> bool:
    return all(fnmatchcase(facts.get(name, ""), wanted) for name, wanted in matchers.items())


def _is_mild(alert: Alert, critical: Alert | None) -> bool:
    """A warning; what was critical has an end that is told at any hour."""
    if alert.severity is not Severity.WARNING:
        return False
    ended = critical.resolved_at if critical is not None else None
    return alert.is_firing or ended is None or ended < (alert.fired_at or alert.since)


def _told(alert: Alert, why: str) -> Alert:
    if (alert.silenced, alert.muted_by) == (bool(why), why):
        return alert
    return replace(alert, silenced=bool(why), muted_by=why)


@lru_cache(64)
def _schedule(schedule: str, timezone: str) -> Schedule:
    return Schedule.parse(schedule, timezone)
