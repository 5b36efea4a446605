"""The routing table's format, its lease, and the choice of a route."""

import json

import pytest

from daemon.domain.soft_routing import RoutingTable, SoftRoute
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
