"""What the doors may ask, answered from the parts of the engine."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from daemon.domain.alert import Alert
from daemon.domain.audit import AuditEntry, AuditFilter
from daemon.domain.canary import CanaryReport
from daemon.domain.check_up import Finding
from daemon.domain.decision import Decision
from daemon.domain.drill import DrillReport
from daemon.domain.event import Event, Source, Wire
from daemon.domain.explanation import Explanation
from daemon.domain.foreign import Told
from daemon.domain.inventory import Lists
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification
from daemon.domain.probe import ProbeResult, ProbeRow
from daemon.domain.quota import QuotaReading
from daemon.domain.rule_figures import RuleFigures
from daemon.domain.silence import Silence
from daemon.domain.upstream_past import Tally
from daemon.engine.acknowledge import acknowledge
from daemon.engine.canaries import Canaries
from daemon.engine.check_up import CheckUp
from daemon.engine.dispatch import Dispatch
from daemon.engine.drill import Drill
from daemon.engine.evaluate import Evaluate
from daemon.engine.explain import Explain
from daemon.engine.foreign import Foreign
from daemon.engine.ingest import Ingest
from daemon.engine.mitigate import Mitigate
from daemon.engine.past import UpstreamPast
from daemon.engine.probe import Probes
from daemon.engine.silences import Silences
from daemon.logic.noting import remark
from daemon.logic.providers import LONGEST_WINDOW_SECONDS, ProviderFigures, RolledFigures
from daemon.logic.rollups import coarsest, pieces
from daemon.ports import Clock, EventQuery, EventStore, Ledger

ROLLUPS_AT_ONCE = 500
"""Counted in about 10 ms, for which everything else waits."""


class Operate:
    """The engine's `Operations`. `describe` gives what only the builder of the process knows of its status, `missing`
    what is not ready outside the engine."""

    def __init__(
        self,
        *,
        clock: Clock,
        events: EventStore,
        ledger: Ledger,
        ingest: Ingest,
        evaluate: Evaluate,
        dispatch: Dispatch,
        mitigate: Mitigate,
        silences: Silences,
        explain: Explain,
        foreign: Foreign,
        drill: Drill,
        probes: Probes,
        canary: Canaries,
        models: Callable[[], Lists | None],
        quota: Callable[[], Sequence[QuotaReading]],
        check_up: CheckUp,
        past: UpstreamPast,
        commit: Callable[[Decision], Awaitable[None]],
        figures: ProviderFigures,
        describe: Callable[[], Mapping[str, Any]],
        missing: Callable[[], Sequence[str]],
        stalled: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._events = events
        self._ledger = ledger
        self._ingest = ingest
        self._evaluate = evaluate
        self._dispatch = dispatch
        self._mitigate = mitigate
        self._silences = silences
        self._explain = explain
        self._foreign = foreign
        self._drill = drill
        self._probes = probes
        self._canary = canary
        self._models = models
        self._quota = quota
        self._check_up = check_up
        self._past = past
        self._commit = commit
        self._figures = figures
        self._describe = describe
        self._missing = missing
        self._stalled = stalled

    async def status(self) -> Mapping[str, Any]:
        spool = {"depth": self._ingest.depth, "dropped_total": self._ingest.lost_total}
        return {**self._describe(), "spool": spool}

    def stalled(self) -> str | None:
        return self._stalled()

    async def ready(self) -> Sequence[str]:
        missing = list(self._missing())
        if not self._ingest.attached.is_set():
            missing.append("spool")
        if self._ingest.failure is not None:
            missing.append("store")
        if not self._evaluate.has_judged:
            missing.append("first evaluation")
        return missing

    async def alerts(self) -> Sequence[Alert]:
        return sorted(self._silences.alerts(), key=lambda alert: (not alert.is_firing, -alert.since))

    async def rules(self) -> Sequence[RuleFigures]:
        return self._evaluate.rules()

    async def providers(self, window_seconds: float) -> Mapping[str, Mapping[str, Any]]:
        """The last hour is in memory, anything older in rollups."""
        now = self._clock.now()
        if window_seconds <= LONGEST_WINDOW_SECONDS:
            return self._figures.figures(now, window_seconds)
        return await self._rolled(now - round(window_seconds * 1000), now)

    async def _rolled(self, since: int, now: int) -> Mapping[str, Mapping[str, Any]]:
        figures, longest = RolledFigures(), coarsest((now - since) / 1000)
        for piece in pieces(since, now + 1):
            rows = await self._events.rollups(*piece, {"source": Source.CLIENT.value})
            for start in range(0, len(rows), ROLLUPS_AT_ONCE):
                figures.add(rows[start : start + ROLLUPS_AT_ONCE])
                await asyncio.sleep(0)
        figures.add(row for row in self._ingest.unwritten(longest) if row.bucket >= since)
        return figures.figures()

    async def probes(self) -> Sequence[ProbeRow]:
        return self._probes.rows()

    async def run_probe(self, name: str) -> Sequence[ProbeResult]:
        return await self._probes.run(name)

    async def canary(self, model: str, wire: Wire, *, stream: bool) -> CanaryReport:
        return await self._canary.send(model, wire, stream=stream)

    async def models(self) -> Lists | None:
        return self._models()

    async def quota(self) -> Sequence[QuotaReading]:
        return self._quota()

    async def doctor(self) -> Sequence[Finding]:
        return await self._check_up.examine(self)

    async def past(self) -> Sequence[Tally]:
        return await self._past.lately()

    async def events(self, query: EventQuery) -> Sequence[Event]:
        return await self._events.events(query)

    async def mitigations(self) -> Sequence[Mitigation]:
        return await self._ledger.mitigations()

    async def notifications(self) -> Sequence[Notification]:
        return await self._ledger.notifications()

    async def audit(self, limit: int, wanted: AuditFilter) -> Sequence[AuditEntry]:
        return await self._ledger.audit(limit, wanted=wanted)

    async def explain(self, alert: str, at: int | None) -> Explanation:
        return await self._explain.at(alert, at)

    async def hear(self, told: Sequence[Told]) -> int:
        return await self._foreign.hear(told)

    async def acknowledge(self, alert: str, actor: str) -> Sequence[Alert]:
        return await acknowledge(self._evaluate, self._commit, alert, actor, self._clock.now())

    async def silences(self) -> Sequence[Silence]:
        return self._silences.rows()

    async def silence(
        self,
        matchers: Mapping[str, str],
        *,
        starts_at: int | None = None,
        ends_at: int | None = None,
        seconds: float | None = None,
        actor: str,
        comment: str = "",
    ) -> Silence:
        return await self._silences.add(
            matchers, starts_at=starts_at, ends_at=ends_at, seconds=seconds, actor=actor, comment=comment
        )

    async def expire_silence(self, silence: str, actor: str) -> Silence:
        return await self._silences.expire(silence, actor)

    async def act(
        self, mitigation: str, action: str, actor: str, seconds: float | None = None, comment: str = ""
    ) -> Mitigation:
        now = self._clock.now()
        row = await self._mitigate.act(
            mitigation, action, actor, None if seconds is None else now + round(seconds * 1000)
        )
        if comment:
            await self._commit(Decision(audit=(remark(row, actor, action, comment, now),)))
        return row

    async def start_drill(self, actor: str) -> DrillReport:
        return await self._drill.start(actor)

    def drill(self) -> DrillReport | None:
        return self._drill.report

    def counters(self) -> Mapping[str, float]:
        return {
            "runbookd_events_total": float(self._ingest.events_total),
            "runbookd_events_dropped_total": float(self._ingest.lost_total),
            "runbookd_spool_depth": float(self._ingest.depth),
            "runbookd_evaluation_lag_seconds": self._evaluate.lag_seconds,
            **self._dispatch.counters(),
        }
