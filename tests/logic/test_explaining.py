"""Why an alert fired or not, was sent or not, acted or not: each reason in words, and none that is not so."""

from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, ResolvedBecause, Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver, Route, Rule
from daemon.domain.explanation import Decided, Look
from daemon.domain.known import Known
from daemon.domain.labels import labels_of
from daemon.domain.mitigation import MitigationState
from daemon.domain.notification import NotificationReason, NotificationStatus
from daemon.logic.explaining import MOST_TOLD, explain
from daemon.logic.judging import Book
from daemon.logic.notifying import NO_URLS
from daemon.logic.rules.burst import BurstRule
from daemon.logic.tally import Track
from daemon.logic.unsent import unsent
from tests.contracts.things import a_mitigation, a_notification, a_silence, an_entry
from tests.contracts.things import an_alert as a_stored_alert
from tests.logic.playing import T0, Play, a_rule, an_event

MINUTE, HOUR = 60_000, 3_600_000
FALLBACKS = {"spark": ("codex",)}
CONFIG = AlertsConfig(rules=(a_rule(),), fallbacks=FALLBACKS)
FIRED = T0 - 10 * MINUTE
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def an_alert(state: AlertState = AlertState.FIRING, **changes: Any) -> Alert:
    """It fired ten minutes ago."""
    facts = {
        "labels": (("provider_key", "codex"),),
        "state": state,
        "since": FIRED,
        "fired_at": FIRED,
        "value": 0.12,
        "value_text": "12%",
        "samples": 300,
        "bad": 36,
        "lower_bound": 0.09,
        "window_seconds": 600.0,
        "models": ("spark",),
        "mitigate": ("fallback",),
    }
    return a_stored_alert(**facts | changes)


def then(*rows: Alert, **facts: Any) -> Known:
    """What is known of a moment that is past."""
    return Known(**{"alert": "ProviderRateLimited", "at": T0, "config": CONFIG, "rows": rows} | facts)


def now(*rows: Alert, **facts: Any) -> Known:
    return then(*rows, **{"present": rows} | facts)


def because(known: Known) -> str:
    return "\n".join(explain(known).because)


# ---- fired or not ----------------------------------------------------------------------------------------------------


def test_a_past_firing_is_told_with_the_figures_of_when_it_fired() -> None:
    later = an_alert(AlertState.CLEARING, since=T0 - MINUTE, value_text="2%", samples=900, bad=18)
    other = an_alert(AlertState.FIRING, fingerprint="w", severity=WARNING, value_text="99%")
    over = an_alert(AlertState.INACTIVE, fingerprint="w", severity=WARNING, since=FIRED + 1)
    told = explain(then(later, over, an_alert(), other))
    assert told.decision is Decided.CLEARING
    assert told.because == (
        "critical provider_key=codex fired at 09:50:00 UTC with 36 of 300 in 10m (12%, at least 9%)",
        "it is clearing since 09:59:00 UTC: it is resolved when that lasts for 5m",
        "warning provider_key=codex was pending until 09:50:00 UTC, and did not fire",
    )


@pytest.mark.parametrize(
    ("row", "decided", "says"),
    [
        (an_alert(AlertState.PENDING), Decided.PENDING, "is pending since 09:50:00 UTC with 36 of 300"),
        (an_alert(AlertState.INACTIVE), Decided.QUIET, "was pending until 09:50:00 UTC, and did not fire"),
        (an_alert(fired_at=FIRED - 24 * HOUR), Decided.FIRING, "fired at 2026-11-23 09:50:00 UTC"),
        (an_alert(value_text="25 in a row", samples=0, window_seconds=None), Decided.FIRING, "UTC at 25 in a row"),
        (
            an_alert(AlertState.RESOLVED, resolved_because=ResolvedBecause.CLEARED),
            Decided.RESOLVED,
            "resolved at 09:50:00 UTC: it stayed clear for as long as `keep_firing_for` asks",
        ),
        (
            an_alert(AlertState.RESOLVED, resolved_because=ResolvedBecause.CLEARED, source="alertmanager"),
            Decided.RESOLVED,
            "it was said to be resolved",
        ),
        (an_alert(source="alertmanager", summary="disk full"), Decided.FIRING, "as alertmanager told: disk full"),
    ],
)
def test_each_state_is_told(row: Alert, decided: Decided, says: str) -> None:
    known = then(row)
    assert explain(known).decision is decided
    assert says in because(known)


