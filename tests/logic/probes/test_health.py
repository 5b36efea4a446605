"""Whether the upstream answers."""

import pytest

from daemon.domain.probe import ProbeOutcome
from daemon.logic.probe import Sight
from daemon.logic.probes import health


@pytest.mark.parametrize(
    ("reachable", "outcome", "reason"),
    [(True, ProbeOutcome.OK, ""), (False, ProbeOutcome.BAD, "the upstream does not answer")],
)
def test_the_look_decides_and_nothing_more_is_asked(reachable: bool, outcome: ProbeOutcome, reason: str) -> None:
    sight = Sight(now=1, reachable=reachable)
    (one,) = health.verdict(health.OPTIONS(), sight, ()).results
    assert (health.requests(health.OPTIONS(), sight), one.subject, one.outcome, one.reason) == ([], "", outcome, reason)
