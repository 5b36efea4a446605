"""The book of rules, on days of traffic: what fires, what does not, and when it ends."""

from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.domain.alert import AlertState, ResolvedBecause, Severity
from daemon.domain.event import Fault, Outcome, Source, Wire
from daemon.domain.sample import Reading, Verdict
from daemon.logic.rules.ratio import RatioRule
from tests.logic.playing import T0, Play, a_rule, an_event, states

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
ACTING = {
    "warning": {"above": "5%", "clear_below": "3%"},
    "critical": {"above": "10%", "clear_below": "6%", "mitigate": ["fallback"]},
}


@pytest.mark.parametrize(
    ("share", "per_second", "firing"),
    [
        (0.12, 5, ["critical", "warning"]),
        (0.07, 5, ["warning"]),
        (0.02, 5, []),
        (0.0, 5, []),
        (1.0, 0.2, ["critical", "warning"]),
    ],
)
def test_steady_traffic_raises_at_the_runbooks_thresholds(share: float, per_second: float, firing: list[str]) -> None:
    play = Play.of(a_rule())
    play.traffic(600, per_second=per_second, bad=share)
    assert play.severities == firing


def test_two_of_three_at_night_raise_nothing() -> None:
    play = Play.of(a_rule(stretch_to="60m", in_a_row=4))
    for bad in (True, False, True):
        play.book.observe(an_event(play.now, bad=bad))
        play.silence(20)
    assert play.severities == []


def test_four_failures_in_a_row_raise_at_night_and_one_success_breaks_the_row() -> None:
    play = Play.of(a_rule(in_a_row=4))
    for bad in (True, True, True, False, True, True, True):
        play.book.observe(an_event(play.now, bad=bad))
        play.silence(20)
    assert play.severities == []
    play.book.observe(an_event(play.now, bad=True))
    play.silence(1)
    assert play.severities == ["critical", "warning"]


def test_a_window_that_cannot_decide_is_stretched_until_it_can() -> None:
    slow = {"per_second": 1 / 60, "bad": 0.5}
    short, long = Play.of(a_rule()), Play.of(a_rule(stretch_to="60m"))
    for play in (short, long):
        play.traffic(3000, **slow)
    assert short.severities == []
    assert long.severities == ["critical", "warning"]
    assert long.alert().window_seconds > 600


def test_an_incident_that_is_over_is_no_evidence_for_the_next() -> None:
    play = Play.of(a_rule(stretch_to="60m", keep_firing_for="1m"))
    play.traffic(300, per_second=5, bad=0.5)
    play.traffic(900, per_second=5)
    assert play.told[-1] == "closed"
    before = len(play.steps)
    play.silence(700)
    play.traffic(60, per_second=0.2, bad=0.34)
    assert play.steps[before:] == []


def test_one_episode_is_opened_escalated_eased_and_closed() -> None:
    play = Play.of(a_rule(keep_firing_for="30s", window="1m", stretch_to="1m"))
    play.traffic(120, per_second=10, bad=0.075)
    play.traffic(120, per_second=10, bad=0.2)
    play.traffic(180, per_second=10, bad=0.045)
    play.traffic(180, per_second=10)
    assert play.told == ["opened", "escalated", "eased", "closed"]
    assert [step.after for _, step in play.steps] == [WARNING, CRITICAL, WARNING, None]
    assert len({step.episode for _, step in play.steps}) == 1
    assert play.alert(WARNING).resolved_because is ResolvedBecause.CLEARED


def test_for_must_be_served_without_a_break() -> None:
    play = Play.of(a_rule(window="10s", stretch_to="10s", **{"for": "20s"}))
    play.traffic(8, per_second=10, bad=0.5)
    play.traffic(30, per_second=10)
    assert play.severities == []
    assert list(states(play, CRITICAL)) == ["pending", "inactive"]
    play.traffic(30, per_second=10, bad=0.5)
    assert play.severities == ["critical", "warning"]
    pending, firing = [second for second, alert in play.changed if alert.severity is CRITICAL][-2:]
    assert firing - pending == 20


def test_while_clearing_a_value_that_is_not_clear_is_the_same_incident() -> None:
    play = Play.of(a_rule(window="10s", stretch_to="10s", keep_firing_for="30s"))
    play.traffic(20, per_second=10, bad=0.5)
    play.traffic(20, per_second=10)
    assert play.alert().state is AlertState.CLEARING
    play.traffic(20, per_second=10, bad=0.08)
    assert play.alert().state is AlertState.FIRING
    assert play.told == ["opened"]


