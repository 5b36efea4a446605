"""`routes.json` and the copy of the journal: replaced whole, private, and followed by a datagram."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.adapters.proxy.routes import RoutesFile as ReadingEnd
from daemon.adapters.routes import RoutesFile, read_journal_copy, write_journal_copy
from daemon.adapters.wake import WakeListener
from daemon.domain.mitigation import MitigationState
from daemon.domain.soft_routing import RoutingTable, SoftRoute
from tests.contracts.things import a_mitigation, full_mitigation
from tests.fakes.clock import FakeClock

ROUTE = SoftRoute(mitigation_id="m1", from_model="spark", to_model="codex", trickle_seconds=60.0)
TABLE = RoutingTable(sequence=7, routes=(ROUTE,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "routes.json"


@pytest.fixture
def routes(path: Path) -> Iterator[RoutesFile]:
    file = RoutesFile(path, FakeClock())
    yield file
    file.close()


def test_what_is_published_is_what_the_data_plane_obeys(routes: RoutesFile, path: Path) -> None:
    assert routes.read() == RoutingTable()
    routes.publish(TABLE)
    assert routes.read() == TABLE
    reader = ReadingEnd(path, FakeClock())
    reader.poll()
    assert reader.table() == TABLE


def test_the_file_is_private_and_leaves_nothing_beside_it(routes: RoutesFile, path: Path) -> None:
    routes.publish(TABLE)
    routes.publish(replace(TABLE, sequence=8))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert '"written_at": "2026-09-21T' in path.read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_file_that_is_no_table_is_as_good_as_none(routes: RoutesFile, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert routes.read() == RoutingTable()


def test_a_directory_that_cannot_be_written_is_an_error(routes: RoutesFile, path: Path) -> None:
    path.parent.write_text("in the way")
    with pytest.raises(OSError, match=r"exists|directory"):
        routes.publish(TABLE)


async def test_every_worker_is_woken_and_a_dead_one_is_no_trouble(routes: RoutesFile, path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "proxy-9.sock").write_text("nobody listens")
    woken = [asyncio.Event(), asyncio.Event()]
    listeners = [WakeListener(path.parent / f"proxy-{n}.sock", event.set) for n, event in enumerate(woken)]
    for listener in listeners:
        listener.start()
    routes.publish(TABLE)
    async with asyncio.timeout(5):
        for event in woken:
            await event.wait()
    for listener in listeners:
        listener.close()


def test_the_journals_copy_comes_back_whole(tmp_path: Path) -> None:
    copy = tmp_path / "state" / "journal.json"
    assert read_journal_copy(copy) == ()
    rows = (replace(full_mitigation(), state=MitigationState.APPLIED), a_mitigation(value_before=False))
    write_journal_copy(copy, rows)
    assert read_journal_copy(copy) == rows
    write_journal_copy(copy, ())
    assert read_journal_copy(copy) == ()
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_copy_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    copy = tmp_path / "journal.json"
    copy.write_text('[{"id": 1}]')
    with pytest.raises(ValueError, match=r"journal\.json is not a copy of the journal"):
        read_journal_copy(copy)
