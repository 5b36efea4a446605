"""From what a set of rules did to the figures of each rule."""

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.audit import AuditEntry
from daemon.domain.backtest import DAY_MS, Approach, Episode, Incident, Played, RuleReport, Span, Watch
from daemon.domain.labels import Labels
from daemon.domain.mitigation import MitigationState
from daemon.domain.notification import NotificationStatus
from daemon.logic.backtest_report import episodes, report, score
from tests.contracts.things import a_mitigation, a_notification
from tests.contracts.things import an_alert as a_row
from tests.logic.playing import T0, a_rule

MINUTE = 60_000
CODEX: Labels = (("provider_key", "codex"),)
CLAUDE: Labels = (("provider_key", "claude"),)
SPAN = Span(since=T0, until=T0 + 2 * DAY_MS)
NIGHT = T0 + DAY_MS
"""From here on people sleep."""

W, C = Severity.WARNING, Severity.CRITICAL
FIRING, CLEARING, RESOLVED = AlertState.FIRING, AlertState.CLEARING, AlertState.RESOLVED


def turns(*said: tuple[int, Severity, AlertState], labels: Labels = CODEX) -> list[Alert]:
    """Transitions, at minutes."""
    name = labels[0][1]
    return [
        a_row(f"{name}/{severity}", episode=name, severity=severity, labels=labels, state=state, since=T0 + at * MINUTE)
        for at, severity, state in said
    ]


def an_episode(since: int, until: int, labels: Labels = CODEX, *, is_open: bool = False) -> Episode:
    return Episode(
        alert="ProviderRateLimited",
        labels=labels,
        since=T0 + since * MINUTE,
        until=T0 + until * MINUTE,
        is_open=is_open,
    )


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], []),
        (turns((1, W, AlertState.PENDING), (2, W, AlertState.INACTIVE)), []),
        (turns((1, W, FIRING), (9, W, RESOLVED)), [an_episode(1, 9)]),
        (turns((1, W, FIRING), (5, W, CLEARING), (6, W, FIRING), (9, W, RESOLVED)), [an_episode(1, 9)]),
        (turns((1, W, FIRING), (2, C, FIRING), (5, W, RESOLVED), (9, C, RESOLVED)), [an_episode(1, 9)]),
        (
            turns((1, W, FIRING), (2, W, RESOLVED), (3, W, FIRING), (4, W, RESOLVED)),
            [an_episode(1, 2), an_episode(3, 4)],
        ),
        (turns((1, W, FIRING)), [an_episode(1, 2880, is_open=True)]),
        (
            turns((5, W, FIRING), (7, W, RESOLVED)) + turns((1, W, FIRING), (9, W, RESOLVED), labels=CLAUDE),
            [an_episode(1, 9, CLAUDE), an_episode(5, 7)],
        ),
    ],
    ids=["none", "pending", "one", "cleared and back", "two severities", "twice", "still firing", "two label sets"],
)
def test_what_fired_is_told_in_episodes(rows: Sequence[Alert], found: Sequence[Episode]) -> None:
    assert episodes(rows, SPAN) == found


def the_rule(**changes: Any) -> RuleReport:
    facts: dict[str, Any] = {
        "span": SPAN,
        "events": 10,
        "transitions": (),
        "notifications": (),
        "mitigations": (),
        "notes": (),
    }
    played = Played(**facts | changes)
    return report([a_rule()], played, lambda at: at >= NIGHT).rules[0]


def test_durations_and_the_share_of_the_span_count_overlapping_label_sets_once() -> None:
    first = turns((0, W, FIRING), (60, W, RESOLVED))
    second = turns((30, W, FIRING), (120, W, RESOLVED), labels=CLAUDE)
    found = the_rule(transitions=(*first, *second))
    assert (found.episodes, found.median_seconds, found.longest_seconds) == (2, 75 * 60, 90 * 60)
    assert found.share_firing == pytest.approx(120 / 2880)


@pytest.mark.parametrize(("again", "flaps"), [(19, 1), (20, 1), (21, 0)])
def test_it_flaps_when_it_is_raised_within_ten_minutes_of_clearing(again: int, flaps: int) -> None:
    rows = turns((1, W, FIRING), (10, W, RESOLVED), (again, W, FIRING), (50, W, RESOLVED))
    other = turns((11, W, FIRING), (12, W, RESOLVED), labels=CLAUDE)
    assert the_rule(transitions=(*rows, *other)).flaps == flaps


def test_messages_are_counted_for_the_rules_that_they_tell_of() -> None:
    sent, at_night = (
        a_notification(name, episodes=("codex",), status=NotificationStatus.DELIVERED, delivered_at=at)
        for name, at in (("n1", NIGHT - 1), ("n2", NIGHT))
    )
    waits = a_notification("n3", episodes=("codex",), status=NotificationStatus.QUEUED, delivered_at=None)
    of_others = a_notification("n4", episodes=("x",), status=NotificationStatus.DELIVERED, delivered_at=NIGHT)
    rows = tuple(turns((1, W, FIRING)))
    found = the_rule(transitions=rows, notifications=(sent, at_night, waits, of_others))
    assert (found.messages, found.messages_per_day, found.messages_per_night) == (2, 1.0, 0.5)


def test_a_message_about_two_rules_is_one() -> None:
    both = a_notification(episodes=("a", "b"), status=NotificationStatus.DELIVERED, delivered_at=T0)
    rows = [a_row(name, episode=name, alert=f"Rule{name}", state=FIRING, since=T0) for name in "ab"]
    played = Played(span=SPAN, events=1, transitions=tuple(rows), notifications=(both,), mitigations=(), notes=())
    found = report([a_rule(alert="Rulea"), a_rule(alert="Ruleb")], played, lambda at: False)
    assert (found.messages, [one.messages for one in found.rules]) == (1, [1, 1])