def test_no_traffic_is_no_data_and_ends_as_such() -> None:
    play = Play.of(a_rule(stretch_to="20m"))
    play.traffic(60, per_second=5, bad=0.5)
    play.silence(1190)
    assert play.severities == ["critical", "warning"]
    play.silence(20)
    assert play.severities == []
    assert play.changed[-1][1].resolved_because is ResolvedBecause.NO_DATA


def test_no_data_resolve_ends_when_the_window_is_empty() -> None:
    play = Play.of(a_rule(window="1m", stretch_to="1m", no_data="resolve"))
    play.traffic(60, per_second=5, bad=0.5)
    play.silence(62)
    assert play.changed[-1][1].resolved_because is ResolvedBecause.NO_DATA


@pytest.mark.parametrize(("no_data", "firing"), [("hold", ["critical", "warning"]), ("resolve", [])])
def test_after_a_restart_that_knows_of_no_event_it_is_held_unless_said(no_data: str, firing: list[str]) -> None:
    rule = a_rule(no_data=no_data)
    play, again = Play.of(rule), Play.of(rule)
    play.traffic(60, per_second=5, bad=0.5)
    again.second = play.second
    again.book.restore(play.book.alerts())
    again.silence(10)
    assert again.severities == firing


@pytest.mark.parametrize(
    ("rule", "changes", "counts"),
    [
        ({}, {}, True),
        ({}, {"source": Source.CANARY}, False),
        ({"of": {"source": "canary"}}, {"source": Source.CANARY}, True),
        ({}, {"attempt": 1}, False),
        ({"retries": "include"}, {"attempt": 1}, True),
        ({}, {"wire": Wire.OTHER}, False),
        ({}, {"outcome": Outcome.CLIENT_ABORT}, False),
        ({}, {"outcome": Outcome.CUT_BY_DRAIN}, False),
        ({"bad": {"outcome": "failed"}}, {"fault": Fault.CLIENT_ERROR}, False),
        ({"bad": {"fault": "client_unauthorized"}}, {"fault": Fault.CLIENT_UNAUTHORIZED}, True),
        ({}, {"fault": Fault.CLIENT_UNAUTHORIZED}, False),
        ({"of": {"requested_model": "gpt-5*"}}, {}, True),
        ({"of": {"requested_model": "claude*"}}, {}, False),
        ({"of": "codex"}, {}, True),
        ({"bad": {"status": "4xx"}}, {}, True),
        ({"bad": {"usage": ["zero", "missing"]}}, {"usage_present": False}, True),
        ({"bad": {"usage": ["zero", "missing"]}}, {"usage_present": True, "output_tokens": 0}, True),
        ({"bad": {"usage": ["zero", "missing"]}}, {"usage_present": True, "output_tokens": 7}, False),
        ({"of": {"thinking_match": "present"}, "bad": {"thinking_match": False}}, {"thinking_match": False}, True),
        ({"of": {"thinking_match": "present"}, "bad": {"thinking_match": False}}, {"thinking_match": None}, False),
    ],
)
def test_what_counts(rule: dict[str, Any], changes: dict[str, Any], counts: bool) -> None:
    query = a_rule(**rule).query({"codex": {"provider_key": "codex"}})
    event = an_event(T0, bad=True, **changes)
    assert (query.of(event) and query.bad(event)) is counts


def test_a_callers_fault_is_in_no_denominator_but_of_the_rule_that_means_it() -> None:
    refused = an_event(T0, outcome=Outcome.FAILED, fault=Fault.CLIENT_UNAUTHORIZED, status=401)
    assert not a_rule().query({}).of(refused)
    assert a_rule(bad={"fault": "client_unauthorized"}).query({}).of(refused)
    assert a_rule(of={"status": "4xx"}).query({}).of(refused)


def test_each_label_set_is_a_series_of_its_own() -> None:
    play = Play.of(a_rule())
    for _ in range(300):
        play.book.observe(an_event(play.now, bad=False, provider_key="claude"))
        play.traffic(1, per_second=1, bad=1.0)
    assert {dict(alert.labels)["provider_key"] for alert in play.book.firing()} == {"codex"}


def test_labels_that_clients_invent_make_room_for_each_other_and_not_for_the_worst() -> None:
    play = Play.of(a_rule(by=["requested_model"], max_series=100))
    play.traffic(30, per_second=1, bad=1.0, requested_model="worst")
    for number in range(500):
        play.book.observe(an_event(play.now, bad=True, requested_model=f"m{number}"))
    play.judge()
    [table] = play.book._tables.values()
    assert len(table.tally.tracks) <= 100
    assert play.book.displaced["ProviderRateLimited"] >= 401
    assert {dict(alert.labels)["requested_model"] for alert in play.book.firing()} == {"worst"}
    play.silence(1000)
    assert not table.tally.tracks
    assert not table.active


