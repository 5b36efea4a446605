"""A silence that would mute nothing, or for ever, is refused in one line."""

from typing import Any

import pytest

from daemon.domain.alert import Severity
from daemon.logic.rules.ratio import RatioRule
from daemon.logic.silencing import LONGEST_MS, known_labels, mistake_in, new_silence
from tests.logic.timeline import an_alert

NOW, HOUR = 1_790_000_000_000, 3_600_000
LABELS = ("alert", "severity", "provider_key")


def said(matchers: dict[str, str] | None = None, **changes: Any) -> str | None:
    facts: dict[str, Any] = {"starts_at": NOW, "ends_at": NOW + HOUR, "author": "jo", "comment": "", "at": NOW}
    return mistake_in(new_silence({"alert": "A*"} if matchers is None else matchers, **facts | changes), LABELS, NOW)


@pytest.mark.parametrize(
    ("matchers", "changes", "line"),
    [
        (None, {}, None),
        ({"provider_key": "codex"}, {"starts_at": NOW + HOUR, "ends_at": NOW + 2 * HOUR}, None),
        ({"severity": "warn*"}, {}, None),
        (None, {"ends_at": NOW + LONGEST_MS}, None),
        ({}, {}, "say what to silence, such as alert=ProviderRateLimited"),
        ({"provder_key": "x"}, {}, "no alert can have the label 'provder_key'; did you mean 'provider_key'?"),
        ({"zzz": "x"}, {}, "no alert can have the label 'zzz'; known: alert, provider_key, severity"),
        ({"severity": "critcal"}, {}, "'critcal' is no severity; did you mean 'critical'?"),
        ({"alert": "x" * 257}, {}, "write at most 20 matchers of at most 256 characters"),
        ({f"l{n}": "x" for n in range(21)}, {}, "write at most 20 matchers of at most 256 characters"),
        (None, {"comment": "x" * 401}, "the comment is longer than 400 characters"),
        (None, {"ends_at": NOW - 1}, "it would end before it begins"),
        (None, {"starts_at": NOW + HOUR}, "it would end before it begins"),
        (None, {"starts_at": NOW - HOUR, "ends_at": NOW}, "it would have ended already"),
        (None, {"ends_at": NOW + LONGEST_MS + 1}, "it would last longer than a year: nobody remembers it then"),
    ],
)
def test_a_mistake_is_one_line(matchers: dict[str, str] | None, changes: dict[str, Any], line: str | None) -> None:
    assert said(matchers, **changes) == line


def test_labels_are_those_of_rules_and_of_what_others_raised() -> None:
    rule = RatioRule(
        alert="A",
        bad={"outcome": "failed"},
        by=("model_id",),
        labels={"team": "x"},
        levels={Severity.WARNING: {"above": "5%"}},
    )
    assert known_labels([rule], [an_alert("B", Severity.WARNING, instance="nas")]) == {
        *("alert", "severity", "model_id", "team", "instance")
    }


def test_the_same_request_is_the_same_silence_and_another_one_another() -> None:
    facts: dict[str, Any] = {"starts_at": NOW, "ends_at": NOW + HOUR, "author": "jo", "comment": "", "at": NOW}
    one = new_silence({"alert": "A", "severity": "warning"}, **facts)
    assert one == new_silence({"severity": "warning", "alert": "A"}, **facts)
    others = [facts | {"author": "al"}, facts | {"at": NOW + 1}, facts | {"ends_at": NOW}, facts | {"comment": "x"}]
    assert len({one.id, *(new_silence({"alert": "A", "severity": "warning"}, **other).id for other in others)}) == 5
