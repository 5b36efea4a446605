"""The doctor: what each check says of what was seen, and what all of them come to."""

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.domain.alert import AlertState, Severity
from daemon.domain.check_up import Finding, Health
from daemon.domain.event import Outcome, Wire
from daemon.domain.probe import ProbeOutcome
from daemon.logic.doctor import CODES, examine, plugin_line, worst
from tests.fakes.operations import an_alert
from tests.logic.examining import a_config, a_credential, a_knock, a_reading, a_row, can, inside
from tests.logic.playing import T0, an_event

OK, WARNING, CRITICAL, UNKNOWN = Health.OK, Health.WARNING, Health.CRITICAL, Health.UNKNOWN
BAD = ProbeOutcome.BAD
DARK = ProbeOutcome.UNKNOWN


def test_where_all_is_well_every_check_says_so() -> None:
    found = examine(inside())
    assert {one.verdict for one in found} == {OK}
    assert [one.area for one in found] == [
        "rules",
        "spool",
        "store",
        "receivers",
        "alerts",
        "upstream",
        "clock",
        "open door",
        "client key",
        "management key",
        "usage-statistics-enabled",
        "logging-to-file",
        "toggles",
        "credentials",
        "probe models",
        "quota codex",
        "fallbacks",
    ]
    assert all(one.evidence and not one.advice for one in found)
    assert CODES[worst(found)] == 0


def streams(client: str | None, count: int, *, silent: int) -> list[Any]:
    """Streams of chat completions, of which some were not asked for usage."""
    return [
        an_event(T0, client=client, stream=True, usage_present=None if n < silent else True, input_tokens=1)
        for n in range(count)
    ]


def use(model: str, **more: Any) -> list[Any]:
    return [an_event(T0, requested_model=model, **more)]


def firing(name: str, severity: Severity, **more: Any) -> Any:
    return an_alert(name, severity, state=AlertState.FIRING, summary="12 of 40 failed", **more)


def taken(**changes: Any) -> dict[str, Any]:
    """Usage records were asked for, and come."""
    told = {"trouble": "", "coverage": 1.0, "other_consumers_suspected": False}
    return {"usage_records": told | changes}


