"""Listeners: one clear line when there can be none, and doors that stay open when who stood in them is gone."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from daemon.app.rig import free_ports
from daemon.app.serving import Doors, adopt, listen
from daemon.domain.errors import CannotStart

HOST = "127.0.0.1"
MANY = 60
"""Connects, of which each of two doors gets some for certain."""


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def keep() -> Iterator[ExitStack]:
    """Closes in the end what a test opens."""
    with ExitStack() as stack:
        yield stack


def connect(port: int, count: int = 1) -> None:
    """Raises ConnectionRefusedError."""
    for _ in range(count):
        socket.create_connection((HOST, port), timeout=5).close()


def waiting(door: socket.socket) -> int:
    """How many connects have come to this door; they are taken out."""
    found = 0
    with suppress(BlockingIOError):
        while True:
            door.accept()[0].close()
            found += 1
    return found


def worker(doors: Doors, number: int) -> socket.socket:
    """Its own copy, as inheriting gives it."""
    return adopt(os.dup(doors.of(number)))


def test_a_port_that_is_taken_is_told_with_what_mends_it(port: int) -> None:
    with (
        listen(HOST, port, setting="RUNBOOKD_PROXY_PORT"),
        pytest.raises(CannotStart, match=rf"^port {port} on 127.0.0.1 is taken: .* by RUNBOOKD_PROXY_PORT$"),
    ):
        listen(HOST, port, setting="RUNBOOKD_PROXY_PORT")


@pytest.mark.parametrize("host", ["192.0.2.1", "nobody.invalid"])
def test_a_host_that_is_not_ours_is_told_too(host: str) -> None:
    with pytest.raises(CannotStart, match=rf"^cannot listen on {host}:1 \(.+\): .* the host beside it$"):
        listen(host, 1, setting="--port")


def test_several_workers_share_a_port(port: int) -> None:
    with listen(HOST, port, setting="p", shared=True), listen(HOST, port, setting="p", shared=True):
        pass


@pytest.mark.parametrize("workers", [1, 2])
def test_doors_do_not_open_beside_those_of_another_instance(port: int, workers: int) -> None:
    with closing(Doors.open(HOST, port, 2)), pytest.raises(CannotStart, match=rf"^port {port} on 127.0.0.1 is taken"):
        Doors.open(HOST, port, workers)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_each_worker_has_a_door_of_its_own_even_on_any_free_port(workers: int) -> None:
    with closing(Doors.open(HOST, 0, workers)) as doors:
        assert len({doors.of(number) for number in range(workers)}) == workers
        host, port = doors.address
        assert (host, port > 0) == (HOST, True)
        connect(port)


def test_a_worker_that_is_gone_leaves_its_connects_to_the_next_one(port: int) -> None:
    with closing(Doors.open(HOST, port, 2)) as doors:
        worker(doors, 0).close()
        connect(port, MANY)
        with worker(doors, 0) as first, worker(doors, 1) as second:
            found = waiting(first), waiting(second)
    assert sum(found) == MANY
    assert 0 not in found


def test_closed_by_supervisor_and_workers_a_port_refuses_at_once(port: int) -> None:
    with closing(Doors.open(HOST, port, 2)) as doors:
        with worker(doors, 0):
            doors.close()
            connect(port)
        with pytest.raises(ConnectionRefusedError):
            connect(port)


def test_a_door_that_is_shut_leaves_its_connects_to_the_others_until_its_worker_listens(port: int) -> None:
    with closing(Doors.open(HOST, port, 2)) as doors, worker(doors, 0) as first, worker(doors, 1) as second:
        assert doors.shut(0, even_the_last=False)
        connect(port, MANY)
        assert waiting(second) == MANY
        assert not doors.shut(0, even_the_last=True)
        assert not doors.shut(1, even_the_last=False)
        with worker(doors, 0) as again:
            again.listen()
        connect(port, MANY)
        assert 0 < waiting(first) < MANY


def test_the_last_door_is_shut_only_when_that_is_said_and_opens_too(port: int) -> None:
    with closing(Doors.open(HOST, port, 1)) as doors, worker(doors, 0) as only:
        assert not doors.shut(0, even_the_last=False)
        connect(port)
        assert doors.shut(0, even_the_last=True)
        with pytest.raises(ConnectionRefusedError):
            connect(port)
        only.listen()
        connect(port)


def test_workers_share_the_door_of_the_service_manager_and_never_shut_it(port: int) -> None:
    with listen(HOST, port, setting="p") as managers:
        with closing(Doors.adopt([os.dup(managers.fileno())], port, 3)) as doors:
            assert len({doors.of(number) for number in range(3)}) == 1
            assert not doors.shut(0, even_the_last=True)
        connect(port)
        assert waiting(managers) == 1


def test_a_socket_for_another_port_than_the_settings_say_is_told(port: int) -> None:
    said = rf"^the socket that was handed over is for port {port}, but RUNBOOKD_PROXY_PORT is {port + 1}: .* into both$"
    with listen(HOST, port, setting="p") as managers, pytest.raises(CannotStart, match=said):
        Doors.adopt([os.dup(managers.fileno())], port + 1, 1)


def test_more_sockets_than_workers_are_told(port: int) -> None:
    with pytest.raises(
        CannotStart, match=r"^2 sockets were handed over for 1 worker\(s\): some would never be served$"
    ):
        Doors.adopt([3, 4], port, 1)


def connected(keep: ExitStack) -> int:
    door = keep.enter_context(listen(HOST, 0, setting="p"))
    return keep.enter_context(socket.create_connection(door.getsockname())).fileno()


def local(keep: ExitStack, path: Path) -> int:
    here = keep.enter_context(socket.socket(socket.AF_UNIX))
    here.bind(os.fspath(path / "s"))
    here.listen()
    return here.fileno()


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(lambda keep, path: 1 << 20, id="nothing"),
        pytest.param(lambda keep, path: keep.enter_context((path / "x").open("w")).fileno(), id="a file"),
        pytest.param(lambda keep, path: keep.enter_context(socket.socket(type=socket.SOCK_DGRAM)).fileno(), id="udp"),
        pytest.param(lambda keep, path: keep.enter_context(socket.socket()).fileno(), id="without an address"),
        pytest.param(lambda keep, path: connected(keep), id="with a peer"),
        pytest.param(local, id="a unix socket"),
    ],
)
def test_what_nobody_can_connect_to_is_not_adopted(
    opened: Callable[[ExitStack, Path], int], keep: ExitStack, tmp_path: Path
) -> None:
    fd = opened(keep, tmp_path)
    with pytest.raises(CannotStart, match=rf"^file descriptor {fd} is not a .*socket to listen on"):
        adopt(fd)


def test_what_is_adopted_is_no_childs_and_never_blocks(keep: ExitStack) -> None:
    door = keep.enter_context(listen(HOST, 0, setting="p"))
    copy = os.dup(door.fileno())
    os.set_inheritable(copy, True)
    os.set_blocking(copy, True)
    adopted = keep.enter_context(adopt(copy))
    assert (adopted.fileno(), adopted.proto, os.get_inheritable(copy)) == (copy, socket.IPPROTO_TCP, False)
    assert waiting(adopted) == 0
