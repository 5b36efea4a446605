"""Proofs: counts the turns of open mitigations and of the models that they are about, and says which did not help."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.event import OUR_FAULTS, Event, Outcome, Source
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.domain.sample import Counts
from daemon.logic.proof import DID_NOT_HELP, IS_WORSE, LATELY_SECONDS, Tally, Verdict
from daemon.logic.tally import label_of
from daemon.logic.windows import Ring
from daemon.logic.wishes import query_of, stand_ins
from daemon.ports import Clock

MODEL_SECONDS = 600.0
"""How far back it is known how models do."""
KEEP_MS = 60_000
"""How often the figures of a row are written down while they change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What the rule of a row's owner counts; without one: turns of clients that were judged, and those that failed."""

    of: Callable[[Event], bool] = lambda event: event.is_judged
    bad: Callable[[Event], bool] = lambda event: event.outcome is Outcome.FAILED
    labels: Mapping[str, str] | None = None
    """Of the alert; None: it is not known which turns an upstream setting is about."""

    def is_about(self, event: Event) -> bool:
        """Whether it is a turn of the alert's own series."""
        wanted = self.labels
        return wanted is not None and all(label_of(getattr(event, name, None)) == it for name, it in wanted.items())


class Proofs:
    """In memory; what a row must not lose is kept in its `figures`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._config = AlertsConfig()
        self._models: dict[str, Ring] = {}
        self._tallies: dict[str, Tally] = {}
        self._gauges: dict[str, Gauge] = {}
        self._judged: dict[str, int] = {}
        self._kept_at: dict[str, int] = {}
        self._failures: dict[str, str] = {}

    def configure(self, config: AlertsConfig) -> None:
        """Whose turns are counted from now on."""
        self._config = config
        self._gauges.clear()
        self._models = {name: self._models.get(name) or Ring(10_000, MODEL_SECONDS) for name in stand_ins(config)}

    def keep(self, rows: Iterable[Mitigation]) -> None:
        """Forgets what belongs to other rows."""
        ids = {row.id for row in rows}
        for known in (self._tallies, self._gauges, self._judged, self._kept_at, self._failures):
            for gone in known.keys() - ids:
                del known[gone]

    def observe(self, event: Event, rows: Iterable[Mitigation], firing: Sequence[Alert]) -> None:
        """Counts one event for the open rows that it is about."""
        if event.source is not Source.CLIENT or not event.is_model_call:
            return
        if event.is_judged and (ring := self._models.get(event.model_id or event.requested_model or "")) is not None:
            ring.add(event.emitted_at, 1, event.outcome is Outcome.FAILED)
        for row in rows:
            if row.state is MitigationState.APPLIED and event.started_at >= (row.applied_at or 0):
                self._count(event, row, firing)

    def _count(self, event: Event, row: Mitigation, firing: Sequence[Alert]) -> None:
        gauge, tally = self._gauge(row, firing), self._tally(row)
        went_through = row.id in event.mitigation_ids
        if went_through and event.is_judged and event.fault not in OUR_FAULTS:
            tally.went_through(event.emitted_at, event.outcome)
        if (went_through if row.soft else gauge.is_about(event)) and gauge.of(event):
            tally.count(bad=gauge.bad(event))

    def errors(self) -> dict[str, Counts]:
        """How the turns of each model ended lately, by what was sent upstream."""
        now = self._clock.now() + 1
        return {model: ring.counts(now, MODEL_SECONDS) for model, ring in self._models.items() if ring}

    def told(self, row: Mitigation) -> Mitigation:
        """The row with the figures of now, and once it ends with what it saved."""
        tally = self._tally(row)
        found = replace(row, figures={**row.figures, **tally.figures()})
        return found if row.state.is_open or not row.soft else replace(found, saved_turns=tally.saved_turns)

    def is_to_keep(self, row: Mitigation) -> bool:
        """Whether there are figures that should be written down."""
        now = self._clock.now()
        if now - self._kept_at.setdefault(row.id, now) < KEEP_MS:
            return False
        self._kept_at[row.id] = now
        return bool(self._tally(row).figures().items() - row.figures.items())

    def proof(self, row: Mitigation) -> str:
        """What is proved of it, in words; judged as soon as its time has come."""
        now = self._clock.now()
        if row.state is not MitigationState.APPLIED or row.applied_at is None:
            return row.proof
        tally = self._tally(row)
        if row.soft and now - row.applied_at >= LATELY_SECONDS * 1000 and tally.is_worse(now + 1):
            self._failures.setdefault(row.id, f"{IS_WORSE}: {tally.lately(now + 1)}")
        if self._is_due(row, now):
            if tally.verdict is Verdict.NO_BETTER:
                self._failures.setdefault(row.id, f"{DID_NOT_HELP}: {tally.proof}")
            return tally.proof
        return row.proof

    def failure(self, row: Mitigation) -> str | None:
        """Why it shall be undone; once it is said it stays so, for the undoing may take time."""
        return self._failures.get(row.id)

    def is_as_bad(self, row: Mitigation) -> bool:
        """Whether the stand-in fails as much as the original did."""
        now = self._clock.now()
        rested = now - (row.applied_at or now) >= LATELY_SECONDS * 1000
        return row.soft and rested and self._tally(row).is_as_bad(now + 1)

    def lately(self, row: Mitigation) -> str:
        """How the latest turns through it ended, in words."""
        return self._tally(row).lately(self._clock.now() + 1)

    def _is_due(self, row: Mitigation, now: int) -> bool:
        """Once after `within`, and as long as it is too little to tell after each `within` again."""
        within = round(row.verify["within"] * 1000) if row.verify.get("within") else 0
        if not within or (row.proof and not row.proof.endswith(Verdict.INCONCLUSIVE)):
            return False
        times = (now - (row.applied_at or now)) // within
        is_due = times > self._judged.get(row.id, 0)
        self._judged[row.id] = times
        return is_due

    def _tally(self, row: Mitigation) -> Tally:
        if row.id not in self._tallies:
            self._tallies[row.id] = Tally(row.figures)
        return self._tallies[row.id]

    def _gauge(self, row: Mitigation, firing: Sequence[Alert]) -> Gauge:
        if row.id not in self._gauges:
            owner = next((alert for alert in firing if alert.fingerprint in row.owners), None)
            query = None if owner is None else query_of(self._config, owner)
            if owner is None or query is None:
                return Gauge()
            labels = {name: value for name, value in owner.labels if name in query.by}
            self._gauges[row.id] = Gauge(of=query.of, bad=query.bad, labels=labels)
        return self._gauges[row.id]