CASES: list[tuple[dict[str, Any], str, Health, str]] = [
    ({"missing": ["rules"]}, "rules", CRITICAL, "nothing is judged"),
    ({"config": a_config(rules=())}, "rules", CRITICAL, "nothing is judged"),
    ({"config_errors": ["alerts.yaml:3: no"]}, "rules", WARNING, "last good rules are in force: alerts.yaml:3: no"),
    ({"missing": ["first evaluation"]}, "rules", WARNING, "not ready: first evaluation"),
    ({"dropped_total": 7}, "spool", WARNING, "7 events were dropped"),
    ({"spool_depth": 10_001}, "spool", WARNING, "10001 events wait"),
    ({"spool_depth": 10_000}, "spool", OK, "10000 events wait, none was dropped"),
    ({"store_ok": False}, "store", CRITICAL, "nothing is kept"),
    ({"cut_off": ["operators"]}, "receivers", CRITICAL, "operators cannot be reached"),
    ({"deaf": ["operators"]}, "receivers", WARNING, "hears nothing: operators"),
    ({"config": a_config(receivers=())}, "receivers", WARNING, "there is none"),
    ({"alerts": [firing("A", Severity.WARNING)]}, "alert A", WARNING, "12 of 40 failed"),
    ({"alerts": [firing("A", Severity.WARNING), firing("A", Severity.CRITICAL)]}, "alert A", CRITICAL, "12 of 40"),
    ({"alerts": [an_alert("A", state=AlertState.RESOLVED)]}, "alerts", OK, "none fires"),
    (
        {"knock": a_knock(status=None, error="no answer (ConnectError)")},
        "upstream",
        CRITICAL,
        "no answer (ConnectError)",
    ),
    ({"knock": a_knock(status=502)}, "upstream", CRITICAL, "status 502"),
    ({"knock": a_knock(status=404, says="")}, "upstream", OK, "answers, CLIProxyAPI 7.2.142"),
    (
        {"knock": a_knock(says="hi"), "capabilities": can(version=None, management=False)},
        "upstream",
        OK,
        "an upstream of another kind: toggles",
    ),
    ({"knock": a_knock(clock=T0 + 9000)}, "clock", WARNING, "9 s ahead of ours"),
    ({"knock": a_knock(clock=T0 - 61_000)}, "clock", WARNING, "60 s behind ours"),
    ({"knock": a_knock(clock=T0 - 6000)}, "clock", OK, "agree"),
    ({"knock": a_knock(clock=None)}, "clock", UNKNOWN, "does not tell"),
    ({"capabilities": can(open_without_key=True)}, "open door", WARNING, "whoever reaches it spends your quota"),
    ({"capabilities": can(open_without_key=None)}, "open door", UNKNOWN, "not known yet"),
    ({"has_client_key": False, "capabilities": can(models=False)}, "client key", UNKNOWN, "there is none"),
    ({"capabilities": can(models=False)}, "client key", WARNING, "does not list its models"),
    ({"has_management_key": False, "capabilities": can(management=False)}, "management key", UNKNOWN, "there is none"),
    (
        {"capabilities": can(management=False), "management_trouble": "the management key was refused (401)"},
        "management key",
        CRITICAL,
        "the management key was refused (401)",
    ),
    ({"capabilities": can(settings={"usage-statistics-enabled": False})}, "usage-statistics-enabled", WARNING, "off"),
    ({"capabilities": can(settings={"logging-to-file": False})}, "logging-to-file", WARNING, "cannot be scanned"),
    (
        {"credentials": [a_credential("a", unavailable=True, next_retry_after=T0 + 90_000), a_credential("b")]},
        "credentials",
        WARNING,
        "1 of 2 left alone by the upstream: a for 1m30s more",
    ),
    (
        {"credentials": [a_credential("a", unavailable=True), a_credential("b", provider_key="claude")]},
        "credentials",
        CRITICAL,
        "none is left of codex: the upstream leaves a alone",
    ),
    (
        {"credentials": [a_credential("a", unavailable=True, disabled=True), a_credential("b")]},
        "credentials",
        OK,
        "all 1 can be used",
    ),
    (
        {"credentials": [a_credential("a", unavailable=True), a_credential("b", disabled=True)]},
        "credentials",
        CRITICAL,
        "none is left of codex",
    ),
    ({"config": a_config("quota-fallback")}, "toggles", WARNING, "nothing else is done for ProviderRateLimited"),
    ({"config": a_config("fallback")}, "toggles", OK, "quota-fallback (quota-exceeded.switch-project)"),
    ({"config": a_config()}, "toggles", OK, "never the only thing"),
    ({"probes": [a_row("spark", BAD, ProbeOutcome.OK)]}, "probe spark", WARNING, "1 of 2 bad: m0: seen"),
    ({"probes": [a_row("spark", DARK)]}, "probe spark", UNKNOWN, "m0: seen"),
    ({"probes": [a_row("spark", results=())]}, "probe spark", UNKNOWN, "told nothing yet"),
    ({"probes": [a_row("models", *[BAD] * 7)]}, "probe models", WARNING, "m4: seen and 2 more"),
    ({"quota": [a_reading(quota_exhausted=True)]}, "quota codex", CRITICAL, "used up: codex.json at 50%"),
    ({"quota": [a_reading(usage_percentage=None)]}, "quota codex", UNKNOWN, "not said yet"),
    (
        {"quota": [a_reading(quota_exhausted=True, model_id="m1"), a_reading(model_id="m2")]},
        "quota codex",
        WARNING,
        "used up: codex.json m1 at 50%",
    ),
    (
        {"quota": [a_reading(quota_exhausted=True), a_reading("b.json", usage_percentage=None)]},
        "quota codex",
        CRITICAL,
        "used up: codex.json",
    ),
    (
        {"quota": [a_reading(quota_exhausted=True, quota_reset_seconds=5400.0), a_reading("b.json")]},
        "quota codex",
        WARNING,
        "used up: codex.json at 50%, back in 1h30m",
    ),
    ({"quota": [a_reading(usage_percentage=90.0)]}, "quota codex", WARNING, "soon used up: codex.json at 90%"),
    (
        {"quota": [a_reading(empty_in_seconds=3600.0, quota_reset_seconds=7200.0)]},
        "quota codex",
        WARNING,
        "soon used up: codex.json at 50%, empty in 1h, back in 2h",
    ),
    ({"quota": [a_reading(empty_in_seconds=60.0)]}, "quota codex", WARNING, "codex.json at 50%, empty in 1m"),
    ({"quota": [a_reading(empty_in_seconds=3601.0)]}, "quota codex", OK, "something left"),
    ({"quota": [a_reading(empty_in_seconds=3000.0, quota_reset_seconds=3000.0)]}, "quota codex", OK, "something left"),
    ({"quota": [a_reading(usage_percentage=89.9)]}, "quota codex", OK, "1 credential with something left"),
    ({"events": streams("aider", 9, silent=5)}, "usage", WARNING, "streams without usage: aider: 5 of 9"),
    ({"events": streams("aider", 9, silent=4)}, "usage", OK, "9 streams of chat completions, 4 without"),
    (taken(), "usage records", OK, "100% of the turns"),
    (taken(coverage=0.4, other_consumers_suspected=True), "usage records", WARNING, "only 40% of the turns"),
    (taken(coverage=0.0), "usage records", WARNING, "0% of the turns"),
    (taken(coverage=None), "usage records", UNKNOWN, "too few turns"),
    (taken(trouble="usage-queue: 404"), "usage records", WARNING, "usage-queue: 404"),
    ({"events": use("gpt-5.5")}, "fallbacks", WARNING, "nothing can stand in for gpt-5.5"),
    ({"events": use("gpt-5.5"), "config": a_config(fallbacks={"gpt-5.5": ()})}, "fallbacks", OK, "every model in use"),
]