def test_an_alert_names_the_models_that_fail_and_not_those_beside_them() -> None:
    play = Play.of(a_rule())
    for _ in range(120):
        play.book.observe(an_event(play.now, requested_model="gpt-5.5"))
        play.traffic(1, per_second=1, bad=0.5 if play.second % 2 else 1.0, requested_model="gpt-5.4(high)")
    assert play.alert().models == ("gpt-5.4",)


def test_the_summary_is_filled_in() -> None:
    play = Play.of(a_rule(summary="{provider_key}: {bad} of {samples} ({value}, at least {lower_bound}) in {window}"))
    play.traffic(100, per_second=1, bad=1.0)
    assert play.alert().summary == "codex: 100 of 100 (100%, at least 96.3%) in 10m"


# ---- acting --------------------------------------------------------------------------------------------------------


def test_only_evidence_of_this_moment_may_start_anything() -> None:
    play = Play.of(a_rule(window="10s", stretch_to="10s", keep_firing_for="60s", levels=ACTING))
    play.traffic(20, per_second=10, bad=0.5)
    assert play.book.acting() == {play.alert(CRITICAL).fingerprint}
    play.traffic(20, per_second=10)
    assert play.severities == ["critical", "warning"]
    assert play.book.acting() == frozenset()


def test_a_release_begins_the_windows_anew() -> None:
    play = Play.of(a_rule(levels=ACTING))
    play.traffic(120, per_second=5, bad=0.5)
    fingerprints = {alert.fingerprint for alert in play.book.firing()}
    play.book.start_anew(fingerprints, play.now)
    play.traffic(5, per_second=5)
    assert play.book.acting() == frozenset()
    assert play.alert().state is AlertState.CLEARING


def test_what_a_mitigation_rewrote_is_no_evidence_for_its_own_rule_but_for_others() -> None:
    rules = (a_rule(levels={"critical": {"above": "10%", "mitigate": ["fallback"]}}), a_rule(alert="Other"))
    play = Play.of(*rules, mitigated={"m1": ("ProviderRateLimited",)})
    play.traffic(60, per_second=5, bad=1.0, mitigation_ids=("m1",))
    assert {name for name, _ in play.firing} == {"Other"}


@pytest.mark.parametrize(("lost", "degraded"), [(20, False), (30, True)])
def test_a_rule_that_did_not_see_enough_acts_on_nothing(lost: int, degraded: bool) -> None:
    play = Play.of(a_rule(levels=ACTING))
    play.book.lose(play.now, 100, lost)
    play.traffic(60, per_second=5, bad=1.0)
    assert play.severities == ["critical", "warning"]
    assert play.alert().degraded is degraded
    assert (play.book.acting() == frozenset()) is degraded


# ---- restarts, reloads, errors -------------------------------------------------------------------------------------


def test_time_served_in_pending_survives_a_restart_and_downtime_does_not_count() -> None:
    rule = a_rule(window="1m", stretch_to="1m", **{"for": "60s"})
    play = Play.of(rule)
    play.traffic(40, per_second=10, bad=0.5)
    pending_since = play.alert().since
    served = play.now - pending_since
    down = 30
    again = Play.of(rule)
    again.second = play.second + down
    for offset in range(400):
        again.book.warm(an_event(play.now - 40_000 + offset * 100, bad=offset % 2 == 0))
    again.book.restore(play.book.alerts(), shift_ms=down * 1000)
    again.traffic(60, per_second=10, bad=0.5)
    fired = next(second for second, alert in again.changed if alert.state is AlertState.FIRING)
    assert (fired - play.second - down) * 1000 + served == 60_000


def test_a_rule_that_is_removed_closes_its_episode() -> None:
    play = Play.of(a_rule())
    play.traffic(60, per_second=5, bad=0.5)
    after = Play.of(a_rule(alert="Another"))
    after.second = play.second
    after.book.restore(play.book.alerts())
    after.judge()
    assert after.told == ["closed"]
    assert {alert.resolved_because for _, alert in after.changed} == {ResolvedBecause.RULE_REMOVED}
    assert after.severities == []


def test_an_alert_whose_rule_asks_for_something_else_is_over() -> None:
    play = Play.of(a_rule())
    play.traffic(60, per_second=5, bad=0.5)
    after = Play.of(a_rule(bad={"outcome": "failed"}))
    after.second = play.second
    after.book.restore(play.book.alerts())
    after.judge()
    assert after.told == ["closed"]
    assert {alert.resolved_because for _, alert in after.changed} == {ResolvedBecause.RULE_CHANGED}


