"""What a real database must promise beyond the ports: atomic, durable, private, and its schema guarded."""

import sqlite3
import stat
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from msgspec.structs import replace
from sqlalchemy import text

from daemon.adapters.store import Store, open_store, schema_is_current, upgrade
from daemon.adapters.store.dialects import writer_engine
from daemon.adapters.store.tables import metadata
from daemon.adapters.store.vocabulary import NEW_PER_HOUR
from daemon.domain.decision import Decision
from daemon.domain.errors import CannotStart, StoreFailure
from daemon.domain.event import Event
from daemon.domain.rollup import OTHER, Closed, Resolution, series_of
from daemon.ports import EventQuery, Watermark
from tests.contracts.conftest import MIGRATIONS
from tests.contracts.things import (
    NOON,
    a_mitigation,
    a_notification,
    a_rollup,
    an_alert,
    an_entry,
    bare,
    full,
    full_mitigation,
)

REPOSITORY = Path(__file__).parents[2]


def mark(batch_id: int) -> dict[str, Watermark]:
    return {"a": Watermark(batch_id=batch_id, sequence=batch_id)}


async def listed(store: Store) -> list[Event]:
    return list(await store.events.events(EventQuery(limit=1000)))


def sql(url: str, statement: str) -> Any:
    engine = writer_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.all() if result.returns_rows else None
    finally:
        engine.dispose()


# ---- all or nothing --------------------------------------------------------------------------------------------------


async def test_a_failing_watermark_takes_its_events_with_it(store: Store, database_url: str) -> None:
    await store.events.append([first := bare()], mark(1), NOON)
    sql(database_url, "ALTER TABLE applied RENAME TO hidden")
    with pytest.raises(StoreFailure, match=r"^the database refused: [^\n]+$"):
        await store.events.append([full()], mark(2), NOON)
    sql(database_url, "ALTER TABLE hidden RENAME TO applied")
    assert await listed(store) == [first]
    assert await store.events.watermarks() == mark(1)


async def test_a_failing_rollup_takes_its_events_with_it(store: Store, database_url: str) -> None:
    closed = Closed(node_id="", until=NOON, rows=(a_rollup(), a_rollup(resolution=Resolution.HOUR)))
    sql(database_url, "ALTER TABLE rolled RENAME TO hidden")
    with pytest.raises(StoreFailure):
        await store.events.append([full()], mark(1), NOON, closed)
    sql(database_url, "ALTER TABLE hidden RENAME TO rolled")
    assert [*await listed(store), *await store.events.watermarks()] == []
    assert [await store.events.rollups(resolution, 0, 2 * NOON, {}) for resolution in Resolution] == [[], [], []]
    await store.events.append([full()], mark(1), NOON, closed)
    assert [len(await store.events.rollups(resolution, 0, 2 * NOON, {})) for resolution in Resolution] == [1, 0, 1]


async def test_words_of_a_rolled_back_batch_are_learnt_again(store: Store, database_url: str) -> None:
    """The trap of a cache: numbers that a rolled-back transaction gave would point to nothing."""
    sql(database_url, "ALTER TABLE applied RENAME TO hidden")
    with pytest.raises(StoreFailure):
        await store.events.append([one := full()], mark(1), NOON)
    sql(database_url, "ALTER TABLE hidden RENAME TO applied")
    await store.events.append([other := full(provider_key="kiro", credential="k1")], mark(1), NOON)
    await store.events.append([one], mark(2), NOON)
    assert await listed(store) == [other, one]


async def test_a_failing_audit_takes_the_whole_decision_with_it(store: Store, database_url: str) -> None:
    decision = Decision(
        alerts=(an_alert(),),
        notifications=(a_notification(),),
        mitigations=(a_mitigation(),),
        audit=(an_entry(),),
    )
    sql(database_url, "ALTER TABLE audit RENAME TO hidden")
    with pytest.raises(StoreFailure):
        await store.ledger.commit(decision)
    sql(database_url, "ALTER TABLE hidden RENAME TO audit")
    assert [*await store.ledger.alerts(), *await store.ledger.queued(), *await store.ledger.mitigations()] == []
    await store.ledger.commit(decision)
    assert await store.ledger.audit() == [an_entry()]


# ---- what foreign answers may hold -----------------------------------------------------------------------------------


