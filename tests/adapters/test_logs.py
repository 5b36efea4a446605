"""The log, seen from the other end of stderr."""

import json
import os
import subprocess
import sys

SET_UP = "import logging; from daemon.adapters.logs import configure; log = logging.getLogger('x'); "


def stderr_of(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + code],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env=os.environ | environment,
    )
    assert done.stdout == ""
    return done.stderr


def test_json_lines_where_there_is_no_terminal() -> None:
    line = json.loads(stderr_of("configure('info'); log.info('hello %s', 'you\\n'); log.debug('no')"))
    assert line.pop("at").endswith("Z")
    assert line == {"level": "info", "logger": "x", "message": "hello you\n"}


def test_a_traceback_stays_on_its_line() -> None:
    code = "configure('info', 'json')\ntry: 1 / 0\nexcept ZeroDivisionError: log.exception('oh')"
    line = json.loads(stderr_of(code))
    assert line["message"] == "oh"
    assert "ZeroDivisionError" in line["error"]


def test_console_lines_cannot_be_forged() -> None:
    lines = stderr_of("configure('info', 'console'); log.warning('a\\nb\\x1b[1m')").splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("WARNING x: a b [1m")


def test_configured_twice_it_speaks_once() -> None:
    code = "configure('info', 'json'); configure('warning', 'json'); log.info('no'); log.warning('once')"
    assert len(stderr_of(code).splitlines()) == 1


def test_the_journal_is_told_the_priority() -> None:
    code = "import os; s = os.fstat(2); os.environ['JOURNAL_STREAM'] = f'{s.st_dev}:{s.st_ino}'; configure('info'); "
    assert stderr_of(code + "log.error('x')").startswith('<3>{"at"')


def test_a_reader_that_hangs_stops_nobody_and_is_told_what_it_missed() -> None:
    code = SET_UP + (
        "configure('info', 'json')\n"
        "for n in range(20_000): log.info('%05d %s', n, 'x' * 100)\n"
        "print('through', flush=True); input()\n"
        "log.info('after'); print('done', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdin
        assert process.stderr
        assert process.stdout.readline() == "through\n"  # while nobody reads stderr
        first = [process.stderr.readline() for _ in range(1000)]
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        process.stdin.close()
        rest = process.stderr.read().splitlines()
    messages = [json.loads(line)["message"] for line in [*first, *rest]]
    assert messages[0].startswith("00000")
    assert messages[-1] == "after"
    assert messages[-2].endswith("log lines were dropped: stderr was not read")


def test_a_reader_that_hangs_for_ever_does_not_stop_the_exit() -> None:
    code = SET_UP + "configure('info', 'json')\nfor n in range(20_000): log.info('x' * 100)"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        assert process.wait(timeout=20) == 0
        assert process.stderr
        process.stderr.close()
