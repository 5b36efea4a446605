"""A datagram that says “look now”."""

import asyncio
import stat
from pathlib import Path

import pytest

from daemon.adapters.wake import WakeListener, Waker


@pytest.fixture
def address(tmp_path: Path) -> Path:
    return tmp_path / "wake.sock"


async def test_many_wakings_are_one_look(address: Path) -> None:
    looks: list[int] = []
    woken = asyncio.Event()

    def look() -> None:
        looks.append(1)
        woken.set()

    listener, waker = WakeListener(address, look), Waker(address)
    listener.start()
    for _ in range(5):
        waker.wake()
    await woken.wait()
    assert looks == [1]
    assert stat.S_IMODE(address.stat().st_mode) == 0o600  # noqa: ASYNC240
    waker.close()
    listener.close()
    assert not address.exists()  # noqa: ASYNC240


async def test_nobody_there_and_nobody_reading_hold_nobody_up(address: Path) -> None:
    waker = Waker(address)
    waker.wake()
    listener = WakeListener(address, lambda: None)
    for _ in range(10_000):
        waker.wake()
    listener.start()
    listener.close()
    waker.close()


async def test_the_socket_of_a_process_that_died_is_replaced(address: Path) -> None:
    woken = asyncio.Event()
    dead = WakeListener(address, lambda: None)
    listener = WakeListener(address, woken.set)
    listener.start()
    waker = Waker(address)
    waker.wake()
    await woken.wait()
    waker.close()
    listener.close()
    dead._socket.close()


async def test_a_place_where_there_can_be_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        WakeListener(tmp_path / "nowhere" / "wake.sock", lambda: None)
