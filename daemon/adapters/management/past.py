"""Asks the upstream's management API what it still knows of its past, by GETs that change nothing there."""

from typing import Any, Protocol

from daemon.domain.errors import ManagementFailure, Misuse
from daemon.domain.upstream_past import PastSource, Replies

MOST_LINES = 50_000
NOT_THERE = (
    "the upstream serves no management API: set `remote-management.secret-key` in its config.yaml "
    "(and `allow-remote: true` where it runs elsewhere), and RUNBOOKD_UPSTREAM_MANAGEMENT_KEY to the same key"
)


class Reads(Protocol):
    """The reading half of a `ManagementApi`."""

    async def read(self, path: str) -> Any: ...


async def ask(management: Reads, now: int) -> Replies:
    """One reply of each source. Raises `ManagementFailure` when the key is refused or no answer comes at all, and
    `Misuse` where there is no management API. The usage queue is not asked, for asking takes out of it."""
    asking = _Asking(management)
    auth_files = await asking.read("auth-files", PastSource.COUNTS)
    if auth_files is None and await asking.read("debug") is None:
        raise Misuse(NOT_THERE)
    return Replies(
        asked_at=now,
        auth_files=auth_files,
        api_keys=await asking.read("api-key-usage"),
        usage=await asking.read("usage", PastSource.USAGE),
        logs=await asking.read(f"logs?limit={MOST_LINES}", PastSource.LOG),
        missing=tuple(asking.missing),
    )


class _Asking:
    """Takes a refusal of one path for an answer, but not one of the key, and not silence."""

    def __init__(self, management: Reads) -> None:
        self._management = management
        self.missing: list[str] = []

    async def read(self, path: str, source: PastSource | None = None) -> Any:
        try:
            return await self._management.read(path)
        except ManagementFailure as failure:
            if failure.barred or failure.status is None:
                raise
            if source is not None:
                self.missing.append(f"{source.value}: {_why(source, failure)}")
            return None


def _why(source: PastSource, failure: ManagementFailure) -> str:
    if source is PastSource.LOG and failure.status == 400:
        return "the upstream writes none; `logging-to-file: true` in its config.yaml makes it"
    return "this upstream does not serve it" if failure.status == 404 else str(failure)
