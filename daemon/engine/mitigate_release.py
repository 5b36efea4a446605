"""Release: learns whether the original path of a soft mitigation works again, and whether its stand-in works at all."""

import asyncio
from collections.abc import Iterable

from daemon.domain.event import Event, Fault, Outcome, Source, Wire
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.logic.mitigations.model_alias import model_of
from daemon.logic.wishes import bare
from daemon.ports import Clock, UpstreamProbes

TRICKLE_SECONDS = 60.0


class Release:
    """Pings where there is a key, else lets one real request a minute through and watches how it ends."""

    def __init__(self, probes: UpstreamProbes, clock: Clock) -> None:
        self._probes = probes
        self._clock = clock
        self._wires: dict[str, Wire] = {}
        self._pinged_at: dict[str, float] = {}
        self._trickled: dict[str, int] = {}
        self._stand_in_works: dict[str, bool] = {}

    def watch(self, models: Iterable[str]) -> None:
        """The models that may be led away: their wire is remembered."""
        self._wires = {model: self._wires.get(model, Wire.OPENAI_CHAT) for model in models}

    def keep(self, rows: Iterable[Mitigation]) -> None:
        """Forgets what belongs to other rows."""
        ids = {row.id for row in rows}
        for known in (self._pinged_at, self._trickled, self._stand_in_works):
            for gone in known.keys() - ids:
                del known[gone]

    def trickle_seconds(self, row: Mitigation) -> float | None:
        """How often the row lets a request through on the original path."""
        return TRICKLE_SECONDS if row.id in self._trickled else None

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
        row = next((row for row in applied if model_of(row.target) == model), None)
        if row is None:
            return False
        return self._learn(row, event)

    def _learn(self, row: Mitigation, event: Event) -> bool:
        ok = event.outcome is Outcome.OK
        if row.id in event.mitigation_ids:
            if ok or event.fault is Fault.MODEL_NOT_FOUND:
                self._stand_in_works.setdefault(row.id, ok)
            return self._stand_in_works.get(row.id) is False
        if row.id not in self._trickled or event.started_at < (row.applied_at or 0):
            return False
        self._trickled[row.id] = self._trickled[row.id] + 1 if ok else 0
        return True

    async def ping(self, rows: Iterable[Mitigation]) -> dict[str, int]:
        """Passes by row id, of those whose ping is due and was answered; without a key a row goes over to trickling."""
        due = [row for row in rows if self._is_due(row)]
        answers = await asyncio.gather(*(self._ask(row) for row in due))
        for row, answer in zip(due, answers, strict=True):
            if answer is None:
                self._trickled[row.id] = row.passes
        return {row.id: row.passes + 1 if answer else 0 for row, answer in zip(due, answers, strict=True)}

    def _is_due(self, row: Mitigation) -> bool:
        if row.state is not MitigationState.APPLIED or row.id in self._trickled or not row.release:
            return False
        last = self._pinged_at.setdefault(row.id, self._clock.monotonic())
        return bool(self._clock.monotonic() - last >= row.release["every"])

    async def _ask(self, row: Mitigation) -> bool | None:
        model = model_of(row.target)
        answer = await self._probes.ping(model, self._wires.get(model, Wire.OPENAI_CHAT))
        self._pinged_at[row.id] = self._clock.monotonic()
        return answer