@pytest.mark.parametrize(("changes", "area", "verdict", "says"), CASES)
def test_one_thing_is_told_of(changes: dict[str, Any], area: str, verdict: Health, says: str) -> None:
    (one,) = (one for one in examine(inside(**changes)) if one.area == area)
    assert (one.verdict, says in one.evidence) == (verdict, True), one
    assert verdict is OK or one.advice or (verdict is UNKNOWN and not one.essential)


@pytest.mark.parametrize(
    ("changes", "areas"),
    [
        ({"knock": a_knock(status=None)}, ["clock", "open door", "client key", "management key"]),
        ({"credentials": ()}, ["credentials"]),
        ({"credentials": [a_credential("a", disabled=True)]}, ["credentials"]),
        ({"capabilities": can(settings={})}, ["usage-statistics-enabled", "logging-to-file"]),
        ({"config": a_config("fallback"), "capabilities": can(inert=frozenset())}, ["toggles"]),
        ({"probes": [a_row("spark", BAD, enabled=False)]}, ["probe spark"]),
        ({"quota": ()}, ["quota codex"]),
        ({"events": None}, ["usage", "fallbacks"]),
        ({"events": ()}, ["usage", "fallbacks"]),
    ],
)
def test_of_what_was_not_seen_nothing_is_told(changes: dict[str, Any], areas: list[str]) -> None:
    assert [one for one in examine(inside(**changes)) if one.area in areas] == []


def test_only_streams_that_end_well_on_the_wire_in_question_are_asked_for_usage() -> None:
    events = [
        *streams("codex", 9, silent=0),
        *(an_event(T0, stream=True, wire=Wire.ANTHROPIC_MESSAGES, client="claude") for _ in range(9)),
        *(an_event(T0, stream=True, outcome=Outcome.FAILED, client="aider") for _ in range(9)),
        *(an_event(T0, client="curl") for _ in range(9)),
    ]
    assert [one.verdict for one in examine(inside(events=events)) if one.area == "usage"] == [OK]


def test_a_workload_has_lines_of_its_own() -> None:
    config = a_config(workloads=[{"name": "ci", "match": {"prefix": "ci"}, "fallbacks": {"gpt-5.5": ["gpt-5.4"]}}])
    for workload, verdict in (("ci", OK), (None, WARNING), ("other", WARNING)):
        found = examine(inside(config=config, events=use("gpt-5.5", workload=workload)))
        assert [one.verdict for one in found if one.area == "fallbacks"] == [verdict]


def test_the_loudest_alert_comes_first() -> None:
    rows = [firing("B", Severity.WARNING), firing("C", Severity.CRITICAL), firing("A", Severity.WARNING)]
    found = [one.area for one in examine(inside(alerts=rows)) if one.area.startswith("alert ")]
    assert found == ["alert C", "alert A", "alert B"]


def a_finding(verdict: Health, *, essential: bool = True) -> Finding:
    return Finding(area=f"a {verdict}", verdict=verdict, evidence="x | y", essential=essential)


@pytest.mark.parametrize(
    ("found", "verdict", "code"),
    [
        ([], UNKNOWN, 3),
        ([a_finding(OK)], OK, 0),
        ([a_finding(OK), a_finding(UNKNOWN, essential=False)], OK, 0),
        ([a_finding(OK), a_finding(UNKNOWN)], UNKNOWN, 3),
        ([a_finding(UNKNOWN), a_finding(WARNING)], WARNING, 1),
        ([a_finding(CRITICAL), a_finding(WARNING), a_finding(OK)], CRITICAL, 2),
    ],
)
def test_the_worst_counts(found: Sequence[Finding], verdict: Health, code: int) -> None:
    assert worst(found) is verdict
    assert CODES[verdict] == code


def test_a_probe_that_the_alerts_file_names_must_be_able_to_look() -> None:
    dark = [a_row("iflow", DARK)]
    assert worst(examine(inside(probes=dark))) is OK
    named = a_config("fallback").model_copy(update={"probes": {"iflow": None}})
    assert worst(examine(inside(probes=dark, config=named))) is UNKNOWN


def test_a_monitoring_plug_in_gets_one_line_with_what_is_wrong_first_and_figures() -> None:
    found = [a_finding(one) for one in (OK, WARNING, CRITICAL)] + [a_finding(UNKNOWN, essential=False)]
    assert plugin_line(found) == (
        "RUNBOOKD CRITICAL - a critical: x / y; a warning: x / y | ok=1 warning=1 critical=1 unknown=1"
    )
    assert plugin_line([a_finding(OK)] * 3) == "RUNBOOKD OK - 3 checks are well | ok=3 warning=0 critical=0 unknown=0"
