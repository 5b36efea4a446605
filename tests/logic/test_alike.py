"""What is remembered of events that are alike changes nothing, and what is calm stays calm."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.event import Event, Fault, Outcome, Source, Wire
from daemon.logic.judging import Book
from daemon.logic.rules.burst import BurstRule
from daemon.logic.rules.quantile import QuantileRule
from daemon.logic.tally import Tally
from tests.logic.playing import T0, a_rule, an_event

QUICK: dict[str, Any] = {"window": "30s", "stretch_to": "2m", "min_samples": 5, "min_bad": 2, "confidence": "none"}


def the_rules() -> tuple[Rule, ...]:
    acting = {"critical": {"above": "10%", "mitigate": ["fallback"]}}
    return (
        a_rule(**QUICK),
        a_rule(alert="Acts", levels=acting, in_a_row=3, **QUICK),
        a_rule(alert="Zero", bad={"usage": ["zero", "missing"]}, by=["provider_key", "stream"], **QUICK),
        a_rule(alert="Canaries", of={"source": ["client", "canary"]}, retries="include", by=["credential"], **QUICK),
        a_rule(alert="Tokens", bad={"output_tokens": 0}, **QUICK),
        BurstRule.model_validate(
            {"alert": "B", "kind": "burst", "bad": {"status": 429}, "levels": {"warning": {"at_least": 3}}}
        ),
        QuantileRule.model_validate(
            {
                "alert": "Q",
                "kind": "quantile",
                "field": "ttft_ms",
                "min_samples": 5,
                "levels": {"warning": {"above": "1s"}},
            }
        ),
    )


events = some.fixed_dictionaries(
    {
        "after": some.integers(0, 4000),
        "bad": some.booleans(),
        "requested_model": some.sampled_from(["a", "b", "b(high)", None]),
        "provider_key": some.sampled_from(["codex", "claude"]),
        "credential": some.sampled_from(["one", None]),
        "stream": some.booleans(),
        "source": some.sampled_from([Source.CLIENT, Source.CANARY]),
        "attempt": some.sampled_from([0, 0, 1]),
        "wire": some.sampled_from([Wire.OPENAI_CHAT, Wire.OTHER]),
        "fault": some.sampled_from([None, Fault.PROVIDER_RATE_LIMITED, Fault.CLIENT_ERROR]),
        "outcome": some.sampled_from([Outcome.OK, Outcome.FAILED, Outcome.DENIED]),
        "usage_present": some.sampled_from([None, True, False]),
        "output_tokens": some.sampled_from([None, 0, 5]),
        "ttft_ms": some.sampled_from([None, 10, 5000]),
        "mitigation_ids": some.sampled_from([(), (), (), ("m1",)]),
    }
)


def played(book: Book, stream: list[dict[str, Any]]) -> list[object]:
    """Everything that it said, second by second."""
    said: list[object] = []
    second, at = T0, T0
    for number, facts in enumerate(stream):
        at += facts["after"]
        while second + 1000 <= at:
            second += 1000
            said.append(book.judge(second))
        changes = {name: value for name, value in facts.items() if name not in ("after", "bad")}
        book.observe(an_event(at, bad=facts["bad"], event_id=number, **changes))
    return [*said, book.judge(second + 1000), book.alerts(), [book.verdicts(rule.alert) for rule in the_rules()]]


class Plain(Book):
    """Asks every table about every event."""

    def __init__(self, *asked: Any) -> None:
        super().__init__(*asked)
        self._alike.kinds = lambda event: None  # type: ignore[method-assign]


@settings(max_examples=60, deadline=None)
@given(some.lists(events, min_size=1, max_size=60))
def test_counting_by_kinds_is_counting_one_by_one(stream: list[dict[str, Any]]) -> None:
    config = AlertsConfig(rules=the_rules())
    owners = {"m1": ("Acts",)}
    ours, plain = (kind(config, lambda mitigation: owners.get(mitigation, ())) for kind in (Book, Plain))
    assert played(ours, stream) == played(plain, stream)


def test_a_table_that_reads_measured_numbers_is_asked_about_every_event() -> None:
    book = Book(AlertsConfig(rules=the_rules()))
    asked = {account.rule.alert for table in book._alike.others for account in table.accounts}
    assert asked == {"Tokens", "Q"}


def test_a_rule_that_cannot_tell_an_event_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(AlertsConfig(rules=the_rules()))
    table = next(table for table in book._alike._tables if table.accounts[0].rule.alert == "Zero")

    def fail(event: Event) -> Any:
        raise ZeroDivisionError("a mood")

    monkeypatch.setattr(table.tally, "kind_of", fail)
    book.observe(an_event(T0))
    assert [name for name, _ in book.judge(T0 + 1000).errors] == ["Zero"]
    assert book.verdicts("ProviderRateLimited")


turns = some.lists(some.tuples(some.integers(0, 12_000), some.sampled_from([False] * 9 + [True])), max_size=250)


@settings(max_examples=150, deadline=None)
@given(turns, some.sampled_from([("10m", "60m"), ("1m", "5m"), ("4s", "10s")]), some.sampled_from([0.05, 0.2, 1.0]))
def test_where_it_is_calm_no_window_has_a_higher_ratio(
    stream: list[tuple[int, bool]], windows: tuple[str, str], above: float
) -> None:
    query = a_rule(window=windows[0], stretch_to=windows[1]).query({})
    tally, at = Tally(query), T0
    for after, bad in stream:
        tally.count(an_event(at, bad=bad), at, lambda labels: False)
        at += after
        (track,) = tally.tracks.values()
        if track.is_calm(at + 1, above):
            assert all(not samples or bad / samples <= above for samples, bad in track.sums(at + 1))


def test_calm_is_known_for_a_while_and_ends_with_too_many_bad_ones() -> None:
    tally, at = Tally(a_rule().query({})), T0
    for place in range(200):
        tally.count(an_event(at + place * 1000), at + place * 1000, lambda labels: False)
    (track,) = tally.tracks.values()
    at += 200_000
    assert track.is_calm(at, 0.05)
    for bad, calm in ((10, True), (1, False)):
        for _ in range(bad):
            tally.count(an_event(at, bad=True), at, lambda labels: False)
        assert track.is_calm(at + 1, 0.05) is calm
    track.start_anew(at)
    assert not track.is_calm(at + 1, 0.05)


def test_good_ones_that_leave_the_window_were_not_relied_on() -> None:
    """Silence: the window moves on, and its ratio rises from 4.8 % to 6 %."""
    tally = Tally(a_rule(window="1m", stretch_to="1m").query({}))
    for second in range(60):
        tally.count(an_event(T0), T0 + second * 1000, lambda labels: False)
    for _ in range(3):
        tally.count(an_event(T0, bad=True), T0 + 59_000, lambda labels: False)
    (track,) = tally.tracks.values()
    assert not (track.is_calm(T0 + 60_000, 0.05) and track.is_calm(T0 + 72_000, 0.05))
    assert track.is_calm(T0 + 60_000, 0.07)


measures = some.lists(some.tuples(some.integers(-30_000, 20_000), some.integers(0, 9000)), min_size=1, max_size=80)


@settings(max_examples=150, deadline=None)
@given(measures, some.sampled_from([0, T0 + 5_000]), some.sampled_from([30.0, 600.0]))
def test_numbers_merged_before_are_those_of_the_window(
    stream: list[tuple[int, int]], floor: int, window: float
) -> None:
    """Also when some come late, or the windows begin anew."""
    query = next(rule for rule in the_rules() if rule.alert == "Q").query({})
    tally, now = Tally(query), T0
    for after, value in stream:
        at = now + after
        now = max(now, at)
        tally.count(an_event(at, ttft_ms=value), at, lambda labels: False)
        (track,) = tally.tracks.values()
        assert track._measured is not None
        assert track.measured(now + 1, window, floor) == track._measured.histogram(now + 1, window, floor)
        if value > 8900:
            track.start_anew(now)
