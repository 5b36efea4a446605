"""What is done upstream, as an observer beside it knows it, and the laws of mitigations that read it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.logic.journal import OURSELVES

HOUR_MS = 3_600_000
WRITES_PER_HOUR = 6
PATIENCE_MS = 400_000
"""The shortest hold, the longest back-off, and a moment."""

S = MitigationState
FOLLOWS = {
    S.PLANNED: {S.WRITING, S.NOT_NEEDED, S.FAILED},
    S.WRITING: {S.APPLIED, S.NOT_NEEDED, S.ABANDONED, S.FAILED},
    S.APPLIED: {S.RESTORING, S.ABANDONED, S.FAILED},
    S.RESTORING: {S.RESTORED, S.ABANDONED, S.FAILED},
}
"""By the mitigation table, for what is written to the upstream; what has ended stays as it is."""
BEGINNINGS = {S.PLANNED, S.NOT_NEEDED, S.FAILED}


@dataclass(slots=True)
class Deeds:
    """One target is changed in these worlds; `ran` and `now` are the history's."""

    now: int = 0
    ran: int = 0
    rows: Mapping[str, Mitigation] = field(default_factory=dict)
    """The ledger's."""
    before: Mapping[str, Mitigation] = field(default_factory=dict)
    """Those before the decision in hand."""
    decision: Decision = field(default_factory=Decision)
    actual: Any = None
    """The setting's value at the upstream."""
    may_be: set[Any] = field(default_factory=set)
    """What it may be once nobody wants anything: the old value, or a human's."""
    is_on_its_way: bool = False
    """A write that was made has not shown yet."""
    writes: list[int] = field(default_factory=list)
    """When (epoch ms)."""
    value: Any = None
    """What is written now."""
    store_fails: bool = False
    is_away: bool = False
    """The upstream answers nobody."""
    firing: Collection[str] = ()
    """Fingerprints."""
    over_since: dict[str, int] = field(default_factory=dict)
    """Open rows that nobody wants, or whose time is over, by what `ran` was when that was seen."""

    @property
    def open(self) -> list[Mitigation]:
        return [row for row in self.rows.values() if row.state.is_open]

    @property
    def begun(self) -> list[Mitigation]:
        """A write of theirs may have been made."""
        return [row for row in self.open if row.state is not S.PLANNED]

    @property
    def changed(self) -> Iterator[tuple[Mitigation | None, Mitigation]]:
        """The rows of the decision, each with what was before."""
        return ((self.before.get(row.id), row) for row in self.decision.mitigations)

    def disturbed(self) -> None:
        """Something stood in the way: what is over has its time anew."""
        self.over_since.clear()

    def set_by_hand(self, value: Any) -> None:
        """What cannot be told from what we set may be taken for ours."""
        if self.is_on_its_way or any(value == row.value_wanted for row in self.begun):
            self.may_be |= {value, *(row.value_before for row in self.begun)}
        else:
            self.may_be = {value}


# ---- of one commit ---------------------------------------------------------------------------------------------------


def rows_follow_the_mitigation_table(deeds: Deeds) -> Iterator[str]:
    """A state is followed only by those that the table names."""
    for old, new in deeds.changed:
        if old is None and new.state not in BEGINNINGS:
            yield f"{new.target} began as {new.state}"
        if old is not None and old.state is not new.state and new.state not in FOLLOWS.get(old.state, ()):
            yield f"{new.target}: {old.state} became {new.state}"


def a_target_has_one_row(deeds: Deeds) -> Iterator[str]:
    """Of those that do anything."""
    if len(deeds.begun) > 1:
        yield f"{[row.id for row in deeds.begun]} are open"


def each_change_of_a_row_is_audited(deeds: Deeds) -> Iterator[str]:
    """With the same decision."""
    said = {(entry.subject, entry.action) for entry in deeds.decision.audit}
    for old, new in deeds.changed:
        is_news = old.state is not new.state if old else new.state is S.PLANNED
        if is_news and (new.target, new.state.value) not in said:
            yield f"{new.target} {new.state} without an audit entry"


def what_was_read_stays_what_it_was(deeds: Deeds) -> Iterator[str]:
    """From the first write on, the value to give back is the one that was read before it."""
    for old, new in deeds.changed:
        if old is not None and old.attempts and new.value_before != old.value_before:
            yield f"{new.target} is to become {new.value_before} again, it was {old.value_before}"


