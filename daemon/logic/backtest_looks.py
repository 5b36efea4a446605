"""Looks: what a backtest sees of rules that do not fire: how near they come, and whether they see enough to judge."""

from collections.abc import Mapping, Sequence
from typing import Any

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Rule
from daemon.domain.backtest import Approach, Watch
from daemon.domain.labels import Labels, labels_of
from daemon.domain.sample import Verdict
from daemon.domain.units import parse_duration

NEAR = 0.8
"""Of the threshold, from which on a peak is a near miss."""

Verdicts = Sequence[tuple[Labels, Mapping[Severity, Verdict]]]


class Looks:
    """At one rule, at regular instants (epoch ms)."""

    def __init__(self, rule: Rule, seconds: float) -> None:
        self._rule, self._seconds = rule, seconds
        self._lowest = min(rule.levels, key=lambda severity: severity.rank)
        self._threshold = threshold(rule, self._lowest)
        self._least = getattr(rule, "min_samples", None)
        self._looks = self._blind = self._in_a_row = self._longest = 0
        self._near: dict[Labels, Approach] = {}
        self._approaches: list[Approach] = []

    def note(self, at: int, verdicts: Verdicts) -> None:
        """What the rule says of every label set."""
        self._looks += 1
        is_blind = not any(self._sees(levels[self._lowest]) for _, levels in verdicts)
        self._in_a_row = self._in_a_row + 1 if is_blind else 0
        self._blind += is_blind
        self._longest = max(self._longest, self._in_a_row)
        if self._threshold:
            self._note_near(at, verdicts, self._threshold)

    def watch(self) -> Watch:
        """All that was seen."""
        approaches = (*self._approaches, *self._near.values())
        return Watch(
            seconds=self._seconds,
            looks=self._looks,
            blind=self._blind if isinstance(self._least, int) else None,
            longest_blind=self._longest,
            approaches=tuple(sorted(approaches, key=lambda one: one.since)) if self._threshold else None,
        )

    def _sees(self, verdict: Verdict) -> bool:
        return verdict.value is not None and (not isinstance(self._least, int) or verdict.samples >= self._least)

    def _note_near(self, at: int, verdicts: Verdicts, threshold: float) -> None:
        near: dict[Labels, Approach] = {}
        for labels, levels in verdicts:
            verdict = levels[self._lowest]
            if self._sees(verdict) and (peak := (verdict.value or 0.0) / threshold) >= NEAR:
                before = self._near.pop(labels, None)
                near[labels] = self._approach(labels, at, peak, before)
        self._approaches += self._near.values()
        self._near = near

    def _approach(self, labels: Labels, at: int, peak: float, before: Approach | None) -> Approach:
        if before is not None:
            return Approach(labels=before.labels, since=before.since, until=at, peak=max(peak, before.peak))
        return Approach(labels=labels_of(self._rule.labels | dict(labels)), since=at, until=at, peak=peak)


def threshold(rule: Rule, severity: Severity) -> float | None:
    """What a level's value is compared with, in the unit of the value; None for rules that compare nothing."""
    above: Any = getattr(rule.levels[severity], "above", None)
    if above is None or isinstance(above, int | float):
        return above
    try:
        return parse_duration(above) * (1000 if str(getattr(rule, "field", "")).endswith("_ms") else 1)
    except ValueError:
        return None
