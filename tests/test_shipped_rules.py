"""Each shipped rule fires on the trouble that it is made for, keeps quiet on what is near to it, and ends with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count, cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.built_in import own_rules
from daemon.adapters.config.packaged import packaged
from daemon.app.shelf import scan
from daemon.domain.alert import AlertState, ResolvedBecause
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.event import Fault, Outcome
from daemon.logic.judging import Book
from tests.logic.playing import an_event
from tests.spells import FILES, MODELS, Before, Blind, Day, Looks, Spell, Turns, row

BOTH, WARNING, CRITICAL = ("warning", "critical"), ("warning",), ("critical",)
SPARK, *OTHERS = MODELS
AMP_ON = "version: 1\nextends: runbook\nrules: [{alert: AmpBypass, enabled: true}]\n"


def failed(fault: Fault, status: int = 200) -> Mapping[str, Any]:
    return {"outcome": Outcome.FAILED, "fault": fault, "status": status}


LIMITED = failed(Fault.PROVIDER_RATE_LIMITED, 429)
BROKEN = failed(Fault.PROVIDER_ERROR, 500)
CALLERS = failed(Fault.CLIENT_ERROR, 400)
REJECTED = failed(Fault.PROVIDER_AUTH, 401)
UNKNOWN_MODEL = failed(Fault.MODEL_NOT_FOUND, 404)

SPARKS = {"requested_model": SPARK}
IFLOW = {"provider_key": "iflow"}
ANTIGRAVITY = {"provider_key": "antigravity", "requested_model": "gemini-3-pro"}
IMAGES = {"has_tool_result_image": True}
ACCOUNT = {"credential": "codex-a.json"}
STREAMED = {"stream": True, "ttft_ms": 2_000}
COUNTED = {"stream": True, "usage_present": True, "total_tokens": 900}
THINKING = {"thinking_match": True}
NIGHTLY = {"workload": "nightly", "thinking_requested_level": "high"}
AMP = {"client": "amp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The severities in the order in which the trouble makes them fire, what the last of them says, and the end."""

    trouble: tuple[Spell, ...]
    fires: tuple[str, ...] = BOTH
    says: str
    ends: tuple[Spell, ...]
    near: Mapping[str, tuple[Spell, ...]] = field(default_factory=dict)
    """What looks like it and is not."""


def calm(minutes: float = 30, **turn: Any) -> Turns:
    return Turns(minutes=minutes, turn=turn)


def failing(minutes: float, share: float, fails: Mapping[str, Any], **turn: Any) -> Turns:
    return Turns(minutes=minutes, bad=share, fails=fails, turn=turn)