@pytest.mark.parametrize("reason", ResolvedBecause)
@pytest.mark.parametrize("source", ["", "slack"])
def test_every_end_has_words(reason: ResolvedBecause, source: str) -> None:
    row = an_alert(AlertState.RESOLVED, resolved_because=reason, source=source)
    assert "nobody noted" not in because(then(row))


def test_the_worst_stands_first_and_many_are_counted() -> None:
    rows = [an_alert(AlertState.RESOLVED, fingerprint=f"f{place}", since=T0) for place in range(MOST_TOLD)]
    rows.append(an_alert(severity=WARNING, fingerprint="w", since=FIRED - HOUR))
    told = explain(then(*rows))
    assert (told.decision, told.figures["severity"]) == (Decided.FIRING, "warning")
    assert "and 1 more, which are no worse" in told.because


def test_who_looks_after_it_is_told_of_now_and_of_then() -> None:
    row = an_alert()
    assert "jo looks after it: it is not repeated" in because(now(an_alert(acknowledged_by="jo")))
    said = {"subject": "alert:ProviderRateLimited", "action": "acknowledge", "actor": "human:jo"}
    mine = {"severity": "critical", "provider_key": "codex"}
    assert "jo looks after it since 09:59:00" in because(
        then(row, audit=[an_entry(at=T0 - MINUTE, after=mine, **said)])
    )
    for wrong in ({"at": FIRED - 1, "after": mine}, {"at": T0 - MINUTE, "after": mine | {"provider_key": "x"}}):
        assert "jo" not in because(then(row, audit=[an_entry(**said | wrong)]))


def test_without_a_story_the_past_did_not_fire_and_now_there_is_no_data() -> None:
    assert because(then()) == "no change of it is stored from before then: it had not fired"
    assert because(now()) == "nothing was counted as far back as its windows reach: no data"
    assert explain(now()).decision is Decided.QUIET


@pytest.mark.parametrize(
    ("facts", "decided", "says"),
    [
        ({"alert": "ProviderRateLimted"}, Decided.UNKNOWN, "there is no such rule: did you mean ProviderRateLimited?"),
        ({"alert": "Xyz"}, Decided.UNKNOWN, "there is no such rule"),
        (
            {"alert": "IflowErrorRatio", "off": ("IflowErrorRatio",)},
            Decided.UNKNOWN,
            "the rule is off: `enabled: false`",
        ),
    ],
)
def test_a_rule_that_is_not_there_is_said_to_be(facts: dict[str, Any], decided: Decided, says: str) -> None:
    assert (explain(now(**facts)).decision, because(now(**facts))) == (decided, says)


def test_an_alert_of_others_needs_no_rule() -> None:
    assert "no such rule" not in because(now(an_alert(source="slack"), alert="TrueNAS"))


# ---- what the rule says now ------------------------------------------------------------------------------------------


def looked(bad: str, **changes: Any) -> str:
    """What the 429 rule says after turns of which those marked `x` failed, one in 20 s."""
    play = Play.of(a_rule(**changes))
    for turn in bad:
        play.book.observe(an_event(play.now, bad=turn == "x"))
        play.silence(20)
    looks = play.book.look("ProviderRateLimited")
    rules = AlertsConfig(rules=(a_rule(**changes),))
    return because(now(config=rules, at=play.now, looks=looks))


BURST = BurstRule.model_validate(
    {"alert": "Burst", "kind": "burst", "bad": {"status": [401]}, "levels": {"warning": {"at_least": 5}}}
)
FEW = "x" * 3 + "." * 9
ONE_LEVEL = {"levels": {"critical": {"above": "5%"}}, "stretch_to": "60m"}


