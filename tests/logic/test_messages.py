"""What a person reads."""

from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState, ResolvedBecause, Severity
from daemon.domain.mitigation import Effect, MitigationState, Mode
from daemon.domain.notification import Message, NotificationReason
from daemon.logic.grouping import stories
from daemon.logic.messages import LONGEST_BODY, LONGEST_TITLE, clean, compose, notice_title, say_mitigation
from daemon.logic.news import News
from tests.contracts.things import a_mitigation
from tests.contracts.things import an_alert as stored
from tests.fakes.operations import NOW, an_alert

URL = "http://nas:8319"


def told(*alerts: Alert, reason: NotificationReason = NotificationReason.OPENED, done: Any = ()) -> Message:
    known = stories(alerts)
    firing = {episode: story for episode, story in known.items() if story.alert.is_firing}
    closed = {episode: story for episode, story in known.items() if episode not in firing}
    return compose(News(reason=reason, firing=firing, closed=closed), done, (), URL)


def test_a_whole_message() -> None:
    summary = "codex: 153 of 1240 turns were rate limited (12.3%, at least 10.6%)"
    alert = an_alert(summary=summary, runbook="docs/runbook.md#repeated-429")
    toggle = a_mitigation(target="upstream:quota-exceeded.switch-project", effect=Effect.NO_EFFECT_KNOWN)
    message = told(alert, done=[a_mitigation("a", state=MitigationState.APPLIED, value_wanted="gpt-5.3-codex"), toggle])
    assert message.title == "[critical] ProviderRateLimited codex"
    assert message.kind == "failure"
    assert message.body == (
        "codex: 153 of 1240 turns were rate limited (12.3%, at least 10.6%)\n"
        "critical since 2026-11-24 09:55:50 UTC, over 10m\n"
        "provider_key=codex\n"
        "Runbook: docs/runbook.md#repeated-429\n"
        "\n"
        "fallback: applied (model_alias:spark → gpt-5.3-codex, auto)\n"
        "fallback: planned (upstream:quota-exceeded.switch-project, auto, no effect known)\n"
        "\n"
        "http://nas:8319/"
    )


def test_what_has_ended_says_when_and_why() -> None:
    ended = an_alert(state=AlertState.RESOLVED, resolved_at=NOW, resolved_because=ResolvedBecause.NO_DATA)
    message = told(ended, reason=NotificationReason.CLOSED)
    assert (message.title, message.kind) == ("[resolved] ProviderRateLimited codex", "success")
    line = "ProviderRateLimited codex: resolved 2026-11-24 10:00:00 UTC after 4m10s, no data any more"
    assert message.body == f"{line}\n\nhttp://nas:8319/"


def test_an_alert_that_knows_nothing_is_told_by_its_name() -> None:
    bare = stored(labels=(), state=AlertState.FIRING, fired_at=NOW, severity=Severity.WARNING)
    assert told(bare).title == "[warning] ProviderRateLimited"
    assert told(bare).body == "ProviderRateLimited\nwarning since 2026-11-24 10:00:00 UTC\n\nhttp://nas:8319/"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"lower_bound": None, "window_seconds": None}, "12.3% (153 of 1240)"),
        ({"value": 7.0, "value_text": "7 in a row", "lower_bound": None}, "7 in a row (153 of 1240)"),
        ({"value": 5400.0, "value_text": "1h30m", "bad": 0, "samples": 0, "lower_bound": None}, "1h30m"),
        ({}, "12.3% (153 of 1240), at least 10.6%"),
        ({"summary": "12.3% were bad, at least 10.6%"}, "provider_key=codex"),
        ({"degraded": True}, "Events are missing: nothing new is acted on."),
    ],
)
def test_the_figures(changes: dict[str, Any], line: str) -> None:
    assert line in told(an_alert(**changes)).body.split("\n")


def test_many_are_told_by_the_first_ten() -> None:
    alerts = [an_alert(labels={"model_id": f"m{n:02}"}, fired_at=NOW + n) for n in range(50)]
    message = told(*alerts, an_alert("Other", Severity.WARNING))
    assert message.title == "[critical] ProviderRateLimited m49 and 50 more"
    assert "model_id=m40" in message.body
    assert "model_id=m39" not in message.body
    assert "\n\nand 41 more firing\n\n" in message.body


HOSTILE = "x\n\x1b[31m\u202e\x00" + "@everyone <@123> <!channel> {{7*7}} %s " + "y" * 1_000_000


def test_hostile_words_stay_short_plain_and_on_their_line() -> None:
    alerts = [an_alert(labels={"model_id": HOSTILE + str(n)}, summary=HOSTILE, runbook=HOSTILE) for n in range(30)]
    row = replace(a_mitigation(), name=HOSTILE, target=HOSTILE, outcome=HOSTILE)
    rows = [replace(row, id=str(n)) for n in range(30)]
    message = told(*alerts, done=rows)
    assert len(message.title) <= LONGEST_TITLE
    assert len(message.body) <= LONGEST_BODY
    assert message.body.endswith("\n\nhttp://nas:8319/")
    for text in (message.title, message.body.replace("\n", ""), notice_title(rows[0], alerts[0])):
        assert text.replace("\N{WORD JOINER}", "").isprintable()
        assert not any(mention in text for mention in ("@everyone", "<@", "<!"))
    assert "{{7*7}} %s" in message.body


def test_an_address_is_no_mention() -> None:
    assert (
        clean("codex-user@example.org <b> allday@all.example") == "codex-user@example.org <b> allday@\u2060all.example"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "planned (model_alias:spark, auto)"),
        ({"mode": Mode.ASK}, "waits for approval (model_alias:spark, ask)"),
        ({"mode": Mode.SHADOW}, "would be applied (model_alias:spark, shadow)"),
        ({"state": MitigationState.FAILED, "outcome": "no better"}, "failed, no better (model_alias:spark, auto)"),
        ({"state": MitigationState.ABANDONED}, "left as it is, someone else changed it (model_alias:spark, auto)"),
        ({"held_by": "human:jo"}, "planned, held by human:jo (model_alias:spark, auto)"),
        ({"effect": Effect.UNVERIFIED}, "planned (model_alias:spark, auto, unverified)"),
        ({"effect": Effect.UNKNOWN}, "planned (model_alias:spark, auto, effect unknown)"),
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
