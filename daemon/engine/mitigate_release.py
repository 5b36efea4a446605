"""Release: learns whether the original path of a soft mitigation works again, and whether its stand-in works at all.

What leads requests elsewhere has an original path; a block and a limit have none, and end by themselves.
"""

import asyncio
from collections.abc import Iterable

from daemon.domain.event import Event, Fault, Outcome, Source, Wire
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.domain.probe import ProbeOutcome
from daemon.domain.soft_routing import WorkloadClass
from daemon.engine.mitigate_probing import RunProbe, probe_of, probed
from daemon.logic.mitigation import soft_kind
from daemon.logic.soft_choice import PINNING, Asked, is_for
from daemon.logic.soft_options import ANY
from daemon.logic.wishes import bare
from daemon.ports import Clock, UpstreamProbes

TRICKLE_SECONDS = 60.0


class Release:
    """Pings where there is a key, else lets one real request a minute through and watches how it ends.

    `run_probe` runs what a release names instead of a ping; as long as there is none, it is pinged.
    """

    def __init__(self, probes: UpstreamProbes, clock: Clock) -> None:
        self.run_probe: RunProbe | None = None
        self._probes = probes
        self._clock = clock
        self._wires: dict[str, Wire] = {}
        self._paths: dict[str, tuple[str, Wire]] = {}
        self._pinged_at: dict[str, float] = {}
        self._trickled: dict[str, int] = {}
        self._stand_in_works: dict[str, bool] = {}

    def watch(self, models: Iterable[str]) -> None:
        """The models that may be led away: their wire is remembered."""
        self._wires = {model: self._wires.get(model, Wire.OPENAI_CHAT) for model in models}

    def keep(self, rows: Iterable[Mitigation]) -> None:
        """Forgets what belongs to other rows."""
        ids = {row.id for row in rows}
        for known in (self._pinged_at, self._trickled, self._stand_in_works, self._paths):
            for gone in known.keys() - ids:
                del known[gone]

    def trickle_seconds(self, row: Mitigation) -> float | None:
        """How often the row lets a request through on the original path."""
        return TRICKLE_SECONDS if self._trickles(row) else None

    def passes(self, row: Mitigation) -> int:
        """Good answers in a row on the original path, as far as traffic showed them."""
        return self._trickled.get(row.id, row.passes)

    def stand_in_works(self, row: Mitigation) -> bool | None:
        """Whether traffic showed that the stand-in is served; None when it showed nothing yet."""
        return self._stand_in_works.get(row.id)

    def observe(self, event: Event, applied: Iterable[Mitigation]) -> bool:
        """Learns from one event; whether there is something to do about it."""
        if event.requested_model is None or event.source is not Source.CLIENT or not event.is_judged:
            return False
        model = event.requested_model if event.requested_model in self._wires else bare(event.requested_model)
        if model in self._wires:
            self._wires[model] = event.wire
        learned = [self._learn(row, event) for row in applied if _is_about(row, event)]
        return any(learned)

    def _learn(self, row: Mitigation, event: Event) -> bool:
        ok = event.outcome is Outcome.OK
        if row.id in event.mitigation_ids:
            self._paths[row.id] = (bare(event.requested_model or ""), event.wire)
            if (ok or event.fault is Fault.MODEL_NOT_FOUND) and _stood_in(row, event):
                self._stand_in_works.setdefault(row.id, ok)
            return self._stand_in_works.get(row.id) is False
        if (
            not self._trickles(row)
            or event.started_at < (row.applied_at or 0)
            or (passed := _passed(row, event)) is None
        ):
            return False
        self._trickled[row.id] = self.passes(row) + 1 if passed else 0
        return True

    async def ping(self, rows: Iterable[Mitigation]) -> dict[str, int]:
        """Passes by row id, of those whose ping or probe is due and was answered; without a key, or where a probe does
        not look at its model, a row goes over to trickling."""
        due = {row.id: row for row in rows if self._is_due(row)}
        if not due:
            return {}
        asked = await asyncio.gather(self._probe(due.values()), self._ping_all(due.values()))
        answers = {**asked[0], **asked[1]}
        for row_id in (row_id for row_id, answer in answers.items() if answer is None):
            self._trickled[row_id] = due[row_id].passes
        return {row_id: due[row_id].passes + 1 if answer else 0 for row_id, answer in answers.items()}

    async def _probe(self, rows: Iterable[Mitigation]) -> dict[str, bool | None]:
        """What a probe could not see is asked again at its time."""
        found = {} if self.run_probe is None else await probed(rows, self.run_probe)
        self._pinged_at |= dict.fromkeys(found, self._clock.monotonic())
        return {
            row_id: None if outcome is None else outcome is ProbeOutcome.OK
            for row_id, outcome in found.items()
            if outcome is not ProbeOutcome.UNKNOWN
        }

    async def _ping_all(self, rows: Iterable[Mitigation]) -> dict[str, bool | None]:
        pinged = [row for row in rows if self.run_probe is None or probe_of(row) is None]
        due = [(row, path) for row in pinged if (path := self._path(row)) is not None]
        answers = await asyncio.gather(*(self._probes.ping(*path) for _, path in due))
        self._pinged_at |= dict.fromkeys((row.id for row, _ in due), self._clock.monotonic())
        return {row.id: answer for (row, _), answer in zip(due, answers, strict=True)}

    def _trickles(self, row: Mitigation) -> bool:
        return row.id in self._trickled or row.release.get("canary") == "trickle"

    def _is_due(self, row: Mitigation) -> bool:
        if row.state is not MitigationState.APPLIED or self._trickles(row) or not row.release:
            return False
        last = self._pinged_at.setdefault(row.id, self._clock.monotonic())
        return bool(self._clock.monotonic() - last >= row.release["every"])

    def _path(self, row: Mitigation) -> tuple[str, Wire] | None:
        """The model and the wire of the original path; None where nothing has shown yet which model is asked for."""
        model = soft_kind(row.kind).route(row, None).from_model
        if not model:
            return self._paths.get(row.id)
        return model, self._wires.get(model) or self._paths.get(row.id, (model, Wire.OPENAI_CHAT))[1]


def _is_about(row: Mitigation, event: Event) -> bool:
    """Whether the row has changed its way, or would have."""
    if event.mitigation_ids:
        return row.id in event.mitigation_ids
    named = WorkloadClass(name=event.workload) if event.workload else None
    asked = Asked(model=event.requested_model, client=event.client_key_id, workload=named)
    return is_for(soft_kind(row.kind).route(row, None), asked)


def _stood_in(row: Mitigation, event: Event) -> bool:
    """Whether it went where the row leads, and not where a class of traffic is led instead."""
    wanted = str(row.value_wanted)
    return wanted.endswith(f"/{ANY}") or bare(event.model_id or wanted) == bare(wanted)


def _passed(row: Mitigation, event: Event) -> bool | None:
    """Of a pin, whether it thought as asked; of all else, whether it went well. None: that cannot be told."""
    if row.kind == PINNING:
        return event.thinking_match
    return event.outcome is Outcome.OK