@pytest.mark.parametrize(
    ("bad", "changes", "says"),
    [
        (FEW, {}, "12 samples are fewer than min_samples 20"),
        (FEW, {}, "3 bad ones are fewer than min_bad 5"),
        (FEW, {}, "3 of 12 were bad in the last 10m: 25%"),
        ("." * 28 + "x", {"window": "20m"}, "3.4% is not above 5%"),
        ("x..........." * 3, {"min_bad": 2, **ONE_LEVEL}, "at 97.5% confidence it is at least"),
        ("x..........." * 3, {"min_bad": 2, **ONE_LEVEL}, "which is not above 4%, the middle of clear_below and above"),
        (".........xx", {"in_a_row": 4}, "the last 2 failed, in_a_row asks for 4"),
        (".....xxxxx", {"in_a_row": 4}, "the last 5 all failed, in_a_row asks for 4"),
        (
            "." * 30 + "xxxx",
            {"in_a_row": 4, "once_in": "400d", "window": "5m", "for": "2m"},
            "the last 4 all failed, but within 1m: a row must last as long as `for` (2m)",
        ),
        ("x" * 40, {}, "100% is above 10%, and at 97.5% confidence it is at least"),
        ("x" * 40, {"confidence": "none"}, "100% is above 5%"),
    ],
)
def test_each_guard_that_is_not_passed_is_named(bad: str, changes: dict[str, Any], says: str) -> None:
    assert says in looked(bad, **changes)


def test_no_guard_that_is_passed_is_named() -> None:
    said = looked("x" * 40)
    assert not [word for word in ("fewer", "not above", "chance", "in_a_row") if word in said]


def test_chance_is_told_in_the_time_in_which_it_comes_once() -> None:
    changes = {"min_samples": 5, "min_bad": 2, "window": "4m", **ONE_LEVEL}
    bad = "." * 60 + "x." * 3
    said = looked(bad, once_in="400d", **changes)
    assert "chance is not ruled out: 3 of 6 come by chance once in 5d16h" in said
    assert "where 2% is normal (once_in 400d)" in said
    for rare in (
        looked("x" * 40, once_in="400d", **ONE_LEVEL),
        looked(bad, **changes),
        looked(bad, once_in="1d", **changes),
    ):
        assert "chance" not in rare


def test_chance_is_told_only_where_it_is_all_that_is_in_the_way() -> None:
    assert "chance" not in looked(FEW, once_in="400d")
    assert "chance" not in looked("." * 30 + "xxxx", in_a_row=4, once_in="400d", window="5m", **{"for": "2m"})
    lasting = looked("." * 30 + "x..x" * 2 + "xxx", in_a_row=4, once_in="9999999d", min_bad=2, **{"for": "10s"})
    assert "the last 4 all failed, in_a_row asks for 4" in lasting
    assert "chance" not in lasting


def test_levels_that_say_the_same_share_a_line() -> None:
    facts: dict[str, Any] = {"labels": (("provider_key", "codex"),), "verdict": None, "row": 0, "coverage": 1.0}
    same = [Look(severity=severity, why=("no data",), **facts) for severity in Severity]
    assert because(now(looks=same)) == "now provider_key=codex: no data"
    other = Look(severity=CRITICAL, why=("12% is not above 20%",), **facts)
    assert because(now(looks=[same[0], other])) == (
        "now warning provider_key=codex: no data\nnow critical provider_key=codex: 12% is not above 20%"
    )


@pytest.mark.parametrize("rule", [a_rule(), BURST])
def test_no_traffic_is_no_data_for_every_kind(rule: Rule) -> None:
    reading = Track(rule.query({}), (), T0).reading(T0, 0)
    assert "nothing was counted in the last" in rule.why(WARNING, reading)[0]


