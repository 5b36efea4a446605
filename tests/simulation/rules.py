"""The rules of a simulated day: short windows, drawn at random; one of them can be made to raise an exception."""

from collections.abc import Mapping
from random import Random
from typing import Any

from pydantic import PrivateAttr

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver, RepeatInterval, Route
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle
from daemon.logic.rules.ratio import RatioRule
from daemon.logic.rules.state import StateRule

MOODY = "Moody"
EVALUATION_FAILING = "EvaluationFailing"
STREAK = 4
BOTH = {"warning": {"above": "5%", "clear_below": "3%"}, "critical": {"above": "10%", "clear_below": "6%"}}
FEW = {"warning": {"above": "20%", "for": "0s", "mitigate": ["switch"]}}


class Mood:
    def __init__(self) -> None:
        self.is_bad = False


class MoodyRule(RatioRule):
    """Cannot be judged while its mood is bad."""

    _mood: Mood = PrivateAttr(default_factory=Mood)

    def judge(self, *question: Any) -> Any:
        if self._mood.is_bad:
            raise ZeroDivisionError("a mood")
        return super().judge(*question)


def some_rules(random: Random, mood: Mood) -> dict[str, RatioRule]:
    """By alert name."""
    windows = {"window": f"{random.choice((30, 60))}s", "stretch_to": f"{random.choice((60, 90, 240))}s"}
    keep = {"keep_firing_for": f"{random.choice((0, 20, 45))}s", "for": f"{random.choice((0, 10, 30))}s"}
    limited = {"fault": ["provider_rate_limited", "provider_error"]}
    acting = {level: facts | {"mitigate": ["switch"]} for level, facts in BOTH.items()}
    facts: list[dict[str, Any]] = [
        {"alert": "ProviderFailing", "by": ["provider_key"], "bad": limited, "in_a_row": STREAK, "levels": acting},
        {"alert": "ModelFailing", "by": ["requested_model"], "bad": {"outcome": "failed"}, "levels": FEW}
        | {"min_samples": 5, "min_bad": 3},
        {"alert": "AnythingFailing", "bad": limited, "no_data": "resolve", "levels": acting},
    ]
    rules = [RatioRule.model_validate(windows | keep | own | {"kind": "ratio"}) for own in facts]
    moody = MoodyRule.model_validate(windows | keep | facts[0] | {"kind": "ratio", "alert": MOODY})
    moody._mood = mood
    return {rule.alert: rule for rule in (*rules, moody)}


def edited(
    random: Random, rules: Mapping[str, RatioRule], all_rules: Mapping[str, RatioRule], edit: str
) -> Mapping[str, RatioRule]:
    """The file after a person changed it."""
    name = random.choice(sorted(all_rules))
    match edit:
        case "delete":
            return {key: rule for key, rule in rules.items() if key != name}
        case "restore":
            return dict(all_rules)
        case "edit":
            return {key: _with(rule, keep_firing_for=30.0) if key == name else rule for key, rule in rules.items()}
        case "ease":
            return {key: _eased(rule) if key == name else rule for key, rule in rules.items()}
        case _:
            return dict(rules)


def _with(rule: RatioRule, **changes: Any) -> RatioRule:
    return rule.model_copy(update=changes)


def _eased(rule: RatioRule) -> RatioRule:
    """Without its critical level."""
    return _with(
        rule, levels={severity: level for severity, level in rule.levels.items() if severity is Severity.WARNING}
    )


def config_of(rules: Mapping[str, RatioRule]) -> AlertsConfig:
    route = Route(group_interval=60.0, repeat_interval=RepeatInterval(warning=3600.0, critical=1800.0))
    own = StateRule.model_validate(
        {
            "alert": EVALUATION_FAILING,
            "kind": "state",
            "source": "self",
            "of": {"condition": "evaluation_failing"},
            "field": "holds",
            "levels": {"warning": {"equals": True}},
            "keep_firing_for": "0s",
        }
    )
    return AlertsConfig(
        rules=(*rules.values(), own),
        receivers=(Receiver(name="operators"),),
        route=route,
        mitigations={"switch": UpstreamToggle(set={"debug": True}, hold=20.0, cool_off=60.0, max_hold=150.0)},
    )
