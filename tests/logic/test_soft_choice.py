"""Which soft routes a request takes."""

from typing import Any

import pytest

from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.soft_choice import Asked, Choice, Trickles, concerns, decide, gates, is_for

NIGHTLY = WorkloadClass(name="nightly")
QUICK = WorkloadClass(name="quick", priority="latency")


def route(kind: str = "reroute", number: int = 1, **said: Any) -> SoftRoute:
    return SoftRoute(mitigation_id=f"m{number}", kind=kind, **said)


def decided(
    *routes: SoftRoute, model: str = "spark", workload: WorkloadClass | None = None, now: float = 0.0
) -> Choice:
    return decide(RoutingTable(routes=routes), Asked(model=model, workload=workload), Trickles(), now)


@pytest.mark.parametrize(
    ("said", "asked", "fits"),
    [
        ({}, Asked(model="a"), True),
        ({"from_model": "a"}, Asked(model="a"), True),
        ({"from_model": "a"}, Asked(model="a(high)"), True),
        ({"from_model": "p/a"}, Asked(model="p/a(high)"), True),
        ({"from_model": "a"}, Asked(model="p/a"), False),
        ({"from_model": "a"}, Asked(model=None), True),
        ({"from_prefix": "p"}, Asked(model="p/a"), True),
        ({"from_prefix": "p"}, Asked(model="p"), False),
        ({"from_prefix": "p"}, Asked(model="pq/a"), False),
        ({"workload": "nightly"}, Asked(model="a", workload=NIGHTLY), True),
        ({"workload": "nightly"}, Asked(model="a", workload=QUICK), False),
        ({"workload": "nightly"}, Asked(model="a"), False),
        ({"client": "0f"}, Asked(model="a", client="0f"), True),
        ({"client": "0f"}, Asked(model="a", client="0e"), False),
        ({"client": "0f"}, Asked(model="a"), False),
        ({"client": "0f", "from_model": "a"}, Asked(model="b", client="0f"), False),
    ],
)
def test_all_that_a_route_says_must_hold(said: dict[str, str], asked: Asked, fits: bool) -> None:
    assert is_for(route(**said), asked) is fits


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"workload": "nightly"}, {"from_model": "spark"}),
        ({"from_model": "spark"}, {}),
        ({"workload": "nightly", "from_model": "spark"}, {"workload": "nightly"}),
    ],
)
def test_the_narrowest_is_taken_wherever_it_stands(first: dict[str, str], second: dict[str, str]) -> None:
    routes = (route(number=1, to_model="a", **first), route(number=2, to_model="b", **second))
    for order in (routes, routes[::-1]):
        assert decided(*order, workload=NIGHTLY).model == "a"


def test_among_alike_the_first_is_taken() -> None:
    assert decided(route(to_model="a"), route(number=2, to_model="b")).model == "a"


def test_a_route_that_leads_nowhere_holds_back_what_is_meant_for_all() -> None:
    stays = route(number=2, from_model="spark", workload="nightly")
    led = route("model_alias", from_model="spark", to_model="a")
    assert decided(led, stays, workload=NIGHTLY) == Choice(model="spark")
    assert decided(led, stays).model == "a"


def test_what_must_be_quick_is_spared_but_for_what_names_it() -> None:
    led, named = route(from_model="spark", to_model="a"), route(number=2, workload="quick", to_model="b")
    assert decided(led, workload=QUICK).model == "spark"
    assert decided(led, named, workload=QUICK).model == "b"
    assert not concerns(RoutingTable(routes=(led,)), Asked(model=None, workload=QUICK))
    assert concerns(RoutingTable(routes=(route("block_model"),)), Asked(model=None, workload=QUICK))


@pytest.mark.parametrize(
    ("pin", "asked", "sent", "is_pinned"),
    [
        ({"thinking": "high"}, "spark", "spark(high)", True),
        ({"thinking": "high"}, "spark(low)", "spark(high)", True),
        ({"thinking": "high"}, "spark(high)", "spark(high)", False),
        ({"thinking": "high", "thinking_in_body": True}, "spark", "spark", True),
        ({"thinking": "high", "thinking_in_body": True}, "spark(low)", "spark(high)", True),
        ({"to_model": "thinker"}, "spark", "thinker", True),
        ({"to_model": "thinker"}, "spark(low)", "thinker(low)", True),
        ({"to_model": "thinker", "thinking": "8192"}, "spark(low)", "thinker(8192)", True),
    ],
)
def test_a_pin(pin: dict[str, Any], asked: str, sent: str, is_pinned: bool) -> None:
    choice = decided(route("pin_thinking", **pin), model=asked)
    assert (choice.model, choice.pinning is not None) == (sent, is_pinned)


def test_a_pin_and_what_leads_away() -> None:
    led, pin = route(to_model="a"), route("pin_thinking", 2, to_model="thinker", thinking="high")
    assert decided(led, pin) == Choice(model="a(high)", leading=led, pinning=pin)


def test_a_trickle_lets_one_through_and_the_pin_has_its_own() -> None:
    led = route(to_model="a", trickle_seconds=60.0)
    pin = route("pin_thinking", 2, thinking="high", trickle_seconds=90.0)
    table, trickles = RoutingTable(routes=(led, pin)), Trickles()
    sent = [decide(table, Asked(model="spark"), trickles, float(at)).model for at in (0, 60, 90, 150)]
    assert sent == ["a(high)", "spark(high)", "a", "spark(high)"]


def test_gates_are_all_that_fit_and_only_they() -> None:
    block, one, two = route("block_model"), route("limit_concurrency", 2), route("limit_concurrency", 3, client="0f")
    table = RoutingTable(routes=(one, two, block, route(number=4)))
    assert gates(table, Asked(model="a")) == (block, (one,))
    assert gates(table, Asked(model="a", client="0f")) == (block, (one, two))
    assert gates(RoutingTable(routes=(route(),)), Asked(model="a")) == (None, ())