async def test_absurd_values_do_not_keep_a_batch_out(store: Store) -> None:
    absurd = full(
        requested_model="a\0b\ud800",
        trace_id="\0",
        input_tokens=10**30,
        output_tokens=-(10**30),
        response_bytes=2**70,
        thinking_requested_budget=2**80,
        started_at=0,
        finish_reason="x" * 100_000,
    )
    await store.events.append([absurd, plain := full()], mark(1), NOON)
    newest, found = await listed(store)
    assert newest == plain
    assert (found.input_tokens, found.output_tokens) == (2**31 - 1, -(2**31 - 1))
    assert (found.response_bytes, found.thinking_requested_budget) == (2**63 - 1, 2**63 - 1)
    assert (found.requested_model, found.trace_id, found.started_at) == ("a\ufffdb?", "\ufffd", 0)
    assert found.finish_reason == absurd.finish_reason
    assert await store.events.events(EventQuery(where={"requested_model": "a\0b\ud800"})) == [found]


async def test_absurd_texts_do_not_keep_a_decision_out(store: Store) -> None:
    alert = an_alert(labels=(("requested_model", "\0\ud800"),), summary="\0\ud800")
    await store.ledger.commit(Decision(alerts=(alert,), audit=(an_entry(after={"x": {1, 2}, "y": "\0"}),)))
    (found,) = await store.ledger.alerts()
    assert (found.labels, found.summary) == (alert.labels, "\ufffd?")
    assert (await store.ledger.audit())[0].after == {"x": [1, 2], "y": "\0"}


async def test_no_value_of_a_row_is_in_an_error(store: Store, database_url: str) -> None:
    sql(database_url, "DROP TABLE event")
    with pytest.raises(StoreFailure) as refusal:
        await store.events.append([full(credential="canary-3f1c")], mark(1), NOON)
    assert "canary-3f1c" not in str(refusal.value)
    assert "canary-3f1c" not in str(refusal.value.__cause__)


# ---- what callers may invent -----------------------------------------------------------------------------------------


def invented(number: int) -> Event:
    """Everything that a caller or an upstream can make up, made up."""
    name = f"invented-{number}"
    return full(
        method=name,
        endpoint=name,
        requested_model=name,
        model_id=name,
        prefix=name,
        provider_key=name,
        workload=name,
        client_key_id=name,
        client=name,
        response_model=name,
        finish_reason=name,
        thinking_requested_level=name,
        thinking_requested_budget=number,
    )


async def test_ten_thousand_invented_names_do_not_grow_the_vocabularies(store: Store, database_url: str) -> None:
    await store.events.append([known := full()], mark(1), NOON)
    flood = [invented(number) for number in range(10_000)]
    for start in range(0, len(flood), 2000):
        rows = [a_rollup(series=series_of(event), part=event.event_id) for event in flood[start : start + 2000]]
        closed = Closed(node_id="", until=NOON, rows=tuple(rows))
        await store.events.append(flood[start : start + 2000], mark(start), NOON, closed)
    await store.events.append([again := replace(known, event_id=flood[-1].event_id + 1)], mark(10_000), NOON)
    for vocabulary, others in {"series": 1, "result": 1, "think": 1, "dim": 5}.items():
        ((entries,),) = sql(database_url, f"SELECT count(*) FROM {vocabulary}")
        assert entries <= NEW_PER_HOUR + others
    newest, last, *_ = await listed(store)
    assert newest == again
    assert (last.requested_model, last.provider_key, last.client_key_id) == (OTHER, OTHER, OTHER)
    assert (last.node_id, last.status, last.fault, last.mitigation_ids) == (
        known.node_id,
        known.status,
        known.fault,
        known.mitigation_ids,
    )
    assert sum(1 for _ in store.events.replay(0)) == 10_002
    assert len(await store.events.rollups(Resolution.TEN_SECONDS, 0, 2 * NOON, {})) == 10_000


async def test_the_next_hour_takes_up_new_names_again(store: Store) -> None:
    await store.events.append([invented(number) for number in range(1100)], mark(1), NOON)
    await store.events.append([full(workload="too many")], mark(2), NOON)
    await store.events.append([full(workload="too many")], mark(3), NOON + 3_600_000)
    assert [event.workload for event in (await listed(store))[:2]] == ["too many", OTHER]


async def test_after_a_restart_names_that_are_stored_are_no_new_ones(database_url: str) -> None:
    for names in (range(900), range(950)):
        store = open_store(database_url)
        await store.events.append([invented(number) for number in names], mark(1), NOON)
        await store.events.append([invented(number) for number in range(1000, 1050)], mark(1), NOON)
        await store.events.append([invented(number) for number in range(1900, 1950)], mark(1), NOON)
        assert await store.events.events(EventQuery(where={"workload": OTHER})) == []
        await store.close()