STORIES: Mapping[str, Story] = {
    "ProviderRateLimited": Story(
        trouble=(calm(), failing(10, 0.4, LIMITED)),
        says="codex: .* turns were rate limited",
        ends=(calm(),),
        near={
            "6 of 300": (failing(30, 0.02, LIMITED),),
            "three in a row": (calm(), row(3, LIMITED, every=30), calm()),
            "a client that tries four times in seven seconds": (calm(), row(4, LIMITED, every=2), calm()),
            "other errors": (calm(), failing(10, 0.4, BROKEN)),
        },
    ),
    "SparkErrorRatio": Story(
        trouble=(calm(**SPARKS), failing(10, 0.4, UNKNOWN_MODEL, **SPARKS)),
        says=".* Spark turns failed",
        ends=(calm(**SPARKS),),
        near={
            "three in a row": (calm(**SPARKS), row(3, UNKNOWN_MODEL, every=30, **SPARKS), calm(**SPARKS)),
            "another model": (calm(**SPARKS), failing(10, 0.4, UNKNOWN_MODEL)),
            "1 % of an hour": (failing(60, 0.01, BROKEN, **SPARKS),),
        },
    ),
    "ProviderErrorRatio": Story(
        trouble=(calm(), failing(10, 0.4, BROKEN)),
        says="codex: .* turns failed",
        ends=(calm(),),
        near={
            "6 of 300": (failing(30, 0.02, BROKEN),),
            "three in a row": (calm(), row(3, BROKEN, every=30), calm()),
            "rate limits": (calm(), failing(10, 0.4, LIMITED)),
            "what the caller did wrong": (calm(), failing(10, 0.4, CALLERS)),
        },
    ),
    "IflowErrorRatio": Story(
        trouble=(calm(**IFLOW), failing(30, 0.3, BROKEN, **IFLOW)),
        says="iFlow: .* turns failed",
        ends=(calm(**IFLOW),),
        near={
            "2 % of an hour": (failing(60, 0.02, BROKEN, **IFLOW),),
            "another provider": (calm(**IFLOW), failing(30, 0.3, BROKEN)),
        },
    ),
    "AntigravityEmpty": Story(
        trouble=(calm(**ANTIGRAVITY), failing(15, 0.3, {"empty_payload": True}, **ANTIGRAVITY)),
        says="gemini-3-pro: .* answers were empty",
        ends=(calm(**ANTIGRAVITY),),
        near={
            "one in two hundred": (failing(60, 0.005, {"empty_payload": True}, **ANTIGRAVITY),),
            "another provider": (calm(**ANTIGRAVITY), failing(15, 0.3, {"empty_payload": True})),
            "errors, which have a rule": (calm(**ANTIGRAVITY), failing(15, 0.3, BROKEN, **ANTIGRAVITY)),
        },
    ),
    "ToolImageErrors": Story(
        trouble=(calm(**IMAGES), failing(15, 0.5, CALLERS, **IMAGES)),
        says="gpt-5.4: .* turns with images in tool results were refused",
        ends=(calm(**IMAGES),),
        near={
            "refused with 429": (calm(**IMAGES), failing(15, 0.5, LIMITED, **IMAGES)),
            "refused without images": (calm(**IMAGES), failing(15, 0.5, CALLERS)),
            "6 of 300": (failing(30, 0.02, CALLERS, **IMAGES),),
        },
    ),
    "AuthRejectionBurst": Story(
        trouble=(calm(5, **ACCOUNT), row(25, REJECTED, **ACCOUNT)),
        says="codex rejects credential codex-a.json: .* in a row",
        ends=(calm(10, **ACCOUNT),),
        near={
            "four in a row": (calm(5, **ACCOUNT), row(4, REJECTED, every=30, **ACCOUNT), calm(5, **ACCOUNT)),
            "five within ten seconds": (calm(5, **ACCOUNT), row(5, REJECTED, every=2, **ACCOUNT), calm(5, **ACCOUNT)),
            "every second one": (calm(5, **ACCOUNT), failing(10, 0.5, REJECTED, **ACCOUNT)),
        },
    ),
    "RateLimitBurst": Story(
        trouble=(calm(5), row(20, LIMITED)),
        fires=WARNING,
        says="codex rate limits: .* in a row",
        ends=(calm(10),),
        near={
            "fourteen in a row": (calm(5), row(14, LIMITED), calm(5)),
            "fifteen within half a minute": (calm(5), row(15, LIMITED, every=2), calm(5)),
        },
    ),
    "ProviderSlow": Story(
        trouble=(calm(**STREAMED), failing(30, 0.2, {"ttft_ms": 90_000}, **STREAMED)),
        fires=WARNING,
        says="codex, gpt-5.4: one turn in twenty waits longer than .* for its first word",
        ends=(calm(60, **STREAMED),),
        near={
            "slow, but only 3 %": (failing(60, 0.03, {"ttft_ms": 90_000}, **STREAMED),),
            "slow for five minutes": (
                calm(**STREAMED),
                failing(5, 0.3, {"ttft_ms": 90_000}, **STREAMED),
                calm(**STREAMED),
            ),
            "half a minute": (failing(30, 0.5, {"ttft_ms": 30_000}, **STREAMED),),
        },
    ),
    "ZeroUsageUnderLoad": Story(
        trouble=(calm(**COUNTED), failing(20, 0.9, {"total_tokens": 0}, **COUNTED)),
        fires=WARNING,
        says="codex, stream true: .* good turns had no usage",
        ends=(calm(**COUNTED),),
        near={
            "a third of them": (calm(**COUNTED), failing(30, 0.3, {"total_tokens": 0}, **COUNTED)),
            "turns that failed": (calm(**COUNTED), failing(20, 0.9, {"total_tokens": 0, **BROKEN}, **COUNTED)),
            "usage that was not to be expected": (calm(60, stream=True),),
        },
    ),
    "ThinkingMismatch": Story(
        trouble=(calm(**THINKING), failing(15, 0.3, {"thinking_match": False}, **THINKING)),
        says="gpt-5.4: .* turns did not think as asked",
        ends=(calm(**THINKING),),
        near={
            "one in two hundred": (failing(60, 0.005, {"thinking_match": False}, **THINKING),),
            "nobody knows": (calm(60, thinking_match=None),),
        },
    ),
    "ReasoningTokenGrowth": Story(
        trouble=(Before(days=7, reasoning_tokens=1000, turn=NIGHTLY), calm(40, reasoning_tokens=1400, **NIGHTLY)),
        fires=WARNING,
        says=r"nightly, gpt-5.4 \(high\): .*% more reasoning tokens a turn than usual",
        ends=(calm(90, reasoning_tokens=1000, **NIGHTLY),),
        near={
            "a tenth more": (
                Before(days=7, reasoning_tokens=1000, turn=NIGHTLY),
                calm(60, reasoning_tokens=1100, **NIGHTLY),
            ),
            "six days are not enough": (
                Before(days=6, reasoning_tokens=1000, turn=NIGHTLY),
                calm(60, reasoning_tokens=2000, **NIGHTLY),
            ),
            "another workload": (
                Before(days=7, reasoning_tokens=1000, turn=NIGHTLY),
                calm(60, reasoning_tokens=2000, **NIGHTLY | {"workload": "daily"}),
            ),
        },
    ),
    "ProviderDown": Story(
        trouble=(Looks(minutes=5), Looks(minutes=3, is_up=False)),
        fires=CRITICAL,
        says="the upstream does not answer: 3 of the last 3 looks",
        ends=(Looks(minutes=8),),
        near={
            "twice": (Looks(minutes=5), Looks(minutes=2, is_up=False), Looks(minutes=5)),
            "every second look": (Looks(minutes=1, is_up=False), Looks(minutes=1)) * 5,
            "nobody could look": (Looks(minutes=1), Blind(probe="health")),
        },
    ),
    "ModelMissing": Story(
        trouble=(Looks(minutes=3), Looks(minutes=8, models=MODELS[:-1])),
        fires=WARNING,
        says="gemini-2.5-pro is not served any more",
        ends=(Looks(minutes=8),),
        near={
            "never served": (Looks(minutes=20, models=MODELS[:-1]),),
            "gone for three minutes": (Looks(minutes=3), Looks(minutes=3, models=MODELS[:-1]), Looks(minutes=10)),
            "an empty inventory": (Looks(minutes=3), Looks(minutes=10, models=())),
            "nobody could look": (Looks(minutes=3), Blind(probe="models", subject=MODELS[-1])),
        },
    ),
    "SparkMissing": Story(
        trouble=(Looks(minutes=3), Looks(minutes=2, models=OTHERS)),
        fires=CRITICAL,
        says="Spark is not served any more",
        ends=(Looks(minutes=8),),
        near={
            "never served": (Looks(minutes=20, models=OTHERS),),
            "once": (Looks(minutes=3), Looks(minutes=1, models=OTHERS), Looks(minutes=3)),
            "another model": (Looks(minutes=3), Looks(minutes=20, models=MODELS[:-1])),
        },
    ),
    "ModelInventoryShrunk": Story(
        trouble=(Looks(minutes=10), Looks(minutes=8, models=MODELS[:-1])),
        fires=WARNING,
        says="the upstream serves fewer models than a day ago: from 5 to 4",
        ends=(Looks(minutes=8),),
        near={
            "one of six": (Looks(minutes=10, models=(*MODELS, "gpt-5.5")), Looks(minutes=20)),
            "more of them": (Looks(minutes=10), Looks(minutes=20, models=(*MODELS, "gpt-5.5"))),
            "gone for three minutes": (Looks(minutes=10), Looks(minutes=3, models=MODELS[:2]), Looks(minutes=10)),
        },
    ),
    "AuthFileDuplicates": Story(
        trouble=(Looks(minutes=3), Looks(minutes=2, files=(*FILES, FILES[0]))),
        fires=WARNING,
        says="credentials are there twice: codex-a.json",
        ends=(Looks(minutes=8),),
        near={
            "once": (Looks(minutes=3), Looks(minutes=1, files=(*FILES, FILES[0])), Looks(minutes=3)),
            "two of one provider": (Looks(minutes=20),),
        },
    ),
    "AmpBypass": Story(
        trouble=(calm(10, **AMP), calm(62)),
        fires=WARNING,
        says="no request of Amp for 1h",
        ends=(calm(10, **AMP),),
        near={
            "a break of fifty minutes": (calm(10, **AMP), calm(50), calm(5, **AMP), calm(50)),
            "the end of the working day": (calm(7 * 60 + 10, **AMP), calm(240)),
        },
    ),
}
NEAR = [(name, near) for name, story in STORIES.items() for near in story.near]


