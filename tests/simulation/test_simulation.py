"""Fifty days in which everything goes wrong that may; `make prove` runs ten thousand."""

import logging
from collections.abc import Iterator

import pytest

from daemon.logic.judging import Book
from tests.simulation.endings import held_by
from tests.simulation.rules import config_of
from tests.simulation.world import World

SEEDS = range(50)
SPARE = 400
"""Objects that a book may hold beyond those of a new one: what it keeps of alerts that have ended."""

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def quiet() -> Iterator[None]:
    """A rule that raises is logged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_breaks_no_law_and_leaves_nothing_behind(seed: int) -> None:
    world = World(seed).run()
    assert world.node is not None
    assert held_by(world.node.bare_book) <= held_by(Book(config_of(world.history.rules))) + SPARE


@pytest.mark.parametrize("seed", [1])
def test_the_same_seed_makes_the_same_ledger(seed: int) -> None:
    assert World(seed).run().ledger.decisions == World(seed).run().ledger.decisions


@pytest.mark.parametrize("seed", [0, 3])
def test_the_same_day_in_other_pieces_makes_the_same_transitions(seed: int) -> None:
    days = [World(seed, kinds=(), punctual=True, pieces=pieces).run() for pieces in range(2)]
    first, second = (
        [(change.at, change.before, change.after.state, change.after.fingerprint) for change in day.history.changes]
        for day in days
    )
    assert first == second
    assert len(first) > 10
