"""The two measuring instruments, compiled from C next to this file into a directory of the caller."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CORE = 1


def pinned(core: int, *command: str) -> list[str]:
    return ["taskset", "-c", str(core), *command]


def build(directory: Path) -> None:
    for name in ("upstream", "client"):
        subprocess.run(["gcc", "-O2", "-o", directory / name, HERE / f"{name}.c"], check=True)


@dataclass(frozen=True)
class Upstream:
    """A running `upstream`."""

    pid: int
    port: int

    def tell(self, **settings: int) -> dict[str, int]:
        """Sets how it streams from now on; returns what it has seen."""
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/_bench?" + "&".join(f"{name}={value}" for name, value in settings.items()))
        seen: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return seen


@contextmanager
def upstream(directory: Path) -> Iterator[Upstream]:
    command = pinned(CORE, str(directory / "upstream"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Upstream(process.pid, int(process.stdout.readline()))
        finally:
            process.terminate()


@contextmanager
def client(directory: Path, arguments: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """A running `client`; `report` waits for what it says."""
    with subprocess.Popen(
        pinned(CORE, str(directory / "client"), *arguments), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def report(process: "subprocess.Popen[str]") -> dict[str, Any]:
    said, _ = process.communicate()
    return dict(json.loads(said)) if said else {}
