"""Steps: takes one row as far as it can go now, by the table, and says why it goes no further."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Effect, Mitigation, MitigationState
from daemon.engine.mitigate_journal import Journal
from daemon.engine.mitigate_release import Release
from daemon.engine.mitigate_upstream import SETTLE_SECONDS, UpstreamSettings
from daemon.logic.journal import OURSELVES, Do, Reading, over, step
from daemon.logic.planning import note
from daemon.logic.wishes import FALLBACK, HUMAN, owners, reaches
from daemon.ports import Clock

log = logging.getLogger(__name__)

LONGEST_BACK_OFF_SECONDS = 300.0

State = MitigationState


class Steps:
    """Whoever calls `advance` holds the lock of the row's sort, soft or upstream."""

    def __init__(
        self,
        *,
        journal: Journal,
        settings: UpstreamSettings,
        release: Release,
        clock: Clock,
        on_release: Callable[[frozenset[str]], None],
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._release = release
        self._clock = clock
        self._on_release = on_release
        self._config = AlertsConfig()
        self._later: dict[str, tuple[int, float]] = {}
        self.firing: Sequence[Alert] | None = None
        """None until somebody said which alerts fire: until then nothing is ended for want of an owner."""
        self.refused: set[str] = set()
        """Models that were tried as stand-ins and are not served."""

    def configure(self, config: AlertsConfig) -> None:
        self._config = config

    async def advance_if_due(self, row: Mitigation) -> None:
        """A row that is stuck waits longer each time, up to five minutes. Raises `StoreFailure`."""
        if self._clock.monotonic() >= self._later.get(row.id, (0, float("-inf")))[1]:
            await self.advance(row.id)

    async def advance(self, row_id: str, *, ending: str | None = None, actor: str | None = None) -> None:
        """`ending` ends it whatever the alerts say; `actor` is the human who wants that. Raises `StoreFailure`."""
        row = self._journal.get(row_id)
        if row is None or (ending is None and self._must_stay(row)):
            return
        try:
            await self._walk(row, ending, actor)
        except (ManagementFailure, ValueError) as failure:
            await self._stuck(row_id, failure)

    def _must_stay(self, row: Mitigation) -> bool:
        """A human holds it; or it is not begun or half done, and nobody knows yet whether its alert fires."""
        held = row.held_by is not None and row.state in (State.PLANNED, State.APPLIED)
        return held or (self.firing is None and row.state in (State.PLANNED, State.WRITING))

    async def _walk(self, row: Mitigation, forced: str | None, actor: str | None) -> None:
        row, owned = await self._looked_after(row)
        reading: Reading | None = None
        while row.state.is_open:
            ending = forced or self._ending(row, owned)
            following = step(row, ending=ending, reading=reading, now=self._clock.now())
            if following.do is Do.WRITE and actor is None and (obstacle := self._obstacle(row)):
                return await self._wait(row, obstacle)
            if following.row is row and following.do is Do.NOTHING:
                break
            if following.row is not row:
                row = await self._record(following.row, row, actor)
            if following.do is Do.WRITE:
                await self._settings.write(row, following.value)
                reading = None
            elif following.do is Do.READ and reading is None:
                reading = await self._settings.read(row, self._journal.rows())
            elif following.do is Do.READ:
                self._later[row.id] = (0, self._clock.monotonic() + SETTLE_SECONDS)
                return None
        self._later.pop(row.id, None)
        return None

    async def _looked_after(self, row: Mitigation) -> tuple[Mitigation, bool]:
        """The row with its owners of now and with what was learned of it; whether anybody wants it."""
        wanting = row.owners if self.firing is None else owners(self._config, row, self.firing)
        found = replace(row, owners=wanting or row.owners, passes=self._release.passes(row))
        works = self._release.stand_in_works(row) if row.effect is Effect.UNVERIFIED else None
        if works:
            found = replace(found, effect=Effect.EXPECTED)
        if found != row and row.state.is_open:
            row = await self._journal.keep(found)
        if works is False and row.state is State.APPLIED:
            self.refused.add(row.value_wanted)
            row = await self._fail(row, f"{row.value_wanted} is not served")
        return row, bool(wanting)

    def _ending(self, row: Mitigation, owned: bool) -> str | None:
        if row.state is State.PLANNED and self._is_second(row):
            return "another row has this target"
        by_human = any(owner.startswith(HUMAN) for owner in row.owners)
        if self.firing is not None and row.held_by is None and not self._is_known(row) and not by_human:
            return "the alerts file does not have it any more"
        return over(row, owned=owned, now=self._clock.now())

    def _is_known(self, row: Mitigation) -> bool:
        return reaches(self._config, {*self._config.mitigations, FALLBACK}, row.kind, row.target)

    def _is_second(self, row: Mitigation) -> bool:
        return next(one for one in self._journal.open if one.target == row.target).id != row.id

    def _obstacle(self, row: Mitigation) -> str | None:
        """What keeps us from writing to the upstream."""
        rows = self._journal.rows()
        if frozen := next((one for one in rows if one.held_by == OURSELVES), None):
            return f"nothing is written before a human releases {frozen.id}: {frozen.outcome}"
        if not self._settings.has_room(row, rows):
            return "there were as many changes in this hour as there may be"
        return None

    async def _record(self, new: Mitigation, old: Mitigation, actor: str | None) -> Mitigation:
        if actor is not None and new.held_by == old.held_by:
            new = replace(new, held_by=actor)
        row = await self._journal.record(new, actor or OURSELVES)
        if row.soft and row.state is State.RESTORED:
            self._on_release(frozenset(owner for owner in row.owners if not owner.startswith(HUMAN)))
        return row

    async def _fail(self, row: Mitigation, outcome: str) -> Mitigation:
        return await self._journal.record(replace(row, state=State.FAILED, outcome=outcome, ended_at=self._clock.now()))

    async def _stuck(self, row_id: str, failure: ManagementFailure | ValueError) -> None:
        row = self._journal.get(row_id)
        if row is None:
            return
        absent = isinstance(failure, ValueError) or failure.status == 404
        if row.state is State.PLANNED and absent:
            await self._fail(row, f"the upstream does not have this setting: {failure}")
        else:
            await self._wait(row, str(failure))

    async def _wait(self, row: Mitigation, reason: str) -> None:
        failures = self._later.get(row.id, (0, 0.0))[0]
        pause = min(2.0**failures, LONGEST_BACK_OFF_SECONDS)
        self._later[row.id] = (failures + 1, self._clock.monotonic() + pause)
        log.warning("%s is %s and waits %.0f s: %s", row.target, row.state.value, pause, reason)
        await self._journal.say(note(OURSELVES, row.target, reason, self._clock.now(), row.id))
