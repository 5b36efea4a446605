"""Steps: takes one row as far as it can go now, by the table, and says why it goes no further."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from daemon.domain.alert import Alert
from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Effect, Mitigation, MitigationState
from daemon.engine.mitigate_endings import Endings
from daemon.engine.mitigate_journal import Journal
from daemon.engine.mitigate_patience import Patience
from daemon.engine.mitigate_proofs import Proofs
from daemon.engine.mitigate_release import Release
from daemon.engine.mitigate_upstream import CHANGES_PER_HOUR, SETTLE_SECONDS, UpstreamSettings
from daemon.logic.journal import OURSELVES, Do, Reading, held_no_more, kept, step
from daemon.logic.mitigation import is_one_way
from daemon.logic.owning import dissent, owners
from daemon.logic.situation import Situation
from daemon.logic.wishes import HUMAN
from daemon.ports import Clock

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""How often a setting of ours is looked at while it is in force."""

State = MitigationState


class Steps:
    """Whoever calls `advance` holds the lock of the row's sort, soft or upstream."""

    def __init__(
        self,
        *,
        journal: Journal,
        settings: UpstreamSettings,
        release: Release,
        proofs: Proofs,
        situation: Callable[[], Situation],
        clock: Clock,
        on_release: Callable[[frozenset[str]], None],
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._release = release
        self._proofs = proofs
        self._situation = situation
        self._endings = Endings(journal=journal, proofs=proofs, situation=situation, clock=clock)
        self._patience = Patience(journal, clock)
        self._clock = clock
        self._on_release = on_release
        self._looked_at: dict[str, float] = {}
        self.firing: Sequence[Alert] | None = None
        """None until somebody said which alerts fire: until then nothing is ended for want of an owner."""
        self.refused: set[str] = set()
        """Models that were tried as stand-ins and are not served."""

    async def advance_if_due(self, row: Mitigation) -> None:
        """A row that is stuck waits longer each time, up to five minutes. Raises `StoreFailure`."""
        if self._patience.is_over(row):
            await self.advance(row.id)

    async def advance(self, row_id: str, *, ending: str | None = None, actor: str | None = None) -> None:
        """`ending` ends it whatever the alerts say; `actor` is the human who wants that. Raises `StoreFailure`."""
        row = self._journal.get(row_id)
        if row is None:
            return
        if free := held_no_more(row, self._clock.now()):
            row = await self._journal.record(free, OURSELVES, "release")
        if ending is None and self._must_stay(row):
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
            ending = forced or self._endings.of(row, self.firing, owned=owned)
            one_way = is_one_way(row.kind)
            following = step(row, ending=ending, reading=reading, now=self._clock.now(), one_way=one_way)
            if following.do is Do.WRITE and actor is None and (obstacle := self._obstacle(row)):
                return await self._patience.wait(row, obstacle)
            if following.row is row and following.do is Do.NOTHING:
                await self._look_again(row)
                break
            if following.row is not row:
                row = await self._record(following.row, row, actor)
            if following.do is Do.WRITE:
                await self._settings.write(row, following.value)
                reading = None
            elif following.do is Do.READ and reading is None:
                reading = await self._settings.read(row, self._journal.rows())
            elif following.do is Do.READ:
                return self._patience.settle(row, SETTLE_SECONDS)
        return self._patience.forget(row)

    async def _looked_after(self, row: Mitigation) -> tuple[Mitigation, bool]:
        """The row with its owners of now and with what was learned of it; whether anybody wants it."""
        config, firing = self._situation().config, self.firing or ()
        wanting = row.owners if self.firing is None else owners(config, row, firing)
        found = replace(
            row, owners=wanting or row.owners, passes=self._release.passes(row), proof=self._proofs.proof(row)
        )
        works = self._release.stand_in_works(row) if row.effect is Effect.UNVERIFIED else None
        if works:
            found = replace(found, effect=Effect.EXPECTED)
        if self._proofs.is_to_keep(row) or found.proof != row.proof:
            found = self._proofs.told(found)
        if found != row and row.state.is_open:
            row = await self._journal.keep(found)
        if row.state.is_open and (words := dissent(config, row, firing)):
            row = await self._journal.note(row, words)
        if works is False and row.state is State.APPLIED:
            self.refused.add(row.value_wanted)
            row = await self._fail(row, f"{row.value_wanted} is not served")
        return row, bool(wanting)

    async def _look_again(self, row: Mitigation) -> None:
        """An upstream may have started anew, and a human may have been there: what is not ours any more we let go."""
        now, looked_at = self._clock.monotonic(), self._looked_at.get(row.id, float("-inf"))
        if row.soft or row.state is not State.APPLIED or now - looked_at < LOOK_SECONDS:
            return
        self._looked_at[row.id] = now
        try:
            reading = await self._settings.read(row, self._journal.rows())
        except (ManagementFailure, ValueError) as failure:
            log.info("%s cannot be looked at, it is tried again: %s", row.target, failure)
            return
        if (found := kept(row, reading, self._clock.now()).row) is not row:
            await self._record(found, row, None)

    def _obstacle(self, row: Mitigation) -> str | None:
        """What keeps us from writing to the upstream."""
        rows = self._journal.rows()
        if frozen := next((one for one in rows if one.held_by == OURSELVES), None):
            return f"nothing is written before a human releases {frozen.id}: {frozen.outcome}"
        options = self._situation().config.mitigations.get(row.name)
        most = CHANGES_PER_HOUR if options is None else options.max_changes_per_hour
        if not self._settings.has_room(row, rows, most):
            return "there were as many changes in this hour as there may be"
        return None

    async def _record(self, new: Mitigation, old: Mitigation, actor: str | None) -> Mitigation:
        if actor is not None and new.held_by == old.held_by:
            new = replace(new, held_by=actor)
        if new.state is State.APPLIED:
            self._looked_at[new.id] = self._clock.monotonic()
        row = await self._journal.record(self._proofs.told(new), actor or OURSELVES)
        if row.soft and row.state is State.RESTORED:
            self._on_release(frozenset(owner for owner in row.owners if not owner.startswith(HUMAN)))
        return row

    async def _fail(self, row: Mitigation, outcome: str) -> Mitigation:
        failed = replace(row, state=State.FAILED, outcome=outcome, ended_at=self._clock.now())
        return await self._journal.record(self._proofs.told(failed))

    async def _stuck(self, row_id: str, failure: ManagementFailure | ValueError) -> None:
        row = self._journal.get(row_id)
        if row is None:
            return
        absent = isinstance(failure, ValueError) or failure.status == 404
        if row.state is State.PLANNED and absent:
            await self._fail(row, f"the upstream does not have this setting: {failure}")
        else:
            await self._patience.wait(row, str(failure))
