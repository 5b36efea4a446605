"""Made-up traffic: when turns end and how; evenly spread, the same each time, and obedient to soft routes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.event import CALLER_FAULTS, Event, Fault, Outcome, Wire
from daemon.domain.made_up import Spell
from daemon.domain.soft_routing import SoftRoute
from daemon.logic.made_up_traffic import MadeUpTraffic, a_turn, answers

T0 = 1_767_571_200_000
ROUTE = SoftRoute(mitigation_id="m1", from_model="spark", to_model="codex")


def spell(**said: Any) -> Spell:
    return Spell.model_validate_json(json.dumps({"to": "1m", "every": "2s"} | said), strict=True)


def played(*spells: Spell, route: SoftRoute | None = None) -> list[Event]:
    traffic = MadeUpTraffic(spells, T0)
    return [traffic.end(turn, route) for turn in traffic.turns()]


def seconds(events: list[Event]) -> list[float]:
    return [(event.emitted_at - T0) / 1000 for event in events]


def test_turns_end_at_the_pace_of_their_spell_and_before_its_end() -> None:
    assert seconds(played(spell(**{"from": "10s", "to": "15s"}))) == [10.0, 12.0, 14.0]
    assert seconds(played(spell(every=None, per_hour=1350, to="8s"))) == [0.0, 2.667, 5.333]


def test_spells_may_overlap() -> None:
    both = played(spell(to="5s", set={"workload": "a"}), spell(to="5s", every="3s", set={"workload": "b"}))
    assert [(at, event.workload) for at, event in zip(seconds(both), both, strict=True)] == [
        (0.0, "a"),
        (0.0, "b"),
        (2.0, "a"),
        (3.0, "b"),
        (4.0, "a"),
    ]
    ids = [event.event_id for event in both]
    assert sorted(set(ids)) == ids


def test_the_bad_ones_are_as_far_apart_as_can_be() -> None:
    events = played(spell(to="40s", every="1s", mix={"ok": "90%", "provider_error": "10%"}))
    assert [at for at, event in zip(seconds(events), events, strict=True) if event.fault] == [5.0, 15.0, 25.0, 35.0]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_every_share_is_kept_to_within_one_turn(weights: list[int]) -> None:
    names = ["ok", *Fault][: len(weights)]
    parts = [round(weight / sum(weights), 4) for weight in weights]
    parts[0] += 1 - sum(parts)
    mix = {name: f"{part * 100:.4f}%" for name, part in zip(names, parts, strict=True)}
    events = played(spell(to="200s", every="1s", mix=mix))
    for upto in range(1, 201):
        for name, part in zip(names, parts, strict=True):
            count = sum((event.fault or "ok") == name for event in events[:upto])
            assert abs(count - part * upto) < len(weights)


def test_it_is_the_same_each_time() -> None:
    spells = spell(mix={"ok": "70%", "overloaded": "30%"}), spell(every="3s", retries="codex")
    assert played(*spells) == played(*spells)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_says_the_rest(fault: Fault) -> None:
    event = a_turn({"fault": fault.value})
    refused = fault in (Fault.REJECTED_FRAMING, Fault.DENIED)
    assert (event.fault, event.outcome) == (fault, Outcome.DENIED if refused else Outcome.FAILED)
    assert event.status is not None
    assert (event.status == 200) is event.stream is (fault in (Fault.ERROR_IN_STREAM, Fault.TRUNCATED))
    assert 400 <= event.status < 500 or fault not in CALLER_FAULTS


def test_what_is_said_outweighs_what_is_usual() -> None:
    said = {"fault": "provider_error", "status": 502, "outcome": "client_abort", "wire": "anthropic_messages"}
    event = a_turn(said)
    assert (event.status, event.outcome, event.endpoint) == (502, Outcome.CLIENT_ABORT, "/v1/messages")
    assert a_turn({"ttft_ms": 90_000}).duration_ms == 91_000
    assert a_turn({"retry_after_seconds": "1.5"}).retry_after_seconds == 1.5
    assert a_turn({"requested_model": "gpt-5.4"}).model_id == "gpt-5.4"
    assert a_turn({}).wire is Wire.OPENAI_CHAT
    with pytest.raises(msgspec.ValidationError):
        a_turn({"status": "many"})


def test_a_name_of_ones_own_may_be_any_kind_of_turn() -> None:
    mix = {"ok": "50%", "mine": {"share": "25%", "fault": "overloaded"}, "slow": {"share": "25%", "ttft_ms": 5000}}
    events = played(spell(to="8s", mix=mix))
    assert sorted((event.outcome.value, event.fault or "", event.ttft_ms or 0) for event in events) == [
        ("failed", "overloaded", 0),
        ("ok", "", 0),
        ("ok", "", 0),
        ("ok", "", 5000),
    ]


def test_a_rerouted_turn_says_so_and_ends_by_a_mix_of_its_own() -> None:
    bad = spell(set={"requested_model": "spark"}, mix={"provider_error": "100%"})
    assert {(event.outcome, event.model_id, event.mitigation_ids) for event in played(bad, route=ROUTE)} == {
        (Outcome.OK, "codex", ("m1",))
    }
    worse = spell(set={"requested_model": "spark"}, rerouted={"model_not_found": "100%"})
    assert {event.fault for event in played(worse, route=ROUTE)} == {Fault.MODEL_NOT_FOUND}
    assert {event.fault for event in played(worse)} == {None}


def test_a_client_asks_again_until_it_gives_up() -> None:
    failing = spell(to="2s", retries="codex", mix={"overloaded": "100%"})
    events = played(failing)
    assert len(events) == 30
    assert [event.attempt for event in events] == list(range(30))
    assert seconds(events)[:5] == [0.0, 0.2, 0.6, 1.4, 3.0]


def test_it_asks_no_more_once_it_has_an_answer() -> None:
    half = spell(to="2s", retries="openai-sdk", mix={"overloaded": "50%", "ok": "50%"})
    assert [(event.outcome.value, event.attempt) for event in played(half)] == [("failed", 0), ("ok", 1)]


def test_a_client_that_left_does_not_ask_again_and_a_retry_begets_no_other_turn() -> None:
    left = {"share": "100%", "fault": "overloaded", "outcome": "client_abort"}
    assert len(played(spell(to="4s", retries="codex", mix={"gone": left}))) == 2
    events = played(spell(to="4s", retries="openai-sdk", mix={"overloaded": "100%"}))
    assert [event.attempt for event in events] == [0, 1, 2] * 2


def test_retries_and_other_turns_come_in_the_order_of_their_instants() -> None:
    events = played(spell(to="4s", every="1s"), spell(to="1s", retries="codex", mix={"overloaded": "100%"}))
    assert seconds(events) == sorted(seconds(events))
    assert [event.attempt for event in events][:4] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("at", "model", "well"),
    [(5.0, "spark", False), (5.0, "spark(high)", False), (5.0, "other", True), (70.0, "spark", True)],
)
def test_a_ping_fares_as_the_traffic_for_its_model(at: float, model: str, well: bool) -> None:
    down = spell(set={"requested_model": "spark"}, mix={"ok": "10%", "overloaded": "90%"})
    assert answers([down], model, at) is well
