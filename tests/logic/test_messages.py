"""What a person reads."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, ResolvedBecause, Severity
from daemon.domain.alerts_config import Route
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.notification import Message, Notification, NotificationReason
from daemon.logic.common_cause import Evidence
from daemon.logic.grouping import stories
from daemon.logic.messages import (
    LONGEST_BODY,
    LONGEST_TITLE,
    compose,
    notice_title,
    say_mitigation,
    title_of,
    with_links,
)
from daemon.logic.news import News
from daemon.logic.notifying import notice
from tests.contracts.things import a_mitigation, a_notification
from tests.contracts.things import an_alert as stored
from tests.fakes.operations import NOW, an_alert

URL = "http://nas:8319"
SUMMARY = "codex: 153 of 1240 turns were rate limited (12.3%, at least 10.6%)"


def told(
    *alerts: Alert,
    reason: NotificationReason = NotificationReason.OPENED,
    done: Sequence[Mitigation] = (),
    notices: Sequence[Notification] = (),
    seen: Mapping[str, Evidence] | Evidence | None = None,
) -> Message:
    known = stories(alerts)
    firing = {episode: story for episode, story in known.items() if story.alert.is_firing}
    closed = {episode: story for episode, story in known.items() if episode not in firing}
    evidence = dict.fromkeys(known, seen) if isinstance(seen, Evidence) else seen or {}
    return compose(News(reason=reason, firing=firing, closed=closed), done, notices, URL, evidence, "n-3f2a")


def lines(message: Message) -> list[str]:
    return message.body.split("\n")


def ended(**changes: Any) -> Alert:
    facts = {"state": AlertState.RESOLVED, "resolved_at": NOW, "resolved_because": ResolvedBecause.CLEARED}
    return an_alert(**facts | changes)


def test_a_whole_message() -> None:
    alert = an_alert(summary=SUMMARY, runbook="docs/runbook.md#repeated-429")
    applied = a_mitigation(
        "a", owners=(alert.fingerprint,), state=MitigationState.APPLIED, value_wanted="gpt-5.3-codex", expires_at=NOW
    )
    toggle = a_mitigation(target="upstream:quota-exceeded.switch-project", effect=Effect.NO_EFFECT_KNOWN)
    seen = Evidence(common="94% of failures: credential c3f1, stream; 2% of the rest", lost=153, saved=12)
    message = told(alert, done=[applied, toggle], seen=seen)
    assert message.title == "[critical] ProviderRateLimited codex: 12.3%"
    assert message.kind == "failure"
    assert message.body == (
        "codex: 153 of 1240 turns were rate limited (12.3%, at least 10.6%)\n"
        "critical since 2026-11-24 09:55 UTC, over 10m\n"
        "94% of failures: credential c3f1, stream; 2% of the rest\n"
        "153 turns failed so far, mitigations saved 12\n"
        "fallback: applied (model_alias:spark → gpt-5.3-codex, auto), until 2026-11-24 10:00 UTC at the latest\n"
        "Do: http://nas:8319/docs/runbook.md#repeated-429\n"
        "Why: runbookd explain ProviderRateLimited\n"
        "\n"
        "fallback: planned (upstream:quota-exceeded.switch-project, auto, no effect known)\n"
        "\n"
        f"http://nas:8319/#alert-{alert.fingerprint}\n"
        "n-3f2a"
    )


def test_what_has_ended_says_when_why_and_what_it_cost_and_saved() -> None:
    alert = ended(resolved_because=ResolvedBecause.NO_DATA)
    message = told(alert, reason=NotificationReason.CLOSED, seen=Evidence(lost=1712, saved=640, is_whole=False))
    assert (message.title, message.kind) == ("[resolved] ProviderRateLimited codex", "success")
    assert message.body == (
        "ProviderRateLimited codex: resolved 2026-11-24 10:00 UTC after 4m10s, no data any more\n"
        "at least 1,712 turns failed, mitigations saved at least 640\n"
        "\n"
        f"http://nas:8319/#alert-{alert.fingerprint}\n"
        "n-3f2a"
    )


def test_where_nothing_was_seen_nothing_is_said() -> None:
    message = told(ended(), reason=NotificationReason.CLOSED, seen=Evidence())
    assert lines(message)[1:2] == [""]
    assert "turn" not in told(ended(), reason=NotificationReason.CLOSED).body


def test_an_alert_that_knows_nothing_is_told_by_its_name() -> None:
    bare = stored(labels=(), state=AlertState.FIRING, fired_at=NOW, severity=Severity.WARNING)
    message = told(bare)
    assert (message.title, message.kind) == ("[warning] ProviderRateLimited", "warning")
    assert lines(message)[:3] == [
        "ProviderRateLimited",
        "warning since 2026-11-24 10:00 UTC",
        "Why: runbookd explain ProviderRateLimited",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"lower_bound": None, "window_seconds": None}, "12.3% (153 of 1240)"),
        ({"value": 7.0, "value_text": "7 in a row", "lower_bound": None}, "7 in a row (153 of 1240)"),
        ({"value": 5400.0, "value_text": "1h30m", "bad": 0, "samples": 0, "lower_bound": None}, "1h30m"),
        ({}, "12.3% (153 of 1240), at least 10.6%"),
        ({"summary": "12.3% were bad, at least 10.6%"}, "provider_key=codex"),
        ({"degraded": True}, "Events are missing: nothing new is acted on."),
        ({"acknowledged_by": "human:jo"}, "Acknowledged by human:jo."),
        ({"silenced": True, "muted_by": "silenced by jo until 07:00"}, "Now silenced by jo until 07:00."),
        ({"silenced": True}, "Now silenced."),
    ],
)
def test_the_figures_and_the_state(changes: dict[str, Any], line: str) -> None:
    assert line in lines(told(an_alert(**changes)))


def test_a_critical_says_when_it_was_a_warning() -> None:
    warning = an_alert(severity=Severity.WARNING, fired_at=NOW - 1_200_000)
    message = told(warning, an_alert(), reason=NotificationReason.ESCALATED)
    assert "critical since 2026-11-24 09:55 UTC (a warning since 09:40), over 10m" in lines(message)
    before = an_alert(severity=Severity.WARNING, fired_at=NOW - 86_400_000)
    assert "(a warning since 2026-11-23 10:00 UTC)" in told(before, an_alert()).body


def test_a_repetition_says_that_it_still_fires_and_what_it_cost() -> None:
    message = told(an_alert(), reason=NotificationReason.REPEAT, seen=Evidence(lost=1))
    assert "still critical since 2026-11-24 09:55 UTC, over 10m" in lines(message)
    assert "1 turn failed so far" in lines(message)


def test_an_alert_of_others_is_explained_by_others() -> None:
    assert "explain" not in told(an_alert(source="alertmanager")).body


def test_a_notice_comes_before_the_alert_that_it_is_about() -> None:
    facts = {"title": "[mitigation] x", "body": "fallback: failed (x)", "reason": NotificationReason.MITIGATION}
    row = a_notification(severity="", **facts)
    message = told(an_alert(summary=SUMMARY), reason=NotificationReason.MITIGATION, notices=[row, row])
    assert (message.title, message.kind) == ("[mitigation] x", "info")
    assert lines(message)[:3] == ["fallback: failed (x)", "", SUMMARY]
    assert message.body.count("fallback") == 1


def test_what_is_told_in_full_is_not_told_again() -> None:
    alerts = [an_alert(labels={"provider_key": name}) for name in ("codex", "kiro")]
    shared = a_mitigation(owners=tuple(alert.fingerprint for alert in alerts))
    notice = a_notification(reason=NotificationReason.MITIGATION, body=say_mitigation(shared))
    assert told(*alerts, done=[shared]).body.count("fallback: planned") == 1
    assert told(*alerts, done=[shared], notices=[notice]).body.count("fallback: planned") == 1


def group(count: int) -> list[Alert]:
    return [an_alert(labels={"model_id": f"m{n:04}"}, fired_at=NOW + n, summary=f"model {n:04}") for n in range(count)]


def test_of_many_three_are_told_in_full_ten_in_a_line_and_the_rest_are_counted() -> None:
    message = told(*group(50), an_alert("Other", Severity.WARNING))
    assert message.title == "[critical] ProviderRateLimited m0049: 12.3% and 50 more"
    said = lines(message)
    assert [line for line in said if line.startswith("model ")] == ["model 0049", "model 0048", "model 0047"]
    listed = [f"- critical ProviderRateLimited m{n:04}: 12.3%" for n in range(46, 36, -1)]
    assert [line for line in said if line.startswith("- ")] == listed
    assert "and 38 more firing, 37 of them critical" in said
    assert f"http://nas:8319/#alert-{group(50)[49].fingerprint}" in said
    assert said[-2:] == ["http://nas:8319/", "n-3f2a"]


def test_ten_thousand_alerts_are_one_readable_message() -> None:
    message = told(*group(10_000))
    assert message.title == "[critical] ProviderRateLimited m9999: 12.3% and 9999 more"
    assert "and 9987 more firing" in lines(message)
    assert len(lines(message)) < 50


def test_those_that_ended_beside_those_that_fire() -> None:
    over = [ended(labels={"model_id": f"m{n:02}"}) for n in range(14)]
    message = told(an_alert(summary=SUMMARY), *over, reason=NotificationReason.EASED)
    assert message.title == "[critical] ProviderRateLimited codex: 12.3%"
    assert "still critical since 2026-11-24 09:55 UTC, over 10m" in lines(message)
    assert "and 2 more resolved" in lines(message)


HOSTILE = "x\n\x1b[31m\u202e\x00" + "@everyone <@123> <!channel> {{7*7}} %s [a](https://b) " + "y" * 1_000_000


def test_hostile_words_stay_short_plain_and_on_their_line() -> None:
    facts = {"summary": HOSTILE, "runbook": HOSTILE, "acknowledged_by": HOSTILE, "muted_by": HOSTILE, "silenced": True}
    alerts = [an_alert(HOSTILE, labels={"model_id": HOSTILE + str(n)}, value_text=HOSTILE, **facts) for n in range(30)]
    row = replace(a_mitigation(), name=HOSTILE, target=HOSTILE, outcome=HOSTILE, held_by=HOSTILE, value_wanted=HOSTILE)
    rows = [replace(row, id=str(n), owners=(alert.fingerprint,)) for n, alert in enumerate(alerts)]
    message = told(*alerts, done=rows, seen=Evidence(common=HOSTILE))
    assert len(message.title) <= LONGEST_TITLE
    assert len(message.body) <= LONGEST_BODY
    assert len(message.title) + len(message.body) <= 3500
    assert message.body.endswith("…\n\nhttp://nas:8319/\nn-3f2a")
    for text in (message.title, message.body.replace("\n", ""), notice_title(rows[0], alerts[0])):
        assert text.replace("\N{WORD JOINER}", "").isprintable()
        assert not any(mention in text for mention in ("@everyone", "<@", "<!", "{{", "%s", "](", "https://b"))
    assert len(told(alerts[0], done=rows[:1]).body) <= LONGEST_BODY


def test_the_worst_alone_has_always_room() -> None:
    """With everything that it can say, to the end of the block."""
    alert = an_alert(summary=HOSTILE, runbook="docs/" + "x" * 200, labels={f"l{n}": HOSTILE for n in range(9)})
    row = replace(a_mitigation(), target=HOSTILE, outcome=HOSTILE, value_wanted=HOSTILE, owners=(alert.fingerprint,))
    message = told(alert, done=[replace(row, id=str(n)) for n in range(9)], seen=Evidence(common=HOSTILE))
    assert "Why: runbookd explain ProviderRateLimited" in lines(message)


@pytest.mark.parametrize(
    ("alerts", "title"),
    [
        ([an_alert()], "[critical] ProviderRateLimited codex: 12.3%"),
        ([an_alert(value_text="true")], "[critical] ProviderRateLimited codex"),
        ([an_alert(value_text="")], "[critical] ProviderRateLimited codex"),
        ([an_alert(labels={"is_new": "true"})], "[critical] ProviderRateLimited is_new=true: 12.3%"),
        ([an_alert(labels={"model_id": "", "provider_key": "codex"})], "[critical] ProviderRateLimited codex: 12.3%"),
        (
            [an_alert(labels={"credential": "c" * 200})] * 12,
            f"[critical] ProviderRateLimited {'c' * 29}…: 12.3% and 11 more",
        ),
    ],
)
def test_a_title_fits_a_lock_screen_and_says_the_worst_first(alerts: Sequence[Alert], title: str) -> None:
    assert title_of("critical", alerts) == title
    assert len(title) <= LONGEST_TITLE == 80


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "planned (model_alias:spark, auto)"),
        (
            {"mode": Mode.ASK},
            "waits for approval (model_alias:spark, ask)",
        ),
        (
            {
                "mode": Mode.ASK,
                "state": MitigationState.NOT_NEEDED,
                "outcome": "would send spark out as codex, and needs approval",
                "approve_until": NOW,
            },
            "waits for approval (model_alias:spark, ask), until 2026-11-24 10:00 UTC: runbookd mitigations approve m1",
        ),
        (
            {"mode": Mode.ASK, "state": MitigationState.NOT_NEEDED, "outcome": "would x, and needs approval"},
            "approved (model_alias:spark, ask)",
        ),
        (
            {"mode": Mode.SHADOW, "state": MitigationState.NOT_NEEDED, "outcome": "would send spark out as codex"},
            "would send spark out as codex (model_alias:spark, shadow)",
        ),
        (
            {"state": MitigationState.NOT_NEEDED, "outcome": "it was already as wanted"},
            "it was already as wanted (model_alias:spark, auto)",
        ),
        (
            {"state": MitigationState.APPLIED, "held_by": "human:jo", "hold_expires_at": NOW},
            "applied, held by human:jo (model_alias:spark, auto), until 2026-11-24 10:00 UTC",
        ),
        (
            {"state": MitigationState.RESTORED, "proof": "before 34 of 80 failed, after 2 of 75", "saved_turns": 1712},
            "undone (model_alias:spark, auto); before 34 of 80 failed, after 2 of 75; 1,712 turns went well through it",
        ),
        (
            {"state": MitigationState.FAILED, "outcome": "it did not help: 3 of 4", "proof": "3 of 4"},
            "failed, it did not help: 3 of 4 (model_alias:spark, auto)",
        ),
        (
            {"state": MitigationState.APPLIED, "note": "the hold of human:jo ended by itself"},
            "applied (model_alias:spark, auto); the hold of human:jo ended by itself",
        ),
        (
            {"state": MitigationState.RESTORED, "saved_turns": 1},
            "undone (model_alias:spark, auto); 1 turn went well through it",
        ),
        ({"mode": Mode.SHADOW}, "would be applied (model_alias:spark, shadow)"),
        ({"state": MitigationState.FAILED, "outcome": "no better"}, "failed, no better (model_alias:spark, auto)"),
        ({"state": MitigationState.ABANDONED}, "left as it is, someone else changed it (model_alias:spark, auto)"),
        ({"held_by": "human:jo"}, "planned, held by human:jo (model_alias:spark, auto)"),
        ({"effect": Effect.UNVERIFIED}, "planned (model_alias:spark, auto, unverified)"),
        ({"effect": Effect.UNKNOWN}, "planned (model_alias:spark, auto, effect unknown)"),
        ({"value_wanted": True}, "planned (model_alias:spark → true, auto)"),
        (
            {"state": MitigationState.APPLIED, "held_by": "human:jo", "expires_at": NOW},
            "applied, held by human:jo (model_alias:spark, auto)",
        ),
    ],
)
def test_what_was_done_in_words(changes: dict[str, Any], says: str) -> None:
    assert say_mitigation(a_mitigation(**changes)) == f"fallback: {says}"


def test_every_state_and_mode_has_its_word() -> None:
    for state in MitigationState:
        for mode in Mode:
            assert say_mitigation(a_mitigation(state=state, mode=mode))


def test_a_notice_names_the_alert_it_is_about() -> None:
    row = replace(a_mitigation(), state=MitigationState.RESTORED)
    assert notice_title(row, an_alert("SparkErrorRatio")) == "[mitigation] fallback undone: SparkErrorRatio codex"
    assert notice_title(row, None) == "[mitigation] fallback undone: model_alias:spark"


# ---- what waits for a human ------------------------------------------------------------------------------------------


def asked(number: int = 1, **changes: Any) -> Mitigation:
    facts = {"mode": Mode.ASK, "state": MitigationState.NOT_NEEDED, "approve_until": NOW, **changes}
    return a_mitigation(f"m{number}", owners=(an_alert().fingerprint,), **facts)


def with_approvals(*rows: Mitigation) -> Message:
    known = stories([an_alert(summary=SUMMARY)])
    found = News(reason=NotificationReason.OPENED, firing=known, closed={})
    return compose(found, rows, (), URL, row_id="n-3f2a", link=lambda row: f"{URL}/approve/{row.id}")


def test_what_waits_has_a_button_that_no_text_shows() -> None:
    message = with_approvals(asked())
    (approval,) = message.approvals
    assert (approval.label, approval.until, approval.url) == ("Approve fallback", NOW, f"{URL}/approve/m1")
    assert "/approve/" not in message.body + repr(message)


def test_as_a_text_it_stands_above_where_to_look() -> None:
    told = with_links(with_approvals(asked())).split("\n")
    assert told[-5:] == [
        "",
        "Approve fallback (until 2026-11-24 10:00 UTC): http://nas:8319/approve/m1",
        "",
        f"{URL}/#alert-{an_alert().fingerprint}",
        "n-3f2a",
    ]
    assert with_links(Message(title="t", body="one line")) == "one line"


@pytest.mark.parametrize(
    "row",
    [asked(approve_until=None), asked(mode=Mode.AUTO), asked(mode=Mode.SHADOW)],
    ids=["approved", "automatic", "shadow"],
)
def test_what_does_not_wait_has_no_button(row: Mitigation) -> None:
    assert with_approvals(row).approvals == ()


def test_no_message_has_more_buttons_than_a_service_shows() -> None:
    assert len(with_approvals(*map(asked, range(5))).approvals) == 3


def test_without_a_link_the_command_is_told() -> None:
    message = told(an_alert(summary=SUMMARY), done=[asked()])
    assert message.approvals == ()
    assert "runbookd mitigations approve m1" in message.body


@pytest.mark.parametrize(
    ("changes", "title", "kind"),
    [
        ({"outcome": "frozen: other settings changed with our write: api-keys"}, "critical", "failure"),
        (
            {"state": MitigationState.FAILED, "outcome": "critical: all targets fail; nothing is changed"},
            "critical",
            "failure",
        ),
        (
            {"note": "critical: its restore failed 3 times, it is tried until it works: no answer"},
            "critical",
            "failure",
        ),
        ({"state": MitigationState.RESTORED, "note": "critical: its restore failed 3 times"}, "mitigation", "info"),
        ({"note": "another rule wants it otherwise"}, "mitigation", "info"),
    ],
)
def test_what_somebody_has_to_look_at_is_told_as_critical(changes: dict[str, Any], title: str, kind: str) -> None:
    alert, row = an_alert(), a_mitigation(**changes)
    queued = notice("{}", row, alert, Route(), NOW)
    message = told(alert, reason=NotificationReason.MITIGATION, notices=[queued])
    assert (message.title.partition("]")[0].removeprefix("["), message.kind) == (title, kind)
    assert queued.severity == ("critical" if kind == "failure" else "")
