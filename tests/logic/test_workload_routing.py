"""What becomes of a soft route for classes of traffic with their own stand-ins."""

from typing import Any

import pytest

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.soft_choice import Asked, Trickles, decide
from daemon.logic.workload_routing import classes, pressing, spread
from tests.contracts.things import a_mitigation, an_alert

ALIAS = SoftRoute(mitigation_id="m1", from_model="spark", to_model="codex")


def config(**said: Any) -> AlertsConfig:
    one = {"name": "nightly", "match": {"model": "*"}, **said}
    return AlertsConfig.model_validate({"workloads": [one], "fallbacks": {"spark": ["codex", "gpt"]}})


def sent(found: tuple[SoftRoute, ...], workload: WorkloadClass | None) -> str:
    return decide(RoutingTable(routes=found), Asked(model="spark", workload=workload), Trickles(), 0.0).model


@pytest.mark.parametrize(
    ("said", "served", "nightly"),
    [
        ({}, None, "codex"),
        ({"fallbacks": {"spark": ["mini", "nano"]}}, None, "mini"),
        ({"fallbacks": {"spark": ["mini", "nano"]}}, {"codex", "nano"}, "nano"),
        ({"fallbacks": {"spark": ["mini"]}}, {"codex"}, "spark"),
        ({"fallbacks": {"spark": []}}, None, "spark"),
        ({"fallbacks": {"other": ["mini"]}}, None, "codex"),
        ({"fallbacks": {"spark": ["mini", "nano"]}, "exclude": ["mini"]}, None, "nano"),
        ({"exclude": ["codex"]}, None, "gpt"),
        ({"exclude": ["codex", "gpt"]}, None, "spark"),
        ({"exclude": ["gpt"]}, None, "codex"),
        ({"fallbacks": {"spark": ["mini"]}, "priority": "latency"}, None, "spark"),
    ],
)
def test_a_class_has_its_own_stand_ins(said: dict[str, Any], served: set[str] | None, nightly: str) -> None:
    found = spread((ALIAS,), config(**said), served, None)
    assert found[0] == ALIAS
    assert sent(found, classes(config(**said))[0]) == nightly
    assert sent(found, None) == "codex"


def test_nothing_is_led_to_what_is_led_away() -> None:
    away = SoftRoute(mitigation_id="m2", from_model="mini", to_model="x")
    found = spread((ALIAS, away), config(fallbacks={"spark": ["mini", "nano"]}), None, None)
    assert sent(found, WorkloadClass(name="nightly")) == "nano"


def test_proxies_of_before_take_a_classs_route_for_nobody() -> None:
    _, own = spread((ALIAS,), config(exclude=["codex"]), None, None)
    assert (own.kind, own.mitigation_id, own.workload) == ("reroute", "m1", "nightly")


def test_what_only_warnings_want_moves_those_first_that_move_first() -> None:
    first = config(priority="best_effort")
    nightly = classes(first)[0]
    found = spread((ALIAS,), first, None, set())
    assert [sent(found, one) for one in (nightly, None)] == ["codex", "spark"]
    found = spread((ALIAS,), first, None, {"m1"})
    assert [sent(found, one) for one in (nightly, None)] == ["codex", "codex"]
    assert spread((ALIAS,), config(), None, set()) == (ALIAS,)


def test_what_names_its_class_or_leads_nowhere_stays_as_it_is() -> None:
    routes = (
        SoftRoute(mitigation_id="m1", kind="reroute", workload="nightly", to_model="codex"),
        SoftRoute(mitigation_id="m2", kind="block_model", from_model="spark"),
    )
    assert spread(routes, config(priority="best_effort", exclude=["codex"]), None, set()) == routes


def test_something_critical_or_a_human_presses() -> None:
    rows = [
        a_mitigation("m1", owners=("w",)),
        a_mitigation("m2", owners=("w", "c")),
        a_mitigation("m3", owners=("human:me",)),
        a_mitigation("m4", owners=("gone",)),
    ]
    firing = [an_alert("w", severity=Severity.WARNING), an_alert("c", severity=Severity.CRITICAL)]
    assert pressing(rows, firing) == {"m2", "m3"}


def test_a_class_as_the_data_plane_reads_it() -> None:
    said = {"prefix": "iflow", "client_key_id": "0" * 16, "header": {"X-App": "b*"}, "model": "m*"}
    assert classes(config(match=said, priority="latency")) == (
        WorkloadClass(
            name="nightly", prefix="iflow", client="0" * 16, headers={"x-app": "b*"}, model="m*", priority="latency"
        ),
    )
