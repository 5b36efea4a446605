"""How near a rule came, and whether it saw enough."""

from collections.abc import Mapping
from typing import Any

import pytest

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Rule
from daemon.domain.labels import Labels
from daemon.domain.sample import Verdict
from daemon.logic.backtest_looks import Looks, threshold
from daemon.logic.rules.burst import BurstRule
from daemon.logic.rules.growth import GrowthRule
from daemon.logic.rules.quantile import QuantileRule
from tests.logic.playing import a_rule

CODEX: Labels = (("provider_key", "codex"),)
CLAUDE: Labels = (("provider_key", "claude"),)
BURST = BurstRule.model_validate({"alert": "B", "kind": "burst", "bad": {}, "levels": {"warning": {"at_least": 3}}})


def says(value: float | None, samples: int = 100) -> Mapping[Severity, Verdict]:
    verdict = Verdict(value=value, samples=samples, window_seconds=600.0)
    return {Severity.CRITICAL: verdict, Severity.WARNING: verdict}


def looks(*seen: list[tuple[Labels, Mapping[Severity, Verdict]]], rule: Rule | None = None) -> Any:
    watched = Looks(rule or a_rule(), 60.0)
    for at, verdicts in enumerate(seen):
        watched.note(at, verdicts)
    return watched.watch()


def test_a_peak_from_four_fifths_of_the_lowest_threshold_on_is_near() -> None:
    seen = looks([(CODEX, says(0.039))], [(CODEX, says(0.041))], [(CODEX, says(0.045))], [(CODEX, says(0.0))])
    (near,) = seen.approaches
    assert (near.labels, near.since, near.until, near.peak) == (CODEX, 1, 2, pytest.approx(0.9))


def test_each_label_set_and_each_time_is_told_apart() -> None:
    both = [(CODEX, says(0.041)), (CLAUDE, says(0.041))]
    seen = looks(both, [(CODEX, says(0.041))], both)
    assert [(one.since, one.until) for one in seen.approaches] == [(0, 0), (0, 2), (2, 2)]


def test_it_is_told_under_the_labels_that_the_alert_would_have() -> None:
    (near,) = looks([(CODEX, says(0.05))], rule=a_rule(labels={"team": "a"})).approaches
    assert near.labels == (("provider_key", "codex"), ("team", "a"))


def test_what_rests_on_too_few_samples_is_not_near() -> None:
    assert looks([(CODEX, says(0.5, samples=19))]).approaches == ()


@pytest.mark.parametrize(
    ("seen", "blind"),
    [
        ([[]], 1),
        ([[(CODEX, says(None, samples=0))]], 1),
        ([[(CODEX, says(0.0, samples=19))]], 1),
        ([[(CODEX, says(0.0, samples=20))]], 0),
        ([[(CODEX, says(0.0, samples=1)), (CLAUDE, says(0.0))]], 0),
    ],
    ids=["nothing", "no data", "too few", "enough", "one has enough"],
)
def test_it_is_blind_where_no_label_set_has_enough_samples(seen: Any, blind: int) -> None:
    assert looks(*seen).blind == blind


def test_the_longest_blind_stretch_is_that_of_looks_in_a_row() -> None:
    few, enough = [(CODEX, says(0.0, samples=1))], [(CODEX, says(0.0))]
    seen = looks(few, few, enough, few, few, few, enough, few)
    assert (seen.looks, seen.blind, seen.longest_blind) == (8, 6, 3)


def test_a_kind_without_samples_and_thresholds_says_neither() -> None:
    seen = looks([(CODEX, says(2.0))], rule=BURST)
    assert (seen.looks, seen.blind, seen.approaches) == (1, None, None)


@pytest.mark.parametrize(
    ("kind", "said", "found"),
    [
        (QuantileRule, {"kind": "quantile", "field": "ttft_ms", "levels": {"warning": {"above": "15s"}}}, 15_000),
        (QuantileRule, {"kind": "quantile", "field": "output_tokens", "levels": {"warning": {"above": 90}}}, 90),
        (GrowthRule, {"kind": "growth", "field": "reasoning_tokens", "levels": {"warning": {"above": "25%"}}}, 0.25),
    ],
)
def test_a_threshold_is_in_the_unit_of_its_values(kind: type[Rule], said: dict[str, Any], found: float) -> None:
    assert threshold(kind.model_validate({"alert": "A", **said}), Severity.WARNING) == found
