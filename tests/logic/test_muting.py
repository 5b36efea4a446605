"""Muting: who hears of what, by silences, inhibition and quiet hours, and why not."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.alert import Alert, AlertState, Severity
from daemon.domain.alerts_config import AlertsConfig, InhibitRule, Route, TimeInterval
from daemon.domain.silence import Silence
from daemon.logic.muting import muted
from tests.logic.timeline import an_alert

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
ENDS = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
NOW = round(datetime(2026, 11, 25, 5, 30, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000


def firing(name: str = "Slow", severity: Severity = WARNING, **labels: str) -> Alert:
    return replace(an_alert(name, severity, **labels), state=AlertState.FIRING, since=NOW, fired_at=NOW)


def ended(alert: Alert, at: int = NOW) -> Alert:
    return replace(alert, state=AlertState.RESOLVED, fired_at=at - HOUR, resolved_at=at, since=at)


def a_silence(**changes: Any) -> Silence:
    facts: dict[str, Any] = {
        "id": "s-1",
        "matchers": (("alert", "Slow"),),
        "starts_at": NOW - HOUR,
        "ends_at": round(ENDS.timestamp() * 1000),
        "author": "jo",
        "created_at": NOW - HOUR,
    }
    return Silence(**facts | changes)


def why(alert: Alert, *others: Alert, silences: tuple[Silence, ...] = (), config: AlertsConfig | None = None) -> str:
    seen = muted([alert, *others], silences, config or AlertsConfig(), NOW)[0]
    assert seen.silenced is bool(seen.muted_by)
    return seen.muted_by


# ---- silences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "silenced by jo until 07:00"),
        ({"comment": "planned work"}, "silenced by jo until 07:00: planned work"),
        ({"ends_at": NOW + 50 * HOUR}, "silenced by jo until 2026-11-27 07:30"),
        ({"matchers": (("alert", "S*"), ("severity", "warning"))}, "silenced by jo until 07:00"),
        ({"matchers": (("provider_key", "cod?x"),)}, "silenced by jo until 07:00"),
        ({"matchers": (("workload", ""),)}, "silenced by jo until 07:00"),
        ({"starts_at": NOW + 1}, ""),
        ({"starts_at": NOW}, "silenced by jo until 07:00"),
        ({"ends_at": NOW}, ""),
        ({"matchers": (("alert", "Fast"),)}, ""),
        ({"matchers": (("alert", "Slow"), ("provider_key", "claude"))}, ""),
        ({"matchers": (("severity", "critical"),)}, ""),
    ],
)
def test_a_silence_mutes_what_it_matches_while_it_lasts(changes: dict[str, Any], said: str) -> None:
    assert why(firing(provider_key="codex"), silences=(a_silence(**changes),)) == said


def test_no_label_of_an_alert_can_pretend_to_be_its_name() -> None:
    forged = replace(firing("Other"), labels=(("alert", "Slow"), ("severity", "critical")))
    assert why(forged, silences=(a_silence(),)) == ""
    assert why(forged, silences=(a_silence(matchers=(("severity", "critical"),)),)) == ""


# ---- inhibition ------------------------------------------------------------------------------------------------------


def inhibit(source: dict[str, str], target: dict[str, str], *equal: str) -> AlertsConfig:
    return AlertsConfig(inhibit_rules=(InhibitRule(source_matchers=source, target_matchers=target, equal=equal),))


DOWN = inhibit({"alert": "Down"}, {"alert": "S*"}, "provider_key")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (firing("Down", CRITICAL, provider_key="codex"), "inhibited by Down"),
        (replace(firing("Down", provider_key="codex"), state=AlertState.CLEARING), "inhibited by Down"),
        (replace(firing("Down", provider_key="codex"), state=AlertState.PENDING), ""),
        (ended(firing("Down", provider_key="codex")), ""),
        (firing("Down", provider_key="claude"), ""),
        (firing("Down"), ""),
        (firing("Up", provider_key="codex"), ""),
    ],
)
def test_a_source_that_fires_mutes_its_targets(source: Alert, said: str) -> None:
    assert why(firing(provider_key="codex"), source, config=DOWN) == said
    assert why(firing("Fast", provider_key="codex"), source, config=DOWN) == ""
    assert why(source, firing(provider_key="codex"), config=DOWN) == ""


def test_a_label_that_neither_has_is_the_same_in_both() -> None:
    assert why(firing(), firing("Down"), config=DOWN) == "inhibited by Down"


def test_what_matches_both_sides_mutes_neither_itself_nor_its_like() -> None:
    config = inhibit({"alert": "*"}, {"severity": "warning"})
    assert why(firing(), config=config) == ""
    assert why(firing(), firing("Other"), config=config) == ""
    assert why(firing(), firing("Other", CRITICAL), config=config) == "inhibited by Other"


def test_a_source_that_is_silenced_mutes_its_targets_still() -> None:
    silence = a_silence(matchers=(("alert", "Down"),))
    down = firing("Down", provider_key="codex")
    assert why(firing(provider_key="codex"), down, silences=(silence,), config=DOWN) == "inhibited by Down"


def test_a_silence_is_told_before_what_would_mute_it_too() -> None:
    said = why(firing(provider_key="codex"), firing("Down", provider_key="codex"), silences=(a_silence(),), config=DOWN)
    assert said == "silenced by jo until 07:00"


# ---- quiet hours -----------------------------------------------------------------------------------------------------


def quiet(schedule: str = "22:00-07:00", timezone: str = "UTC", *named: str) -> AlertsConfig:
    intervals = {"night": TimeInterval(schedule=schedule, timezone=timezone)}
    return AlertsConfig(time_intervals=intervals, route=Route(mute_time_intervals=named or ("night",)))


@pytest.mark.parametrize(
    ("config", "alert", "said"),
    [
        (quiet(), firing(), "quiet hours: night"),
        (quiet(), firing(severity=CRITICAL), ""),
        (quiet("22:00-05:30"), firing(), ""),
        (quiet("22:00-05:30", "Europe/Berlin"), firing(), ""),
        (quiet("06:00-07:00", "Europe/Berlin"), firing(), "quiet hours: night"),
        (quiet("22:00-07:00", "UTC", "gone"), firing(), ""),
        (quiet(), ended(firing()), "quiet hours: night"),
    ],
)
def test_in_quiet_hours_warnings_wait(config: AlertsConfig, alert: Alert, said: str) -> None:
    assert why(alert, config=config) == said


@pytest.mark.parametrize(
    ("critical_ended", "said"), [(NOW - HOUR // 2, ""), (NOW, ""), (NOW - 2 * HOUR, "quiet hours: night")]
)
def test_the_end_of_what_was_critical_is_told_at_any_hour(critical_ended: int, said: str) -> None:
    critical = ended(firing(severity=CRITICAL), critical_ended)
    assert why(ended(firing()), critical, config=quiet()) == said
    assert why(firing(), critical, config=quiet()) == "quiet hours: night"


# ---- always ----------------------------------------------------------------------------------------------------------

ALERT = st.builds(
    lambda name, severity, state, provider, was: replace(
        an_alert(name, severity, provider_key=provider),
        state=state,
        silenced=bool(was),
        muted_by=was,
        fired_at=NOW,
    ),
    st.sampled_from(["Slow", "Down", "Fast"]),
    st.sampled_from(Severity),
    st.sampled_from(AlertState),
    st.sampled_from(["codex", "claude"]),
    st.sampled_from(["", "an old reason"]),
)
ALERTS = st.lists(ALERT, unique_by=lambda alert: alert.fingerprint)
ACTIVE = st.lists(st.builds(lambda name: a_silence(matchers=(("alert", name),)), st.sampled_from(["Slow", "D*", "*"])))
CONFIGS = st.sampled_from([AlertsConfig(), DOWN, quiet(), DOWN.model_copy(update=dict(quiet()))])


@given(alerts=ALERTS, silences=ACTIVE, config=CONFIGS)
def test_nothing_but_the_mark_changes_and_a_mark_is_never_blank(
    alerts: list[Alert], silences: list[Silence], config: AlertsConfig
) -> None:
    seen = muted(alerts, silences, config, NOW)
    marks = {"silenced", "muted_by"}
    names = [field.name for field in fields(Alert) if field.name not in marks]
    assert [[getattr(one, name) for name in names] for one in seen] == [[getattr(a, n) for n in names] for a in alerts]
    assert all(one.silenced is bool(one.muted_by) for one in seen)
    assert "an old reason" not in {one.muted_by for one in seen}
    assert muted(seen, silences, config, NOW) == seen


@given(alerts=ALERTS, config=CONFIGS)
def test_without_silences_and_sources_what_is_critical_comes_through(alerts: list[Alert], config: AlertsConfig) -> None:
    others = [alert for alert in alerts if alert.alert != "Down"]
    assert not any(one.silenced for one in muted(others, (), config, NOW) if one.severity is CRITICAL)
