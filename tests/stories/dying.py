"""Everything loaded once, then forked: fakes, and control planes that die at a point of the journal.

Reads one JSON object a line: `{"argv", "environment", "output", "die_at"}`; writes the process id of each fork.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import daemon.app.control_app  # noqa: F401 loaded before the first fork
from daemon.adapters.management.client import BASE, ManagementClient
from daemon.adapters.store.ledger import DatabaseLedger
from daemon.app.shelf import scan
from daemon.cli import main
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Call, MitigationState

S = MitigationState
KILLED = 137

BEFORE_COMMIT = {"X0": S.PLANNED, "X6": S.APPLIED, "X8": S.RESTORING, "X11": S.RESTORED}
AFTER_COMMIT = {"X1": S.PLANNED, "X3": S.WRITING, "X7": S.APPLIED, "X9": S.RESTORING, "X12": S.RESTORED}
AFTER_GET = "X2"
WHILE_SENDING = {"X4": True, "X10": False}
"""Whether it is the first thing that the process sends: the wanted value; the old one comes after it."""
AFTER_PUT = "X5"
POINTS = tuple(f"X{number}" for number in range(13))


def die() -> None:
    """Nothing is flushed, closed or told."""
    os._exit(KILLED)


class Death:
    """Stands around the store and the management client of a control plane, which knows nothing of it."""

    def __init__(self, point: str, target_path: str) -> None:
        self._point, self._path = point, target_path
        self._sends = 0

    def surround(self) -> None:
        commit, read, send = DatabaseLedger.commit, ManagementClient.read, ManagementClient.send

        async def dying_commit(ledger: DatabaseLedger, decision: Decision) -> None:
            states = {row.state for row in decision.mitigations}
            self._at(BEFORE_COMMIT, states)
            await commit(ledger, decision)
            self._at(AFTER_COMMIT, states)

        async def dying_read(client: ManagementClient, path: str) -> Any:
            answer = await read(client, path)
            if self._point == AFTER_GET and path == self._path:
                die()
            return answer

        async def dying_send(client: ManagementClient, call: Call) -> None:
            self._sends += 1
            if WHILE_SENDING.get(self._point) is (self._sends == 1):
                self._send_and_die(call)
            await send(client, call)
            if self._point == AFTER_PUT:
                die()

        DatabaseLedger.commit = dying_commit  # type: ignore[method-assign]
        ManagementClient.read = dying_read  # type: ignore[method-assign]
        ManagementClient.send = dying_send  # type: ignore[method-assign]

    def _at(self, points: dict[str, MitigationState], states: Collection[MitigationState]) -> None:
        if points.get(self._point) in states:
            die()

    @staticmethod
    def _send_and_die(call: Call) -> None:
        """The upstream has it whole, and nobody is there any more to hear the answer."""
        where, key = urlsplit(os.environ["RUNBOOKD_UPSTREAM_URL"]), os.environ["RUNBOOKD_UPSTREAM_MANAGEMENT_KEY"]
        body = json.dumps(call.body).encode()
        head = (
            f"{call.method} {BASE}{call.path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((where.hostname, where.port)) as connection:
            connection.sendall(head.encode() + body)
            die()


def become(told: dict[str, Any]) -> None:
    """In the forked process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(told["environment"])
    output = os.open(told["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream, here in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(here, stream)
    if told["die_at"] is not None:
        Death(told["die_at"], told["path"]).surround()
    code = 1
    try:
        code = main(told["argv"])
    finally:
        sys.stdout.flush()
        os._exit(code)


def serve() -> None:
    """Until its input ends. Forks are reaped by the kernel."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    scan()
    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if not pid:
            become(told)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