def test_what_fires_is_looked_at_first_and_not_all_label_sets_are() -> None:
    play = Play.of(a_rule())
    for number in range(30):
        play.book.observe(an_event(play.now, provider_key=f"p{number:02}"))
    play.traffic(30, bad=1.0, provider_key="p29")
    play.traffic(60, per_second=60, bad=0.02, provider_key="p28")
    looks = play.book.look("ProviderRateLimited")
    assert dict(looks[0].labels) == {"provider_key": "p29"}
    assert len(looks) == 2 * 20
    assert "and 15 more label sets" in because(now(looks=looks))
    assert play.book.look("Another") == []


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ("xxxxx", "it is 5 in a row, 5 of 5 in 10m; that raises it"),
        ("xx", "it is 2 in a row, 2 of 2 in 10m; that neither raises it nor lets it clear"),
        ("..", "it is 0 in a row, 0 of 2 in 10m; that does not raise it"),
    ],
)
def test_kinds_without_words_of_their_own_tell_their_verdict(turns: str, says: str) -> None:
    play = Play(Book(AlertsConfig(rules=(BURST,))))
    for turn in turns:
        play.book.observe(an_event(play.now, status=401 if turn == "x" else 200))
    play.judge()
    assert says in because(now(looks=play.book.look("Burst")))


def test_a_rule_that_cannot_be_judged_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play.of(a_rule())
    play.traffic(5)
    monkeypatch.setattr(type(a_rule()), "judge", lambda *_: 1 / 0)
    assert "it cannot be judged: ZeroDivisionError: division by zero" in because(
        now(looks=play.book.look("ProviderRateLimited"))
    )


def test_a_label_set_that_is_not_new_is_said_to_be_unwatched() -> None:
    said = looked("x" * 40, active={"for": "1m"}, min_samples=1000)
    assert "it is not watched any more: `active` is only for what is new" in said
    assert "not watched" not in looked("x" * 40, active={"for": "1h"}, min_samples=1000)


def test_what_never_arrived_is_told_where_it_degrades_the_rule() -> None:
    play = Play.of(a_rule())
    play.book.lose(play.now, 50, 20)
    play.traffic(5)
    looks = play.book.look("ProviderRateLimited")
    assert looks[0].coverage == 0.6
    assert "only 60% of what was emitted arrived: the rule is degraded" in because(now(looks=looks))
    brave = AlertsConfig(rules=(a_rule(coverage="none"),))
    assert "degraded" not in because(now(looks=looks, config=brave))


# ---- sent or not -----------------------------------------------------------------------------------------------------


def a_message(**changes: Any) -> Any:
    facts = {"episodes": ("e1",), "created_at": FIRED, "not_before": FIRED + 5000, "receiver": "operators"}
    return a_notification(**facts | changes)


SENT = {"status": NotificationStatus.DELIVERED, "delivered_at": FIRED + 6000}
FAILED = {"status": NotificationStatus.FAILED, "not_before": FIRED + 6000, "attempts": 3}


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (SENT, None),
        ({"not_before": T0 + 5000}, "group_wait of 5s is not over: it is due at 10:00:05 UTC"),
        (
            {"attempts": 3, "error": "ntfy: timed out", "not_before": T0 + MINUTE},
            "retrying since 09:50:00 UTC: 3 tries",
        ),
        ({"attempts": 3, "error": "ntfy: timed out", "not_before": T0 + MINUTE}, "ntfy: timed out"),
        (FAILED | {"error": NO_URLS}, "receiver operators has no URLs"),
        (FAILED | {"error": "ntfy: 500"}, "given up after 3 tries: ntfy: 500"),
        ({"status": NotificationStatus.SUPERSEDED}, "superseded"),
        ({}, "waits for its turn"),
        (SENT | {"reason": NotificationReason.MITIGATION}, "no message about it is stored"),
        (SENT | {"episodes": ("another",)}, "no message about it is stored"),
        (SENT | {"created_at": FIRED - HOUR, "delivered_at": FIRED - 1}, "no message about it is stored"),
    ],
)
def test_a_message_that_was_not_sent_says_why(message: dict[str, Any], says: str | None) -> None:
    told = explain(now(an_alert(), notifications=[a_message(**message)])).not_notified_because
    assert told is None if says is None else says in (told or "")


@pytest.mark.parametrize(
    "later", [SENT, FAILED | {"not_before": FIRED + 5000}, {"status": NotificationStatus.SUPERSEDED}]
)
def test_what_became_of_a_message_later_was_not_so_then(later: dict[str, Any]) -> None:
    known = then(an_alert(), at=FIRED + 1000, notifications=[a_message(**later)])
    assert explain(known).not_notified_because == "group_wait of 5s is not over: it is due at 09:50:05 UTC"


