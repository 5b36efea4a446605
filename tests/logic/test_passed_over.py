"""Rules that are passed over because they cannot change: the others see to it that nobody notices."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.sample import Reading, Verdict
from daemon.logic.judging import FEW_RULES, Book
from daemon.logic.rules.burn_rate import BurnRateRule
from daemon.logic.rules.burst import BurstRule
from daemon.logic.rules.quantile import QuantileRule
from daemon.logic.rules.ratio import RatioRule
from tests.logic.playing import T0, Play, a_rule, an_event

SOON: dict[str, Any] = {"window": "30s", "stretch_to": "2m", "keep_firing_for": "5s"}
QUICK: dict[str, Any] = {**SOON, "min_samples": 5, "min_bad": 2, "confidence": "none"}
FAILED: dict[str, Any] = {"bad": {"outcome": "failed"}, "by": ["provider_key"], "keep_firing_for": "5s"}
ACTING = {"warning": {"above": "5%"}, "critical": {"above": "10%", "for": "4s", "mitigate": ["fallback"]}}


def a_burst(**changes: Any) -> BurstRule:
    levels = {"warning": {"at_least": 3}, "critical": {"at_least": 5}}
    return BurstRule.model_validate({"alert": "Burst", "window": "30s", "levels": levels, **FAILED, **changes})


def a_quantile(above: str, **changes: Any) -> QuantileRule:
    facts = {"alert": f"Slow{above}", "field": "ttft_ms", "q": "80%", "min_samples": 5, "by": ["provider_key"], **SOON}
    return QuantileRule.model_validate({**facts, "levels": {"warning": {"above": above}}, **changes})


def a_burn() -> BurnRateRule:
    levels = {
        "warning": {"above": 2, "long": "2m", "short": "20s"},
        "critical": {"above": 4, "long": "40s", "short": "10s"},
    }
    facts = {"alert": "Burn", "objective": "90%", "min_samples": 5, "levels": levels}
    return BurnRateRule.model_validate({**facts, **FAILED})


def few() -> list[Rule]:
    return [
        a_rule(**QUICK | {"once_in": "1d", "no_data": "resolve"}),
        a_rule(alert="Row", in_a_row=3, by=[], **QUICK),
        a_rule(alert="Acts", in_a_row=4, levels=ACTING, **QUICK),
        a_burst(),
        a_burst(alert="Single", by=[], levels={"warning": {"at_least": 4}}),
        a_quantile("1000ms"),
        a_quantile("1030ms"),
        a_burn(),
    ]


def many() -> list[Rule]:
    """That ask for the same numbers."""
    shares = (3, 10, 30, 60, 90)
    return [
        a_rule(alert=f"R{share}{row}", in_a_row=row, levels={"warning": {"above": f"{share}%"}}, **QUICK)
        for row in ("none", 3)
        for share in shares
    ]


turns = some.fixed_dictionaries(
    {
        "after": some.sampled_from([0, 200, 700, 1500, 4000, 35_000]),
        "late": some.sampled_from([0, 0, 0, 900, 2500, 12_000]),
        "bad": some.booleans(),
        "provider_key": some.sampled_from(["codex", "claude"]),
        "ttft_ms": some.sampled_from([10, 950, 1005, 1028, 1040, 5000]),
        "times": some.sampled_from([1, 1, 3, 12]),
        "anew": some.sampled_from([False] * 12 + [True]),
    }
)


class Thorough(Book):
    """Judges every rule that could be concerned."""

    def __init__(self, config: AlertsConfig) -> None:
        super().__init__(config)
        for table in self._tables.values():
            table.candidates = lambda track, at, table=table: table.accounts  # type: ignore[method-assign]


def played(book: Book, stream: list[dict[str, Any]]) -> list[object]:
    """What it said and showed, second by second."""
    said: list[object] = []
    second = at = T0 + 20_000
    for number, turn in enumerate(stream):
        at += turn["after"]
        while second + 1000 <= at:
            second += 1000
            judged = book.judge(second)
            said.append((in_order(judged.changed), {(one.change, one.episode) for one in judged.steps}, judged.errors))
            said.append((in_order(book.firing()), book.acting()))
        if turn["anew"]:
            book.start_anew({alert.fingerprint for alert in book.firing() if alert.mitigate}, second)
        for place in range(turn["times"]):
            facts = {name: turn[name] for name in ("bad", "provider_key", "ttft_ms")}
            book.observe(an_event(at - turn["late"] + place, event_id=number * 100 + place, **facts))
    return [*said, in_order(book.alerts())]


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """Those that are passed over know less well when the latest data came."""
    return sorted((replace(alert, last_data_at=0) for alert in alerts), key=lambda alert: alert.fingerprint)


@pytest.mark.parametrize("rules", [few, many], ids=["few", "many"])
@settings(max_examples=60, deadline=None)
@given(stream=some.lists(turns, min_size=1, max_size=40))
def test_passing_over_changes_nothing(rules: Any, stream: list[dict[str, Any]]) -> None:
    config = AlertsConfig(rules=tuple(rules()))
    assert played(Book(config), stream) == played(Thorough(config), stream)


def test_many_are_more_than_those_that_are_all_judged() -> None:
    assert len(many()) > FEW_RULES
    [table] = Book(AlertsConfig(rules=tuple(many())))._tables.values()
    assert len(table.accounts) == len(many())


class Asked(RatioRule):
    """Counts how often any of them was judged."""

    judged: ClassVar[list[int]] = []

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        self.judged.append(reading.at)
        return super().judge(severity, reading)


def test_where_it_is_calm_a_rule_that_acts_is_asked_about_one_label_set_in_each_second() -> None:
    levels = {"critical": {"above": "10%", "mitigate": ["fallback"]}}
    play = Play.of(Asked.model_validate(a_rule(in_a_row=4, levels=levels).model_dump(by_alias=True)))
    Asked.judged.clear()
    for _ in range(20):
        for provider in ("codex", "claude", "gemini"):
            play.book.observe(an_event(play.now, provider_key=provider))
        play.judge()
    assert len(Asked.judged) == len(set(Asked.judged)) == 20


def test_what_fires_is_looked_at_once_in_a_second_for_all_who_ask() -> None:
    levels = {"warning": {"above": "10%"}}
    play = Play.of(Asked.model_validate(a_rule(levels=levels).model_dump(by_alias=True)))
    play.traffic(60, per_second=5, bad=0.5)
    Asked.judged.clear()
    shown = [play.book.firing(), play.book.alerts()]
    assert shown[0] == shown[1] != []
    assert len(Asked.judged) <= 1


def test_a_row_raises_the_next_level_of_what_fires_already() -> None:
    levels = {"warning": {"above": "5%"}, "critical": {"above": "90%"}}
    play = Play.of(a_rule(in_a_row=3, levels=levels))
    play.traffic(100, per_second=5, bad=0.2)
    assert play.severities == ["warning"]
    play.traffic(1, per_second=3, bad=1.0)
    assert play.severities == ["critical", "warning"]


def test_bad_ones_that_come_too_late_for_a_row_still_fill_a_window() -> None:
    play = Play.of(a_burst(levels={"warning": {"at_least": 3}}))
    play.silence(20)
    play.traffic(1, bad=1.0)
    for _ in range(3):
        play.book.observe(an_event(play.now - 10_000, bad=True))
    play.silence(1)
    assert play.severities == ["warning"]


def test_what_acts_is_judged_in_every_second_while_it_fires() -> None:
    """It must know at once that it does not see enough."""
    play = Play.of(a_rule(levels=ACTING))
    for _ in range(60):
        play.book.observe(an_event(play.now, provider_key="claude"))
        play.traffic(1, per_second=5, bad=0.5)
    assert play.book.acting()
    play.book.lose(play.now, 1000, 900)
    play.book.observe(an_event(play.now, provider_key="claude"))
    play.traffic(1, per_second=5, bad=0.5)
    assert not play.book.acting()


def test_the_time_that_nobody_judged_is_told_at_once() -> None:
    play = Play.of(a_rule(levels={"warning": {"above": "10%", "for": "5m"}}))
    play.traffic(60, per_second=5, bad=0.5)
    [before] = play.book.waiting()
    play.book.pause(7000)
    [after] = play.book.waiting()
    assert after.last_data_at - before.last_data_at == 7000
