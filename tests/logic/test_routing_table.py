"""The routing table's format, its lease, and the choice of a route."""

import json

import pytest

from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.routing_table import LEASE_SECONDS, Lease, Trickles, choose, decode, encode

ROUTE = SoftRoute(mitigation_id="7", from_model="spark", to_model="gpt-5.5")
TABLE = RoutingTable(sequence=3, routes=(ROUTE,))


def test_a_table_survives_its_file_and_a_person_can_read_it() -> None:
    text = encode(TABLE, "2026-11-24T12:00:00Z")
    assert decode(text) == TABLE
    assert json.loads(text)["written_at"] == "2026-11-24T12:00:00Z"
    assert b'"from_model": "spark"' in text


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"sequence": "x"}', b'{"routes": [{}]}', b"\xff"])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a routing table"):
        decode(data)


OLD = b"""{"sequence": 3, "written_at": "x", "routes": [
  {"mitigation_id": "7", "kind": "model_alias", "from_model": "spark", "to_model": "gpt-5.5", "trickle_seconds": null}
]}"""


def test_the_file_of_before_is_read() -> None:
    assert decode(OLD) == TABLE


def test_proxies_of_before_find_all_that_they_need() -> None:
    block = SoftRoute(mitigation_id="8", kind="block_model", from_prefix="iflow")
    routes = json.loads(encode(RoutingTable(routes=(ROUTE, block)), "now"))["routes"]
    assert [sorted(one) for one in routes] == [
        ["from_model", "kind", "mitigation_id", "to_model", "trickle_seconds"],
        ["from_model", "from_prefix", "kind", "mitigation_id", "to_model", "trickle_seconds"],
    ]
    assert [type(one["to_model"]) for one in routes] == [str, str]


def test_a_kind_that_is_not_known_is_ignored_whatever_it_says() -> None:
    unknown = b'{"mitigation_id": 7, "kind": "swap", "from_model": ["a"], "more": {}}'
    assert decode(OLD.replace(b'"routes": [', b'"routes": [' + unknown + b", ")) == TABLE


def test_all_that_can_be_said_survives_the_file() -> None:
    route = SoftRoute(
        mitigation_id="9",
        kind="limit_concurrency",
        from_prefix="iflow",
        workload="nightly",
        client="0f",
        to_prefix="x",
        thinking="high",
        thinking_in_body=True,
        limit=4,
        queue=16,
        wait_seconds=2.5,
        trickle_seconds=60.0,
    )
    workload = WorkloadClass(
        name="nightly", prefix="a", model="b", client="c", headers={"x-app": "*"}, priority="best_effort"
    )
    table = RoutingTable(sequence=3, routes=(ROUTE, route), workloads=(workload,))
    assert decode(encode(table, "now")) == table


def test_classes_lapse_with_the_lease() -> None:
    lease, table = Lease(), RoutingTable(sequence=1, workloads=(WorkloadClass(name="nightly", model="*"),))
    lease.offer(table, 0.0)
    assert lease.table(LEASE_SECONDS) == table
    assert lease.table(LEASE_SECONDS + 1).workloads == ()
    lease.offer(RoutingTable(sequence=2), LEASE_SECONDS + 1)
    assert lease.table(LEASE_SECONDS + 1).workloads == ()


def test_a_newer_writer_may_say_more() -> None:
    assert decode(b'{"sequence": 1, "routes": [], "more": true}') == RoutingTable(sequence=1)


def test_a_lease_holds_only_while_the_sequence_rises() -> None:
    lease = Lease()
    assert lease.table(0.0).routes == ()
    lease.offer(TABLE, 0.0)
    assert lease.table(LEASE_SECONDS) == TABLE
    assert lease.table(LEASE_SECONDS + 1).routes == ()
    lease.offer(TABLE, LEASE_SECONDS + 2)
    assert lease.table(LEASE_SECONDS + 2).routes == ()
    assert not lease.is_held(LEASE_SECONDS + 2)
    lease.offer(RoutingTable(sequence=4, routes=(ROUTE,)), LEASE_SECONDS + 3)
    assert lease.table(LEASE_SECONDS + 3).routes == (ROUTE,)


def test_a_frozen_writer_does_not_renew_and_a_withdrawal_is_obeyed_at_once() -> None:
    lease = Lease()
    lease.offer(TABLE, 0.0)
    lease.offer(TABLE, 100.0)
    assert lease.table(130.0).routes == ()
    lease.offer(RoutingTable(sequence=4, routes=(ROUTE,)), 131.0)
    lease.offer(RoutingTable(sequence=4), 132.0)
    assert lease.table(132.0).routes == ()


def test_a_writer_that_lost_its_count_is_believed_after_the_lapse() -> None:
    lease = Lease()
    lease.offer(RoutingTable(sequence=1000, routes=(ROUTE,)), 0.0)
    again = RoutingTable(sequence=1, routes=(ROUTE,))
    lease.offer(again, 10.0)
    assert lease.table(125.0).routes == ()
    lease.offer(again, 126.0)
    assert lease.table(126.0) == again


@pytest.mark.parametrize(
    ("model", "found"),
    [("spark", True), ("spark(high)", True), ("sparks", False), ("x/spark", False), ("Spark", False)],
)
def test_a_model_is_compared_as_it_stands_and_without_its_suffix(model: str, found: bool) -> None:
    assert choose(TABLE, model, Trickles(), 0.0) == (ROUTE if found else None)


def test_a_trickle_lets_one_through_each_period() -> None:
    route = SoftRoute(mitigation_id="7", from_model="spark", to_model="gpt-5.5", trickle_seconds=60.0)
    table, trickles = RoutingTable(routes=(route,)), Trickles()
    passed = [at for at in range(0, 200, 10) if choose(table, "spark", trickles, float(at)) is None]
    assert passed == [60, 120, 180]
    trickles.forget_others(RoutingTable())
    assert choose(table, "spark", trickles, 300.0) == route
