"""Expectations: each kind holds on what fits it, and where it does not, says what happened instead."""

import json
from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.audit import AuditEntry
from daemon.domain.expectation import Expectation
from daemon.domain.explanation import Decided, Explanation
from daemon.domain.happened import Happened, Received
from daemon.domain.labels import fingerprint
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.logic.expectation_words import say_expectation
from daemon.logic.expectations import unmet

T0 = 1_767_571_200_000
CODEX, CLAUDE = (("provider_key", "codex"),), (("provider_key", "claude"),)


def alert(
    minute: float, state: str, *, severity: str = "warning", labels: tuple[tuple[str, str], ...] = CODEX
) -> Alert:
    since = T0 + round(minute * 60_000)
    return Alert(
        fingerprint=fingerprint("Limited", labels, severity),
        episode="e",
        alert="Limited",
        severity=Severity(severity),
        labels=labels,
        state=AlertState(state),
        since=since,
        last_data_at=since,
    )


def row(minute: float, state: str, *, id_: str = "m1", target: str = "upstream:a.b") -> tuple[int, Mitigation]:
    at = T0 + round(minute * 60_000)
    return at, Mitigation(
        id=id_,
        name="toggle",
        kind="upstream_toggle",
        target=target,
        state=MitigationState(state),
        mode=Mode.AUTO,
        soft=False,
        owners=(),
        planned_at=at,
    )


def message(minute: float, title: str, body: str = "", *alerts: str) -> Received:
    return Received(at=T0 + round(minute * 60_000), receiver="operators", title=title, body=body, alerts=alerts)


TOLD = Explanation(
    alert="Limited", at=T0, decision=Decided.QUIET, because=("5% is below 8%",), not_notified_because="nothing fires"
)
SEEN = Happened(
    begins_at=T0,
    settles_ms=251,
    transitions=[
        alert(10, "pending"),
        alert(11, "firing"),
        alert(12, "firing", severity="critical"),
        alert(20, "clearing", severity="critical"),
        alert(25, "resolved", severity="critical"),
        alert(30, "resolved"),
        alert(15, "firing", labels=CLAUDE),
    ],
    mitigations=[
        row(12, "planned"),
        row(12.1, "applied"),
        row(13, "applied", target="upstream:c.d", id_="m2"),
        row(30, "restored"),
        row(40, "planned", id_="m3"),
        row(41, "applied", id_="m3"),
    ],
    received=[
        message(11, "[warning] Limited codex: 9%", "all failures: credential c3f1", "Limited"),
        message(30, "[resolved] Limited codex", "", "Limited"),
        message(35, "[warning] Other", "", "Other"),
    ],
    audit=[
        AuditEntry(id="1", at=T0 + 720_000, actor="rule:Limited", subject="upstream:a.b", action="planned"),
        AuditEntry(
            id="2",
            at=T0 + 1_800_000,
            actor="daemon",
            subject="upstream:a.b",
            action="abandoned",
            outcome="changed by hand",
        ),
        AuditEntry(id="3", at=T0, actor="daemon", subject="upstream:e.f", action="noted", outcome="no effect known"),
        AuditEntry(id="4", at=T0, actor="rule:Limited", subject="alert:Limited", action="firing"),
    ],
    settings={600.0: {"a.b": True}},
    explained={(600.0, "Limited"): TOLD, (660.0, "Limited"): None},
    targets={"toggle": frozenset({"upstream:a.b", "upstream:e.f"})},
)

HOLD: list[dict[str, Any]] = [
    {"at": "9m", "alert": "Limited", "state": "inactive"},
    {"at": "10m", "alert": "Limited", "state": "pending"},
    {"at": "11m", "alert": "Limited", "state": "firing", "severity": "warning"},
    {"at": "11m", "alert": "Limited", "state": "inactive", "severity": "critical"},
    {"at": "21m", "alert": "Limited", "state": "firing", "severity": "critical"},
    {"at": "25m", "alert": "Limited", "state": "resolved", "severity": "critical"},
    {"at": "31m", "alert": "Limited", "state": "resolved", "labels": {"provider_key": "codex"}},
    {"at": "31m", "alert": "Limited", "state": "inactive", "labels": {"provider_key": "codex"}},
    {"at": "31m", "alert": "Limited", "state": "firing", "labels": {"provider_key": "claude"}},
    {"by": "60m", "alert": "Limited", "state": "pending"},
    {"by": "12m", "alert": "Limited", "state": "firing", "severity": "critical"},
    {"to": "10m", "never": "Limited"},
    {"from": "26m", "never": "Limited", "severity": "critical"},
    {"from": "31m", "never": "Limited", "labels": {"provider_key": "codex"}},
    {"never": "Other"},
    {"by": "13m", "mitigation": "toggle", "state": "applied"},
    {"at": "30m", "mitigation": "toggle", "state": "restored", "target": "*a.b"},
    {"at": "39m", "mitigation": "toggle", "state": "applied", "times": 1},
    {"at": "50m", "mitigation": "toggle", "state": "applied", "times": 2, "target": "upstream:a.b"},
    {"by": "50m", "mitigation": "fallback", "state": "applied", "times": 0},
    {"at": "10m", "upstream": {"a.b": True}},
    {"messages": {"to": "operators", "between": [1, 3]}},
    {"messages": {"to": "operators", "equals": 2, "alert": "Limited"}},
    {"messages": {"to": "operators", "equals": 1, "title": "[Resolved]"}},
    {"from": "20m", "to": "32m", "messages": {"to": "operators", "equals": 1}},
    {"by": "11m", "message": {"to": "operators", "contains": ["all  failures", "CODEX"]}},
    {"at": "10m", "explain": "Limited", "contains": ["quiet", "below 8%", "nothing fires"]},
    {"audit": "toggle", "contains": ["abandoned", "by hand"]},
    {"audit": "toggle", "contains": "no effect known"},
    {"audit": "Limited", "contains": "firing"},
]

