"""A log on this machine is read on, also when it was rotated or cut off, and never waited for."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from daemon.adapters import log_file
from daemon.adapters.log_file import read_log


class Reader:
    """Goes on where it stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place: dict[str, Any] | None = None

    def lines(self) -> list[str]:
        reply = read_log(str(self.path), self.place)
        assert reply.ok, reply.error
        said = json.loads(reply.body)
        self.place = said["file"]
        lines: list[str] = said["lines"]
        return lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "main.log"
    path.write_text("one\ntwo\n")
    return path


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_each_line_is_read_once_and_whole(log: Path) -> None:
    reader = Reader(log)
    assert reader.lines() == ["one", "two"]
    add(log, "three\nfo")
    assert reader.lines() == ["three"]
    add(log, "ur\n")
    assert (reader.lines(), reader.lines()) == (["four"], [])


def test_a_rotation_loses_no_line(log: Path) -> None:
    reader = Reader(log)
    reader.lines()
    add(log, "three\n")
    log.rename(log.with_name("main-1.log"))
    log.write_text("four\n")
    assert reader.lines() == ["three", "four"]


def test_a_rotated_file_that_is_gone_is_not_missed(log: Path) -> None:
    reader = Reader(log)
    reader.lines()
    other = log.with_name("other")
    other.write_text("four\n")
    other.rename(log)
    assert reader.lines() == ["four"]


def test_a_log_that_was_cut_off_is_read_from_its_beginning(log: Path) -> None:
    reader = Reader(log)
    reader.lines()
    log.write_text("new\n")
    assert reader.lines() == ["new"]


def test_of_a_long_one_the_newest_whole_lines_are_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "MOST_BYTES", 12)
    add(log, "three\nfour\nfive\n")
    reader = Reader(log)
    assert reader.lines() == ["four", "five"]
    assert reader.lines() == []


def test_its_newest_instant_is_that_of_the_file(log: Path) -> None:
    os.utime(log, (1, 1_795_514_400))
    assert json.loads(read_log(str(log), None).body)["latest-timestamp"] == 1_795_514_400


def test_what_is_no_file_is_said_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "No such file" in read_log(str(tmp_path / "none"), None).error
    assert "is not a file" in read_log(str(tmp_path / "pipe"), None).error
    assert "is not a file" in read_log(str(tmp_path), None).error


def test_bytes_that_are_no_text_are_read(log: Path) -> None:
    log.write_bytes(b"\xff\xfe line\n")
    assert Reader(log).lines()[0].endswith(" line")
