"""Drill: a fire drill on the running installation, with made-up turns that end in nobody's figures."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.drill import DrillReport, DrillStep, StepState
from daemon.domain.errors import Conflict, StoreFailure
from daemon.domain.event import Event, EventIds
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.domain.notification import Notification, NotificationReason, NotificationStatus
from daemon.logic.drilling import ALERT, FAILING, HEALING, MITIGATION, MODEL, PLACE, RULE, STAND_IN, turns
from daemon.ports import Clock, Ledger, RouteTable

FIRES, APPLIED, ROUTED = "the alert fires", "the mitigation is applied", "the proxy is told"
TOLD, RESOLVED, LIFTED = "the message is out", "the alert resolves", "the mitigation is lifted"
"""The steps, in this order."""

POLL_SECONDS = 0.1
JUDGED_SECONDS, DONE_SECONDS, SENT_SECONDS = 10.0, 10.0, 30.0
"""How long is waited; for a message so long after `group_wait`."""

Seen: TypeAlias = tuple[StepState, str] | str | None
"""How it went; a word about what is still waited for; or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a drill plays on, and where it looks."""

    inject: Callable[[Sequence[Event]], None]
    config: Callable[[], AlertsConfig]
    alerts: Callable[[], Sequence[Alert]]
    mitigations: Callable[[], Sequence[Mitigation]]
    routes: RouteTable
    ledger: Ledger
    commit: Callable[[Decision], Awaitable[None]]


class Drill:
    """A guarded task that waits to be asked; one drill at a time."""

    def __init__(self, stage: Stage, clock: Clock, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """`pause` is what goes by between two looks."""
        self._stage = stage
        self._clock = clock
        self._pause = pause
        self._ids = EventIds(**PLACE)
        self._asked = asyncio.Event()
        self.report: DrillReport | None = None
        """The latest, as far as it has come."""

    async def start(self, actor: str) -> DrillReport:
        """Begins one. Raises `Conflict` while another goes on, and `StoreFailure`."""
        if self.report is not None and not self.report.is_over:
            raise Conflict("a drill is going on already")
        if not any(rule is RULE for rule in self._stage.config().rules):
            raise Conflict(f"a rule or a mitigation of yours is called {ALERT} or {MITIGATION}: rename it")
        now, before = self._clock.now(), self.report
        name = f"drill-{now // 1000:x}"
        self.report = report = DrillReport(id=name, started_at=now, names=tuple(name for name, *_ in self._plan()))
        said = AuditEntry(id=f"{name}-{now % 1000}", at=now, actor=actor, subject=f"alert:{ALERT}", action="drill")
        try:
            await self._stage.commit(Decision(audit=(said,)))
        except StoreFailure:
            self.report = before
            raise
        self._asked.set()
        return report

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.play()

    async def play(self) -> None:
        """Plays the one that was begun to its end. Where nothing fires there is nothing more to look at."""
        first, *during, resolved, lifted = self._plan()
        self._turn_out(FAILING, fail=True)
        try:
            fires = await self._watch(*first)
            for step in during if fires else ():
                await self._watch(*step)
            self._turn_out(HEALING, fail=False)
            for step in (resolved, lifted) if fires else ():
                await self._watch(*step)
        finally:
            if self.report is not None:
                self.report = replace(self.report, is_over=True)

    def _plan(self) -> tuple[tuple[str, float, Callable[[], Awaitable[Seen]]], ...]:
        wait = self._stage.config().route.group_wait
        return (
            (FIRES, JUDGED_SECONDS, self._fires),
            (APPLIED, DONE_SECONDS, self._applied),
            (ROUTED, DONE_SECONDS, self._routed),
            (TOLD, wait + SENT_SECONDS, self._told),
            (RESOLVED, JUDGED_SECONDS, self._resolved),
            (LIFTED, DONE_SECONDS, self._lifted),
        )

    async def _watch(self, name: str, seconds: float, look: Callable[[], Awaitable[Seen]]) -> bool:
        """Looks until it is seen, or the time for it is over; whether it was seen."""
        began = self._clock.monotonic()
        found: Seen = None
        while not isinstance(found := await _tried(look), tuple) and self._clock.monotonic() - began < seconds:
            await self._pause(POLL_SECONDS)
        took = self._clock.monotonic() - began
        state, words = found if isinstance(found, tuple) else (StepState.MISSED, found or f"not within {seconds:.0f} s")
        step = DrillStep(name=name, state=state, words=words, seconds=took)
        if self.report is not None:
            self.report = replace(self.report, steps=(*self.report.steps, step))
        return state is not StepState.MISSED

    def _turn_out(self, count: int, *, fail: bool) -> None:
        self._stage.inject(turns(self._name, count, self._clock.now(), self._ids, fail=fail))

    # ---- looks ---------------------------------------------------------------------------------------------------

    async def _fires(self) -> Seen:
        alert = self._alert()
        return (StepState.SEEN, alert.summary) if alert is not None and alert.is_firing else None

    async def _applied(self) -> Seen:
        row = self._row()
        if row is None:
            return "no mitigation was begun"
        if row.state is MitigationState.APPLIED:
            return StepState.SEEN, f"{row.target} → {row.value_wanted}"
        if row.state is MitigationState.NOT_NEEDED and row.mode is not Mode.AUTO:
            return StepState.NOT_DONE, f"mode is {row.mode}: {row.outcome}"
        return f"it is {row.state.value.replace('_', ' ')}" + (f": {row.outcome}" if row.outcome else "")

    async def _routed(self) -> Seen:
        if (row := self._unapplied()) is not None:
            return StepState.NOT_DONE, f"mode is {row.mode}: routes.json stays as it is"
        found = self._route()
        return (StepState.SEEN, f"routes.json leads {MODEL} to {STAND_IN}") if found else None

    async def _told(self) -> Seen:
        alert = self._alert()
        if alert is None:
            return None
        rows = [row for row in await self._stage.ledger.notifications() if _is_opening(row, alert)]
        if not rows:
            return f"no message was planned{f': {alert.muted_by}' if alert.silenced else ''}"
        if (sent := next((row for row in rows if row.status is NotificationStatus.DELIVERED), None)) is not None:
            return StepState.SEEN, f"{sent.title}, to {sent.receiver}"
        failed = next((row.error for row in rows if row.error), "")
        words = f"it is {rows[0].status}{f': {failed}' if failed else ''}"
        is_given_up = all(row.status is NotificationStatus.FAILED for row in rows)
        return (StepState.MISSED, words) if is_given_up else words

    async def _resolved(self) -> Seen:
        alert = self._alert()
        if alert is None:
            return None
        return "it fires still" if alert.is_firing else (StepState.SEEN, f"{ALERT} is {alert.state.shown}")

    async def _lifted(self) -> Seen:
        if (row := self._unapplied()) is not None:
            return StepState.NOT_DONE, f"mode is {row.mode}: there is nothing to lift"
        row = self._row()
        if row is None:
            return "no mitigation was begun"
        if row.state.is_open or self._route():
            return f"it is {row.state.value}: {row.outcome or 'in routes.json'}"
        return StepState.SEEN, f"{row.outcome}; routes.json is as before"

    @property
    def _name(self) -> str:
        return self.report.id if self.report is not None else ""

    def _alert(self) -> Alert | None:
        labels = (("provider_key", self._name),)
        return next((one for one in self._stage.alerts() if one.alert == ALERT and one.labels == labels), None)

    def _row(self) -> Mitigation | None:
        began = self.report.started_at if self.report is not None else 0
        rows = (row for row in self._stage.mitigations() if row.name == MITIGATION and row.planned_at >= began)
        return max(rows, key=lambda row: row.planned_at, default=None)

    def _unapplied(self) -> Mitigation | None:
        """The row that was only noted."""
        row = self._row()
        return row if row is not None and row.applied_at is None and row.mode is not Mode.AUTO else None

    def _route(self) -> bool:
        row = self._row()
        return row is not None and any(one.mitigation_id == row.id for one in self._stage.routes.read().routes)


async def _tried(look: Callable[[], Awaitable[Seen]]) -> Seen:
    try:
        return await look()
    except StoreFailure as failure:
        return f"the store does not answer: {failure}"


def _is_opening(row: Notification, alert: Alert) -> bool:
    return row.reason is NotificationReason.OPENED and alert.episode in row.episodes
