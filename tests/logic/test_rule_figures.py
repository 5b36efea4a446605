"""What the book tells of its rules: how much each watches, what it found, and what keeps it from judging."""

import pytest

from daemon.domain.alert import Severity
from daemon.domain.rule_figures import RuleFigures
from daemon.domain.sample import Band, Reading, Verdict
from daemon.logic.rules.ratio import RatioRule
from tests.logic.playing import Play, a_rule, an_event


class Broken(RatioRule):
    """Can be judged from five samples on."""

    def band(self, severity: Severity) -> Band | None:
        return None

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        if sum(counts.samples for _, counts in reading.buckets()) < 5:
            raise ZeroDivisionError("division by zero")
        return super().judge(severity, reading)


def figures(play: Play, name: str = "ProviderRateLimited") -> RuleFigures:
    return next(one for one in play.book.rules() if one.alert == name)


def test_rules_are_told_in_the_order_of_the_file_also_without_traffic() -> None:
    play = Play.of(a_rule(alert="B"), a_rule(alert="A", levels={"critical": {"above": "9%"}}))
    assert [(one.alert, one.kind, one.levels) for one in play.book.rules()] == [
        ("B", "ratio", (Severity.WARNING, Severity.CRITICAL)),
        ("A", "ratio", (Severity.CRITICAL,)),
    ]
    assert {(one.series, one.pending, one.firing, one.displaced) for one in play.book.rules()} == {(0, 0, 0, 0)}


def test_label_sets_are_counted_and_what_is_pending_or_firing_over_all_of_them() -> None:
    levels = {"warning": {"above": "5%"}, "critical": {"above": "10%", "for": "60m"}}
    play = Play.of(a_rule(levels=levels))
    for _ in range(300):
        for provider, bad in (("codex", 1.0), ("claude", 1.0), ("gemini", 0.0)):
            play.traffic(1, bad=bad, provider_key=provider)
    found = figures(play)
    assert (found.series, found.pending, found.firing) == (3, 2, 2)


def test_label_sets_that_had_to_make_room_are_counted() -> None:
    play = Play.of(a_rule(by=["requested_model"], max_series=100))
    for model in range(150):
        play.traffic(1, requested_model=f"model-{model}")
    assert figures(play).series <= 100
    assert figures(play).displaced == play.book.displaced["ProviderRateLimited"] > 0


def test_a_rule_that_cannot_be_judged_says_why_until_it_can() -> None:
    play = Play.of(a_rule(), Broken.model_validate(a_rule(alert="Broken").model_dump(by_alias=True)))
    play.traffic(1)
    play.silence(3)
    assert figures(play, "Broken").error == "ZeroDivisionError: division by zero"
    assert figures(play).error is None
    play.traffic(4)
    assert figures(play, "Broken").error is None


def test_what_fails_for_one_label_set_is_told_though_another_one_can_be_judged() -> None:
    play = Play.of(Broken.model_validate(a_rule(alert="Broken").model_dump(by_alias=True)))
    play.traffic(5, provider_key="codex")
    for provider in ("amp", "codex"):
        play.book.observe(an_event(play.now, provider_key=provider))
    play.silence(1)
    assert figures(play, "Broken").error is not None


@pytest.mark.parametrize(("coverage", "degraded"), [("80%", True), ("20%", False), ("none", False)])
def test_it_is_degraded_where_too_little_of_what_was_emitted_arrived(coverage: str, degraded: bool) -> None:
    play = Play.of(a_rule(coverage=coverage))
    play.book.lose(play.now, 10, 5)
    play.traffic(2)
    assert figures(play).degraded is degraded
