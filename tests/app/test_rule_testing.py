"""Rule testing: files that load or tell why not, cases that are played, and expectations that fail readably."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.app.rule_testing import Failure, Played, play, read
from daemon.app.shelf import scan
from daemon.domain.errors import ConfigError
from daemon.domain.event import Outcome
from daemon.domain.mitigation import Mode

SHELVES = scan()
RULES = """\
version: 1
extends: runbook
rules: [{alert: ProviderRateLimited, levels: {critical: {mitigate: [fallback, quota-fallback]}}}]
fallbacks: {gpt-5.4: [gpt-5.5]}
mitigations: {quota-fallback: {even_if_inert: true}}
"""
ONLY = "rules: alerts.yaml\nonly: [ProviderRateLimited]\n"
CASE = """\
  - name: storm
    upstream:
      settings: {quota-exceeded.switch-project: false, quota-exceeded.switch-preview-model: false}
      models: [gpt-5.4, gpt-5.5]
    traffic:
      - {to: 10m, every: 5s, set: &codex {provider_key: codex, requested_model: gpt-5.4}}
      - {from: 10m, to: 20m, every: 5s, set: *codex, mix: {ok: 40%, provider_rate_limited: 60%}}
      - {from: 20m, to: 40m, every: 5s, set: *codex}
"""

Write = Callable[[str], Path]
Play = Callable[..., Played]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        (tmp_path / "alerts.yaml").write_text(RULES)
        path = tmp_path / "tests.yaml"
        path.write_text(text)
        return path

    return written


@pytest.fixture
def played(write: Write) -> Play:
    """The storm, with one expectation, and what else is said of the case."""

    def playing(
        expect: str = "{messages: {to: operators, between: [0, 99]}}", more: str = "", head: str = ""
    ) -> Played:
        rest = textwrap.indent(f"{more}\n", "    ") if more else ""
        text = f"{ONLY}{head}cases:\n{CASE}{rest}    expect:\n      - {expect}\n"
        file = read(write(text), SHELVES)
        return play(file, file.cases[0])

    return playing


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(path, SHELVES)
    return [str(one).partition("tests.yaml:")[2] for one in caught.value.mistakes]


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_without_a_word_about_rules_it_is_about_the_shipped_ones(write: Write) -> None:
    file = read(write("cases: [{name: x, expect: [{never: ProviderDown}]}]"), SHELVES)
    assert file.mode is Mode.AUTO
    assert (
        file.config.rules
        == read(write("{rules: null, cases: [{name: x, expect: [{never: ProviderDown}]}]}"), SHELVES).config.rules
    )
    assert len(file.config.rules) > 20
    assert file.off == ("AmpBypass",)


def test_only_the_chosen_rules_are_judged(write: Write) -> None:
    file = read(write("only: [ProviderDown]\ncases: [{name: x, expect: [{never: ProviderDown}]}]"), SHELVES)
    assert [rule.alert for rule in file.config.rules] == ["ProviderDown"]
    assert mistakes(write("only: [ProviderDwn]\ncases: [{name: x, expect: [{audit: fallback, contains: x}]}]")) == [
        "1:8: only[0]: there is no alert 'ProviderDwn'; did you mean 'ProviderDown'?"
    ]


def test_every_mistake_is_told_at_once_with_its_place(write: Write) -> None:
    path = write(
        """\
rules: alerts.yaml
mode: aut
cases:
  - name: many mistakes
    trafic: []
    traffic:
      - {to: 20, every: 6s, set: {provider_kye: codex, status: high, emitted_at: 3}}
      - {to: 20m, every: 6s, mix: {ok: 40%, provider_rate_limitd: 60%}}
      - {to: 20m, every: 6s, mix: {ok: 40%, slow: {share: 50%, outcome: faild}}}
      - {to: 20m, every: 6s, retries: codx}
    history: [{days: 3, set: {workloda: x}}]
    changes:
      - {at: 3m, operator: revrt, mitigation: falback}
    expect:
      - {at: 20m, alert: ProviderRateLimted, state: inactive}
      - {never: AmpBypass}
      - {messages: {to: operatos, equals: 3, alert: Nothing}}
      - {audit: quota-falback, contains: x}
