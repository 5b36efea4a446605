"""Alerts about the daemon itself: named conditions that are true or not, with the life of any other alert."""

from collections.abc import Iterable
from dataclasses import replace

from daemon.domain.alert import Alert, EpisodeStep, Severity
from daemon.domain.labels import fingerprint
from daemon.logic.lifecycle import Signal, Timing, advance
from daemon.logic.series import episode_step

CONFIG_RELOAD_FAILED = "ConfigReloadFailed"
EVALUATION_FAILING = "EvaluationFailing"
NAMES = (CONFIG_RELOAD_FAILED, EVALUATION_FAILING)

_AT_ONCE = Timing(for_seconds=0.0, keep_seconds=0.0)


class Conditions:
    """Whether each condition holds is said from outside; the next judgement turns it into an alert."""

    def __init__(self) -> None:
        self._troubles: dict[str, str] = {}
        self._alerts = {name: _blank(name) for name in NAMES}

    def say(self, name: str, trouble: str | None) -> None:
        """What is wrong, in one line; None: nothing."""
        if trouble is None:
            self._troubles.pop(name, None)
        else:
            self._troubles[name] = trouble

    def restore(self, alerts: Iterable[Alert]) -> None:
        """As they were stored."""
        self._alerts |= {alert.alert: alert for alert in alerts if alert.alert in self._alerts}

    def judge(self, at: int) -> tuple[list[Alert], list[EpisodeStep]]:
        """What changed, at an instant (epoch ms)."""
        changed, steps = [], []
        for name, before in self._alerts.items():
            trouble = self._troubles.get(name)
            seen = before if trouble is None else replace(before, summary=trouble, last_data_at=at)
            after = advance(seen, Signal.CLEARS if trouble is None else Signal.RAISES, at, _AT_ONCE)
            self._alerts[name] = after
            if after.state is not before.state:
                changed.append(after)
                step = episode_step(_severity(before), _severity(after), at, after)
                steps += [step] if step else []
        return changed, steps

    def alerts(self) -> list[Alert]:
        """Those that have a story."""
        return [alert for alert in self._alerts.values() if alert.since]


def _severity(alert: Alert) -> Severity | None:
    return alert.severity if alert.is_firing else None


def _blank(name: str) -> Alert:
    severity = Severity.WARNING
    return Alert(
        fingerprint=fingerprint(name, (), severity),
        episode=fingerprint(name, ()),
        alert=name,
        severity=severity,
        labels=(),
        since=0,
        last_data_at=0,
    )
