"""One of what is compared: how it is started in front of the upstream, called, and stopped."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.instruments import pinned

CORE = 0
PATH = "/v1/chat/completions"
START_SECONDS, STOP_SECONDS = 120, 10
LAST_LINES = 20


class Missing(Exception):
    """It is not installed."""


@dataclass(frozen=True)
class Candidate:
    """Without a command it is the upstream itself. A slow one is started anew for each point."""

    name: str
    port: int
    directory: Path
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    is_slow: bool = False

    @contextmanager
    def running(self) -> Iterator[int | None]:
        """Its process id while it serves, on a core of its own."""
        if not self.command:
            yield None
            return
        with self._launch() as process:
            try:
                self._wait_until_it_answers(process)
                yield process.pid
            finally:
                _stop(process)

    def request(self, *, stream: bool) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a short one."""
        ask = {"model": "gpt-5.4", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
        body = json.dumps(ask).encode()
        own = {"Host": "bench", "Authorization": "Bearer bench-key", "Content-Type": "application/json"}
        return body, {**own, "Content-Length": str(len(body)), **self.headers}

    def last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:])

    @property
    def _log(self) -> Path:
        return self.directory / f"{self.name}.log"

    def _launch(self) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNBOOKD_")}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                pinned(CORE, *self.command),
                env=kept | self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            with suppress(OSError, HTTPException):
                if self._answers():
                    return
            time.sleep(0.05)
        raise SystemExit(f"{self.name} does not answer; it said:\n{self.last_words()}")

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", PATH, *self.request(stream=False))
            return connection.getresponse().status == 200
        finally:
            connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
