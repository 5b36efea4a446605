"""The datagrams that the service manager gets, and the sockets that it gives."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.adapters import systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    address = path if request.param == "path" else f"\0runbookd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        yield listening


@pytest.mark.parametrize(
    ("say", "heard"),
    [
        (lambda: systemd.ready("forwarding\nto :8317"), b"READY=1\nSTATUS=forwarding to :8317"),
        (lambda: systemd.status("2 alerts firing"), b"STATUS=2 alerts firing"),
        (lambda: systemd.reloading(12.5), b"RELOADING=1\nMONOTONIC_USEC=12500000"),
        (lambda: systemd.stopping("draining"), b"STOPPING=1\nSTATUS=draining"),
        (lambda: systemd.extend_timeout(30), b"EXTEND_TIMEOUT_USEC=30000000"),
        (systemd.watchdog, b"WATCHDOG=1"),
    ],
)
def test_each_word_is_one_datagram(manager: socket.socket, say: Callable[[], bool], heard: bytes) -> None:
    assert say()
    assert manager.recv(4096) == heard


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "@nobody-listens-here", "vsock:2:1"])
def test_without_a_listener_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not systemd.ready("x")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
    ],
)
def test_the_watchdog_is_told_twice_as_often_as_it_asks(
    environment: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert systemd.watchdog_seconds() == seconds


OURS, NOBODYS = str(os.getpid()), "1"


@pytest.mark.parametrize(
    ("environment", "fds"),
    [
        ({}, []),
        ({"LISTEN_PID": OURS, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "proxy"}, [3]),
        ({"LISTEN_PID": OURS, "LISTEN_FDS": "2", "LISTEN_PIDFDID": "7"}, [3, 4]),
        ({"LISTEN_PID": OURS, "LISTEN_FDS": "0"}, []),
        ({"LISTEN_PID": OURS, "LISTEN_FDS": "-1"}, []),
        ({"LISTEN_PID": OURS}, []),
        ({"LISTEN_PID": NOBODYS, "LISTEN_FDS": "1"}, []),
        ({"LISTEN_FDS": "1"}, []),
    ],
)
def test_sockets_are_taken_once_by_the_process_they_are_for(
    environment: dict[str, str], fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in systemd.HANDING_OVER:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert list(systemd.take_listening_fds()) == fds
    assert not [name for name in os.environ if name.startswith("LISTEN_")]
    assert list(systemd.take_listening_fds()) == []
