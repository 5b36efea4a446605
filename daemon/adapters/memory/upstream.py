"""An upstream in memory: its settings, what it serves, and whether it answers, as somebody sets them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daemon.adapters.memory.auth_files import AUTH_FILES, PATHS, changed, listed
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import ManagementFailure
from daemon.domain.event import Wire
from daemon.domain.front import Front
from daemon.domain.inventory import USUAL, Lists, ModelEntry
from daemon.domain.mitigation import Call


class MemoryUpstream:
    """Both its management API and what is asked of it cold. `answers` tells of a model whether a ping goes well."""

    version: str | None = "7.2.142"
    """That of the upstream whose ways it has."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        models: Sequence[str] | None = None,
        answers: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.settings = dict(settings or {})
        """By path: `quota-exceeded/switch-project`."""
        self.served = models
        self.files: Sequence[CredentialFile] = ()
        self.is_up = True
        self.answers = answers
        self.writes: list[Call] = []

    async def read(self, path: str) -> Any:
        self._answer()
        if path == AUTH_FILES:
            return listed(self.files)
        if path not in self.settings:
            raise ManagementFailure(f"{path}: 404", status=404)
        return {path.rpartition("/")[2]: self.settings[path]}

    async def send(self, call: Call) -> None:
        self._answer()
        self.writes.append(call)
        if call.path not in PATHS:
            self.settings[call.path] = call.body["value"]
            return
        try:
            self.files = changed(self.files, call)
        except LookupError:
            raise ManagementFailure(f"{call.path}: 404", status=404) from None

    async def config_fingerprints(self) -> Mapping[str, str]:
        self._answer()
        return {path.partition("/")[0]: str(value) for path, value in self.settings.items()}

    async def credential_files(self) -> Sequence[CredentialFile]:
        self._answer()
        return self.files

    async def reachable(self) -> bool:
        return self.is_up

    async def models(self) -> Lists | None:
        if self.served is None or not self.is_up:
            return None
        return {USUAL: [ModelEntry(model_id=model) for model in self.served]}

    async def front(self) -> Front:
        return Front(introduces=self.is_up)

    async def ping(self, model: str, wire: Wire) -> bool | None:
        return self.is_up and self.answers(model)

    async def close(self) -> None:
        """Nothing is open."""

    def _answer(self) -> None:
        if not self.is_up:
            raise ManagementFailure("the upstream does not answer")