def test_a_group_that_was_told_lately_waits() -> None:
    rows = [a_message(), a_message(name="n0", episodes=("e0",), **SENT | {"delivered_at": T0 - MINUTE})]
    assert explain(now(an_alert(), notifications=rows)).not_notified_because == (
        "group_interval of 5m is not over: the group was told at 09:59:00 UTC, next at 10:04:00 UTC"
    )


def test_what_mutes_it_comes_before_what_its_message_waits_for() -> None:
    muted = an_alert(silenced=True, muted_by="inhibited by UpstreamDown")
    assert explain(now(muted, notifications=[a_message()])).not_notified_because == "inhibited by UpstreamDown"
    assert explain(now(muted, notifications=[a_message(**SENT)])).not_notified_because is None


def test_of_the_past_the_silences_of_then_are_known() -> None:
    known = {"starts_at": T0 - HOUR, "author": "jo", "comment": ""}
    silenced = then(an_alert(), silences=[a_silence(ends_at=T0 + HOUR, **known)])
    assert explain(silenced).not_notified_because == "silenced by jo until 11:00"
    over = then(an_alert(), silences=[a_silence(ends_at=T0, **known)])
    assert explain(over).not_notified_because == "no message about it is stored"


def test_a_warning_is_told_by_its_critical() -> None:
    rows = [an_alert(), an_alert(severity=WARNING, fingerprint="w", episode="e1", since=FIRED)]
    assert explain(then(rows[1])).not_notified_because == "no message about it is stored"
    assert unsent(then(*rows), rows[1]) == "its critical fires and tells it"


OVER = {"resolved_because": ResolvedBecause.CLEARED, "since": T0 - MINUTE, "resolved_at": T0 - MINUTE}


@pytest.mark.parametrize(
    ("rows", "send_resolved", "says"),
    [
        ([SENT, SENT | {"delivered_at": T0 - 1}], True, None),
        ([SENT], False, "send_resolved is false"),
        ([SENT], True, "no message about its end was planned"),
        ([], True, "nobody was told that it fired"),
        ([SENT, {"created_at": T0 - MINUTE, "not_before": T0 + 1000}], True, "group_wait"),
    ],
)
def test_an_end_that_was_not_told_says_why(rows: list[dict[str, Any]], send_resolved: bool, says: str | None) -> None:
    config = CONFIG.model_copy(update={"receivers": (Receiver(name="operators", send_resolved=send_resolved),)})
    messages = [a_message(name=f"n{place}", **row) for place, row in enumerate(rows)][::-1]
    told = explain(now(an_alert(AlertState.RESOLVED, **OVER), notifications=messages, config=config))
    assert told.not_notified_because is None if says is None else says in (told.not_notified_because or "")


def test_what_ended_silently_was_no_news() -> None:
    row = an_alert(AlertState.RESOLVED, **OVER | {"resolved_because": ResolvedBecause.ONLY_TOLD})
    assert explain(now(row, notifications=[a_message(**SENT)])).not_notified_because == (
        "nobody knows whether it has ended"
    )


def test_what_does_not_fire_has_nothing_to_say_and_nothing_to_do() -> None:
    told = explain(now(an_alert(AlertState.PENDING)))
    assert told.not_notified_because == "it does not fire, so there is nothing to say"
    assert told.not_acted_because == "it does not fire, so there is nothing to do"


# ---- acted or not ----------------------------------------------------------------------------------------------------

TARGET = "model_alias:spark"


def said(outcome: str, **changes: Any) -> Any:
    facts = {"at": FIRED, "actor": "rule:ProviderRateLimited", "subject": TARGET, "outcome": outcome}
    return an_entry(**facts | changes)


def acted(*audit: Any, row: Alert | None = None, **facts: Any) -> str | None:
    return explain(now(row or an_alert(), audit=audit, **facts)).not_acted_because


