"""Proof: when it helped, when it did not, when nobody can tell, and when a stand-in is worse."""

import pytest

from daemon.domain.event import Outcome
from daemon.domain.sample import Counts
from daemon.logic.proof import (
    DID_NOT_HELP,
    IS_WORSE,
    NOTHING_HEALTHY,
    Tally,
    Verdict,
    did_not_help,
    figures,
    is_as_bad,
    is_worse,
    judge,
    say,
)
from tests.contracts.things import NOON

BEFORE = Counts(80, 34)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (BEFORE, Counts(75, 2), Verdict.HELPED),
        (BEFORE, Counts(75, 32), Verdict.NO_BETTER),
        (BEFORE, Counts(75, 75), Verdict.NO_BETTER),
        (BEFORE, Counts(9, 9), Verdict.INCONCLUSIVE),
        (BEFORE, Counts(0, 0), Verdict.INCONCLUSIVE),
        (BEFORE, Counts(10, 0), Verdict.HELPED),
        (BEFORE, Counts(20, 6), Verdict.INCONCLUSIVE),
        (Counts(100, 8), Counts(10, 1), Verdict.INCONCLUSIVE),
        (Counts(100, 8), Counts(300, 1), Verdict.HELPED),
        (Counts(4, 4), Counts(75, 0), Verdict.HELPED),
        (Counts(4, 4), Counts(75, 75), Verdict.NO_BETTER),
        (Counts(100, 0), Counts(75, 75), Verdict.INCONCLUSIVE),
    ],
)
def test_the_verdict(before: Counts, after: Counts, expected: Verdict) -> None:
    assert judge(before, after) is expected


def test_it_is_said_with_both_sample_sizes() -> None:
    assert say(BEFORE, Counts(75, 2)) == "before 34 of 80 failed (42 %), after 2 of 75 (3 %)"
    assert say(BEFORE, Counts(3, 0)) == "before 34 of 80 failed (42 %), after 0 of 3 (0 %): too little to tell"


@pytest.mark.parametrize(
    ("stand_in", "original", "expected"),
    [
        (Counts(40, 40), 0.42, True),
        (Counts(40, 18), 0.42, False),
        (Counts(9, 9), 0.42, False),
        (Counts(40, 40), 1.0, False),
        (Counts(1000, 124), 0.08, False),
        (Counts(1000, 140), 0.08, True),
        (Counts(20, 3), 0.08, False),
    ],
)
def test_a_stand_in_is_worse_by_more_than_five_points_and_surely(
    stand_in: Counts, original: float, expected: bool
) -> None:
    assert is_worse(stand_in, original) is expected


@pytest.mark.parametrize(
    ("stand_in", "original", "expected"),
    [
        (Counts(40, 17), 0.42, True),
        (Counts(40, 16), 0.42, False),
        (Counts(9, 9), 0.42, False),
        (Counts(100, 4), 0.0, False),
        (Counts(100, 5), 0.0, True),
    ],
)
def test_a_stand_in_is_as_bad(stand_in: Counts, original: float, expected: bool) -> None:
    assert is_as_bad(stand_in, original) is expected


@pytest.mark.parametrize("why", [DID_NOT_HELP, IS_WORSE, NOTHING_HEALTHY])
def test_reasons_that_make_a_row_fail(why: str) -> None:
    assert did_not_help(f"{why}: 3 of 4")
    assert not did_not_help(None)
    assert not did_not_help("no alert wants it any more")


def test_a_tally_goes_on_from_what_its_row_has_kept() -> None:
    first = Tally(figures(BEFORE, Counts(50, 10)))
    for bad in (True, False, False):
        first.count(bad=bad)
    first.went_through(NOON, Outcome.OK)
    again = Tally({**figures(BEFORE, Counts(50, 10)), **first.figures()})
    again.count(bad=False)
    again.went_through(NOON, Outcome.OK)
    assert again.proof == "before 34 of 80 failed (42 %), after 1 of 4 (25 %): too little to tell"
    assert again.saved_turns == 2


def test_the_original_is_as_bad_as_the_worse_of_its_two_figures() -> None:
    tally = Tally(figures(BEFORE, Counts(50, 50)))
    for _ in range(40):
        tally.went_through(NOON, Outcome.FAILED)
    assert not tally.is_worse(NOON + 1)
    assert tally.is_as_bad(NOON + 1)
    assert not tally.is_as_bad(NOON + 180_000), "only the last two minutes count"
