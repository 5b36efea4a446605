"""A Postgres server of our own for the tests: in a temporary directory, on a free port, gone afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

REQUIRED = os.environ.get("RUNBOOKD_TEST_POSTGRES") == "required"
USERS = ("postgres", "nobody")
"""Root may not run a server; one of these does it then."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a running server. Where none is installed the test is skipped, or fails if one is required."""
    programs, user = _programs(), _user()
    if programs is None:
        _absent("no Postgres server is installed: initdb is neither in /usr/lib/postgresql nor in PATH")
    if user == "":
        _absent("root may not run Postgres, and there is no other user who could")
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as directory:
        home, port = Path(directory), _free_port()
        if user is not None:
            shutil.chown(home, user)
        with _running(programs, home, port, user):
            yield f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """A new, empty database on that server."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield url.removesuffix("postgres") + name
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _absent(reason: str) -> None:
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def _programs() -> Path | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if in_path := shutil.which("initdb"):
        places.append(Path(in_path).resolve().parent)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((user for user in USERS if user in names), "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(programs: Path, home: Path, port: int, user: str | None) -> Iterator[None]:
    data, log = str(home / "data"), home / "log"

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", data, *arguments]
        done = subprocess.run(command, user=user, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            said = log.read_text(errors="replace") if log.exists() else done.stderr
            pytest.fail(f"{program} failed: {said[-2000:]}")

    run("initdb", "--username=tester", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    settings = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
    run("pg_ctl", "start", "-w", "-s", "-l", str(log), "-o", settings)
    try:
        yield
    finally:
        run("pg_ctl", "stop", "-w", "-s", "-m", "immediate")