def test_what_is_begun_or_in_force_is_acted_on() -> None:
    assert acted(said("planned")) is None
    assert acted(said("applied", name="a2", actor="daemon", at=FIRED + 1), said("planned")) is None


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"outcome": "would lead spark to codex"}, "model_alias:spark: would lead spark to codex, but in mode shadow"),
        ({"outcome": "would lead spark to codex, and needs approval"}, "and needs approval (09:50:00 UTC)"),
        ({"outcome": "would set x, but UPSTREAM_MANAGEMENT_KEY is not set"}, "UPSTREAM_MANAGEMENT_KEY is not set"),
        ({"outcome": "noted, not written, for this upstream ignores it: would set x"}, "this upstream ignores it"),
        ({"outcome": "it has no line in `fallbacks`: watched, never rerouted"}, "it has no line in `fallbacks`"),
        ({"outcome": "planned", "at": FIRED - 1}, "nothing was planned"),
        ({"outcome": "planned", "actor": "rule:Another"}, "nothing was planned"),
    ],
)
def test_the_words_of_the_audit_say_why_nothing_was_done(entry: dict[str, Any], says: str) -> None:
    assert says in (acted(said(**entry)) or "")


def test_the_last_word_on_a_target_counts() -> None:
    failed = said("failed", name="a2", actor="daemon", at=T0 - MINUTE)
    assert acted(failed, said("planned")) == "model_alias:spark: failed (09:59:00 UTC)"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"mitigate": ()}, "level critical asks for no mitigation"),
        ({"source": "alertmanager"}, "alerts of others ask for no mitigation"),
        ({"degraded": True}, "coverage is too low"),
        ({"state": AlertState.CLEARING}, "it is clearing"),
    ],
)
def test_an_alert_that_asks_for_nothing_or_must_not_act_says_so(row: dict[str, Any], says: str) -> None:
    assert says in (acted(row=an_alert(**row)) or "")


def test_what_was_just_restored_cools_off_and_what_is_held_is_held() -> None:
    restored = a_mitigation(state=MitigationState.RESTORED, planned_at=T0 - HOUR, ended_at=T0 - MINUTE, cool_off=900.0)
    assert acted(mitigations=[restored]) == "model_alias:spark has its cool_off until 10:14:00 UTC"
    held = a_mitigation(state=MitigationState.APPLIED, planned_at=T0 - HOUR, held_by="human:jo")
    assert acted(mitigations=[held]) == "model_alias:spark is held by jo"
    gone = a_mitigation(state=MitigationState.ABANDONED, planned_at=T0 - HOUR, held_by="human:jo", ended_at=T0 - 1)
    assert "held" not in (acted(mitigations=[gone]) or "")
    earlier = {"rows": (an_alert(),), "present": None, "at": T0 - 2 * MINUTE}
    assert "cool_off" not in (acted(mitigations=[restored], **earlier) or "")
    elsewhere = a_mitigation(target="model_alias:other", state=MitigationState.RESTORED, ended_at=T0 - 1)
    assert acted(mitigations=[elsewhere]) == "nothing was planned: the evidence did not raise at that moment"


def test_the_figures_are_those_of_the_worst_and_of_each_series() -> None:
    play = Play.of(a_rule())
    play.traffic(60, bad=0.5)
    figures = explain(now(an_alert(), looks=play.book.look("ProviderRateLimited"))).figures
    assert (figures["bad"], figures["samples"], figures["window_seconds"]) == (36, 300, 600.0)
    assert [(one["severity"], one["raises"], one["samples"]) for one in figures["series"]] == [
        ("warning", True, 60),
        ("critical", True, 60),
    ]


def test_the_figures_of_now_are_not_those_that_are_stored() -> None:
    told = explain(now(an_alert(), present=[an_alert(bad=99)]))
    assert told.figures["bad"] == 99
    assert "36 of 300" in told.because[0]


def test_labels_of_a_rule_name_its_series_too() -> None:
    play = Play.of(a_rule(labels={"team": "core"}))
    play.traffic(5)
    assert play.book.look("ProviderRateLimited")[0].labels == labels_of({"team": "core", "provider_key": "codex"})


def test_a_group_that_waits_longer_is_told_by_its_own_figure() -> None:
    config = CONFIG.model_copy(update={"route": Route(group_wait=90.0)})
    known = now(an_alert(), notifications=[a_message(not_before=T0 + 1000)], config=config)
    assert "group_wait of 1m30s" in (explain(known).not_notified_because or "")