"""
    )
    assert mistakes(path) == [
        "2:1: mode: should be 'shadow', 'ask' or 'auto', not 'aut'; did you mean 'auto'?",
        "5:5: cases[0].trafic: is not known here; did you mean 'traffic'?",
        "7:10: cases[0].traffic[0].to: 20 is not a duration; write a number with its unit, such as 30s, 10m, 1h or 7d",
        "7:35: cases[0].traffic[0].set.provider_kye: is not a field of an event; did you mean 'provider_key'?",
        "7:56: cases[0].traffic[0].set.status: should be int | null, got str",
        "7:70: cases[0].traffic[0].set.emitted_at: follows from the rest and cannot be set",
        "8:45: cases[0].traffic[1].mix.provider_rate_limitd: 'provider_rate_limitd' is no fault; "
        "did you mean 'provider_rate_limited'?",
        "9:30: cases[0].traffic[2].mix: the shares add up to 90%, not to 100%",
        "9:64: cases[0].traffic[2].mix.slow.outcome: 'faild' is not a value of outcome; did you mean 'failed'?",
        "10:30: cases[0].traffic[3].retries: 'codx' is no client that we know; did you mean 'codex'?",
        "11:31: cases[0].history[0].set.workloda: is not a field of an event; did you mean 'workload'?",
        "13:18: cases[0].changes[0].operator: should be 'hold', 'release', 'revert', 'apply', 'approve', 'ack' or "
        "'silence', not 'revrt'; did you mean 'revert'?",
        "13:35: cases[0].changes[0].mitigation: there is no mitigation 'falback'; did you mean 'fallback'?",
        "15:19: cases[0].expect[0].alert: there is no alert 'ProviderRateLimted'; did you mean 'ProviderRateLimited'?",
        "16:10: cases[0].expect[1].never: the rule 'AmpBypass' is switched off",
        "17:21: cases[0].expect[2].messages.to: there is no receiver 'operatos'; did you mean 'operators'?",
        "17:46: cases[0].expect[2].messages.alert: there is no alert 'Nothing'",
        "18:10: cases[0].expect[3].audit: there is no alert or mitigation 'quota-falback'; "
        "did you mean 'quota-fallback'?",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cases: []", ["1:1: cases: should not be empty"]),
        ("{}", ["1:1: cases: is needed"]),
        ("cases: [{name: x, expect: []}]", ["1:19: cases[0].expect: should not be empty"]),
        ("- a", ["1:1: should be a map, not a list"]),
        ("a: [", ["1:5: expected the node content, but found '<stream end>'"]),
    ],
)
def test_a_file_that_is_none_is_refused(write: Write, text: str, told: list[str]) -> None:
    assert [one.rpartition("; did")[0] or one for one in mistakes(write(text))] == told


def test_the_mistakes_of_the_alerts_file_are_told_too(write: Write) -> None:
    path = write("rules: broken.yaml\ncases: [{name: x, trafic: 3, expect: [{never: X}]}]")
    path.with_name("broken.yaml").write_text("version: 1\nrules: [{alert: X, kind: ratoi}]\n")
    with pytest.raises(ConfigError) as caught:
        read(path, SHELVES)
    assert {Path(one.source).name for one in caught.value.mistakes} == {"broken.yaml", "tests.yaml"}
    with pytest.raises(ConfigError, match="cannot be read"):
        read(path.with_name("nothing.yaml"), SHELVES)


# ---- playing ---------------------------------------------------------------------------------------------------------


def test_it_is_played_to_the_last_instant_that_anything_is_said_of(played: Play) -> None:
    assert round(played().seconds) == 40 * 60
    assert round(played("{to: 50m, never: ProviderRateLimited, severity: warning}").seconds) == 50 * 60
    assert len(played().turns) == 480


def test_traffic_obeys_soft_routes_in_force(played: Play) -> None:
    one = played("{at: 20m, mitigation: fallback, state: applied}")
    assert one.failures == []
    led = [turn for turn in one.turns if turn.mitigation_ids]
    assert {(turn.model_id, turn.requested_model, turn.outcome) for turn in led} == {("gpt-5.5", "gpt-5.4", Outcome.OK)}
    assert led[0].emitted_at > one.begins_at + 600_000


def test_soft_routes_lapse_while_nothing_runs(played: Play) -> None:
    one = played("{at: 20m, mitigation: fallback, state: applied}", "restart_at: [{at: 14m, for: 5m}]")
    led = [(turn.emitted_at - one.begins_at) // 1000 for turn in one.turns if turn.mitigation_ids]
    assert any(840 <= at < 960 for at in led)
    assert not any(965 <= at < 1140 for at in led)


def test_a_restart_changes_nothing_that_people_see(played: Play) -> None:
    plain, restarted = played(), played(more="restart_at: [11m, 15m, 30m]")
    assert [one.message.title for one in restarted.sent] == [one.message.title for one in plain.sent]
    assert restarted.ground.upstream.writes == plain.ground.upstream.writes != []
    assert played("{by: 20m, mitigation: fallback, state: applied}", "restart_at: [9m]").failures == []


def test_it_is_the_same_each_time(played: Play) -> None:
    first, second = played(), played()
    assert first.turns == second.turns
    assert first.transitions == second.transitions
    assert [(one.at, one.message) for one in first.sent] == [(one.at, one.message) for one in second.sent]


@pytest.mark.parametrize(
    ("more", "holds"),
    [
        (
            "changes: [{at: 15m, upstream: {quota-exceeded.switch-project: false}}]",
            "{audit: quota-fallback, contains: abandoned}",
        ),
        ("changes: [{at: 5m, models: [gpt-5.4]}]", "{audit: fallback, contains: noted}"),
        (
            "changes: [{at: 9m, reachable: false}, {at: 30m, reachable: true}]",
            "{at: 20m, upstream: {quota-exceeded.switch-project: false}}",
        ),
        (
            "changes: [{at: 15m, operator: revert, mitigation: fallback}]",
            "{at: 16m, mitigation: fallback, state: restored}",
        ),
        (
            "changes: [{at: 15m, operator: hold, mitigation: fallback}]",
            "{at: 40m, mitigation: fallback, state: applied}",
        ),
        (
            "changes: [{at: 12m, operator: ack, alert: ProviderRateLimited}]",
            "{audit: ProviderRateLimited, contains: acknowledge}",
        ),
        (
            "changes: [{at: 5m, operator: silence, matchers: {alert: ProviderRateLimited}, for: 2h}]",
            '{messages: {to: operators, equals: 0, title: "[warning]"}}',
        ),
        ("changes: [{at: 10m, lost: 1000}]", "{by: 18m, mitigation: fallback, state: applied, times: 0}"),
        (
            "restart_at: [{at: 9m, for: 2m}]\nchanges: [{at: 10m, lost: 1000}]",
            "{by: 18m, mitigation: fallback, state: applied, times: 0}",
        ),
        ("ping: {gpt-5.4: [{to: 60m, ok: false}]}", "{at: 30m, mitigation: fallback, state: applied}"),
        ("ping: {gpt-5.4: [{to: 60m, ok: true}]}", "{at: 20m, mitigation: fallback, state: restored}"),
        ("begins: 2026-03-01T00:00:00Z", '{at: 13m, explain: ProviderRateLimited, contains: "00:1"}'),
    ],
)
def test_what_is_said_beside_traffic_happens(played: Play, more: str, holds: str) -> None:
    """Each expectation fails where nothing is said."""
    assert played(holds, more).failures == []
    assert played(holds).failures or "begins" in more or "ping" in more


def test_an_operator_who_is_refused_is_a_failure(played: Play) -> None:
    (one,) = played(more="changes: [{at: 5m, operator: revert, mitigation: fallback}]").failures
    assert one.expectation == "at 5m the operator's revert is done"
    assert "fallback" in one.reason
    down = played(more="restart_at: [{at: 4m, for: 2m}]\nchanges: [{at: 5m, operator: revert, mitigation: fallback}]")
    assert down.failures[0].reason == "nothing ran then that could be asked"


@pytest.mark.parametrize(("mode", "state"), [("shadow", "not_needed"), ("ask", "planned")])
def test_the_mode_is_a_ceiling(played: Play, mode: str, state: str) -> None:
    one = played("{by: 40m, mitigation: fallback, state: applied}", head=f"mode: {mode}\n")
    assert [failure.expectation for failure in one.failures] == ["by 40m fallback has been applied"]
    assert all(turn.mitigation_ids == () for turn in one.turns)


# ---- failing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "expected", "instead", "timeline"),
    [
        (
            "{at: 38m, alert: ProviderRateLimited, severity: critical, state: firing}",
            "at 38m ProviderRateLimited (critical) is firing",
            "critical (provider_key codex) was pending from",
            [
                "ProviderRateLimited critical, provider_key codex:",
                "TIME",
                "SAMPLES",
                "  38m  ",
                "raises it:",
                "resolved",
            ],
        ),
        (
            "{by: 9m, alert: ProviderRateLimited, state: firing}",
            "by 9m ProviderRateLimited is firing",
            "warning (provider_key codex) was pending from",
            ["  9m  ", "is clear: 0% is not above 5%"],
        ),
        (
            "{never: ProviderRateLimited, severity: warning}",
            "ProviderRateLimited (warning) never fires",
            "firing from 1",
            ["ProviderRateLimited warning, provider_key codex:", "BOUND"],
        ),
        (
            "{at: 40m, mitigation: fallback, state: applied}",
            "at 40m fallback is applied",
            "model_alias:gpt-5.4 was planned at",
            ["mitigations:", "model_alias:gpt-5.4 restored", "ProviderRateLimited critical, provider_key codex:"],
        ),
        (
            "{at: 15m, upstream: {quota-exceeded.switch-project: false}}",
            "at 15m the upstream has quota-exceeded.switch-project: false",
            "quota-exceeded.switch-project was true",
            ["mitigations:", "upstream:quota-exceeded.switch-project applied", "audit:"],
        ),
        (
            "{messages: {to: operators, equals: 0, alert: ProviderRateLimited}}",
            "operators get 0 messages about ProviderRateLimited",
            "there were ",
            [
                "messages:",
                "operators: [critical] ProviderRateLimited codex",
                "ProviderRateLimited warning, provider_key codex:",
            ],
        ),
        (
            "{by: 12m, message: {to: operators, contains: nobody says this}}",
            "by 12m operators get a message that says 'nobody says this'",
            "none of these ",
            ["messages:", "operators: [warning] ProviderRateLimited codex"],
        ),
        (
            "{at: 9m, explain: ProviderRateLimited, contains: nobody says this}",
            "at 9m the explanation of ProviderRateLimited says 'nobody says this'",
            "it said: quiet",
            ["ProviderRateLimited critical, provider_key codex:", "  9m  "],
        ),
        (
            "{audit: fallback, contains: nobody says this}",
            "the audit of fallback says 'nobody says this'",
            "none of these entries says that: rule:ProviderRateLimited planned model_alias:gpt-5.4",
            ["audit:", "daemon restored model_alias:gpt-5.4", "ProviderRateLimited critical, provider_key codex:"],
        ),
    ],
)
def test_a_failure_says_what_happened_instead_and_shows_when(
    played: Play, expect: str, expected: str, instead: str, timeline: list[str]
) -> None:
    (one,) = played(expect).failures
    assert one.expectation == expected
    assert instead in one.reason
    assert [text for text in timeline if text not in one.timeline] == []
    lines = one.timeline.splitlines()
    assert len(lines) < 80
    assert max(map(len, lines)) < 250


def test_a_timeline_shows_what_changed_and_little_else(played: Play) -> None:
    (one,) = played("{at: 38m, alert: ProviderRateLimited, severity: critical, state: firing}").failures
    assert len(one.timeline.splitlines()) < 25
    assert "  …" in one.timeline
    states = [
        state
        for line in one.timeline.splitlines()
        for state in ("pending", "firing", "clearing", "resolved")
        if f" {state} " in line
    ]
    assert list(dict.fromkeys(states)) == ["pending", "firing", "clearing", "resolved"]


def test_while_nothing_runs_the_timeline_says_so(played: Play) -> None:
    (one,) = played(
        "{at: 15m, alert: ProviderRateLimited, state: inactive}", "restart_at: [{at: 13m, for: 4m}]"
    ).failures
    assert "nothing ran" in one.timeline
    (told,) = played(
        "{at: 15m, explain: ProviderRateLimited, contains: firing}", "restart_at: [{at: 13m, for: 4m}]"
    ).failures
    assert told.reason == "nothing ran then that could explain it"


def test_a_rule_that_was_never_asked_says_so(write: Write) -> None:
    file = read(write("cases: [{name: x, expect: [{by: 5m, alert: ThinkingMismatch, state: firing}]}]"), SHELVES)
    (one,) = play(file, file.cases[0]).failures
    assert (one.reason, one.timeline) == (
        "it was inactive all the time",
        "ThinkingMismatch: nothing was counted for it at all",
    )


def test_a_rule_that_cannot_be_judged_is_a_failure(played: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("daemon.logic.rules.ratio.RatioRule.judge", judge)
    failures: list[Failure] = list(played().failures)
    assert [(one.expectation, one.reason) for one in failures] == [
        ("ProviderRateLimited can be judged", "ZeroDivisionError: by nothing")
    ]


# ---- verdicts --------------------------------------------------------------------------------------------------------


CANARIES = """\
only: [IflowCanary]
cases:
  - name: canaries
    verdicts:
      - {probe: PROBE, subject: glm-4.6, from: 10m, to: 20m, every: 5m, outcome: bad, value: 0.5, reason: gone}
    restart_at: [RESTART]
    expect:
      - {at: 16m, alert: IflowCanary, severity: warning, state: STATE}
"""


@pytest.mark.parametrize(
    ("restart", "state"), [("", "firing"), ("{at: 9m, for: 2m}", "inactive"), ("{at: 20m, for: 1m}", "firing")]
)
def test_verdicts_are_told_at_their_pace_while_something_runs(write: Write, restart: str, state: str) -> None:
    text = CANARIES.replace("PROBE", "iflow").replace("RESTART", restart).replace("STATE", state)
    file = read(write(text), SHELVES)
    one = play(file, file.cases[0])
    assert (one.failures, one.seconds >= 1200) == ([], True)


def test_a_verdict_of_a_probe_that_is_not_there_is_a_mistake(write: Write) -> None:
    text = CANARIES.replace("PROBE", "iflo").replace("RESTART", "").replace("STATE", "firing")
    assert mistakes(write(text)) == ["5:10: cases[0].verdicts[0].probe: 'iflo' is not a probe; did you mean 'iflow'?"]
