"""Plays traffic of a made-up day through a book, second by second, without any clock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from daemon.domain.alert import Alert, EpisodeStep, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.event import Event, Fault, Outcome, Wire, id_floor
from daemon.logic.judging import Book
from daemon.logic.rules.ratio import RatioRule

T0 = 1_795_514_400_000
_sequence = count()


def an_event(at: int, *, bad: bool = False, **changes: Any) -> Event:
    """A finished turn of a client; a bad one was rate limited."""
    facts: dict[str, Any] = {
        "event_id": id_floor(at) + next(_sequence) % 4096,
        "emitted_at": at,
        "started_at": at - 100,
        "duration_ms": 100,
        "method": "POST",
        "endpoint": "/v1/chat/completions",
        "wire": Wire.OPENAI_CHAT,
        "status": 429 if bad else 200,
        "outcome": Outcome.FAILED if bad else Outcome.OK,
        "fault": Fault.PROVIDER_RATE_LIMITED if bad else None,
        "requested_model": "gpt-5.4",
        "provider_key": "codex",
    }
    return Event(**facts | changes)


def a_rule(**changes: Any) -> RatioRule:
    """The runbook's 429 rule, without `for`, `in_a_row` and long stretches unless said."""
    facts: dict[str, Any] = {
        "alert": "ProviderRateLimited",
        "kind": "ratio",
        "bad": {"fault": ["provider_rate_limited", "provider_quota"]},
        "by": ["provider_key"],
        "window": "10m",
        "stretch_to": "10m",
        "levels": {"warning": {"above": "5%", "clear_below": "3%"}, "critical": {"above": "10%", "clear_below": "6%"}},
    }
    return RatioRule.model_validate(facts | changes)


@dataclass(slots=True)
class Play:
    """`second` is the last one judged, counted from `T0`."""

    book: Book
    second: int = 0
    steps: list[tuple[int, EpisodeStep]] = field(default_factory=list)
    changed: list[tuple[int, Alert]] = field(default_factory=list)
    errors: list[tuple[str, Exception]] = field(default_factory=list)
    _owed: float = 0.0

    @classmethod
    def of(cls, *rules: RatioRule, mitigated: Mapping[str, tuple[str, ...]] | None = None) -> "Play":
        known = mitigated or {}
        return cls(Book(AlertsConfig(rules=rules), lambda mitigation: known.get(mitigation, ())))

    @property
    def now(self) -> int:
        return T0 + self.second * 1000

    def traffic(self, seconds: int, *, per_second: float = 1.0, bad: float = 0.0, **changes: Any) -> None:
        """So much traffic, of which the share `bad` fails, evenly spread."""
        owed, failures = 0.0, 0.0
        for _ in range(seconds):
            owed += per_second
            whole, owed = int(owed + 1e-9), owed - int(owed + 1e-9)
            for place in range(whole):
                failures += bad
                fails = failures >= 1 - 1e-9
                failures -= fails
                self.book.observe(an_event(self.now + place * 1000 // whole, bad=fails, **changes))
            self.judge()

    def silence(self, seconds: int) -> None:
        self.traffic(seconds, per_second=0)

    def judge(self) -> None:
        self.second += 1
        judgement = self.book.judge(self.now)
        self.steps += [(self.second, step) for step in judgement.steps]
        self.changed += [(self.second, alert) for alert in judgement.changed]
        self.errors += judgement.errors

    @property
    def firing(self) -> set[tuple[str, Severity]]:
        return {(alert.alert, alert.severity) for alert in self.book.firing()}

    @property
    def severities(self) -> list[str]:
        return sorted(severity.value for _, severity in self.firing)

    @property
    def told(self) -> list[str]:
        """The changes of episodes, in order."""
        return [step.change.value for _, step in self.steps]

    def alert(self, severity: Severity = Severity.CRITICAL) -> Alert:
        return next(alert for alert in self.book.alerts() if alert.severity is severity)


def states(play: Play, severity: Severity) -> Iterator[str]:
    """The states that one severity went through."""
    return (alert.state.value for _, alert in play.changed if alert.severity is severity)
