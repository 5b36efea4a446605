"""Acts: what a human may do to mitigations, by id or by name; what does not fit raises `Conflict`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from daemon.domain.errors import Conflict
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.engine.mitigate_journal import Journal
from daemon.engine.mitigate_steps import Steps
from daemon.logic.journal import OURSELVES
from daemon.logic.mitigation import About
from daemon.logic.mitigations.model_alias import model_of
from daemon.logic.planning import begin
from daemon.logic.situation import Situation
from daemon.logic.wishes import Wish, wishes_for
from daemon.ports import Clock

State = MitigationState


class Acts:
    """Each returns the rows as they are afterwards; the caller holds both locks."""

    def __init__(self, journal: Journal, steps: Steps, situation: Callable[[], Situation], clock: Clock) -> None:
        self._journal = journal
        self._steps = steps
        self._situation = situation
        self._clock = clock

    async def revert(self, name: str, actor: str, until: int | None = None) -> Sequence[Mitigation]:
        """Undone now, whatever holds it; not done again by itself while its alerts fire on."""
        rows = self._named(name, lambda row: row.state.is_open, "has ended: there is nothing to revert")
        for row in rows:
            await self._steps.advance(row.id, ending=f"reverted by {actor}", actor=actor)
        return rows

    async def hold(self, name: str, actor: str, until: int | None = None) -> Sequence[Mitigation]:
        """Nothing changes until then (epoch ms), or until it is released."""
        self._check(until)
        can = (State.PLANNED, State.APPLIED)
        rows = self._named(name, lambda row: row.state in can, "is neither planned nor applied: nothing to hold")
        for row in rows:
            await self._journal.record(replace(row, held_by=actor, hold_expires_at=until), actor, "hold")
        return rows

    async def release(self, name: str, actor: str, until: int | None = None) -> Sequence[Mitigation]:
        """We go on by ourselves; also the way out of a freeze."""
        rows = self._named(name, self._is_held, "is not held")
        for row in rows:
            outcome = None if row.state.is_open else row.outcome
            free = replace(row, held_by=None, hold_expires_at=None, outcome=outcome)
            await self._journal.record(free, actor, "release")
        return rows

    async def approve(self, name: str, actor: str, until: int | None = None) -> Sequence[Mitigation]:
        """Does what we asked for: once, as long as an alert wants it and the time for it is not over."""
        asked = self._named(name, lambda row: row.mode is Mode.ASK, "was not asked for: there is nothing to approve")[0]
        firing = {alert.fingerprint for alert in self._steps.firing or ()}
        if not firing.intersection(asked.owners):
            raise Conflict(f"no alert wants {asked.name} any more")
        if asked.approve_until is None:
            raise Conflict(f"{asked.name} was approved already")
        if self._clock.now() >= asked.approve_until:
            raise Conflict(f"the time to approve {asked.name} is over; it can be applied")
        rows = await self.apply(asked.id, actor, until)
        await self._journal.record(replace(asked, approve_until=None), actor, "approve")
        return rows

    async def apply(self, name: str, actor: str, until: int | None = None) -> Sequence[Mitigation]:
        """Begins it now, whatever the mode and the cool-off; it lasts until `revert`, or until then (epoch ms), or at
        most `max_hold`."""
        self._check(until)
        now = self._clock.now()
        situation = self._situation()
        wishes = [wish for wish in self._wishes(name, actor, now) if self._may_begin(wish, situation)]
        made = [begin(situation, wish, now) for wish in wishes]
        if refusals := [text for text in made if isinstance(text, str)]:
            raise Conflict("; ".join(refusals))
        rows = [row for row in made if isinstance(row, Mitigation) and self._journal.get(row.id) is None]
        for row in rows:
            await self._journal.record(_until(row, until, now), actor)
            await self._steps.advance(row.id)
        if not rows:
            raise Conflict(f"there is no mitigation {name} to apply now")
        return rows

    def _wishes(self, name: str, actor: str, now: int) -> list[Wish]:
        """What the name stands for; where alerts ask for it, for what they are about."""
        row, situation = self._journal.get(name), self._situation()
        named = row.name if row is not None else name
        asking = [alert for alert in self._steps.firing or () if named in alert.mitigate]
        abouts = [situation.about(alert) for alert in asking] or [
            About(credentials=situation.credentials, capabilities=situation.capabilities)
        ]
        if row is not None and row.soft:
            abouts = [replace(abouts[0], models=(model_of(row.target),))]
        evidence = f"asked for by {actor}"
        found = {
            wish.change.target: wish
            for of in abouts
            for wish in wishes_for(situation.config, named, of, owner=actor, actor=actor, since=now, evidence=evidence)
        }
        return [wish for wish in found.values() if row is None or wish.change.target == row.target]

    def _check(self, until: int | None) -> None:
        if until is not None and until <= self._clock.now():
            raise Conflict("the time until which it shall last is over")

    def _may_begin(self, wish: Wish, situation: Situation) -> bool:
        taken = next((row for row in situation.rows if row.state.is_open and row.target == wish.change.target), None)
        if taken is not None:
            raise Conflict(f"{wish.change.target} is {taken.state.value} already, by {taken.id}")
        if wish.change.inert and not wish.options.even_if_inert:
            raise Conflict(f"{wish.change.target} is ignored by this upstream; say even_if_inert to write it")
        if not wish.change.soft and not situation.has_management:
            raise Conflict("UPSTREAM_MANAGEMENT_KEY is not set")
        return True

    def _named(self, name: str, fits: Callable[[Mitigation], bool], otherwise: str) -> list[Mitigation]:
        found = self._journal.find(name)
        if not found:
            raise Conflict(f"there is no mitigation {name}")
        if not (fitting := [row for row in found if fits(row)]):
            raise Conflict(f"{name} {otherwise}")
        return fitting

    @staticmethod
    def _is_held(row: Mitigation) -> bool:
        return row.held_by is not None and (row.state.is_open or row.held_by == OURSELVES)


def _until(row: Mitigation, until: int | None, now: int) -> Mitigation:
    """Applied until then at the latest; a shorter time than `hold` is what a human wants."""
    if until is None:
        return row
    seconds = (until - now) / 1000
    return replace(row, hold=min(row.hold, seconds), max_hold=seconds)