@cache
def shipped(text: str | None = None) -> AlertsConfig:
    """The shipped file, or one that extends it, as the app loads it."""
    shelves = scan()
    with TemporaryDirectory() as directory:
        path = packaged("alerts.yaml") if text is None else Path(directory, "alerts.yaml")
        if text is not None:
            path.write_text(text)
        return load(path, rules=shelves.rules, mitigations=shelves.mitigations).config


def a_day(name: str) -> Day:
    """With one rule of the file."""
    config = shipped(AMP_ON)
    return Day(Book(config.model_copy(update={"rules": tuple(rule for rule in config.rules if rule.alert == name)})))


def fired(day: Day) -> tuple[str, ...]:
    """The severities that ever fired, in that order."""
    return tuple(dict.fromkeys(str(alert.severity) for _, alert in day.changed if alert.is_firing))


def test_every_shipped_rule_has_a_story_and_something_near_to_it() -> None:
    rules = yaml.safe_load(packaged("alerts.yaml").read_text())["rules"]
    assert list(STORIES) == [rule["alert"] for rule in rules]
    assert [rule.alert for rule in own_rules(shipped())] == [name for name in STORIES if name != "AmpBypass"]
    assert [name for name, story in STORIES.items() if not story.near] == []


@pytest.mark.parametrize("name", STORIES)
def test_a_rule_fires_on_its_trouble_and_ends_with_it(name: str) -> None:
    story, day = STORIES[name], a_day(name)
    day.live(*story.trouble)
    assert fired(day) == story.fires
    assert {severity.value for _, severity in day.firing} == set(story.fires)
    assert day.errors == []
    told = [alert.summary for alert in day.book.firing()]
    assert [text for text in told if not re.match(story.says, text)] == []
    day.live(*story.ends)
    alerts = day.book.alerts()
    assert {alert.state for alert in alerts} == {AlertState.RESOLVED}
    assert {alert.resolved_because for alert in alerts} == {ResolvedBecause.CLEARED}
    assert day.told[0] == "opened"
    assert day.told[-1] == "closed"