def test_a_rule_that_is_still_there_goes_on_where_it_was() -> None:
    play = Play.of(a_rule())
    play.traffic(60, per_second=5, bad=0.5)
    after = Play.of(a_rule(summary="new words", runbook="docs/new.md"))
    after.second = play.second
    after.book.restore(play.book.alerts())
    after.traffic(60, per_second=5, bad=0.5)
    assert after.told == []
    assert (after.alert().summary, after.alert().runbook) == ("new words", "docs/new.md")
    assert after.alert().fired_at == play.alert().fired_at


def test_a_rule_that_cannot_be_judged_keeps_its_state_and_the_others_go_on() -> None:
    class Broken(RatioRule):
        def judge(self, severity: Severity, reading: Reading) -> Verdict:
            raise ZeroDivisionError("a bug")

    broken = Broken.model_validate(a_rule(alert="Broken").model_dump(by_alias=True))
    play = Play.of(broken, a_rule())
    play.traffic(60, per_second=5, bad=0.5)
    assert {name for name, _ in play.firing} == {"ProviderRateLimited"}
    assert {name for name, _ in play.errors} == {"Broken"}


def test_a_rule_that_cannot_be_judged_any_more_goes_on_firing() -> None:
    class Moody(RatioRule):
        broken: ClassVar[bool] = False

        def judge(self, severity: Severity, reading: Reading) -> Verdict:
            if self.broken:
                raise ZeroDivisionError("a mood")
            return super().judge(severity, reading)

    play = Play.of(Moody.model_validate(a_rule(keep_firing_for="0s").model_dump(by_alias=True)))
    play.traffic(60, per_second=5, bad=0.5)
    Moody.broken = True
    play.traffic(900, per_second=5)
    assert (play.told, play.severities) == (["opened"], ["critical", "warning"])
    Moody.broken = False
    play.traffic(5, per_second=5)
    assert play.told == ["opened", "closed"]


# ---- flapping, and many rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "half", "told"),
    [
        (0.04, 300, ["opened"]),  # it never falls below `clear_below`
        (0.0, 30, ["opened"]),  # nor long enough for `keep_firing_for`
        (0.0, 120, ["opened", "closed"] * 5),
    ],
)
def test_what_sways_around_the_threshold_opens_and_closes_once_in_each_dwell(
    low: float, half: int, told: list[str]
) -> None:
    levels = {"warning": {"above": "5%", "clear_below": "3%"}}
    play = Play.of(a_rule(window="10s", stretch_to="10s", keep_firing_for="60s", levels=levels))
    for _ in range(5):
        play.traffic(half, per_second=20, bad=0.2)
        play.traffic(half, per_second=20, bad=low)
    assert play.told == told


class Counted(RatioRule):
    """How often any of them was judged."""

    judged: ClassVar[list[str]] = []

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        self.judged.append(self.alert)
        return super().judge(severity, reading)


def test_of_a_thousand_rules_only_those_are_judged_that_can_change() -> None:
    rules = (a_rule(alert=f"R{n}", levels={"warning": {"above": f"{10 + n / 20:.2f}%"}}) for n in range(1000))
    play = Play.of(*(Counted.model_validate(rule.model_dump(by_alias=True)) for rule in rules))
    Counted.judged.clear()
    play.traffic(120, per_second=10, bad=0.05)
    assert Counted.judged == []
    play.traffic(120, per_second=10, bad=0.5)
    firing = {name for name, _ in play.firing}
    assert 200 < len(firing) < 800
    assert firing <= set(Counted.judged)
    Counted.judged.clear()
    play.traffic(10, per_second=10, bad=0.3)
    assert len(set(Counted.judged)) < 10  # but for some at the very edge, they go on as they are


@settings(max_examples=30, deadline=None)
@given(
    phases=st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.0, 0.04, 0.08, 0.3, 1.0])), max_size=6),
    late=st.integers(1, 9),
)
def test_it_does_not_matter_in_how_many_pieces_events_arrive(phases: list[tuple[int, float]], late: int) -> None:
    """Events that wait are counted in the second that they belong to: looking later sees the same."""
    rule = a_rule(window="10s", stretch_to="30s", keep_firing_for="5s")
    live = Play.of(rule)
    for seconds, share in phases:
        live.traffic(seconds, per_second=7, bad=share)
    again, events = Play.of(rule), []
    replay = Play.of(rule)
    replay.book.observe = events.append  # type: ignore[method-assign]
    for seconds, share in phases:
        replay.traffic(seconds, per_second=7, bad=share)
    for number in range(replay.second):
        if number % late == 0:  # the next `late` seconds' events arrive together, ahead of their time
            for event in events:
                if number <= (event.emitted_at - T0) // 1000 < number + late:
                    again.book.observe(replace(event))
        again.judge()
    assert [(s, a.state, a.severity) for s, a in again.changed] == [(s, a.state, a.severity) for s, a in live.changed]
