"""Quiet hours, inhibition and flapping in the alerts file: what comes out, and what is said about names."""

from daemon.domain.alerts_config import Flap, InhibitRule, TimeInterval
from tests.adapters.config.conftest import Load

FILE = """\
version: 1
extends: runbook
time_intervals:
  night: {schedule: "22:00-07:00", timezone: Europe/Berlin}
  weekend: {schedule: "Sa-Su 00:00-24:00"}
route: {mute_time_intervals: [night, weekend], flap: {episodes: 5, within: 30m}}
inhibit_rules:
  - {source_matchers: {alert: ProviderDown}, target_matchers: {alert: "Provider*"}, equal: [provider_key]}
"""


def test_what_is_written_comes_out(load_text: Load) -> None:
    loaded = load_text(FILE)
    assert loaded.warnings == ()
    assert loaded.config.time_intervals == {
        "night": TimeInterval(schedule="22:00-07:00", timezone="Europe/Berlin"),
        "weekend": TimeInterval(schedule="Sa-Su 00:00-24:00", timezone="UTC"),
    }
    assert loaded.config.route.mute_time_intervals == ("night", "weekend")
    assert loaded.config.route.flap == Flap(episodes=5, within=1800.0)
    assert loaded.config.inhibit_rules == (
        InhibitRule(
            source_matchers={"alert": "ProviderDown"},
            target_matchers={"alert": "Provider*"},
            equal=("provider_key",),
        ),
    )


def test_nothing_is_muted_and_nothing_flaps_unless_it_is_said(load_text: Load) -> None:
    config = load_text("version: 1\nextends: runbook\nroute: {flap: {}}\n").config
    assert (config.route.mute_time_intervals, config.inhibit_rules, config.route.flap) == ((), (), Flap())
    assert (Flap().episodes, Flap().within) == (3, 3600.0)
    assert load_text("version: 1\nextends: runbook\n").config.route.flap is None


def test_an_alert_of_others_may_have_any_name_but_a_near_one_is_told(load_text: Load) -> None:
    warnings = load_text(FILE.replace("alert: ProviderDown", "alert: ProvderDown")).warnings
    assert [f"{one.path}: {one.message}" for one in warnings] == [
        "inhibit_rules[0].source_matchers.alert: 'ProvderDown' fits no alert; did you mean 'ProviderDown'?"
    ]
