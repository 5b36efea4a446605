"""One lane of the crash points: a fake upstream, a spool that is written by hand, and control planes that die."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any, Self

import httpx

from daemon.adapters.clock import SystemClock
from daemon.adapters.config.packaged import packaged
from daemon.adapters.spool import files
from daemon.adapters.spool.writer import SpoolWriter
from daemon.adapters.store import upgrade
from daemon.adapters.wake import Waker
from daemon.app.rig import MANAGEMENT_KEY, Rig
from daemon.domain.event import Fault, Outcome, Wire
from tests.contracts.things import bare
from tests.stories.house import eventually

SETTING = "debug"
TARGET = f"upstream:{SETTING}"
RULES = """\
version: 1
route: {group_wait: 0s, group_interval: 1s}
rules:
  - alert: Failing
    kind: ratio
    bad: {outcome: failed}
    by: [provider_key]
    window: 5m
    min_samples: none
    min_bad: none
    confidence: none
    keep_firing_for: 0s
    levels: {critical: {above: 50%, clear_below: 30%, mitigate: [toggle]}}
"""
MITIGATIONS = "mitigations:\n  toggle: {{{kind}, hold: 0s, {more}}}\n"
TOGGLE, CREDENTIAL = "kind: upstream_toggle, set: {debug: true}", "kind: credential_priority, verify: none"
CREDENTIAL_FILE, AUTH_INDEX = "codex-b@example.org.json", "c0de00000000c0df"
HUMAN = {"x-by": "human", "authorization": f"Bearer {MANAGEMENT_KEY}"}
OPEN = ("planned", "writing", "applied", "restoring")
WITHIN = 25.0


@dataclass(frozen=True, slots=True)
class Row:
    """What the journal says of one mitigation."""

    state: str
    attempts: int
    outcome: str | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class Zygote:
    """Forks processes that have everything loaded already."""

    def __init__(self) -> None:
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stories.dying"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fork(self, argv: list[str], rig: Rig, *, die_at: str | None = None) -> int:
        """The process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        told = {
            "argv": argv,
            "environment": rig.environment(),
            "output": str(rig.directory / f"{argv[0]}.err"),
            "die_at": die_at,
            "path": SETTING,
        }
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def empty_store(directory: Path) -> Path:
    """A database without rows, to be copied: the migrations take longer than all the rest of a start."""
    path = directory / "empty.db"
    upgrade(f"sqlite:///{path}", packaged("migrations"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


class Lane:
    """Scenarios one after the other, each on a state directory of its own."""

    def __init__(self, zygote: Zygote, store: Path) -> None:
        self._zygote, self._store = zygote, store
        self._top = Path(tempfile.mkdtemp(prefix="rb", dir="/tmp"))
        self._rig = Rig(self._top, {"EVALUATION_INTERVAL": "1s"})
        self._http = httpx.AsyncClient(base_url=self._rig.fake_url, trust_env=False, timeout=10.0)
        self._pids: list[int] = []
        self._count = self._second = 0
        self._control: int | None = None
        self._writer: SpoolWriter | None = None

    async def __aenter__(self) -> Self:
        self._pids.append(
            self._zygote.fork(["fake", *self._rig._own_arguments("fake"), "--credentials", "3"], self._rig)
        )
        await eventually(self._answers, within=WITHIN)
        return self

    async def _answers(self) -> bool:
        return (await self._http.get("/healthz")).status_code == 200

    async def __aexit__(self, *_: object) -> None:
        self._end_scenario()
        for pid in self._pids:
            _kill(pid)
        await self._http.aclose()
        shutil.rmtree(self._top, ignore_errors=True)

    # ---- a scenario ----------------------------------------------------------------------------------------------

    async def begin(self, *, kind: str = TOGGLE, more: str = "cool_off: 0s", **settings: str) -> None:
        """A new state directory, and the upstream as at its start."""
        self._end_scenario()
        self._count += 1
        directory = self._top / str(self._count)
        directory.mkdir()
        settings |= {"EVALUATION_INTERVAL": "1s", "ALERTS_FILE": str(directory / "alerts.yaml")}
        self._rig = Rig(directory, settings)
        self._rig.fake_port = int(self._http.base_url.port or 0)
        self._rig.places.state.mkdir()
        shutil.copy(self._store, self._rig.places.database)
        self.rules(kind=kind, more=more)
        (await self._http.post("/_fake/reset")).raise_for_status()
        path = files.file_of(self._rig.places.spool, 0)
        path.parent.mkdir()
        self._waker = Waker(self._rig.places.control_socket)
        self._writer = SpoolWriter(
            path, clock=SystemClock(), max_bytes=1 << 20, acknowledged=self._rig.places.spool_ack, wake=self._waker.wake
        )
        self._writer.start()

    def _end_scenario(self) -> None:
        self.kill()
        if self._writer is not None:
            self._writer.close()
            self._waker.close()
        self._writer = None

    def rules(self, *, fires: bool = True, kind: str = TOGGLE, more: str = "cool_off: 0s") -> None:
        """The alerts file, with or without the rule."""
        rules = RULES if fires else "version: 1\n"
        (self._rig.directory / "alerts.yaml").write_text(rules + MITIGATIONS.format(kind=kind, more=more))

    def turns(self, count: int, *, ok: bool, **more: Any) -> None:
        """So many turns end now."""
        assert self._writer is not None
        facts: dict[str, Any] = {} if ok else {"outcome": Outcome.FAILED, "fault": Fault.PROVIDER_ERROR}
        for _ in range(count):
            now = SystemClock().now()
            self._second = now // 1000
            self._writer.offer(bare(now, requested_model="gpt-5.5", wire=Wire.OPENAI_CHAT, status=200, **facts | more))

    @property
    def seconds_ago(self) -> int:
        """Whole seconds since that of the last turns: what comes later is judged after them, not with them."""
        return SystemClock().now() // 1000 - self._second

    # ---- the control plane ---------------------------------------------------------------------------------------

    def start(self, die_at: str | None = None) -> None:
        self._control = self._zygote.fork(["control"], self._rig, die_at=die_at)

    async def dead(self) -> None:
        """Waits until it has died by itself."""
        pid = self._control
        await eventually(lambda: pid is not None and not _is_alive(pid), within=WITHIN)
        self._control = None

    async def ready(self) -> None:
        """Waits until it has judged for the first time."""
        url = f"{self._rig.control_url}/readyz"
        await eventually(lambda: self._is_ready(url), within=WITHIN)

    async def _is_ready(self, url: str) -> bool:
        return (await self._http.get(url)).status_code == 200

    def kill(self) -> None:
        if self._control is not None:
            _kill(self._control)
        self._control = None

    def output(self) -> str:
        return (self._rig.directory / "control.err").read_text()

    # ---- what is true outside ------------------------------------------------------------------------------------

    async def value(self) -> bool:
        answer = await self._http.get(f"/v0/management/{SETTING}", headers=HUMAN)
        return bool(answer.json()[SETTING])

    async def set_by_hand(self, value: bool) -> None:
        answer = await self._http.put(f"/v0/management/{SETTING}", json={"value": value}, headers=HUMAN)
        answer.raise_for_status()

    async def priority(self) -> int:
        """That of `CREDENTIAL_FILE`."""
        listed = (await self._http.get("/v0/management/auth-files", headers=HUMAN)).json()["files"]
        return next(int(file.get("priority", 0)) for file in listed if file["name"] == CREDENTIAL_FILE)

    async def set_priority_by_hand(self, value: int) -> None:
        told = {"name": CREDENTIAL_FILE, "priority": value}
        (await self._http.patch("/v0/management/auth-files/fields", json=told, headers=HUMAN)).raise_for_status()

    async def writes(self) -> list[int]:
        """When ours arrived (epoch ms)."""
        told = (await self._http.get("/_fake/requests", params={"limit": 20_000})).json()["requests"]
        ours = (one for one in told if one["method"] != "GET" and one["headers"].get("x-by") is None)
        return sorted(one["at"] for one in ours if one["path"].startswith("/v0/"))

    def rows(self) -> list[Row]:
        """The journal, the oldest first."""
        found = self._ask("SELECT state, attempts, outcome FROM mitigation ORDER BY planned_at")
        return [Row(state, attempts, outcome) for state, attempts, outcome in found]

    def commits(self) -> list[int]:
        """When a row was committed that a write may follow (epoch ms)."""
        states = "action IN ('writing', 'restoring')"
        return [at for (at,) in self._ask(f"SELECT at FROM audit WHERE {states} ORDER BY at")]

    def fires(self) -> bool:
        return bool(self._ask("SELECT 1 FROM alert WHERE alert = 'Failing' AND state IN ('firing', 'clearing')"))

    def has_resolved(self) -> bool:
        return bool(self._ask("SELECT 1 FROM transition WHERE state = 'resolved'"))

    def spoil(self) -> None:
        """What was the journal is none any more."""
        with self._store_opened() as connection:
            connection.execute("ALTER TABLE mitigation RENAME TO gone")
            connection.commit()

    def _ask(self, query: str) -> list[Any]:
        with self._store_opened() as connection:
            return connection.execute(query).fetchall()

    @contextmanager
    def _store_opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._rig.places.database, timeout=10.0)) as connection:
            yield connection


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, SIGKILL)