FAIL: list[tuple[dict[str, Any], str, str]] = [
    (
        {"at": "9m", "alert": "Limited", "state": "firing"},
        "at 9m Limited is firing",
        "warning (provider_key codex) was pending from 10m, firing from 11m, resolved from 30m; critical (provider_key "
        "codex) was firing from 12m, resolved from 25m; warning (provider_key claude) was firing from 15m",
    ),
    (
        {
            "at": "11m",
            "alert": "Limited",
            "state": "inactive",
            "labels": {"provider_key": "codex"},
            "severity": "warning",
        },
        "at 11m Limited (warning, provider_key codex) is inactive",
        "warning (provider_key codex) was pending from 10m, firing from 11m, resolved from 30m",
    ),
    (
        {"at": "31m", "alert": "Limited", "state": "resolved", "severity": "warning"},
        "at 31m Limited (warning) is resolved",
        "warning (provider_key codex) was pending from 10m, firing from 11m, resolved from 30m; warning (provider_key "
        "claude) was firing from 15m",
    ),
    (
        {"by": "11m", "alert": "Limited", "state": "firing", "severity": "critical"},
        "by 11m Limited (critical) is firing",
        "critical (provider_key codex) was firing from 12m, resolved from 25m",
    ),
    ({"by": "1h", "alert": "Other", "state": "firing"}, "by 1h Other is firing", "it was inactive all the time"),
    (
        {"from": "24m", "never": "Limited", "severity": "critical"},
        "from 24m to the end Limited (critical) never fires",
        "critical (provider_key codex) was firing from 12m, resolved from 25m",
    ),
    (
        {"by": "12m", "mitigation": "toggle", "state": "applied"},
        "by 12m toggle has been applied",
        "upstream:a.b was planned at 12m, applied at 12m6s, restored at 30m, planned at 40m, applied at 41m; "
        "upstream:c.d was applied at 13m",
    ),
    (
        {"at": "50m", "mitigation": "toggle", "state": "restored", "target": "*a.b"},
        "at 50m toggle (*a.b) is restored",
        "upstream:a.b was planned at 12m, applied at 12m6s, restored at 30m, planned at 40m, applied at 41m",
    ),
    (
        {"at": "50m", "mitigation": "toggle", "state": "applied", "times": 1, "target": "*a.b"},
        "at 50m toggle (*a.b) is applied once for each target",
        "upstream:a.b was planned at 12m, applied at 12m6s, restored at 30m, planned at 40m, applied at 41m",
    ),
    (
        {"by": "50m", "mitigation": "fallback", "state": "applied"},
        "by 50m fallback has been applied",
        "nothing of it was ever planned",
    ),
    ({"at": "10m", "upstream": {"a.b": False}}, "at 10m the upstream has a.b: false", "a.b was true"),
    ({"at": "10m", "upstream": {"x.y": False}}, "at 10m the upstream has x.y: false", "there was no setting x.y"),
    (
        {"messages": {"to": "operators", "equals": 1, "alert": "Limited"}},
        "operators get 1 message about Limited",
        "there were 2: 11m [warning] Limited codex: 9%; 30m [resolved] Limited codex",
    ),
    ({"messages": {"to": "others", "between": [1, 2]}}, "others get 1 to 2 messages", "there were 0"),
    (
        {"by": "20m", "message": {"to": "operators", "contains": ["all failures", "claude"]}},
        "by 20m operators get a message that says 'all failures' and 'claude'",
        "none of these 1 says that: 11m [warning] Limited codex: 9%",
    ),
    (
        {"by": "2m", "message": {"to": "operators", "contains": "x"}},
        "by 2m operators get a message that says 'x'",
        "there was none at all",
    ),
    (
        {"at": "10m", "explain": "Limited", "contains": "above"},
        "at 10m the explanation of Limited says 'above'",
        "it said: quiet; 5% is below 8%; not notified: nothing fires; acted",
    ),
    (
        {"at": "11m", "explain": "Limited", "contains": "above"},
        "at 11m the explanation of Limited says 'above'",
        "nothing ran then that could explain it",
    ),
    (
        {"by": "20m", "audit": "toggle", "contains": "abandoned"},
        "by 20m the audit of toggle says 'abandoned'",
        "none of these entries says that: rule:Limited planned upstream:a.b; daemon noted upstream:e.f no effect known",
    ),
    ({"audit": "fallback", "contains": "x"}, "the audit of fallback says 'x'", "there is no entry about it"),
]


def wanted(said: dict[str, Any]) -> Expectation:
    return Expectation.model_validate_json(json.dumps(said), strict=True)


@pytest.mark.parametrize("said", HOLD, ids=json.dumps)
def test_it_holds(said: dict[str, Any]) -> None:
    assert unmet(wanted(said), SEEN) is None


@pytest.mark.parametrize(("said", "words", "instead"), FAIL, ids=[words for _, words, _ in FAIL])
def test_it_does_not_hold_and_says_what_happened_instead(said: dict[str, Any], words: str, instead: str) -> None:
    expectation = wanted(said)
    assert (say_expectation(expectation), unmet(expectation, SEEN)) == (words, instead)


def test_what_follows_from_a_second_belongs_to_it() -> None:
    """A second is judged a moment after its end."""
    applied = row(12, "applied")
    late = [(applied[0] + 251, applied[1])], [(applied[0] + 252, applied[1])]
    expectation = wanted({"by": "12m", "mitigation": "toggle", "state": "applied"})
    assert [unmet(expectation, replace(SEEN, mitigations=rows)) is None for rows in late] == [True, False]
