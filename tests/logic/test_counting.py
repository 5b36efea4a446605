"""Whose turns a rule counts, by who asked."""

from typing import Any

import pytest

from daemon.domain.event import Source
from daemon.domain.selection import Selection
from daemon.logic.counting import counted
from tests.logic.playing import T0, an_event

CLIENT, CANARY, DRILL = Source.CLIENT, Source.CANARY, Source.DRILL


@pytest.mark.parametrize(
    ("of", "bad", "whose"),
    [
        ({}, {"outcome": "failed"}, {CLIENT}),
        ({"source": "canary"}, {"outcome": "failed"}, {CANARY}),
        ({"source": ["client", "canary"]}, {"outcome": "failed"}, {CLIENT, CANARY}),
        ({}, {"source": "canary"}, {CLIENT, CANARY}),
        ({}, {"source": "drill"}, {CLIENT, CANARY}),
        ({"source": "*"}, {"outcome": "failed"}, {CLIENT, CANARY}),
        ({"source": "present"}, {"outcome": "failed"}, {CLIENT, CANARY}),
        ({"source": "drill"}, {"outcome": "failed"}, {DRILL}),
    ],
)
def test_the_turns_of_a_drill_count_only_for_the_rule_that_is_about_them(
    of: dict[str, Any], bad: dict[str, Any], whose: set[Source]
) -> None:
    counts = counted(Selection(of), Selection(bad), retries=False)
    assert {source for source in Source if counts(an_event(T0, source=source))} == whose