def test_a_peak_that_led_to_an_episode_is_no_near_miss() -> None:
    near = [
        Approach(labels=labels, since=T0 + since * MINUTE, until=T0 + until * MINUTE, peak=peak)
        for labels, since, until, peak in ((CODEX, 0, 1, 2.0), (CODEX, 20, 21, 0.9), (CLAUDE, 0, 1, 0.85))
    ]
    watches = {"ProviderRateLimited": Watch(seconds=60.0, looks=4, blind=1, longest_blind=1, approaches=tuple(near))}
    found = the_rule(transitions=tuple(turns((1, W, FIRING), (9, W, RESOLVED))), watches=watches)
    assert (found.near_misses, found.nearest) == (2, 0.9)
    assert (found.blind_share, found.longest_blind_seconds) == (0.25, 60.0)


def test_what_no_look_can_tell_is_not_said() -> None:
    found = the_rule(watches={"ProviderRateLimited": Watch(seconds=60.0, looks=4)})
    assert (found.near_misses, found.nearest, found.blind_share, found.longest_blind_seconds) == (None,) * 4


def a_lease(**changes: Any) -> Any:
    facts: dict[str, Any] = {
        "target": "model_alias:spark",
        "soft": True,
        "owners": ("codex/critical",),
        "state": MitigationState.RESTORED,
        "planned_at": T0,
        "applied_at": T0 + MINUTE,
        "ended_at": T0 + 3 * MINUTE,
    }
    return a_mitigation(**facts | changes)


@pytest.mark.parametrize(
    ("changes", "ran", "seconds", "led_away"),
    [
        ({}, 1, 120.0, 2),
        ({"ended_at": None}, 1, 2 * 86_400 - 60.0, 3),
        ({"soft": False}, 1, 120.0, 0),
        ({"target": "model_alias:other"}, 1, 120.0, 0),
        ({"applied_at": None, "outcome": "would send it"}, 0, 0.0, 0),
        ({"owners": ("somebody",)}, 0, 0.0, 0),
    ],
    ids=["in force", "still in force", "upstream", "another model", "refused", "of another rule"],
)
def test_what_would_have_been_done(changes: dict[str, Any], ran: int, seconds: float, led_away: int) -> None:
    failures = {"spark": [T0, T0 + MINUTE, T0 + 3 * MINUTE - 1, T0 + 3 * MINUTE]}
    rows = tuple(turns((1, C, FIRING)))
    found = the_rule(transitions=rows, mitigations=(a_lease(**changes),), failures=failures)
    assert (found.mitigations, found.lease_seconds, found.led_away) == (ran, seconds, led_away)


def test_refusals_are_told_with_their_reasons() -> None:
    refused = [a_lease(id=f"m{n}", applied_at=None, outcome="would set it", ended_at=T0) for n in range(2)]
    note = AuditEntry(id="a", at=T0, actor="rule:ProviderRateLimited", subject="m", action="noted", outcome="no line")
    found = the_rule(transitions=tuple(turns((1, C, FIRING))), mitigations=tuple(refused), notes=(note,))
    assert found.refusals == {"would set it": 2, "no line": 1}


# ---- beside what a person says ---------------------------------------------------------------------------------------


def an_incident(since: int, until: int, **changes: Any) -> Incident:
    return Incident(since=T0 + since * MINUTE, until=T0 + until * MINUTE, **changes)


@pytest.mark.parametrize(
    ("incident", "is_met"),
    [
        (an_incident(0, 5), True),
        (an_incident(0, 4), False),
        (an_incident(9, 12), True),
        (an_incident(10, 12), False),
        (an_incident(0, 20, alert="ProviderRateLimited", labels=CODEX), True),
        (an_incident(0, 20, alert="Other"), False),
        (an_incident(0, 20, labels=CLAUDE), False),
    ],
)
def test_an_incident_is_met_by_what_fires_meanwhile(incident: Incident, is_met: bool) -> None:
    found = score([an_episode(5, 9)], [incident])
    assert found.missed == (() if is_met else (incident,))
    assert (found.recall, found.precision) == ((1.0, 1.0) if is_met else (0.0, 0.0))


def test_the_lead_is_from_the_first_raise_to_the_beginning() -> None:
    found = score([an_episode(2, 20), an_episode(4, 9, CLAUDE), an_episode(100, 101)], [an_incident(3, 10)])
    assert (found.median_lead_seconds, found.precision, found.recall) == (60.0, 2 / 3, 1.0)


def test_without_episodes_or_incidents_there_is_nothing_to_divide() -> None:
    assert (score([], []).precision, score([], []).recall, score([], []).median_lead_seconds) == (None,) * 3


def test_a_rule_is_scored_by_its_own_incidents_and_those_of_anybody() -> None:
    played = Played(
        span=SPAN,
        events=1,
        transitions=tuple(turns((1, W, FIRING), (2, W, RESOLVED))),
        notifications=(),
        mitigations=(),
        notes=(),
    )
    rules = [a_rule(), a_rule(alert="Quiet"), a_rule(alert="Missed")]
    found = report(rules, played, lambda at: False, [an_incident(0, 5), an_incident(50, 60, alert="Missed")])
    assert set(found.scores) == {"ProviderRateLimited", "Missed"}
    assert (found.scores["ProviderRateLimited"].recall, found.scores["Missed"].recall) == (1.0, 0.0)
    assert found.score is not None
    assert found.score.recall == 0.5