@pytest.mark.parametrize(("name", "near"), NEAR)
def test_a_rule_keeps_quiet_on_what_is_near_to_its_trouble(name: str, near: str) -> None:
    day = a_day(name)
    day.live(*STORIES[name].near[near])
    assert (fired(day), day.errors) == ((), [])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ProviderRateLimited", r"[\d.]+%"),
        ("AuthRejectionBurst", "25 in a row"),
        ("ProviderSlow", "1m[23].s"),
        ("ReasoningTokenGrowth", r"(39|40|41)[\d.]*%"),
        ("ProviderDown", "100%"),
        ("ModelInventoryShrunk", "20%"),
        ("AmpBypass", "1h2m"),
    ],
)
def test_a_value_is_told_in_the_words_of_its_kind(name: str, says: str) -> None:
    day = a_day(name)
    day.live(*STORIES[name].trouble)
    assert [alert.value_text for alert in day.book.firing() if not re.fullmatch(says, alert.value_text)] == []


def test_iflow_is_critical_only_when_it_outlives_the_providers_own_cooldown() -> None:
    day = a_day("IflowErrorRatio")
    day.live(calm(**IFLOW), failing(12, 0.3, BROKEN, **IFLOW))
    assert day.severities == ["warning"]
    day.live(failing(8, 0.3, BROKEN, **IFLOW))
    assert day.severities == ["critical", "warning"]


def test_a_name_is_told_without_a_label_that_says_nothing() -> None:
    for name in ("ProviderDown", "AuthFileDuplicates"):
        day = a_day(name)
        day.live(*STORIES[name].trouble)
        assert [alert.labels for alert in day.book.firing()] == [()]


SHAPES: tuple[Mapping[str, Any], ...] = (
    {"requested_model": "gpt-5.4", **ACCOUNT, **COUNTED, **STREAMED, **NIGHTLY, **THINKING, "reasoning_tokens": 1020},
    {"requested_model": SPARK, **COUNTED, **STREAMED, **THINKING},
    {"requested_model": "gpt-5.4", **COUNTED, "stream": False, **IMAGES},
    {"provider_key": "claude", "requested_model": "claude-sonnet-4-6", **COUNTED, **STREAMED, **IMAGES},
    {**ANTIGRAVITY, **COUNTED, **STREAMED, "empty_payload": False, "usage_present": None},
)
FAILURES = (LIMITED, BROKEN, failed(Fault.OVERLOADED, 529), failed(Fault.ERROR_IN_STREAM), LIMITED, REJECTED)


def test_an_hour_of_healthy_traffic_raises_nothing_in_the_whole_file() -> None:
    """600 turns of three providers, of which one in fifty fails, and a look at the upstream each minute."""
    day = Day(Book(shipped()))
    day.live(Before(days=8, reasoning_tokens=1000, turn=NIGHTLY))
    shapes, failures, turns = cycle(SHAPES), cycle(FAILURES), count(1)
    for second in range(3600):
        if second % 60 == 0:
            day.live(Looks(minutes=0))
            day.look()
        if second % 6 == 0:
            turn = next(shapes)
            day.book.observe(an_event(day.now, **(turn if next(turns) % 50 else {**turn, **next(failures)})))
        day.judge()
    assert (fired(day), day.told, day.errors) == ((), [], [])
