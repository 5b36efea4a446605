"""`runbookd healthcheck`: for containers. Standard library only, as it runs every few seconds."""

import os
import sys
import tomllib
from argparse import ArgumentParser, Namespace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from daemon.adapters.config.directories import settings_file

HELP = "exit 0 when the processes are alive, else 1"
TIMEOUT_SECONDS = 3.0
CHECKS = {"proxy": ("8318", "/health"), "control": ("8319", "/healthz")}
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--only", choices=tuple(CHECKS), help="where only one of the two runs")


def run(args: Namespace) -> int:
    file = _file(args.config or settings_file(os.environ))
    troubles = [_trouble(name, file) for name in CHECKS if args.only in (None, name)]
    for trouble in filter(None, troubles):
        print(trouble, file=sys.stderr)
    return 1 if any(troubles) else 0


def _trouble(name: str, file: dict[str, str]) -> str | None:
    """What is wrong with one process, or None."""
    default_port, path = CHECKS[name]
    host = _setting(f"{name}_host", file, "127.0.0.1")
    port = _setting(f"{name}_port", file, default_port)
    try:
        status = _status(LOOPBACK.get(host, host), int(port), path)
    except (OSError, HTTPException, ValueError) as error:
        return f"{name}: no answer from {host}:{port} ({error})"
    return None if status == 200 else f"{name}: {path} answered {status}"


def _status(host: str, port: int, path: str) -> int:
    connection = HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _setting(name: str, file: dict[str, str], default: str) -> str:
    """As the settings do it: the environment, then the file, then the default."""
    return os.environ.get(f"RUNBOOKD_{name.upper()}") or str(file.get(name, default))


def _file(path: Path | None) -> dict[str, str]:
    """A file that cannot be read is the daemon's to complain about; here the defaults will do."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}
