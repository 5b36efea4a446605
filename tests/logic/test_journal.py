"""The mitigation table: every state × reading × wish, then every way to be killed, against the invariants."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.logic.journal import DONE, OURSELVES, WRITES, Do, Reading, held_no_more, kept, moved, over, step
from daemon.logic.proof import DID_NOT_HELP
from tests.contracts.things import NOON, a_mitigation

S = MitigationState
GONE = "no alert wants it any more"
FACTS = {"kind": "upstream_toggle", "target": "upstream:debug", "soft": False, "value_wanted": True}


def a_row(state: MitigationState = S.PLANNED, **changes: Any) -> Mitigation:
    before = None if state is S.PLANNED else False
    return a_mitigation(**FACTS | {"state": state, "value_before": before} | changes)


# ---- the table -------------------------------------------------------------------------------------------------------

UNREAD, OLD, OURS, OTHER = None, Reading(value=False), Reading(value=True), Reading(value="auto")
LATE_OLD, LATE_OURS = replace(OLD, settled=False), replace(OURS, settled=False)
WANTED, UNWANTED = None, GONE
ANY = (WANTED, UNWANTED)
TABLE: list[tuple[MitigationState, Reading | None, tuple[str | None, ...], MitigationState, Do]] = [
    (S.PLANNED, UNREAD, (WANTED,), S.PLANNED, Do.READ),
    (S.PLANNED, OURS, (WANTED,), S.NOT_NEEDED, Do.NOTHING),
    (S.PLANNED, OLD, (WANTED,), S.WRITING, Do.WRITE),
    (S.PLANNED, LATE_OLD, (WANTED,), S.WRITING, Do.WRITE),
    (S.PLANNED, OTHER, (WANTED,), S.WRITING, Do.WRITE),
    *((S.PLANNED, reading, (UNWANTED,), S.NOT_NEEDED, Do.NOTHING) for reading in (UNREAD, OURS, OLD, OTHER)),
    (S.WRITING, UNREAD, ANY, S.WRITING, Do.READ),
    (S.WRITING, LATE_OLD, ANY, S.WRITING, Do.READ),
    (S.WRITING, OURS, ANY, S.APPLIED, Do.NOTHING),
    (S.WRITING, LATE_OURS, ANY, S.APPLIED, Do.NOTHING),
    (S.WRITING, OLD, (WANTED,), S.WRITING, Do.WRITE),
    (S.WRITING, OLD, (UNWANTED,), S.NOT_NEEDED, Do.NOTHING),
    (S.WRITING, OTHER, ANY, S.ABANDONED, Do.NOTHING),
    *((S.APPLIED, reading, (WANTED,), S.APPLIED, Do.NOTHING) for reading in (UNREAD, OLD, OURS, OTHER)),
    (S.APPLIED, UNREAD, (UNWANTED,), S.APPLIED, Do.READ),
    (S.APPLIED, OURS, (UNWANTED,), S.RESTORING, Do.WRITE),
    (S.APPLIED, OLD, (UNWANTED,), S.ABANDONED, Do.NOTHING),
    (S.APPLIED, OTHER, (UNWANTED,), S.ABANDONED, Do.NOTHING),
    (S.RESTORING, UNREAD, ANY, S.RESTORING, Do.READ),
    (S.RESTORING, OLD, ANY, S.RESTORED, Do.NOTHING),
    (S.RESTORING, LATE_OLD, ANY, S.RESTORED, Do.NOTHING),
    (S.RESTORING, OURS, ANY, S.RESTORING, Do.WRITE),
    (S.RESTORING, LATE_OURS, ANY, S.RESTORING, Do.READ),
    (S.RESTORING, OTHER, ANY, S.ABANDONED, Do.NOTHING),
]
CASES = [(state, seen, ending, then, do) for state, seen, endings, then, do in TABLE for ending in endings]


@pytest.mark.parametrize(("state", "reading", "ending", "then", "do"), CASES)
def test_each_cell(
    state: MitigationState, reading: Reading | None, ending: str | None, then: MitigationState, do: Do
) -> None:
    row = a_row(state, attempts=1)
    following = step(row, ending=ending, reading=reading, now=NOON + 5)
    assert (following.row.state, following.do) == (then, do)
    assert following.row.state.is_open == (following.row.ended_at is None)
    if do is Do.WRITE:
        assert following.value is (then is S.WRITING)
        assert following.row.attempts == 2


def test_the_table_has_every_cell() -> None:
    states = (S.PLANNED, S.WRITING, S.APPLIED, S.RESTORING)
    cells = {(state, repr(seen), ending) for state, seen, ending, *_ in CASES}
    assert cells >= {(one, repr(seen), why) for one, seen, why in product(states, (UNREAD, OLD, OURS, OTHER), ANY)}


def test_what_the_upstream_does_not_take_is_not_written_for_ever() -> None:
    failed = step(a_row(S.WRITING, attempts=WRITES), ending=None, reading=OLD, now=NOON).row
    assert (failed.state, failed.outcome) == (S.FAILED, "written 2 times, the upstream does not take it")


def test_the_value_before_is_what_was_read() -> None:
    reading = Reading(value=False, fingerprints={"streaming": "s"})
    written = step(a_row(), ending=None, reading=reading, now=NOON).row
    assert (written.value_before, written.config_fingerprints, written.attempts) == (False, {"streaming": "s"}, 1)


def test_one_is_not_true() -> None:
    assert step(a_row(S.APPLIED), ending=GONE, reading=Reading(value=1), now=NOON).row.state is S.ABANDONED


@pytest.mark.parametrize(("state", "reading"), [(S.WRITING, True), (S.RESTORING, False)])
def test_other_settings_that_moved_with_a_write_are_left_to_a_human(state: MitigationState, reading: bool) -> None:
    row = a_row(state, config_fingerprints={"streaming": "1", "host": "1", "debug": "1", "tls": "1"})
    after = {"host": "2", "debug": "2", "tls": "1", "new": "1"}
    seen = Reading(value=reading, fingerprints=after, ours=frozenset({"debug"}))
    following = step(row, ending=None, reading=seen, now=NOON)
    assert moved(row, seen) == ["host", "new", "streaming"]
    assert (following.row.held_by, following.row.outcome) == (
        OURSELVES,
        "frozen: other settings changed with our write: host, new, streaming",
    )


def test_soft_rows_are_applied_and_restored_without_reading() -> None:
    row = a_mitigation(hold=1.0, max_hold=2.0)
    applied = step(row, ending=None, reading=None, now=NOON).row
    assert (applied.state, applied.applied_at, applied.hold_until, applied.expires_at) == (
        S.APPLIED,
        NOON,
        NOON + 1000,
        NOON + 2000,
    )
    assert step(applied, ending=None, reading=None, now=NOON).row is applied
    assert step(applied, ending=GONE, reading=None, now=NOON).row.state is S.RESTORED
    assert step(row, ending=GONE, reading=None, now=NOON).row.state is S.NOT_NEEDED


@pytest.mark.parametrize(
    ("changes", "owned", "expected"),
    [
        ({}, True, None),
        ({}, False, GONE),
        ({"hold_until": NOON + 1}, False, None),
        ({"hold_until": NOON}, False, GONE),
        ({"expires_at": NOON}, True, "it was applied as long as it may be"),
        ({"expires_at": NOON, "hold_until": NOON + 1}, True, "it was applied as long as it may be"),
        ({"expires_at": NOON, "held_by": "human:jo"}, False, None),
        ({"release": {"passes": 3}, "passes": 2}, True, None),
        ({"release": {"passes": 3}, "passes": 3}, True, "the original path answers again"),
        ({"release": {"passes": 3}, "passes": 3, "hold_until": NOON + 1}, True, None),
    ],
)
def test_when_it_is_over(changes: dict[str, Any], owned: bool, expected: str | None) -> None:
    assert over(a_mitigation(**changes), owned=owned, now=NOON) == expected


def test_what_did_not_help_is_undone_and_has_failed() -> None:
    ending = f"{DID_NOT_HELP}: before 3 of 4 failed"
    soft = step(a_mitigation(state=S.APPLIED), ending=ending, reading=None, now=NOON).row
    assert (soft.state, soft.outcome) == (S.FAILED, ending)
    written = step(a_row(S.APPLIED), ending=ending, reading=OURS, now=NOON)
    assert (written.row.state, written.do, written.value) == (S.RESTORING, Do.WRITE, False)
    again = step(written.row, ending=GONE, reading=OURS, now=NOON).row
    assert step(again, ending=GONE, reading=OLD, now=NOON).row.state is S.FAILED, "whatever is said meanwhile"


def test_what_cannot_be_undone_is_written_once_and_has_ended() -> None:
    written = step(a_row(), ending=None, reading=OURS, now=NOON, one_way=True)
    assert (written.row.state, written.do) == (S.WRITING, Do.WRITE)
    done = step(written.row, ending=None, reading=OURS, now=NOON + 1, one_way=True).row
    assert (done.state, done.outcome, done.applied_at) == (S.RESTORED, DONE, NOON + 1)


def test_after_a_kill_what_cannot_be_undone_is_done_once_more() -> None:
    written, unsent = step(a_row(), ending=None, reading=OURS, now=NOON, one_way=True).row, replace(OURS, sent=False)
    again = step(written, ending=None, reading=unsent, now=NOON + 1, one_way=True)
    assert (again.do, again.row.attempts) == (Do.WRITE, 2)
    assert step(again.row, ending=None, reading=OURS, now=NOON + 2, one_way=True).row.state is S.RESTORED
    assert step(again.row, ending=None, reading=unsent, now=NOON + 2, one_way=True).row.state is S.RESTORED


@pytest.mark.parametrize(
    ("reading", "expected"),
    [(OURS, S.APPLIED), (OLD, S.ABANDONED), (OTHER, S.ABANDONED), (Reading(value=1), S.ABANDONED)],
)
def test_looked_at_again_it_is_ours_or_let_go(reading: Reading, expected: MitigationState) -> None:
    assert kept(a_row(S.APPLIED), reading, NOON).row.state is expected


def test_a_hold_ends_by_itself_when_its_time_is_over() -> None:
    held = a_row(S.APPLIED, held_by="human:jo", hold_expires_at=NOON)
    assert held_no_more(held, NOON - 1) is None
    free = held_no_more(held, NOON)
    assert free is not None
    assert (free.held_by, free.hold_expires_at, free.note) == (None, None, "the hold of human:jo ended by itself")
    assert held_no_more(replace(held, hold_expires_at=None), NOON) is None
    assert held_no_more(replace(held, held_by=None), NOON) is None


# ---- killed at every point -------------------------------------------------------------------------------------------


class Killed(Exception):
    """The process is gone; what it committed and what the upstream has remain."""


class World:
    """A journal of one row, an upstream that may mislead, and an alert. Each point is one that a kill can hit."""

    def __init__(self, answers: tuple[str, ...], die_at: int | None) -> None:
        self.row = a_row()
        self.value: Any = False
        self.answers = iter(answers)
        self.late: list[bool] = []
        self.points = 0
        self.die_at = die_at
        self.writes = 0
        self.fires = True

    def point(self) -> None:
        self.points += 1
        if self.points == self.die_at:
            raise Killed

    def commit(self, row: Mitigation) -> None:
        self.point()
        self.row = row
        self.point()

    def read(self, *, settled: bool) -> Reading:
        if settled:
            self.settle()
        seen = Reading(value=self.value, settled=settled)
        self.point()
        return seen

    def write(self, value: Any) -> None:
        assert self.row.state in (S.WRITING, S.RESTORING), "a write needs a committed row"
        self.writes += 1
        match next(self.answers, "ok"):
            case "ok":
                self.value = value
            case "late":
                self.late.append(value)
        self.point()

    def settle(self) -> None:
        for value in self.late:
            self.value = value
        self.late.clear()

    def live(self) -> None:
        """One life, until nothing is left to do; the first reading after a write comes too early, the next does not."""
        row, reading, settled = self.row, None, True
        while row.state.is_open:
            ending = None if self.fires else GONE
            following = step(row, ending=ending, reading=reading, now=NOON)
            if following.row is row and following.do is Do.NOTHING:
                return
            if following.row is not row:
                self.commit(following.row)
                row = following.row
            if following.do is Do.READ:
                settled = settled or reading is not None
                reading = self.read(settled=settled)
            if following.do is Do.WRITE:
                self.write(following.value)
                reading, settled = None, False


ANSWERS = list(product(("ok", "late", "lost"), repeat=3))


def lives(fires: tuple[bool, ...], answers: tuple[str, ...], die_at: int | None, human: Any = None) -> World:
    """One life per alert state; a human may change the value between the first two; writes are quick to land then."""
    world = World(answers, die_at)
    for number, firing in enumerate(fires):
        world.fires = firing
        try:
            world.live()
        except Killed:
            world.die_at = None
        world.settle()
        if number == 0 and human is not None:
            world.value = human
    return world


def scenarios() -> Iterator[tuple[tuple[bool, ...], tuple[str, ...], int | None]]:
    """Every alert story in three lives, every mood of the upstream, killed at every point of it or never."""
    for fires, answers in product(product((True, False), repeat=3), ANSWERS):
        most = lives(fires, answers, None).points
        for die_at in (None, *range(1, most + 1)):
            yield fires, answers, die_at


def test_no_value_is_left_behind_without_an_alert() -> None:
    stories = 0
    for fires, answers, die_at in scenarios():
        if fires[-1]:
            continue
        stories += 1
        world = lives((*fires, False), answers, die_at)  # the last start finishes what a kill left
        assert world.value is False, (fires, answers, die_at, world.row)
        assert not world.row.state.is_open, (fires, answers, die_at, world.row)
        assert world.writes <= 6
    assert stories > 500


def test_an_alert_that_fires_on_gets_what_it_wants_or_is_told_why_not() -> None:
    for fires, answers, die_at in scenarios():
        if not all(fires):
            continue
        world = lives(fires, answers, die_at)
        assert world.row.state in (S.APPLIED, S.FAILED)
        assert world.value is (world.row.state is S.APPLIED), (fires, answers, die_at)


@pytest.mark.parametrize("human", ["auto", False])
def test_a_humans_value_outlives_ours(human: Any) -> None:
    for fires, answers, die_at in scenarios():
        world = lives((*fires, False), answers, die_at, human=human)
        assert world.value == human, (fires, answers, die_at, world.row)
        assert not world.row.state.is_open