async def test_a_batch_that_is_tried_again_does_not_use_up_the_hour(store: Store, database_url: str) -> None:
    flood = [invented(number) for number in range(NEW_PER_HOUR)]
    sql(database_url, "ALTER TABLE applied RENAME TO hidden")
    for _ in range(2):
        with pytest.raises(StoreFailure):
            await store.events.append(flood, mark(1), NOON)
    sql(database_url, "ALTER TABLE hidden RENAME TO applied")
    await store.events.append(flood, mark(1), NOON)
    assert await store.events.events(EventQuery(where={"workload": OTHER})) == []


# ---- durable ---------------------------------------------------------------------------------------------------------


async def test_a_restart_sees_everything(database_url: str) -> None:
    written, rows = [full(), bare()], (a_mitigation(), full_mitigation())
    store = open_store(database_url)
    await store.events.append(written, mark(3), NOON)
    await store.ledger.commit(Decision(mitigations=rows))
    await store.close()

    store = open_store(database_url)
    assert await listed(store) == written[::-1]
    assert await store.events.watermarks() == mark(3)
    assert await store.events.last_alive() == NOON
    assert await store.ledger.mitigations() == list(rows)
    await store.events.append([more := full()], mark(4), NOON)
    assert (await listed(store))[0] == more
    await store.close()


WRITER = """
import asyncio, sys
from daemon.adapters.store import open_store
from daemon.domain.decision import Decision
from tests.contracts.things import NOON, an_entry, full
from daemon.ports import Watermark

async def main():
    store = open_store(sys.argv[1])
    for batch in range(1, 100_000):
        await store.events.append([full() for _ in range(20)], {"a": Watermark(batch_id=batch, sequence=batch)}, NOON)
        await store.ledger.commit(Decision(audit=(an_entry(f"a{batch}"),)))
        print(batch, flush=True)

asyncio.run(main())
"""


async def test_a_killed_writer_loses_nothing_that_it_was_told_is_written(database_url: str) -> None:
    told = await _told_before_the_kill(database_url)
    store = open_store(database_url)
    marks = await store.events.watermarks()
    found = sum(1 for _ in store.events.replay(0))
    entries = await store.ledger.audit(limit=100_000)
    assert marks["a"].batch_id >= told
    assert found == marks["a"].batch_id * 20
    assert len(entries) >= told
    await store.close()


async def _told_before_the_kill(database_url: str) -> int:
    writer = await create_subprocess_exec(sys.executable, "-c", WRITER, database_url, stdout=PIPE, cwd=REPOSITORY)
    assert writer.stdout is not None
    lines = [await writer.stdout.readline() for _ in range(20)]
    writer.kill()
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    return int([line for line in lines if line.endswith(b"\n")][-1])


# ---- schema ----------------------------------------------------------------------------------------------------------