# ---- of one write ----------------------------------------------------------------------------------------------------


def a_write_has_its_row(deeds: Deeds) -> Iterator[str]:
    """Committed before it, in a state that asks for just this value."""
    asked = [row.value_wanted if row.state is S.WRITING else row.value_before for row in deeds.begun]
    states = [row.state for row in deeds.begun]
    if asked != [deeds.value] or states not in ([S.WRITING], [S.RESTORING]):
        yield f"{deeds.value} is written, the journal has {states} for {asked}"
    if any(row.mode is not Mode.AUTO for row in deeds.begun):
        yield "it was only noted"


def without_its_journal_nothing_is_written(deeds: Deeds) -> Iterator[str]:
    """Not while the store refuses."""
    if deeds.store_fails:
        yield "the store refuses"


def nothing_is_written_over_a_human(deeds: Deeds) -> Iterator[str]:
    """We change what we read, and change back what we set."""
    for row in deeds.begun:
        expected = row.value_before if row.state is S.WRITING else row.value_wanted
        if deeds.actual != expected:
            yield f"{row.state}: it is {deeds.actual}, not {expected}"


def so_many_writes_in_an_hour(deeds: Deeds) -> Iterator[str]:
    """Whoever makes them, and across restarts."""
    if (count := sum(deeds.now - HOUR_MS < at for at in deeds.writes)) > WRITES_PER_HOUR:
        yield f"{count} writes within an hour"


# ---- of one step -----------------------------------------------------------------------------------------------------


def what_nobody_holds_is_as_it_was(deeds: Deeds) -> Iterator[str]:
    """Or as a human wants it."""
    if not deeds.begun and not deeds.is_on_its_way and deeds.actual not in deeds.may_be:
        yield f"it is {deeds.actual}, not one of {deeds.may_be}, and no row is open"


def nothing_outlives_its_reason(deeds: Deeds) -> Iterator[str]:
    """What is past its time, or wanted by nobody, ends while nothing stands in the way."""
    over = {row.id for row in deeds.open if _is_over(row, deeds) and not _is_waiting(deeds)}
    deeds.over_since = {name: deeds.over_since.get(name, deeds.ran) for name in over}
    for name, since in deeds.over_since.items():
        if deeds.ran - since > PATIENCE_MS:
            yield f"{deeds.rows[name].state} for {(deeds.ran - since) // 1000} s after its end"


def _is_over(row: Mitigation, deeds: Deeds) -> bool:
    if row.held_by is not None:
        return False
    wanted = any(owner in deeds.firing or owner.startswith("human:") for owner in row.owners)
    return not wanted or (row.expires_at is not None and row.expires_at <= deeds.now)


def _is_waiting(deeds: Deeds) -> bool:
    """For the store, the upstream, a human, or for the hour to be over."""
    if deeds.store_fails or deeds.is_away:
        return True
    frozen = any(row.held_by == OURSELVES for row in deeds.rows.values())
    return frozen or sum(deeds.now - HOUR_MS < at for at in deeds.writes) >= WRITES_PER_HOUR - 1


# ---- of the end ------------------------------------------------------------------------------------------------------


def in_the_end_nothing_is_open(deeds: Deeds) -> Iterator[str]:
    """And the setting is what it was, or a human's."""
    for row in deeds.open:
        yield f"{row.target} is {row.state}: {row.owners}"
    if deeds.actual not in deeds.may_be:
        yield f"it is {deeds.actual}, not one of {deeds.may_be}"


Laws = Sequence[Callable[[Deeds], Iterator[str]]]
OF_ROWS: Laws = (
    rows_follow_the_mitigation_table,
    a_target_has_one_row,
    each_change_of_a_row_is_audited,
    what_was_read_stays_what_it_was,
)
OF_WRITES: Laws = (
    a_write_has_its_row,
    without_its_journal_nothing_is_written,
    nothing_is_written_over_a_human,
    so_many_writes_in_an_hour,
)
OF_ACTING_STEPS: Laws = (what_nobody_holds_is_as_it_was, nothing_outlives_its_reason)
OF_THE_END: Laws = (in_the_end_nothing_is_open,)
