"""Acting: an alert that fires on may begin nothing while the evidence of this moment is not there."""

import pytest

from daemon.domain.alert import AlertState, Severity
from tests.logic.playing import Play, a_rule

LEVELS = {"critical": {"above": "10%", "clear_below": "6%", "mitigate": ["fallback"]}}


def firing() -> Play:
    play = Play.of(a_rule(window="10s", stretch_to="10s", keep_firing_for="60s", levels=LEVELS))
    play.traffic(20, per_second=10, bad=0.5)
    assert play.book.acting() == {play.alert(Severity.CRITICAL).fingerprint}
    return play


@pytest.mark.parametrize(
    ("seconds", "per_second", "bad"),
    [(20, 10.0, 0.08), (20, 0.2, 1.0)],
    ids=["between both thresholds", "under min_samples"],
)
def test_it_fires_on_and_begins_nothing(seconds: int, per_second: float, bad: float) -> None:
    play = firing()
    play.traffic(seconds, per_second=per_second, bad=bad)
    assert play.alert(Severity.CRITICAL).state is AlertState.FIRING
    assert play.book.acting() == frozenset()


def test_without_data_it_begins_nothing() -> None:
    play = firing()
    play.traffic(11, per_second=0.0)
    assert play.book.acting() == frozenset()
