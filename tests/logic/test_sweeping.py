"""One rule at several values of one option."""

import pytest

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import Misuse
from daemon.logic.rules.quantile import QuantileRule
from daemon.logic.rules.ratio import RatioRule
from daemon.logic.sweeping import parse_sweep, variant
from tests.logic.playing import a_rule

SLOW = QuantileRule.model_validate(
    {"alert": "Slow", "kind": "quantile", "field": "ttft_ms", "levels": {"warning": {"above": "15s"}}}
)
CONFIG = AlertsConfig(rules=(a_rule(), SLOW))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A.above=2%..12%", ("2%", "4%", "6%", "8%", "10%", "12%")),
        ("A.above=2%..4%/0.5%", ("2%", "2.5%", "3%", "3.5%", "4%")),
        ("A.above=5s..10s/5s", ("5s", "10s")),
        ("A.min_samples=10..30/10", ("10", "20", "30")),
        ("A.above=0.1%..0.3%/0.1%", ("0.1%", "0.2%", "0.3%")),
    ],
)
def test_a_sweep_names_its_values(text: str, values: tuple[str, ...]) -> None:
    assert parse_sweep(text).values == values


@pytest.mark.parametrize(
    ("text", "alert", "named"),
    [("A.above=1%..2%", None, "A"), ("above=1%..2%", "B", "B"), ("A.above=1%..2%", "B", "A")],
)
def test_the_rule_is_named_in_the_sweep_or_beside_it(text: str, alert: str | None, named: str) -> None:
    assert parse_sweep(text, alert).alert == named


def test_a_level_may_be_named() -> None:
    found = parse_sweep("A.critical.above=1%..2%")
    assert (found.level, found.field) == (Severity.CRITICAL, "above")
    assert parse_sweep("critical.above=1%..2%", "A").level is Severity.CRITICAL


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("A.above", "is no sweep"),
        ("A.above=2%..12s", "is no sweep"),
        ("above=2%..12%", "which rule"),
        ("A.above=12%..2%", "from less to more"),
        ("A.above=0%..100%/1%", "at most 50 steps"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, complaint: str) -> None:
    with pytest.raises(Misuse, match=complaint):
        parse_sweep(text)


def test_a_threshold_is_tried_alone_on_its_level() -> None:
    (rule,) = variant(CONFIG, parse_sweep("ProviderRateLimited.above=6%..12%"), "6%").rules
    assert isinstance(rule, RatioRule)
    assert list(rule.levels) == [Severity.WARNING]
    assert (rule.levels[Severity.WARNING].above, rule.levels[Severity.WARNING].clears_below) == (0.06, 0.6 * 0.06)
    assert (rule.bad, rule.by) == (a_rule().bad, a_rule().by)


def test_an_option_of_the_rule_keeps_its_levels() -> None:
    (rule,) = variant(CONFIG, parse_sweep("ProviderRateLimited.min_samples=10..30"), "30").rules
    assert isinstance(rule, RatioRule)
    assert (rule.min_samples, rule.levels) == (30, a_rule().levels)


def test_spans_are_taken_as_written() -> None:
    (rule,) = variant(CONFIG, parse_sweep("Slow.above=10s..20s"), "20s").rules
    assert isinstance(rule, QuantileRule)
    assert rule.levels[Severity.WARNING].above == "20s"


@pytest.mark.parametrize(
    ("text", "value", "complaint"),
    [
        ("Nobody.above=1%..2%", "1%", "there is no rule 'Nobody'"),
        ("ProviderRateLimited.colour=1..2", "1", "has no 'colour'"),
        ("Slow.critical.above=1s..2s", "1s", "has no level critical"),
        ("ProviderRateLimited.above=1s..2s", "1s", "is not a ratio"),
    ],
)
def test_a_value_that_a_rule_cannot_have_is_said(text: str, value: str, complaint: str) -> None:
    with pytest.raises(Misuse, match=complaint):
        variant(CONFIG, parse_sweep(text), value)