def test_migrations_make_the_tables_that_the_code_expects(database_url: str) -> None:
    engine = writer_engine(database_url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_an_upgrade_of_what_is_current_changes_nothing(empty_url: str) -> None:
    assert not schema_is_current(empty_url, MIGRATIONS)
    for _ in range(2):
        upgrade(empty_url, MIGRATIONS)
        assert schema_is_current(empty_url, MIGRATIONS)


def test_a_schema_from_the_future_is_refused_and_left_alone(database_url: str) -> None:
    sql(database_url, "UPDATE alembic_version SET version_num = '9999'")
    sql(database_url, "ALTER TABLE audit ADD COLUMN mood TEXT")
    with pytest.raises(CannotStart, match=r"^the database has schema 9999, [^\n]+$"):
        upgrade(database_url, MIGRATIONS)
    assert not schema_is_current(database_url, MIGRATIONS)
    assert sql(database_url, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert sql(database_url, "SELECT mood FROM audit") == []


def test_a_broken_off_upgrade_was_never_begun(empty_url: str) -> None:
    sql(empty_url, "CREATE TABLE audit (id INTEGER)")  # the last table that the migration makes
    with pytest.raises(StoreFailure, match="audit"):
        upgrade(empty_url, MIGRATIONS)
    assert not schema_is_current(empty_url, MIGRATIONS)
    sql(empty_url, "DROP TABLE audit")
    upgrade(empty_url, MIGRATIONS)
    assert schema_is_current(empty_url, MIGRATIONS)


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://h/d"])
def test_a_url_of_no_use_is_named_in_one_line(url: str) -> None:
    with pytest.raises(CannotStart, match=r"^DATABASE_URL [^\n]+$"):
        open_store(url)


# ---- when it is gone -------------------------------------------------------------------------------------------------


async def test_a_database_that_does_not_answer_is_a_failure_of_one_line() -> None:
    url = "postgresql://someone:hunter2@127.0.0.1:1/none"
    store = open_store(url)
    with pytest.raises(StoreFailure, match=r"^the database refused: [^\n]+$") as refusal:
        await store.events.watermarks()
    assert "hunter2" not in str(refusal.value)
    with pytest.raises(StoreFailure):
        upgrade(url, MIGRATIONS)
    await store.close()


async def test_a_database_that_cut_us_off_is_found_again(store: Store, database_url: str) -> None:
    if not database_url.startswith("postgresql"):
        pytest.skip("a file does not cut anybody off")
    await store.events.append([one := full()], mark(1), NOON)
    await listed(store)
    sql(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database()",
    )
    assert await listed(store) == [one]
    await store.events.append([full()], mark(2), NOON)


# ---- SQLite ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    path = tmp_path / "100% state" / "runbookd.db"
    path.parent.mkdir()
    upgrade(f"sqlite:///{path}", MIGRATIONS)
    return path


async def test_a_full_disk_is_a_failure_that_passes(sqlite_path: Path) -> None:
    store = open_store(f"sqlite:///{sqlite_path}")
    await store.events.append([full()], mark(1), NOON)
    _limit_pages(store, 0)
    written, why = await _fill(store)
    assert why == "the database refused: database or disk is full"
    assert (await store.events.watermarks())["a"].batch_id == written
    assert len(list(store.events.replay(0))) == 1 + 50 * (written - 1)
    _limit_pages(store, 2**30)
    await store.events.append([last := full()], mark(1000), NOON)
    assert (await listed(store))[0] == last
    await store.close()
    with sqlite3.connect(sqlite_path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


async def _fill(store: Store) -> tuple[int, str]:
    """Appends until the store refuses; the last batch that was written, and why no other."""
    for batch in range(2, 100):
        try:
            await store.events.append([full(trace_id="x" * 500) for _ in range(50)], mark(batch), NOON)
        except StoreFailure as failure:
            return (batch - 1, str(failure))
    pytest.fail("the limit was not met")


def _limit_pages(store: Store, pages: int) -> None:
    """The writer's one connection may not make the file larger than this; 0 is as large as it is, and 20 pages more."""
    with store.database.writer.connect() as connection:
        present = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages or present + 20}")


async def test_files_are_for_us_alone(sqlite_path: Path) -> None:
    _open_to_all(sqlite_path)
    store = open_store(f"sqlite:///{sqlite_path}")
    await store.events.append([full()], mark(1), NOON)
    files = sorted(sqlite_path.parent.iterdir())
    assert [file.name for file in files] == ["runbookd.db", "runbookd.db-shm", "runbookd.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await store.close()
    assert list(sqlite_path.parent.iterdir()) == [sqlite_path]


def _open_to_all(path: Path) -> None:
    path.chmod(0o644)


def test_the_file_is_set_up_before_its_first_table(sqlite_path: Path) -> None:
    with sqlite3.connect(sqlite_path) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        tables = connection.execute(
            "SELECT name, strict FROM pragma_table_list WHERE name NOT LIKE 'sqlite%'"
        ).fetchall()
        indexes = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'event'")
        assert {name for name, strict in tables if not strict} == {"alembic_version"}
        assert indexes.fetchone() == (0,)
    connection.close()


async def test_commits_are_fully_synced(sqlite_path: Path) -> None:
    store = open_store(f"sqlite:///{sqlite_path}")
    with store.database.writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    await store.close()


async def test_readers_cannot_write(sqlite_path: Path) -> None:
    store = open_store(f"sqlite:///{sqlite_path}")
    with pytest.raises(StoreFailure, match="readonly"), store.database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM event")
    await store.close()


async def test_pruning_nothing_writes_nothing(sqlite_path: Path) -> None:
    store = open_store(f"sqlite:///{sqlite_path}")
    await store.events.append([full()], mark(1), NOON)
    log = sqlite_path.with_name("runbookd.db-wal")
    before = log.stat()
    assert await store.events.prune(NOON, 1000) == 0
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    await store.close()


async def test_a_file_that_is_no_database_is_a_failure_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(StoreFailure, match=r"^the database refused: file is not a database$"):
        upgrade(f"sqlite:///{tmp_path / 'x.db'}", MIGRATIONS)
    with pytest.raises(StoreFailure, match=r"^the database refused: unable to open database file$"):
        upgrade(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}", MIGRATIONS)
