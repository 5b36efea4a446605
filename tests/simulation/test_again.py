"""What was recorded of a day is all there is to know: judged again from it, every alert has every row that it had.

Rules that were others, or broke, in the course of the day are not recorded; nor is a clock that was set.
"""

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.again import judged_again
from tests.simulation.world import World


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A store that refuses is logged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("kinds", [("kill",), ("kill", "store", "suspend", "loss")], ids=" ".join)
@pytest.mark.parametrize("seed", range(12))
def test_a_day_is_judged_again_as_it_was(seed: int, kinds: tuple[str, ...]) -> None:
    world = World(seed, kinds=kinds).run()
    assert judged_again(world) == world.ledger.transition_rows
