"""The hand-over of events: each once and in order, the oldest dropped and counted, whatever the disk does."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from daemon.adapters.spool import codec, files
from daemon.adapters.spool.writer import BATCH_EVENTS
from daemon.domain.event import Fault, Outcome, Source
from daemon.ports import Watermark
from tests.fakes.spool import SpoolHouse, event, until, watermarks


@pytest.fixture
def house(tmp_path: Path) -> SpoolHouse:
    return SpoolHouse(tmp_path)


# ---- each once -------------------------------------------------------------------------------------------------------


def test_events_come_out_as_they_went_in(house: SpoolHouse) -> None:
    put = [
        event(outcome=Outcome.FAILED, fault=Fault.TRUNCATED, source=Source.CANARY, mitigation_ids=("1", "2")),
        event(input_tokens=0, thinking_match=False, retry_after_seconds=1.5, requested_model="käse/☃"),
    ]
    with house.writer() as writer:
        for one in put:
            writer.offer(one)
    (batch,) = house.batches()
    assert list(batch.events) == put
    assert batch.sequence == 2


def test_order_and_sequence_hold_over_many_batches_and_a_restart(house: SpoolHouse) -> None:
    put = [event() for _ in range(3 * BATCH_EVENTS)]
    for half in (put[: BATCH_EVENTS + 7], put[BATCH_EVENTS + 7 :]):
        with house.writer() as writer:
            for one in half:
                writer.offer(one)
    batches = house.batches()
    assert house.ids() == [one.event_id for one in put]
    assert len({batch.spool_id for batch in batches}) == 1
    counted = 0
    for batch in batches:
        counted += len(batch.events)
        assert batch.sequence == counted


def test_after_a_watermark_only_the_rest_is_read(house: SpoolHouse) -> None:
    with house.writer() as writer:
        writer.offer(event())
        first = until(house.batches)
        writer.offer(event())
        second = until(lambda: house.batches(watermarks(first)))
    assert [batch.sequence for batch in second] == [2]
    assert house.reader.depth({}) == 2
    assert house.reader.depth(watermarks(second)) == 0
    assert len(house.reader.read({}, 1)) == 1


def test_each_worker_has_a_file_and_all_are_read(house: SpoolHouse) -> None:
    with house.writer(0) as one, house.writer(3) as other:
        one.offer(event())
        other.offer(event())
    assert len({batch.spool_id for batch in house.batches()}) == 2


def test_the_reader_is_woken_after_a_write(house: SpoolHouse) -> None:
    woken: list[int] = []
    with house.writer(wake=lambda: woken.append(len(house.ids()))) as writer:
        writer.offer(event())
        until(lambda: woken)
    assert woken == [1]


def test_nothing_is_written_while_nothing_happens(house: SpoolHouse) -> None:
    with house.writer() as writer:
        writer.offer(event())
        until(house.batches)
        before = {file: file.stat().st_mtime_ns for file in house.directory.iterdir()}
        assert house.reader.depth({}) == 1
        assert {file: file.stat().st_mtime_ns for file in house.directory.iterdir() if "shm" not in file.name} == {
            file: at for file, at in before.items() if "shm" not in file.name
        }


def test_files_are_for_the_owner_only(house: SpoolHouse) -> None:
    with house.writer() as writer:
        writer.offer(event())
        until(house.batches)
        assert {stat.S_IMODE(file.stat().st_mode) for file in house.directory.iterdir()} == {0o600}
        assert stat.S_IMODE(house.directory.stat().st_mode) == 0o700


# ---- what was read may go --------------------------------------------------------------------------------------------


def test_what_is_acknowledged_is_pruned_and_the_count_goes_on(house: SpoolHouse) -> None:
    with house.writer() as writer:
        for number in range(1, 4):
            writer.offer(event())
            until(lambda number=number: len(house.batches()) == number)
        read = house.batches()
        house.reader.acknowledge(watermarks(read))
        writer.offer(event())
        left = until(lambda: [batch for batch in house.batches() if batch.sequence == 4])
        assert [batch.sequence for batch in left] == [4]
        assert len(house.batches()) <= 2
    with house.writer() as writer:
        writer.offer(event())
    assert [batch.sequence for batch in house.batches(watermarks(left))] == [5]


def test_a_broken_acknowledgement_prunes_nothing(house: SpoolHouse) -> None:
    for text in ("", "[]", "{", '{"x": 1}'):
        house.acknowledged.write_text(text)
        with house.writer() as writer:
            writer.offer(event())
    assert len(house.batches()) == 4


def test_an_acknowledgement_is_written_only_when_it_says_something_new(house: SpoolHouse) -> None:
    house.reader.acknowledge({"a": Watermark(batch_id=1, sequence=1)})
    before = house.acknowledged.stat().st_ino
    house.reader.acknowledge({"a": Watermark(batch_id=1, sequence=1)})
    assert house.acknowledged.stat().st_ino == before
    assert stat.S_IMODE(house.acknowledged.stat().st_mode) == 0o600


# ---- too much --------------------------------------------------------------------------------------------------------


def test_the_oldest_are_dropped_and_counted_and_the_file_stays_small(house: SpoolHouse) -> None:
    most, sizes = 8 << 20, [0]
    put = [event(endpoint="x" * 1000) for _ in range(14_000)]
    with house.writer(max_bytes=most, wake=lambda: sizes.append(house.size())) as writer:
        for one in put:
            writer.offer(one)
    kept = house.ids()
    assert max(sizes) <= most
    assert 0 < len(kept) < len(put)
    assert kept == [one.event_id for one in put][-len(kept) :]
    assert writer.dropped == len(put) - len(kept)
    batches = house.batches()
    assert batches[-1].sequence == len(put)
    assert batches[0].sequence - len(batches[0].events) == writer.dropped


def test_a_reader_that_stands_still_does_not_fill_the_disk(house: SpoolHouse) -> None:
    most, sizes = 8 << 20, [0]
    with house.writer(max_bytes=most, wake=lambda: sizes.append(house.size())) as writer:
        writer.offer(event())
        until(house.batches)
        with closing(files.open_for_reading(files.file_of(house.directory, 0))) as still:
            reading = still.execute("SELECT 1 FROM batches UNION ALL SELECT 2")
            reading.fetchone()
            for _ in range(14_000):
                writer.offer(event(endpoint="x" * 1000))
            until(lambda: writer.failure)
            assert "stands still" in str(writer.failure)
            reading.close()
        until(lambda: writer.failure is None)
        until(lambda: house.batches()[-1].sequence == 14_001)
    assert max(sizes) <= most + (1 << 20)


def test_a_ring_that_overflows_drops_the_oldest(house: SpoolHouse) -> None:
    put = [event() for _ in range(300)]
    house.directory.parent.joinpath("spool").write_text("in the way")
    with house.writer(ring_events=10) as writer:
        writer.offer(put[0])
        until(lambda: writer.failure)
        for one in put[1:]:
            writer.offer(one)
        until(lambda: writer.dropped == 289)
        house.directory.unlink()
        until(lambda: writer.failure is None)
        until(lambda: len(house.ids()) == 11)
    assert house.ids() == [put[0].event_id, *(one.event_id for one in put[-10:])]
    assert [batch.sequence for batch in house.batches()] == [1, 300]
    assert writer.dropped == 289


# ---- the disk --------------------------------------------------------------------------------------------------------


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full, for this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_waited_for_and_nothing_comes_twice(house: SpoolHouse) -> None:
    put = [event(endpoint="x" * 1000) for _ in range(1000)]
    with house.writer() as writer:
        writer.offer(put[0])
        until(house.batches)
        with no_file_larger_than(200_000):
            for one in put[1:]:
                writer.offer(one)
            until(lambda: writer.failure)
        until(lambda: len(house.ids()) == len(put))
        assert (writer.failure, writer.dropped) == (None, 0)
    assert house.ids() == [one.event_id for one in put]


def test_what_cannot_be_pruned_is_not_written_twice(house: SpoolHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("daemon.adapters.spool.writer._SpoolFile._prune", fail)
    put = [event() for _ in range(5)]
    with house.writer() as writer:
        for number, one in enumerate(put, 1):
            writer.offer(one)
            until(lambda number=number: len(house.ids()) == number)
    assert [batch.sequence for batch in house.batches()] == [1, 2, 3, 4, 5]


def test_a_batch_that_cannot_be_packed_is_lost_alone(house: SpoolHouse) -> None:
    with house.writer() as writer:
        writer.offer(event(requested_model="\ud800"))
        until(lambda: writer.dropped == 1)
        writer.offer(event())
    assert [(len(batch.events), batch.sequence) for batch in house.batches()] == [(1, 2)]


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(house: SpoolHouse) -> None:
    house.directory.mkdir()
    files.file_of(house.directory, 0).write_bytes(b"this is no database at all" * 1000)
    with house.writer() as writer:
        writer.offer(event())
        until(house.batches)
    assert len(house.ids()) == 1
    assert len(list(house.directory.glob("*.damaged-*"))) == 1


def test_a_damaged_file_does_not_hide_the_others(house: SpoolHouse, caplog: pytest.LogCaptureFixture) -> None:
    with house.writer(1) as writer:
        writer.offer(event())
    files.file_of(house.directory, 0).write_bytes(b"rubbish" * 1000)
    files.file_of(house.directory, 2).touch()
    assert [len(house.ids()) for _ in range(3)] == [1, 1, 1]
    assert caplog.text.count("worker-0.db cannot be read") == 1


def test_a_batch_that_cannot_be_read_counts_as_lost(house: SpoolHouse) -> None:
    with house.writer() as writer:
        writer.offer(event())
    connection = sqlite3.connect(files.file_of(house.directory, 0))
    connection.execute("INSERT INTO batches (sequence, n, body) VALUES (3, 2, x'c1')")
    connection.commit()
    connection.close()
    assert [(len(batch.events), batch.sequence) for batch in house.batches()] == [(1, 1), (0, 3)]


def test_a_worker_has_one_writer(house: SpoolHouse) -> None:
    held = files.lock(house.directory, 0)
    assert held is not None
    assert files.lock(house.directory, 0) is None
    other = files.lock(house.directory, 1)
    assert other is not None
    os.close(held)
    again = files.lock(house.directory, 0)
    assert again is not None
    os.close(again)
    os.close(other)


KILLED = """
import os, sys
from pathlib import Path
from tests.fakes.spool import SpoolHouse, event
house = SpoolHouse(Path(sys.argv[1]))
with house.writer(wake=lambda: print(len(house.ids()), flush=True)) as writer:
    while True:
        writer.offer(event())
        if len(writer._ring) > 1000: os.sched_yield()
