"""A management API in memory, with the ways in which the real one misleads: what it says is not what it did."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.adapters.memory.auth_files import AUTH_FILES, PATHS, changed, listed
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Call
from tests.fakes.clock import FakeClock

LATE_SECONDS = 0.9


class FakeManagement:
    """`answers` are played one per write, then all goes well: `lost` (500), `applied` (500, and yet it was), `late`
    (200, and it shows after 0.9 s), `ignored` (200, and it never shows)."""

    def __init__(self, clock: FakeClock, **settings: Any) -> None:
        self._clock = clock
        self.settings: dict[str, Any] = settings
        self.version: str | None = "7.2.142"
        self.files: tuple[CredentialFile, ...] = ()
        self.config = {"api-keys": "1", "streaming": "2"}
        self.answers: deque[str] = deque()
        self.writes: list[tuple[str, Any]] = []
        """Paths and values; of a call for a credential the whole body."""
        self.moves: dict[str, str] = {}
        """What the next write changes in the rest of the config."""
        self.failure: ManagementFailure | None = None
        self.calls = 0
        self._late: list[tuple[float, Call]] = []

    async def read(self, path: str) -> Any:
        self._arrive()
        if path == AUTH_FILES:
            return listed(self.files)
        if path not in self.settings:
            raise ManagementFailure(f"{path}: 404", status=404)
        return {path.rpartition("/")[2]: self.settings[path]}

    async def send(self, call: Call) -> None:
        self._arrive()
        self.writes.append((call.path, call.body if call.path in PATHS else call.body["value"]))
        answer = self.answers.popleft() if self.answers else "ok"
        if answer in ("ok", "applied"):
            self._take(call)
            self.config |= self.moves
        if answer == "late":
            self._late.append((self._clock.monotonic() + LATE_SECONDS, call))
        if answer in ("lost", "applied"):
            raise ManagementFailure(f"{call.path}: 500", status=500)

    async def config_fingerprints(self) -> Mapping[str, str]:
        self._arrive()
        own = {path.partition("/")[0]: str(value) for path, value in self.settings.items()}
        return {**own, **self.config}

    async def credential_files(self) -> Sequence[CredentialFile]:
        self._arrive()
        return self.files

    async def close(self) -> None:
        """Nothing is open."""

    def _arrive(self) -> None:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        now = self._clock.monotonic()
        for at, call in self._late:
            if at <= now:
                self._take(call)
        self._late = [late for late in self._late if late[0] > now]

    def _take(self, call: Call) -> None:
        if call.path in PATHS:
            self.files = changed(self.files, call)
        else:
            self.settings[call.path] = call.body["value"]
