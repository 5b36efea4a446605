"""How the data plane reads `routes.json`: when it has changed, and only as far as it is one."""

from pathlib import Path

import pytest

from daemon.adapters.proxy.routes import RoutesFile
from daemon.domain.soft_routing import RoutingTable, SoftRoute
from daemon.logic.routing_table import encode
from tests.fakes.clock import FakeClock

ROUTE = SoftRoute(mitigation_id="7", from_model="spark", to_model="gpt-5.5")


def write(path: Path, sequence: int, *routes: SoftRoute) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(encode(RoutingTable(sequence=sequence, routes=routes), "now"))
    new.replace(path)


def test_a_file_comes_changes_and_goes(tmp_path: Path) -> None:
    path, clock = tmp_path / "routes.json", FakeClock()
    routes = RoutesFile(path, clock)
    routes.poll()
    assert (routes.table().routes, routes.is_renewed()) == ((), False)
    write(path, 1, ROUTE)
    routes.poll()
    assert (routes.table().routes, routes.is_renewed()) == ((ROUTE,), True)
    write(path, 2)
    routes.poll()
    assert routes.table().routes == ()
    write(path, 3, ROUTE)
    routes.poll()
    path.unlink()
    routes.poll()
    assert routes.table().routes == ()
    write(path, 4, ROUTE)
    routes.poll()
    assert routes.table().routes == (ROUTE,)


def test_a_writer_that_falls_silent_is_not_believed(tmp_path: Path) -> None:
    path, clock = tmp_path / "routes.json", FakeClock()
    routes = RoutesFile(path, clock)
    write(path, 1, ROUTE)
    routes.poll()
    clock.advance(119)
    routes.poll()
    assert routes.table().routes == (ROUTE,)
    clock.advance(2)
    routes.poll()
    assert (routes.table().routes, routes.is_renewed()) == ((), False)


def test_a_broken_file_changes_nothing_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "routes.json"
    routes = RoutesFile(path, FakeClock())
    write(path, 1, ROUTE)
    routes.poll()
    path.write_bytes(b"{")
    for _ in range(3):
        routes.read()
    assert routes.table().routes == (ROUTE,)
    assert caplog.text.count("routes.json is not obeyed") == 1