"""


def test_what_was_written_survives_a_kill(house: SpoolHouse, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    assert process.stdout is not None
    written = [int(process.stdout.readline()) for _ in range(5)][-1]
    process.kill()
    process.wait()
    process.stdout.close()
    ids = house.ids()
    assert len(ids) >= written
    assert ids == sorted(set(ids))


# ---- the codec -------------------------------------------------------------------------------------------------------


def test_a_reader_of_another_version_takes_what_it_knows() -> None:
    one = event()
    content = msgspec.msgpack.decode(codec.encode([one]))
    content["fields"].append("of_tomorrow")
    content["rows"][0].append(1)
    position = content["fields"].index("prefix")
    del content["fields"][position], content["rows"][0][position]
    assert codec.decode(msgspec.msgpack.encode(content)) == (one,)


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x80", b"\x93\x01\x02\x03", b"\x82\xa6fields\x91\xa1a\xa4rows\x91\x90"]
)
def test_what_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a batch"):
        codec.decode(body)


def test_a_file_that_has_nothing_more_is_not_opened_until_it_changes(
    house: SpoolHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    really_open = files.open_for_reading

    def watched(path: Path) -> sqlite3.Connection:
        opened.append(path)
        return really_open(path)

    monkeypatch.setattr(files, "open_for_reading", watched)
    with house.writer() as writer:
        writer.offer(event())
        batches = until(house.batches)
        after = watermarks(batches)
        opened.clear()
        for _ in range(50):
            assert house.batches(after) == []
        assert len(opened) == 2
        writer.offer(event())
        assert len(until(lambda: house.batches(after))) == 1
    assert len(house.batches()) == 2  # whoever begins again finds everything
